"""Defines the scopes of API keys, which are their rights.

This module imports no library of the server, so that the command line starts fast.
"""

from enum import StrEnum


class Scope(StrEnum):
    """A right that an API key may have."""

    READ = "read"
    OPEN = "open"
    STAFF = "staff"
