"""Draws the imports between rooms (folders of the code) into docs/imports.svg, from the import statements.

Each room is a box. A file that lies directly in a package with rooms is also a box, unless there are many such
files. Arrows point downward, from the importing box to the imported one. A red arrow points upward and belongs
to a cycle. An arrow is left out if other arrows lead to the same box through further boxes.
"""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import NamedTuple

from tests.test_architecture import PACKAGES, ROOT, imports, sources

PATH = ROOT / "docs" / "imports.svg"
LOOSE = 10
"""If more files than this lie directly in a package, beside its rooms, these files are drawn as one box."""
WIDTH, BOX, ROW, GAP, HEAD = 1180, 28, 62, 16, 26

Link = tuple[str, str]
Links = dict[Link, int]
"""(importing room, imported room) -> the number of imports."""


class Box(NamedTuple):
    """The box of a room (folder of the code) in the drawing: its upper left corner and width, in pixels."""

    x: float
    y: float
    width: float


def rooms() -> dict[str, str]:
    """Return dotted name of a module -> its box in the drawing: its room (folder), or its own file."""
    found = {}
    for package in PACKAGES:
        folder = ROOT / package
        loose = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        alone = any(folder.glob("*/*.py")) and len(loose) <= LOOSE
        for path in sources(package):
            inside = path.relative_to(folder).parts
            module = ".".join((package, *inside)).removesuffix(".py").removesuffix(".__init__")
            beside = f"{package}/{path.name}" if alone else package
            found[module] = f"{package}/{inside[0]}" if len(inside) > 1 else beside
    return found


def links() -> Links:
    """Return the number of imports from one room (a folder of the code) to another.

    Imports that are only for the type checker do not count.
    """
    room_of, found = rooms(), Counter[Link]()
    for package in PACKAGES:
        for path in sources(package):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            for _, dotted in imports(path, of_types=False):
                name = dotted.removeprefix("greenroom.")
                target = room_of.get(name) or room_of.get(name.rpartition(".")[0])
                if target is not None and target != room_of[module]:
                    found[room_of[module], target] += 1
    return dict(sorted(found.items()))


def circles(known: Links) -> list[set[str]]:
    """Return the groups of rooms that import each other, directly or through other rooms."""
    reach: dict[str, set[str]] = {}
    for room in {room for link in known for room in link}:
        seen: set[str] = set()
        left = [room]
        while left:
            near = {other for one, other in known if one == left[-1]} - seen
            left.pop()
            seen |= near
            left += near
        reach[room] = seen
    groups = {
        frozenset({room} | {o for o in reach[room] if room in reach[o]})
        for room in reach
        if room in reach[room]
    }
    return sorted(map(set, groups), key=min)


def upward(known: Links) -> set[Link]:
    """Return links to draw in red: if they are removed, no cycle is left.

    Links with few imports are chosen if possible (the heuristic of Eades, Lin and Smyth, 1993). `known`: all
    links.
    """
    return {link for circle in circles(known) for link in _against(known, circle)}


def _against(known: Links, circle: set[str]) -> set[Link]:
    left, first, last = set(circle), list[str](), list[str]()
    while left:
        out = {
            room: sum(n for (one, other), n in known.items() if one == room and other in left)
            for room in left
        }
        into = {
            room: sum(n for (one, other), n in known.items() if other == room and one in left)
            for room in left
        }
        bottom = [room for room in sorted(left) if not out[room]]
        chosen = (
            bottom[0]
            if bottom
            else max(sorted(left), key=lambda room: (not into[room], out[room] - into[room]))
        )
        if bottom:
            last.insert(0, chosen)
        else:
            first.append(chosen)
        left.remove(chosen)
    order = {room: index for index, room in enumerate([*first, *last])}
    return {(a, b) for a, b in known if a in order and b in order and order[a] > order[b]}


def needed(down: set[Link]) -> set[Link]:
    """Return the links of `down` that are drawn: those whose two rooms are not also connected by several other
    links, one after another.

    `down`: links without cycles.
    """
    below: dict[str, set[str]] = {}

    def under(room: str) -> set[str]:
        if room not in below:
            near = {other for one, other in down if one == room}
            below[room] = near.union(*(under(other) for other in near))
        return below[room]

    return {
        (one, other)
        for one, other in down
        if not any(other in under(via) for start, via in down if start == one and via != other)
    }


