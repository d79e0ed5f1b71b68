"""Contains the commands `greenroom peers`."""
