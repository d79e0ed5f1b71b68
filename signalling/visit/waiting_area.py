"""A waiting area (service) of an organisation, as a visit keeps it, and who works in it.

Pure. The areas of an organisation are defined by its settings; who works in which, by the staff's records.
"""

from __future__ import annotations

import msgspec


class Area(msgspec.Struct, frozen=True):
    """A waiting area: its id, and its name when the visit came into it."""

    id: str
    name: str


def serves(areas: tuple[str, ...], area: str) -> bool:
    """Return True if somebody who works in these areas (() for all) serves an area; requests of "" are everybody's."""
    return not areas or not area or area in areas
