"""Tests what the workers of a cluster take together."""

import pytest

from signalling.rooms.placement import Place, capacity


def place(worker: str = "w0-1", rooms: int = 0, rooms_max: int = 0, **more: object) -> Place:
    """Return the place of a worker. `more`: other fields of `Place`."""
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
