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
    """The result of a check. `found`: what it found, without any secret; `advice`: what the operator must do, or ""."""

    state: State
    found: str
    advice: str = ""


def good(found: str) -> Finding:
    """Return the finding that the checked part is good, so that the operator need do nothing.

    `found`: what was found.
    """
    return Finding(State.GOOD, found)


def doubtful(found: str, advice: str) -> Finding:
    """Return the finding that the checked part works, but that the operator should know something about it.

    `found`: what was found; `advice`: what to do.
    """
    return Finding(State.DOUBTFUL, found, advice)


def wrong(found: str, advice: str) -> Finding:
    """Return the finding that the checked part will cause problems for people.

    `found`: what was found; `advice`: what to do.
    """
    return Finding(State.WRONG, found, advice)
