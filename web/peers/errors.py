"""Defines all errors of the load tester. The text of each is one sentence for the person at the terminal."""

from __future__ import annotations

import json
import re
from typing import Any, Final

MOST_SHOWN: Final = 400
_TOKEN = re.compile(r"\br_[A-Za-z0-9_-]{6,}")


class PeersError(Exception):
    """The base of all errors of the load tester."""


class PlanError(PeersError, ValueError):
    """A plan or an option is not valid; the text says what was expected."""


class ChannelLostError(PeersError):
    """The channel to another machine is closed. `code`: the close code from that machine, None if it sent no code."""

    def __init__(self, why: str, code: int | None = None) -> None:
        super().__init__(why)
        self.code = code


class UnknownMessageError(PeersError):
    """Another machine sent a message that is not defined here, because it runs another version of Greenroom."""


class RunError(PeersError):
    """A run could not be played to its end; or one machine or process could not play its part of the run."""


class ObservationsError(PeersError, ValueError):
    """A file cannot be read as the observations of a run."""


class ThresholdError(PeersError, ValueError):
    """The text of a threshold, such as `pulled_in.p99>5ms`, cannot be parsed; the error says what was expected."""


class HttpError(PeersError):
    """The received bytes are not an HTTP response, or the connection was lost before a response arrived."""


class EntryError(PeersError):
    """A synthetic person cannot enter: the server is not reachable, refuses, or does not answer as expected."""


class RefusedError(PeersError):
    """The server refused a request.

    `code`: an error code of PROTOCOL.md#errors, or a code that the load tester defines.
    """

    def __init__(self, code: str, text: str = "", details: Any = None) -> None:
        super().__init__(f"{code}: {text}" if text else code)
        self.code = code
        self.details = details or {}


class VisitEndedError(PeersError):
    """The visit ended while something else was expected. `outcome`: how it ended, as in PROTOCOL.md#visit."""

    def __init__(self, outcome: str) -> None:
        super().__init__(f"the visit has ended: {outcome}")
        self.outcome = outcome


class ViolationError(PeersError):
    """The server or the client under test does not do what PROTOCOL.md says.

    The error has the sent, the expected and the received message.
    """

    def __init__(self, expected: str, got: object, sent: object = "") -> None:
        super().__init__(expected)
        self.expected, self.got, self.sent = expected, shown(got), shown(sent)


class UntestableError(PeersError):
    """A check is not possible with this server; the text gives the reason, and what would make it possible."""


class MissingPersonError(UntestableError):
    """The credentials lack a person whom the check needs. `needs`: which person, such as "an admin"."""

    def __init__(self, needs: str) -> None:
        super().__init__(f"needs {needs}")


def shown(value: object) -> str:
    """Return a message or a sentence as it may be printed: short, and without private tokens."""
    if isinstance(value, bytes):
        text = f"{len(value)} bytes {value[:40]!r}"
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = _TOKEN.sub("r_…", text)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]} … ({len(text)} characters)"


def file_sentence(problem: OSError, path: object = None) -> str:
    """Return a sentence about a file that cannot be used: its name and the reason.

    `path`: the name if the error has none, as after a write to a full disk; None if it is not known.
    """
    name, reason = problem.filename or path, problem.strerror or str(problem)
    return reason if name is None else f"{name}: {reason}"
