"""Pages, sign-in, REST API, set-up and command line. This package connects signalling and media."""