def floors(down: set[Link], members: list[str]) -> dict[str, int]:
    """Return room -> its row in the drawing, counted from the bottom.

    The row is 0 if a room imports no other of `members`. Otherwise the room is one row above the highest room
    that it imports. `down`: the links, without cycles. `members`: the rooms of one package.
    """
    found: dict[str, int] = {}

    def floor(room: str) -> int:
        if room not in found:
            near = [other for one, other in down if one == room and other in members]
            found[room] = 1 + max(map(floor, near), default=-1)
        return found[room]

    return {room: floor(room) for room in members}


def _package(
    package: str, members: list[str], of: dict[str, int], at: tuple[float, float, float], out: list[str]
) -> dict[str, Box]:
    """Draw the frame of a package with its rooms, at (x, y, width), and append it to `out` as SVG.

    `members`: the rooms; `of`: room -> its row, counted from the bottom. Returns room -> its box in the
    drawing.
    """
    x0, y0, width = at
    height = (1 + max(of.values(), default=0)) * ROW + HEAD - 6
    out.append(
        f'<rect x="{x0:.0f}" y="{y0:.0f}" width="{width:.0f}" height="{height}" rx="8" '
        'fill="#f4f6f8" stroke="#c5ced6"/>'
        f'<text x="{x0 + 10:.0f}" y="{y0 + 17:.0f}" fill="#51606d">{package}/</text>'
    )
    places = {}
    for level in set(of.values()):
        row = sorted(room for room in members if of[room] == level)
        cell = (width - GAP) / len(row)
        shift = (0.2 if level % 2 else -0.2) * cell if len(row) < 4 else 0.0
        for index, room in enumerate(row):
            wide = 7.4 * len(_label(room, members)) + 18
            middle = x0 + GAP / 2 + (index + 0.5) * cell + shift
            places[room] = Box(middle - wide / 2, y0 + HEAD + (max(of.values()) - level) * ROW, wide)
    return places


def _label(room: str, members: list[str]) -> str:
    _, _, name = room.partition("/")
    return name or (room if members == [room] else "*.py")


def _arrow(one: Box, other: Box, red: bool) -> str:
    x1, x2 = one.x + one.width / 2, other.x + other.width / 2
    if red:
        x1, x2 = one.x + one.width * 0.8, other.x + other.width * 0.8
    down = other.y > one.y
    y1, y2 = (one.y + BOX, other.y - 2) if down else (one.y, other.y + BOX + 2)
    bend = max(16.0, abs(y2 - y1) / 2.5) * (1 if down else -1)
    colour = "#c62828" if red else "#7d8c99"
    return (
        f'<path d="M{x1:.0f} {y1:.0f}C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}" '
        f'fill="none" stroke="{colour}" marker-end="url(#a)"/>'
    )


def drawing() -> str:
    """Return the drawing of the rooms and their imports as SVG."""
    known = links()
    red = upward(known)
    down = set(known) - red
    members = {p: sorted({r for link in known for r in link if r.split("/")[0] == p}) for p in PACKAGES}
    of = {package: floors(down, members[package]) for package in PACKAGES}
    frames: list[str] = []
    places = _package("web", members["web"], of["web"], (GAP, GAP, WIDTH - 2 * GAP), frames)
    top = 2 * GAP + (1 + max(of["web"].values())) * ROW + HEAD + GAP
    lower = [package for package in PACKAGES if package != "web"]
    x, room_for = float(GAP), WIDTH - (1 + len(lower)) * GAP
    for package in lower:
        share = len(members[package]) / sum(len(members[p]) for p in lower)
        places |= _package(package, members[package], of[package], (x, top, room_for * share), frames)
        x += room_for * share + GAP
    height = top + max(1 + max(of[package].values()) for package in lower) * ROW + HEAD + GAP
    arrows = [_arrow(places[one], places[other], False) for one, other in sorted(needed(down))]
    arrows += [_arrow(places[one], places[other], True) for one, other in sorted(red)]
    boxes = [
        f'<rect x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{BOX}" rx="5" fill="#fff" '
        f'stroke="#4a7c6f"/><text x="{box.x + box.width / 2:.0f}" y="{box.y + 19:.0f}" text-anchor="middle" '
        f'fill="#1b2a33">{escape(_label(room, members[room.split("/")[0]]))}</text>'
        for room, box in sorted(places.items())
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" font-size="13" '
            'font-family="system-ui, sans-serif" role="img"><title>Which room imports which</title>',
            '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0 8 4 0 8z" fill="context-stroke"/></marker></defs>',
            f'<rect width="{WIDTH}" height="{height:.0f}" fill="#fff"/>',
            *frames,
            *arrows,
            *boxes,
            "</svg>\n",
        ]
    )
