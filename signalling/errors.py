"""All errors of this package. Some carry a code of the protocol. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SignallingError(Exception):
    """The base of all errors of this package."""


# --- the store


class UnavailableError(SignallingError):
    """The store did not answer in time, or refused a command. Unless it refused, a write may or may not have taken
    effect.

    `reason`: the code of the store's reply ("OOM", "READONLY", "MISCONF", "NOPERM", …), "ENOSPC" if its disk is full,
    otherwise the class name of the error. `refused`: True if the store replied with an error.
    """

    def __init__(self, reason: str = "", *, refused: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.refused = refused


class SupersededError(SignallingError):
    """The connection of a request has been resumed on another socket, so the request is not carried out."""


class SealError(SignallingError, ValueError):
    """The bytes were not encrypted for this place in the store with a known key, or were changed later."""


class BrokenHeadError(SignallingError, ValueError):
    """The head of an audit log was not written by this server, or was changed later."""


# --- connections


class BadMessageError(SignallingError, ValueError):
    """The data is no message of this protocol.

    `path`: the place of the wrong value in the message, "" if not known. `reply_to`: the id of the message, None
    without one.
    """

    def __init__(self, path: str, reply_to: int | None) -> None:
        super().__init__(path)
        self.path = path
        self.reply_to = reply_to


class ResumeError(SignallingError):
    """A resume token was refused. `code`: resume_expired, resume_ended or resume_invalid."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class TooManyGuessesError(ResumeError):
    """The address sent too many wrong tokens, so that its tokens are not checked for now."""

    def __init__(self) -> None:
        super().__init__("resume_invalid")


# --- the relay


class MediaError(SignallingError):
    """The relay cannot carry out a call. Only the three subclasses below are raised."""


class RoomFullError(MediaError):
    """The room has no place for another party, or is closing."""


class PartyGoneError(MediaError):
    """The party's connection to the relay has ended or failed: the party must join again."""


class BadSdpError(MediaError):
    """The SDP cannot be used. `problem`: a short code for the reason."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


# --- clients


class RequestError(SignallingError):
    """The server refused a request.

    `code` is stable (PROTOCOL.md#errors); `details`: more about the refusal, for programs.
    """

    def __init__(self, code: str, text: str, details: Mapping[str, Any]) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.details = details


class ClosedError(SignallingError):
    """The socket is closed.

    `code`: the close code (PROTOCOL.md#close-codes), 1006 if the socket was closed without one.
    """

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code
