"""`greenroom peers` on the command line."""
