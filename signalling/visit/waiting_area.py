"""A waiting area (service) of an organisation, as a visit keeps it, and the staff who work in it.

The settings define the areas of an organisation; the staff's records define who works in which area. Does no I/O.
"""

from __future__ import annotations

import msgspec


class Area(msgspec.Struct, frozen=True):
    """A waiting area: its id, and its name at the time when the visit came into it."""

    id: str
    name: str


def serves(areas: tuple[str, ...], area: str) -> bool:
    """Return True if staff who work in these areas (() for all areas) serve the area `area`.

    All staff serve requests without an area ("").
    """
    return not areas or not area or area in areas
