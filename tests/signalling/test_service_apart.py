"""Tests how a command is decided, committed and repeated, with a store in memory."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from signalling import service as module
from signalling.errors import UnavailableError
from signalling.service import ATTEMPTS, Accepted, Service, new_id
from signalling.store import keys, turns
from signalling.store.records import Origin
from signalling.visit import commands as c
from signalling.visit.queue_state import Watch
from signalling.visit.queue_watch import rules_of
from signalling.visit.record import ChatMessage, Policy, Staff, Visit
from signalling.visit.relations import Refusal
from tests.signalling import visits
from tests.signalling.store.apart import FakeStore
from tests.signalling.waits import until

ORG, VISIT = visits.ORG, visits.VISIT
QUEUED = replace(visits.queued(), version=1)
OSEI = Staff(id="osei", name="Osei", role=visits.CLAIMANT.role, version=1, on_call=True)
PATIENT, CLAIMANT = visits.PATIENT, visits.CLAIMANT
ORIGIN = Origin("key", 1)
SAVE = c.Save("allergies", "none", left=False)


class Settings:
    """The settings of an organisation. `policy`: its limits.

    The area "mind" has another version of the setup guide than all other areas.
    """

    def __init__(self, **policy: Any) -> None:
        self.policy = Policy(**policy)
        self.guide = visits.GUIDE
        self.area_names = {"mind": "Mind"}

    def guide_of(self, area: str, /) -> Any:
        return replace(visits.GUIDE, version=2) if area == "mind" else visits.GUIDE


class ServiceApart(Service):
    """The service of one worker, with a store in memory. `settings`: the organisation's settings, None if erased."""

    def __init__(self, *records: Any) -> None:
        self.memory = FakeStore()
        for record in records:
            self.memory.add(record)
        self.settings: Any = Settings()
        self.newest: Any = self.settings
        self.subscribed: list[str] = []
        bus: Any = SimpleNamespace(subscribe=self._subscribes, on_reconnected=None)
        organisations: Any = SimpleNamespace(get=self._get, read=self._read)
        store: Any = self.memory
        super().__init__(store, bus, organisations)

    async def _subscribes(self, channel: str, receive: Any) -> None:
        self.subscribed.append(channel)

    async def _get(self, organisation: str) -> Any:
        return self.settings if organisation == ORG else None

    async def _read(self, organisation: str) -> Any:
        return self.newest

    def kinds(self) -> list[str]:
        """Return the kind of the event of each commit."""
        return [commit["event"].kind for commit in self.memory.commits]


def test_a_command_waits_a_quarter_of_a_second_for_its_turn_and_commits_at_most_a_hundred_times() -> None:
    assert (turns.TURN_S, ATTEMPTS, module.OF_THE_MIRROR) == (0.25, 100, "not_on_call")


def test_a_new_id_has_its_prefix_and_96_random_bits() -> None:
    assert new_id("v").startswith("v_")
    assert len(new_id("v")) == 2 + 16
    assert new_id("v") != new_id("v")


# --- turns: the commands on one visit wait for each other


async def test_a_turn_is_taken_by_one_and_released() -> None:
    turn = turns.Turn()
    assert (turn.seen, turn.seen_s) == (None, 0.0)
    assert [turn.take(), turn.take()] == [True, False]
    turn.release()
    assert turn.take()


