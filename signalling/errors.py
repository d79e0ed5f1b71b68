"""All errors of this package. Some carry a code of the protocol. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SignallingError(Exception):
    """The base of all errors of this package."""


# --- errors of the store (Redis)


class UnavailableError(SignallingError):
    """The store did not answer in time, or refused a command.

    A refused write has changed nothing. If the store did not answer, it is not known whether a write took
    effect.

    `reason`: the code of the store's reply ("OOM", "READONLY", "MISCONF", "NOPERM", …), "ENOSPC" if its disk is full,
    otherwise the class name of the error. `refused`: True if the store replied with an error.
    """

    def __init__(self, reason: str = "", *, refused: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.refused = refused


class SupersededError(SignallingError):
    """The connection that sent a request is in use on a newer socket, so the request of the older socket is not carried
    out.
    """


class SealError(SignallingError, ValueError):
    """Stored bytes cannot be decrypted.

    They were encrypted for another place in the store, or with a key that this server does not have, or they
    were changed.
    """


class BrokenHeadError(SignallingError, ValueError):
    """The head of an audit log was changed, or this server has not written it.

    The head records the first and the last entry of the log.
    """


# --- errors of connections


class BadMessageError(SignallingError, ValueError):
    """A client's data is no message of this protocol.

    `path`: the place of the wrong value in the message, "" if not known. `reply_to`: the id of the message, None if it
    has none.
    """

    def __init__(self, path: str, reply_to: int | None) -> None:
        super().__init__(path)
        self.path = path
        self.reply_to = reply_to


class NotUtf8Error(BadMessageError):
    """A text frame of a client is not UTF-8, so that its socket must be closed (RFC 6455 §8.1)."""

    def __init__(self) -> None:
        super().__init__("$", None)


class ResumeError(SignallingError):
    """A resume token was refused, so the connection cannot continue.

    `code`: resume_expired, resume_ended or resume_invalid.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class TooManyGuessesError(ResumeError):
    """A client's IP address sent too many wrong tokens: for some time, the server does not check tokens from it."""

    def __init__(self) -> None:
        super().__init__("resume_invalid")


# --- errors of the media relay


class MediaError(SignallingError):
    """The media relay refuses a request about a call. Only subclasses of this error are raised."""


class RoomFullError(MediaError):
    """The room (the call of one visit) already has the greatest number of parties, or is closing."""


class PartyGoneError(MediaError):
    """The party's connection to the relay has ended or failed: the party must join again."""


class BadSdpError(MediaError):
    """The SDP of a browser cannot be used. `problem`: a short code for the reason."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


# --- errors that clients raise


class RequestError(SignallingError):
    """The server refused a request, which was therefore not carried out.

    `code`: the reason, which does not change between versions (PROTOCOL.md#errors). `details`: more about the refusal,
    for programs.
    """

    def __init__(self, code: str, text: str, details: Mapping[str, Any]) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.details = details


class ClosedError(SignallingError):
    """The socket is closed.

    `code`: the close code (PROTOCOL.md#close-codes), 1006 if the socket was closed without a code.
    """

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code
