"""Writes many ended visits to the store, packed (compressed), or in the form in which `Store.commit` writes them."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.packed import PackedVisit, packed
from signalling.visit.record import Outcome, Person, Status, Visit
from tests.signalling.clinic import ANA

FIRST_MS = 1_790_000_000_000
OUTCOMES = (Outcome.COMPLETED, Outcome.COMPLETED, Outcome.WITHDRAWN, Outcome.EXPIRED)
NAMES = ("Ana Ruiz", "José Pérez", "Mary O’Neill", "Chidi Okafor", "Noor Haddad", "Li Wei", "Ada Byron")


def name_of(number: int) -> str:
    """Return the name of the patient with this number, made of one of 7 first names and one of 100 family names."""
    return f"{NAMES[number % 7]} {number % 100:02}"


def ended_visit(organisation: str, number: int, begun_ms: int = FIRST_MS, **changes: Any) -> Visit:
    """Return the ended visit with this number. `begun_ms`: the time at which the first of all visits begins.

    Visits end in groups of seven, each group in one millisecond. `changes`: other values for fields of the visit.
    """
    arrived_ms = begun_ms + number // 7 * 1000
    outcome = OUTCOMES[number % 4]
    visit = Visit(
        id=f"v_{number:016}",
        organisation=organisation,
        version=9,
        status=Status.ENDED,
        outcome=outcome,
        patient=replace(ANA, name=name_of(number)),
        guide_version=1,
        steps=4,
        answers={"allergies": "none", "fever": False, "since": "2026-01-01", "consent": True},
        arrived_ms=arrived_ms,
        claimant=Person(f"u_{number % 9}", f"Dr {number % 9}") if outcome is Outcome.COMPLETED else None,
        claimed_ms=arrived_ms + 300 if outcome is Outcome.COMPLETED else None,
        ended_ms=arrived_ms + 500,
        talked_ms=200,
    )
    return replace(visit, **changes)


async def write_ended(redis: "Redis", seal: Seal, visits: Iterable[Visit], *, pack: bool = False) -> None:
    """Write these visits to the store, encrypted by `seal`; in the packed (compressed) form if `pack`."""
    client: Any = redis
    pipe = client.pipeline(transaction=False)
    for number, visit in enumerate(visits, 1):
        org = visit.organisation
        if pack:
            past = seal.close(packed(PackedVisit(visit)), f"{org}/past/{visit.id}")
            pipe.set(keys.PAST(org, visit.id), past)
        else:
            sealed = seal.close(msgspec.msgpack.encode(visit), f"{org}/visit/{visit.id}")
            pipe.hset(keys.VISIT(org, visit.id), mapping={"version": visit.version, "record": sealed})
        pipe.zadd(keys.ENDED(org), {visit.id: visit.ended_ms})
        if number % 500 == 0:
            await pipe.execute()
            pipe = client.pipeline(transaction=False)
    await pipe.execute()
