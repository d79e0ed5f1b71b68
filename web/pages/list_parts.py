"""Divides a long list into parts, of which a page shows one; the first part has the newest things.

The number of the part is in the address, as in `?part=2`. The parts are counted from the newest thing. So if there are
new things before a person follows the link to the next part, the part may begin with things that were shown already;
no thing is left out.
"""

from typing import NamedTuple

from aiohttp import web

PART = "part"
"""The name of the parameter of a page's address that has the number of a part, as in `?part=2`."""


class Part(NamedTuple):
    """One part of a list. `skipped`: how many newer things other parts show. `older`: how many older things they show.

    `newest_path` and `older_path`: the addresses of the first and of the next part, "" if there is none.
    """

    skipped: int
    older: int
    newest_path: str
    older_path: str


def part_of(request: web.Request, path: str, whole: int, size: int) -> Part:
    """Return the part whose number is in the request; the last part if this number is too high.

    `path`: the address of the page, without the number of a part. `whole`: the number of things in the list. `size`:
    the greatest number of things in a part.
    """
    wanted = request.query.get(PART, "")
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 7 else 1
    number = max(1, min(number, -(-whole // size)))
    older = max(0, whole - number * size)
    return Part(
        (number - 1) * size,
        older,
        path if number > 1 else "",
        f"{path}?{PART}={number + 1}" if older else "",
    )
