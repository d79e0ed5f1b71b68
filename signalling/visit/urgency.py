"""The levels of urgency (triage) of a request, the most urgent first. Does no I/O.

An organisation may choose other words for the levels. The levels are fixed, so that every page and program compares
them in the same way.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta


class Urgency(StrEnum):
    """A level of urgency of a request, the most urgent first."""

    EMERGENCY = "emergency"
    URGENT = "urgent"
    ROUTINE = "routine"


LevelWord = Annotated[
    str,
    Meta(
        max_length=40, description="the organisation's word for this level of urgency; empty: the pages' own"
    ),
]
"""An organisation's own word for a level of urgency."""
SEVERITY: Final = {level: place for place, level in enumerate(Urgency)}
"""Level of urgency -> its rank. The most urgent level has rank 0."""


def more_urgent(one: Urgency, other: Urgency) -> bool:
    """Return True if the level `one` is more urgent than the level `other`."""
    return SEVERITY[one] < SEVERITY[other]
