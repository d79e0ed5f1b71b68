"""Tests the index of ended visits, which the events of every worker update.

A search finds visits by the index, and reads the fields that it shows from the stored records.
"""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from signalling.clients.client import SignallingClient
from signalling.protocol.client_messages import SessionsPast
from signalling.store import keys
from signalling.store.mirror import Reset
from signalling.store.past_visits import IDLE_S, Index, folded
from signalling.visit.record import Actor, PatientInformation, Role
from tests.faults.ended import ended_visit, write_ended
from tests.limits import WAIT_S
from tests.signalling.clinic import ANA, ORG, Clinic, clinic
from tests.signalling.waits import until


@pytest.fixture
async def two(valkey: "Redis", monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clinic]:
    """A clinic of two workers, whose searches wait until the whole index is read."""
    monkeypatch.setattr("signalling.store.past_visits.PATIENCE_S", WAIT_S)
    async with clinic(valkey) as opened:
        yield opened


async def found(desk: Clinic, worker: int, text: str | None = None, **more: Any) -> list[str]:
    """Return the ids of the visits that a search for `text` on this worker finds. `more`: other fields of the
    search.
    """
    sessions = desk.workers[worker].topics.sessions
    answer = await sessions.past(desk.provider(role=Role.ADMIN), SessionsPast(id=1, text=text, **more))
    assert not answer.unread
    return [row.visit for row in answer.rows]


async def ends(desk: Clinic, provider: SignallingClient, information: PatientInformation = ANA) -> Actor:
    """Play a visit of a new patient from arrival, through the provider's claim, to its end; return the patient."""
    patient = await desk.arrive(0, information)
    await provider.request("visit.claim", visit=patient.visit)
    await provider.request("visit.end", visit=patient.visit)
    return patient


async def test_r32_a_visit_that_ends_is_found_by_every_worker_that_was_searched_before(two: Clinic) -> None:
    provider = await two.on_call(two.provider(), 1)
    assert [await found(two, worker, "ruiz") for worker in (0, 1)] == [[], []]
    patient = await ends(two, provider)
    for worker in (0, 1):
        await two.workers[worker].service.visit_now(ORG, str(patient.visit))
        assert await found(two, worker, "RUIZ") == [patient.visit]
    await provider.request("visit.reopen", visit=patient.visit)
    assert [await found(two, worker, "ruiz") for worker in (0, 1)] == [[], []]
    await provider.request("visit.end", visit=patient.visit)
    for worker in (0, 1):
        await two.workers[worker].service.visit_now(ORG, str(patient.visit))
        assert await found(two, worker, "ruiz") == [patient.visit]
    await provider.close()


async def test_without_a_text_past_visits_are_listed_in_pages_and_none_is_unread(
    two: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = await two.on_call(two.provider(), 1)
    earlier, later = [(await ends(two, provider)).visit for _ in range(2)]
    sessions = two.workers[1].topics.sessions

    async def listed(**page: Any) -> tuple[list[str], bool, int]:
        answer = await sessions.past(two.provider(), SessionsPast(id=1, **page))
        return [row.visit for row in answer.rows], answer.more, answer.unread

    found, more, unread = await listed()
    assert (set(found), more, unread) == ({earlier, later}, False, 0)
    monkeypatch.setattr("signalling.topics.sessions_list.PAGE", 1)
    assert await listed() == ([found[0]], True, 0)


async def test_r32_what_is_erased_is_neither_found_nor_kept_in_memory(two: Clinic, valkey: "Redis") -> None:
    service = two.workers[0].service
    await write_ended(valkey, service.store.seal, (ended_visit(ORG, number) for number in range(20)))
    assert len(await found(two, 0, "v_00")) == 20
    gone = ended_visit(ORG, 19)
    await valkey.delete(keys.VISIT(ORG, gone.id))
    await valkey.zrem(keys.ENDED(ORG), gone.id)
    assert gone.id not in await found(two, 0, "v_00")
    assert len(service.past._indexes[ORG]._rows) == 19
    service.past.erase(ORG, (ended_visit(ORG, 10).ended_ms or 0))
    assert len(await found(two, 0, "v_00")) == 12


async def test_a_search_finds_the_visits_that_fit_each_of_its_fields(two: Clinic, valkey: "Redis") -> None:
    tags = ("Follow-up",), ("Follow-up", "Letter"), ()
    visits = [ended_visit(ORG, number, tags=tags[number % 3]) for number in range(12)]
    await write_ended(valkey, two.workers[0].service.store.seal, visits)
    searches: list[tuple[dict[str, Any], list[int]]] = [
        ({"tag": "Letter"}, [1, 4, 7, 10]),
        ({"tag": "Nothing"}, []),
        ({"outcome": "expired"}, [3, 7, 11]),
        ({"provider": "u_4"}, [4]),
        ({"text": "ruiz", "tag": "Follow-up"}, [0, 7]),
        ({"tag": "Follow-up", "since_ms": visits[7].ended_ms}, [7, 9, 10]),
    ]
    for fields, fits in searches:
        assert sorted(await found(two, 0, **fields)) == [visits[number].id for number in fits], fields


async def test_r32_events_that_are_lost_permanently_rebuild_the_index(two: Clinic, valkey: "Redis") -> None:
    service = two.workers[0].service
    assert await found(two, 0, "ruiz") == []
    visit = ended_visit(ORG, 0)
    await write_ended(valkey, service.store.seal, [visit])
    # The visit was written without an event, so the index does not have it.
    assert await found(two, 0, "ruiz") == []
    service.past.news(Reset(ORG))
    assert await found(two, 0, "ruiz") == [visit.id]


async def test_r32_an_index_whose_reading_was_interrupted_continues_there(
    two: Clinic, valkey: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.store.past_visits.BATCH", 7)
    monkeypatch.setattr("signalling.store.past_visits.PATIENCE_S", 0.0)
    service = two.workers[0].service
    await write_ended(valkey, service.store.seal, (ended_visit(ORG, number) for number in range(100)))
    index = Index(ORG, service.store)

    async def is_read() -> bool:
        await index.ready()
        return not index.unread

    await until(is_read)
    assert len(index) == 100


@pytest.mark.parametrize(
    ("written", "searched"),
    [
        ("José Pérez", "jose perez"),
        ("Zoë", "ZOË"),
        ("Straße", "strasse"),
        ("Nguyễn", "nguyen"),
        ("Ana", " ana "),
    ],
)
def test_names_are_found_without_case_and_accents(written: str, searched: str) -> None:
    assert folded(searched) in folded(written)


def test_a_new_index_counts_as_used_now(two: Clinic) -> None:
    assert time.monotonic() - Index("riverside", two.workers[0].service.store).used_s < IDLE_S
