"""All errors that media raises to its callers. Errors of the network itself are raised as OSError. Does no I/O."""

from __future__ import annotations


class MediaError(Exception):
    """The base of all errors that the package media raises to its callers."""


class PartyGoneError(MediaError):
    """The party must join again: it has left, a newer party with its id has replaced it, or its connection has
    failed.
    """


class RoomFullError(MediaError):
    """The room already has the greatest number of parties."""


class RoomClosedError(MediaError):
    """The room is closed; ask the relay for a new room."""


class PortsTakenError(MediaError, OSError):
    """All UDP ports that the settings allow for media are in use."""


class SdpError(MediaError):
    """The browser's SDP answer cannot be used.

    `code` names the reason for programs and does not change between versions; `detail` is a text for people. Neither
    contains text of the answer.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class RtcpError(MediaError):
    """The bytes are not a valid RTCP compound packet."""


class DtlsError(MediaError):
    """The DTLS handshake with a browser has failed."""
