"""The result of a check."""

from enum import StrEnum

import msgspec


class State(StrEnum):
    """How good the checked thing is."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    """The checked thing works, but an operator should know something about it."""
    WRONG = "wrong"
    """The checked thing will cause problems for people."""


class Finding(msgspec.Struct, frozen=True):
    """The result of a check. `found`: what it found, without any secret; `advice`: what the operator must do, or ""."""

    state: State
    found: str
    advice: str = ""


def good(found: str) -> Finding:
    """Return a finding for a thing that is good: the operator need do nothing."""
    return Finding(State.GOOD, found)


def doubtful(found: str, advice: str) -> Finding:
    """Return a finding for a thing that works, but of which an operator should know something."""
    return Finding(State.DOUBTFUL, found, advice)


def wrong(found: str, advice: str) -> Finding:
    """Return a finding for a thing that will cause problems for people."""
    return Finding(State.WRONG, found, advice)
