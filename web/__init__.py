"""Pages, sign-in, REST, set-up and the command line; here signalling and media are tied together."""
