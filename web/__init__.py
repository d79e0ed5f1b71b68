"""Pages, sign-in, REST, set-up and the command line; the place where signalling and media are tied together."""
