"""Tests which worker carries a new room, and the greatest number of rooms that all workers of a cluster together may
carry.
"""

import pytest

from signalling.rooms.placement import USUAL_ROOMS, Place, capacity, ranked

MACHINE, HOME, INTERNET = (("127.0.0.1", 1),), (("10.0.0.7", 1),), (("10.0.0.7", 1), ("8.8.8.8", 1))


def place(worker: str = "w0-1", rooms: int = 0, rooms_max: int = 0, **more: object) -> Place:
    """Return the report (`Place`) of a worker that has `rooms` rooms. `rooms_max`: its limit, 0 for none.

    `more`: other fields of `Place`.
    """
    fields: dict[str, object] = {"worker": worker, "at_ms": 1, "rooms": rooms, "rooms_max": rooms_max, **more}
    return Place(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("places", "most"),
    [
        ([], 0),
        ([place(rooms_max=4), place(rooms_max=3)], 7),
        ([place(rooms_max=4), place()], None),
        ([place(rooms_max=4), place(draining=True)], 4),
        ([place(rooms_max=4, draining=True)], 0),
    ],
)
def test_workers_take_the_sum_of_their_bounds_unless_one_takes_any_number(
    places: list[Place], most: int | None
) -> None:
    assert capacity(places) == most


TABLE: dict[str, tuple[list[Place], list[str], list[str]]] = {
    "no worker is registered": ([], [], ["own"]),
    "the least loaded one": ([place("own", 2), place("b", 1), place("c", 3)], [], ["b", "own", "c"]),
    "equal ones: the one that asks": ([place("a", 1), place("own", 1), place("c", 1)], [], ["own", "a", "c"]),
    "the asking one is not registered yet": ([place("b"), place("c")], ["own"], ["b", "c"]),
    "the load is a share of the bound": (
        [place("own", 2, 4), place("b", 3, 30), place("c", USUAL_ROOMS // 4)],
        [],
        ["b", "c", "own"],
    ),
    "a full one comes last, and takes a call that must go on": (
        [place("own", 4, 4), place("b", 29, 30), place("c", 31, 30)],
        [],
        ["b", "own", "c"],
    ),
    "one that drains takes none": ([place("own"), place("b", draining=True)], ["b"], ["own"]),
    "all drain: the asking one, which refuses": ([place("own", draining=True)], [], ["own"]),
    "the region of the people": (
        [place("own", region="eu"), place("b", 9, region="us"), place("c")],
        ["b"],
        ["b", "own", "c"],
    ),
    "the region of most of the people": (
        [place("own", region="eu"), place("b", 9, region="us"), place("c", 8, region="us")],
        ["own", "b", "c"],
        ["c", "b", "own"],
    ),
    "two regions are equal: the least loaded one of both": (
        [place("own", 3, region="eu"), place("b", 2, region="us"), place("c", 0, region="asia")],
        ["own", "b"],
        ["b", "own", "c"],
    ),
    "a full region: the next one": (
        [place("own", 4, 4, region="eu"), place("b", 9, 10, region="us")],
        ["own"],
        ["b", "own"],
    ),
    "nobody comes from a region: the load": (
        [place("own", 1), place("b", 0, region="us")],
        ["own"],
        ["b", "own"],
    ),
    "one that people on the internet cannot reach": (
        [place("own", 9, addresses=INTERNET), place("b", addresses=HOME), place("c", addresses=MACHINE)],
        ["own"],
        ["own"],
    ),
    "people of the same network reach all of it": (
        [place("own", 9, addresses=HOME), place("b", addresses=INTERNET), place("c", addresses=MACHINE)],
        ["own"],
        ["b", "own"],
    ),
    "all on one machine": (
        [place("own", 9, addresses=MACHINE), place("b", addresses=MACHINE)],
        ["own"],
        ["b", "own"],
    ),
    "none is reachable, so all are tried": (
        [place("own", 1, draining=True, addresses=INTERNET), place("b", addresses=HOME)],
        ["own"],
        ["b"],
    ),
    "the people of a worker that has gone": ([place("own", 1), place("b")], ["gone"], ["b", "own"]),
}


@pytest.mark.parametrize(("places", "near", "best"), TABLE.values(), ids=TABLE.keys())
def test_a_room_goes_to_the_least_loaded_worker_that_its_people_reach(
    places: list[Place], near: list[str], best: list[str]
) -> None:
    assert ranked(places, "own", near) == best
    assert ranked(places[::-1], "own", near) == best, "the order of the reports changes nothing"
