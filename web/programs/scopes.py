"""What an API key can be good for. Nothing else, so that the command line starts without the server's libraries."""

from enum import StrEnum


class Scope(StrEnum):
    """What a key is good for."""

    READ = "read"
    OPEN = "open"
    STAFF = "staff"
