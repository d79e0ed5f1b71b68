"""The scopes of API keys. Imports nothing else, so that the command line starts without the server's libraries."""

from enum import StrEnum


class Scope(StrEnum):
    """A right that a key may have."""

    READ = "read"
    OPEN = "open"
    STAFF = "staff"
