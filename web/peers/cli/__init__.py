"""Contains the command `greenroom peers` and its subcommands."""