async def test_a_release_wakes_all_and_starts_the_time_of_the_next_wait_anew() -> None:
    turn = turns.Turn()
    turn.take()
    waits = [asyncio.create_task(turn.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    assert turn._timer is not None
    turn.release()
    assert turn._timer is None
    assert await asyncio.gather(*waits) == [True, True]
    late = asyncio.create_task(turn.wait())
    await asyncio.sleep(0)
    turn._wake(False)
    assert await late is False


def test_a_turn_keeps_the_newest_record_and_forgets_it() -> None:
    turn = turns.Turn()
    turn.saw(QUEUED, 5.0)
    turn.saw(None, 4.0)
    assert (turn.seen, turn.seen_s) == (QUEUED, 5.0)
    turn.saw(None, 5.0)
    assert turn.seen is None
    turn.forget()
    assert (turn.seen, turn.seen_s) == (None, 0.0)


async def test_a_command_that_must_be_refused_does_not_wait_for_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "TURN_S", 3600.0)
    service = ServiceApart(QUEUED, OSEI)
    turn = service._turns.setdefault((ORG, VISIT), turns.Turn())
    turn.take()
    await service.guide(ORG, 1)
    loads = service.memory.loads
    refused = asyncio.create_task(service.command(visits.ADMIN, VISIT, c.End()))
    await until(lambda: turn._waiting)
    turn.saw(QUEUED, 1e12)
    turn._wake(False)
    assert isinstance(await refused, Refusal)
    assert service.memory.loads == loads
    assert turn._taken, "it was another command's turn"


async def test_a_turn_ends_with_its_command_also_after_an_error() -> None:
    service = ServiceApart(QUEUED)
    turn = service._turns.setdefault((ORG, VISIT), turns.Turn())
    service.memory.records["visit", VISIT] = replace(QUEUED, guide_version=7)
    with pytest.raises(LookupError):
        await service.command(PATIENT, VISIT, SAVE)
    assert not turn._taken


# --- commands


async def test_a_command_is_committed_with_all_that_follows_from_it() -> None:
    service = ServiceApart(QUEUED, OSEI)
    service.consequences = lambda settings, before, after, event: [("key", 1, event.kind.encode())]
    mirror = await service.mirrors.get(ORG)
    outcome = await service.command(CLAIMANT, VISIT, c.Claim(), ORIGIN)
    assert isinstance(outcome, Accepted)
    assert (outcome.version, outcome.visit.claimant.id) == (6, "osei")  # type: ignore[union-attr]
    (commit,) = service.memory.commits
    assert (commit["record"], commit["event"], commit["origin"]) == (outcome.visit, outcome.event, ORIGIN)
    assert (commit["index_score"], commit["extras"]) == (QUEUED.arrived_ms, [("key", 1, b"claimed")])
    assert mirror.visits[VISIT] == outcome.visit, "this worker shows it at once"
    assert service.subscribed == [keys.EVENTS(ORG)]
    ended = await service.command(CLAIMANT, VISIT, c.End())
    assert isinstance(ended, Accepted)
    assert service.memory.commits[-1]["index_score"] is None


async def test_a_command_that_changes_nothing_is_not_committed() -> None:
    service = ServiceApart(QUEUED)
    leave = c.Leave("c_unknown", "w1")
    outcome = await service.command(visits.SYSTEM, VISIT, leave)
    assert isinstance(outcome, Accepted)
    assert (outcome.version, outcome.event, service.memory.commits) == (0, None, [])


async def test_a_command_is_decided_again_if_another_commit_came_first() -> None:
    service = ServiceApart(QUEUED)
    other = replace(QUEUED, version=2, step="since")
    service.memory.before_commit = [lambda: service.memory.records.update({("visit", VISIT): other})]
    outcome = await service.command(PATIENT, VISIT, SAVE)
    assert isinstance(outcome, Accepted)
    assert outcome.visit.version == 3
    assert service.memory.loads == 2


async def test_a_command_that_is_overtaken_a_hundred_times_gives_up() -> None:
    service = ServiceApart(QUEUED)

    async def never(*_: Any, **__: Any) -> None:
        return None

    service.memory.commit = never  # type: ignore[method-assign]
    with pytest.raises(UnavailableError, match="overtaken"):
        await service.command(PATIENT, VISIT, SAVE)
    assert service.memory.loads == 100
    with pytest.raises(UnavailableError, match="overtaken"):
        await service.set_on_call(CLAIMANT, True)


async def test_a_provider_who_just_went_on_call_on_another_worker_may_claim() -> None:
    off = replace(OSEI, on_call=False)
    service = ServiceApart(QUEUED, off)
    await service.mirrors.get(ORG)
    refusal = await service.command(CLAIMANT, VISIT, c.Claim())
    assert isinstance(refusal, Refusal)
    assert refusal.code == "not_on_call"
    service.memory.add(replace(OSEI, version=2))
    assert isinstance(await service.command(CLAIMANT, VISIT, c.Claim()), Accepted)


async def test_of_commands_that_came_together_one_reads_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_S", 3600.0)
    service = ServiceApart(QUEUED)
    await service.mirrors.get(ORG)
    saves = [c.Save("allergies", f"{number}", left=False) for number in range(4)]
    await asyncio.gather(*(service.command(PATIENT, VISIT, save) for save in saves))
    assert (service.memory.loads, len(service.memory.commits)) == (1, 4)


async def test_a_visit_is_opened_with_the_guide_of_its_area_and_the_next_number() -> None:
    service = ServiceApart(OSEI)
    actor = replace(PATIENT, visit="v_new")
    outcome = await service.open(actor, visits.ANA, "v_new", visits.T0 + 5, "mind")
    assert isinstance(outcome, Accepted)
    visit = outcome.visit
    assert (visit.id, visit.booked_ms, visit.area_id, visit.number) == ("v_new", visits.T0 + 5, "mind", 1)
    assert service.memory.guides[0].version == visit.guide_version == 2
    plain = await service.open(replace(PATIENT, visit="v_2"), visits.ANA, "v_2")
    assert isinstance(plain, Accepted)
    assert (plain.visit.guide_version, plain.visit.area_id, plain.visit.booked_ms) == (1, "", None)


# --- reads of guides and visits


async def test_a_guide_is_read_from_the_store_once_and_an_unknown_one_is_an_error() -> None:
    service = ServiceApart()
    assert service.known_guide(ORG, 1) is None
    for _ in range(2):
        assert await service.guide(ORG, 1) == visits.GUIDE
    assert (service.memory.guides, service.known_guide(ORG, 1)) == ([1], visits.GUIDE)
    with pytest.raises(LookupError, match="guide 7"):
        await service.guide(ORG, 7)
    assert service.known_guide(ORG, 7) is None
    with pytest.raises(LookupError, match="unknown"):
        await service.organisation("unknown")


async def test_an_open_visit_is_read_from_the_copy_and_an_ended_one_from_the_store() -> None:
    service = ServiceApart(QUEUED)
    assert await service.visit(ORG, VISIT) == QUEUED
    assert service.memory.loads == 0
    ended = replace(visits.ended(), id="v_ended")
    service.memory.records["visit", "v_ended"] = ended
    assert await service.visit(ORG, "v_ended") == ended
    assert await service.visit(ORG, "v_unknown") is None
    newer = replace(QUEUED, version=2)
    service.memory.add(newer)
    assert await service.visit(ORG, VISIT) == QUEUED
    assert await service.visit_now(ORG, VISIT) == newer
    assert service.clock_ms() == visits.T0


async def test_a_bus_that_is_back_lets_all_copies_catch_up() -> None:
    service = ServiceApart(QUEUED)
    mirror = await service.mirrors.get(ORG)
    service.memory.add(replace(QUEUED, version=2))
    on_reconnected: Any = service.bus.on_reconnected
    on_reconnected()
    await until(lambda: mirror._repairing is None)
    assert mirror.seq == 2


# --- chat and On-Call


async def test_a_message_is_kept_once() -> None:
    service = ServiceApart(QUEUED)
    line = ChatMessage(id="l_1", visit=VISIT, party="patient", name="Ana", text="Hello", at_ms=visits.T0)
    assert await service.write(ORG, line, PATIENT.person, ORIGIN) == 4
    assert await service.write(ORG, line, PATIENT.person, ORIGIN) is None
    (commit,) = service.memory.commits
    assert (commit["event"].kind, commit["event"].at_ms, commit["event"].by) == (
        "wrote",
        visits.T0,
        PATIENT.person,
    )
    assert (commit["index_score"], commit["origin"]) == (f">{visits.T0}", ORIGIN)


@pytest.mark.parametrize(
    ("held", "on", "notice", "kind"),
    [
        (None, True, False, "on_call"),
        (None, False, False, "off_call"),
        (OSEI, True, False, None),
        (OSEI, False, True, "off_call"),
        (replace(OSEI, on_call=False), True, False, "on_call"),
    ],
)
async def test_on_call_is_changed_once_and_the_server_notifies_the_person(
    held: Staff | None, on: bool, notice: bool, kind: str | None
) -> None:
    service = ServiceApart(*([] if held is None else [held]))
    version = await service.set_on_call(CLAIMANT, on, notice=notice, origin=ORIGIN)
    if kind is None:
        assert (version, service.memory.commits) == (0, [])
        return
    (commit,) = service.memory.commits
    staff = commit["record"]
    assert version == 2 * service.memory.seq
    assert (staff.id, staff.name, staff.on_call, staff.version) == (
        "osei",
        "Osei",
        on,
        1 + (held is not None),
    )
    assert staff.on_call_since_ms == (visits.T0 if on else None)
    assert (commit["event"].kind, commit["event"].by, commit["index_score"]) == (kind, CLAIMANT.person, 0)
    assert (commit["origin"], len(commit["notices"])) == (ORIGIN, notice)
    for person, told in commit["notices"]:
        assert (person, told.kind, told.at_ms, told.id[:2]) == ("osei", "off_call", visits.T0, "n_")
    assert (await service.mirrors.get(ORG)).staff["osei"] == staff


async def test_on_call_is_decided_again_if_another_commit_came_first() -> None:
    service = ServiceApart(OSEI)
    other = replace(OSEI, version=2, areas=("mind",))
    service.memory.before_commit = [lambda: service.memory.records.update({("staff", "osei"): other})]
    await service.set_on_call(CLAIMANT, False)
    assert service.memory.commits[0]["record"].areas == ("mind",)


# --- the state of the whole queue


@pytest.mark.parametrize(
    ("newest", "stored", "commits"),
    [
        (Settings(amber_ms=60_000), None, 1),
        (None, None, 0),
        (Settings(), None, 0),
        (Settings(amber_ms=60_000), Watch(version=5), 0),
    ],
    ids=["changed", "erased meanwhile", "changed back meanwhile", "the copy is old"],
)
async def test_the_rules_of_the_queue_are_committed_if_they_differ(
    newest: Any, stored: Any, commits: int
) -> None:
    service = ServiceApart()
    service.memory.add(Watch(version=1, rules=rules_of(Policy(), {})))
    mirror = await service.mirrors.get(ORG)
    await service.watch_queue(mirror)
    assert service.memory.commits == []
    service.settings, service.newest = Settings(amber_ms=60_000), newest
    if stored is not None:
        service.memory.records["watch", "queue"] = stored
    await service.watch_queue(mirror)
    assert len(service.memory.commits) == commits
    if commits:
        (commit,) = service.memory.commits
        assert (commit["record"].version, commit["record"].rules.amber_ms) == (2, 60_000)
        assert (commit["event"].kind, commit["event"].at_ms) == ("queue_watched", visits.T0)
        assert (commit["index_score"], mirror.watch) == (0, commit["record"])


async def test_an_alert_of_the_queue_is_a_notification_of_its_staff() -> None:
    service = ServiceApart(QUEUED, OSEI)
    service.settings = service.newest = Settings(alert_waiting=1)
    service.memory.add(Watch(version=1, rules=rules_of(service.settings.policy, {})))
    many: Visit = replace(QUEUED, id="v_2", number=2)
    service.memory.add(many)
    mirror = await service.mirrors.get(ORG)
    service.memory.before_commit = []
    await service.watch_queue(mirror)
    (commit,) = service.memory.commits
    told = list(commit["notices"])
    assert [person for person, _ in told] == ["osei"]
    assert all(notice.id.startswith("n_") for _, notice in told)


async def test_a_commit_about_the_queue_that_came_second_changes_nothing_here() -> None:
    service = ServiceApart()
    mirror = await service.mirrors.get(ORG)
    service.settings = service.newest = Settings(amber_ms=60_000)

    async def second(*_: Any, **__: Any) -> None:
        return None

    service.memory.commit = second  # type: ignore[method-assign]
    await service.watch_queue(mirror)
    assert mirror.watch == Watch()
