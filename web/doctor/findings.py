"""What a check finds."""

from enum import StrEnum

import msgspec


class State(StrEnum):
    """How good a thing is."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    """It works, and an operator should know this."""
    WRONG = "wrong"
    """People will run into it."""


class Finding(msgspec.Struct, frozen=True):
    """`found`: what the check found, without any secret; `advice`: what the operator must do, empty if nothing."""

    state: State
    found: str
    advice: str = ""


def good(found: str) -> Finding:
    """Return a finding that needs nothing done."""
    return Finding(State.GOOD, found)


def doubtful(found: str, advice: str) -> Finding:
    """Return a finding that an operator should know."""
    return Finding(State.DOUBTFUL, found, advice)


def wrong(found: str, advice: str) -> Finding:
    """Return a finding that people will run into."""
    return Finding(State.WRONG, found, advice)
