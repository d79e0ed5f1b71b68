"""Contains the command line `greenroom`, one module for each group of commands."""
