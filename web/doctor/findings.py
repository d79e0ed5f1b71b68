"""Defines the result of one check of `greenroom doctor`, which checks an installation."""

from enum import StrEnum

import msgspec


class State(StrEnum):
    """The verdict of a check of `greenroom doctor`: good, doubtful or wrong."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    """The checked part of the installation works, but the operator should know something about it."""
    WRONG = "wrong"
    """The checked part of the installation does not work as it must; people will have problems."""


class Finding(msgspec.Struct, frozen=True):
    """The result of a check. `found`: what it found, without any secret; `advice`: what the operator must do, "" for
    nothing.
    """

    state: State
    found: str
    advice: str = ""


def good(found: str) -> Finding:
    """Return a finding with the state GOOD: the checked part works, and the operator has nothing to do.

    `found`: what was found.
    """
    return Finding(State.GOOD, found)


def doubtful(found: str, advice: str) -> Finding:
    """Return a finding with the state DOUBTFUL: the checked part works, but the operator should know something about
    it.

    `found`: what was found; `advice`: what to do.
    """
    return Finding(State.DOUBTFUL, found, advice)


def wrong(found: str, advice: str) -> Finding:
    """Return a finding with the state WRONG: people will have problems with the checked part.

    `found`: what was found; `advice`: what to do.
    """
    return Finding(State.WRONG, found, advice)
