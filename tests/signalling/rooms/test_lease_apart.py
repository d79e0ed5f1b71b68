"""Tests which lease a worker asks for, and how it reads the answers, with a store that gives prepared answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from signalling import counts
from signalling.errors import SupersededError
from signalling.rooms.lease import Lease, Leases
from signalling.store import keys
from signalling.store.records import Origin
from tests.signalling.rooms.apart import VISIT, member
from tests.signalling.visits import ORG

LEASE = keys.LEASE(ORG, VISIT)


class Answering:
    """A store that gives the `answers` one after another. `asked`: (script, keys, arguments) of each script."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, list[str], list[Any]]] = []
        self.fields: dict[bytes, bytes] = {}
        self.read: list[tuple[str, ...]] = []

    def register_script(self, text: str) -> Any:
        name = "take" if "EXPIRE" in text else "give back" if "HMGET" in text else "set"

        async def run(*, keys: list[str], args: list[Any]) -> Any:
            self.asked.append((name, keys, args))
            return self.answers.pop(0) if self.answers else 1

        return run

    async def hgetall(self, name: str) -> dict[bytes, bytes]:
        assert name == LEASE
        return self.fields

    def pipeline(self, *, transaction: bool) -> Answering:
        assert not transaction, "the leases may be at several nodes"
        return self

    def hmget(self, *read: str) -> None:
        self.read.append(read)

    async def execute(self) -> list[Any]:
        return self.answers


def leases(store: Answering, *dead: str) -> Leases:
    """Return the object with which the worker `own` takes leases from the store. `dead`: the workers that count as
    dead.
    """

    async def is_dead(worker: str) -> bool:
        return worker in dead

    redis: Any = SimpleNamespace(redis=store)
    liveness: Any = SimpleNamespace(is_dead=is_dead)
    return Leases(redis, liveness, "own")


async def chosen() -> str:
    """Return the id of the worker that is chosen for a new room."""
    return "chosen"


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([[b"own", b"5", 1]], Lease("own", 5)),
        ([[b"own", b"5", 0]], Lease("own", 5)),
        ([[b"living", b"5", 0]], Lease("living", 5)),
        ([[b"dead", b"5", 0], [b"own", b"6", 1]], Lease("own", 6, taken_from="dead")),
        ([[b"dead", b"5", 0], [b"faster", b"6", 0]], Lease("faster", 6)),
    ],
)
async def test_a_lease_is_taken_unless_a_living_worker_has_it(answers: list[Any], found: Lease) -> None:
    store, before = Answering(*answers), counts.TAKEOVERS[""]
    assert await leases(store, "dead").take(ORG, VISIT) == found
    assert counts.TAKEOVERS[""] - before == (found.taken_from is not None)
    asked = [("take", [LEASE, LEASE], ["", "own", 86_400, "", 0])]
    if len(answers) == 2:
        asked.append(("take", [LEASE, LEASE], ["dead", "own", 86_400, "", 5]))
    assert store.asked == asked


@pytest.mark.parametrize(
    ("answer", "taken_from", "known"), [([b"", b"0", 0], "", 7), ([b"dead", b"9", 0], "dead", 9)]
)
async def test_a_room_without_a_living_owner_is_placed_on_the_chosen_worker(
    answer: list[Any], taken_from: str, known: int
) -> None:
    store, origin = Answering(answer, [b"chosen", b"10", 1]), Origin("token", 3)
    found = await leases(store, "dead").take(ORG, VISIT, origin, 7, chosen)
    assert found == Lease("chosen", 10, taken_from or None)
    assert store.asked == [
        ("take", [LEASE, "token"], ["", "", 86_400, 3, 7]),
        ("take", [LEASE, "token"], [taken_from, "chosen", 86_400, 3, known]),
    ]


async def test_a_connection_that_a_newer_socket_uses_takes_no_lease() -> None:
    with pytest.raises(SupersededError):
        await leases(Answering([])).take(ORG, VISIT, Origin("token", 3))


async def test_the_owners_of_many_rooms_are_read_in_their_order() -> None:
    store = Answering([b"own", b"5"], [None, b"6"])
    rooms = leases(store)
    assert await rooms.holders([(ORG, VISIT), (ORG, "v_2")]) == [Lease("own", 5), None]
    assert store.read == [(LEASE, "owner", "fence"), (keys.LEASE(ORG, "v_2"), "owner", "fence")]
    store.answers = [[b"own", b"5"]]
    assert await rooms.holder(ORG, VISIT) == Lease("own", 5)


async def test_the_kinds_of_media_that_are_off_are_read_by_party_and_person() -> None:
    store = Answering()
    store.fields = {
        b"owner": b"own",
        b"fence": b"5",
        b"muted:patient:patient:v_1": b"audio video",
        b"muted:provider:osei": b"video",
        b"muted:guest-1:guest-1": b"screen",
    }
    assert await leases(store).muted(ORG, VISIT) == {
        ("patient", "patient:v_1"): {"audio", "video"},
        ("provider", "osei"): {"video"},
        ("guest-1", "guest-1"): frozenset(),
    }


async def test_only_the_owner_of_a_lease_stores_what_is_off_and_gives_it_back() -> None:
    store = Answering()
    await leases(store).keep_muted(member(), 7, frozenset({"video", "audio"}))
    await leases(store).keep_muted(member(), 7, frozenset())
    await leases(store).give_back(ORG, VISIT, 7)
    field = f"muted:patient:patient:{VISIT}"
    assert store.asked == [
        ("set", [LEASE], [7, field, "audio video"]),
        ("set", [LEASE], [7, field, ""]),
        ("give back", [LEASE], ["own", 7]),
    ]
