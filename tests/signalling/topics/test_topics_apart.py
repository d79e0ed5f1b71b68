"""Tests which topics a change of a record concerns, and who gets the change, without a store or sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from signalling.errors import UnavailableError
from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.protocol import views
from signalling.store.mirror import Change, Reset
from signalling.topics import topics as module
from signalling.topics.topics import AT_ONCE, Topics
from signalling.visit.commands import Save, Start
from signalling.visit.record import Actor, Staff, Visit
from tests.signalling import visits
from tests.signalling.topics.apart import ORG, Tab, TopicsApart

OSEI = Staff(id="osei", name="Osei", role=visits.CLAIMANT.role, version=1, on_call=True)
RAY = replace(OSEI, id="ray", name="Ray")
PATIENT, CLAIMANT, COLLEAGUE = visits.PATIENT, visits.CLAIMANT, visits.COLLEAGUE
OTHER_PATIENT = visits.PEOPLE["other patient"]


def opened(*open_: Visit, staff: tuple[Staff, ...] = (OSEI, RAY)) -> tuple[TopicsApart, Topics]:
    """Return (an object that records what topics send, the topics) of a worker with these visits and staff."""
    apart = TopicsApart(*open_, staff=staff)
    hub: Any = apart.hub
    made = Topics(hub, apart.service)
    made._debouncer = apart.debouncer  # type: ignore[assignment]
    return apart, made


def tab(apart: TopicsApart, actor: Actor, *topics: str) -> Any:
    """Return the socket of a person that is subscribed to these topics."""
    made: Any = Tab(actor)
    for topic in topics:
        apart.hub.subscribe(made, f"{ORG}/{topic}", 0)
    return made


def asks(topic: str) -> client.Subscribe:
    """Return the request to subscribe to a topic."""
    return client.Subscribe(id=9, topic=topic)


# --- subscribing to a topic


@pytest.mark.parametrize(
    ("visit", "now", "actor", "topic", "seen"),
    [
        (visits.claimed(), None, PATIENT, "visit/v_1", True),
        (visits.claimed(), None, PATIENT, "case/v_1", True),
        (visits.queued(), None, PATIENT, "place/v_1", True),
        (visits.claimed(), None, PATIENT, "nothing/v_1", False),
        (visits.claimed(), None, PATIENT, "visit/v_2", False),
        (visits.claimed(), None, OTHER_PATIENT, "visit/v_1", False),
        (visits.claimed(), None, COLLEAGUE, "visit/v_1", False),
        (visits.claimed(), visits.queued(), COLLEAGUE, "visit/v_1", True),
        (visits.queued(), visits.claimed(), OTHER_PATIENT, "visit/v_1", False),
    ],
)
async def test_a_visits_topic_is_seen_by_its_people_as_the_store_says(
    visit: Visit, now: Visit | None, actor: Actor, topic: str, seen: bool
) -> None:
    apart, topics = opened(visit)
    if now is not None:
        apart.now["v_1"] = now
    socket = tab(apart, actor)
    reply = await topics.subscribe(socket, asks(topic))
    if seen:
        assert reply == server.Subscribed(reply_to=9, topic=topic, epoch="epoch", version=40)
        assert [message.topic for message in socket.sent] == [topic]
        assert socket.topics == {f"{ORG}/{topic}"}
    else:
        assert isinstance(reply, server.Error)
        assert (reply.code, reply.reply_to, socket.sent, socket.topics) == ("not_found", 9, [], frozenset())


async def test_the_store_is_asked_again_only_about_staff_and_the_own_visit() -> None:
    apart, topics = opened(visits.claimed())
    reads: list[str] = []

    async def visit_now(organisation: str, visit: str) -> Visit | None:
        reads.append(visit)
        return None

    apart.service.visit_now = visit_now
    for actor in (OTHER_PATIENT, COLLEAGUE):
        assert await topics._seen_by(actor, "visit", apart.mirror, "v_1") is None
    assert reads == ["v_1"], "the colleague's claim may be a moment old"


@pytest.mark.parametrize("topic", ["queue", "sessions", "bell"])
async def test_a_patient_may_not_see_the_topics_of_staff(topic: str) -> None:
    apart, topics = opened(visits.queued())
    reply = await topics.subscribe(tab(apart, PATIENT), asks(topic))
    assert isinstance(reply, server.Error)
    assert reply.code == "not_allowed"


async def test_a_person_who_loses_the_right_while_the_state_is_read_does_not_get_the_state() -> None:
    apart, topics = opened(visits.claimed())
    socket = tab(apart, PATIENT)

    async def ends(*_: Any) -> Any:
        apart.hub.unsubscribe(socket, f"{ORG}/case/v_1")
        return visits.GUIDE

    apart.service.guide = ends
    reply = await topics.subscribe(socket, asks("case/v_1"))
    assert isinstance(reply, server.Error)
    assert (reply.code, socket.sent) == ("not_found", [])


@pytest.mark.parametrize("held", [False, True])
async def test_a_subscription_that_fails_leaves_what_was_there_before(held: bool) -> None:
    apart, topics = opened(visits.claimed())
    socket = tab(apart, PATIENT, *(["case/v_1"] if held else []))

    async def away(*_: Any) -> Any:
        raise UnavailableError("store")

    apart.service.guide = away
    with pytest.raises(UnavailableError):
        await topics.subscribe(socket, asks("case/v_1"))
    assert (f"{ORG}/case/v_1" in socket.topics) is held


async def test_each_topic_of_a_visit_has_its_state() -> None:
    apart, topics = opened(visits.queued())

    async def chat(mirror: Any, visit: Visit) -> str:
        return f"chat of {visit.id}"

    topics.chat.snapshot = chat  # type: ignore[assignment, method-assign]
    old = replace(visits.queued(), version=0)
    states: list[Any] = [
        await topics._state(kind, apart.mirror, old, PATIENT) for kind in ("case", "place", "visit")
    ]
    assert [type(state).__name__ for state in states] == ["CaseState", "PlaceState", "VisitState"]
    assert {(state.epoch, state.version) for state in states} == {("epoch", 40)}
    assert await topics._state("chat", apart.mirror, old, PATIENT) == "chat of v_1"  # type: ignore[comparison-overlap]
    newest = visits.queued()
    assert states[0].case == views.case(newest, visits.GUIDE)
    assert states[2].visit == views.visit_part(newest)
    staffs = await topics._state("visit", apart.mirror, old, CLAIMANT)
    assert isinstance(staffs, server.VisitState)
    assert staffs.visit == views.visit_of_staff(newest)
    assert topics._visit(apart.mirror, visits.ended(), of_staff=False).visit == views.visit_over(
        visits.ended()
    )


def test_a_subscription_is_ended_by_its_topic() -> None:
    apart, topics = opened(visits.queued())
    socket = tab(apart, CLAIMANT, "sessions", "queue:mind", "visit/v_1")
    apart.hub.subscribe(socket, f"{ORG}/queue", 0)
    topics.unsubscribe(socket, "visit/v_1")
    assert socket.topics == {f"{ORG}/sessions", f"{ORG}/queue:mind", f"{ORG}/queue"}


# --- changes of records


def change(before: Any, after: Any) -> Change:
    """Return an event that has changed the record `before` into `after`."""
    return Change(ORG, 20, "changed", before, after)


def test_a_claim_ends_what_colleagues_saw_of_the_patient_and_they_are_sent_that() -> None:
    apart, topics = opened(visits.claimed())
    colleague = tab(apart, COLLEAGUE, "case/v_1", "chat/v_1", "visit/v_1")
    patient = tab(apart, PATIENT, "case/v_1", "visit/v_1")
    topics.news(change(visits.queued(), visits.claimed()))
    assert colleague.topics == frozenset()
    gone = [message.topic for message in colleague.sent if isinstance(message, server.Gone)]
    assert gone == ["case/v_1", "chat/v_1", "visit/v_1"]
    ((_, name, state),) = apart.hub.calls
    assert (name, state.visit) == (f"{ORG}/visit/v_1", views.visit_of_staff(visits.claimed()))
    assert patient.topics == {f"{ORG}/case/v_1", f"{ORG}/visit/v_1"}


def test_a_change_of_the_same_people_ends_nothing_and_is_sent_once() -> None:
    before, after = visits.claimed(), visits.does(visits.claimed(), Start(), PATIENT)
    apart, topics = opened(after)
    colleague = tab(apart, COLLEAGUE, "visit/v_1")
    topics.news(change(before, after))
    assert colleague.topics == {f"{ORG}/visit/v_1"}
    assert [name for _, name, _ in apart.hub.calls] == [f"{ORG}/visit/v_1"]
    apart.hub.calls.clear()
    topics.news(change(after, replace(after, version=99)))
    assert (colleague.sent, apart.hub.calls) == ([], []), "nobody sees a difference"


def test_staff_and_patients_are_sent_a_visit_as_each_may_see_it() -> None:
    after = visits.claimed()
    apart, topics = opened(after)
    staffs, patient = tab(apart, CLAIMANT, "visit/v_1"), tab(apart, PATIENT, "visit/v_1")
    topics.news(change(visits.queued(), after))
    assert (staffs.sent, patient.sent) == ([], []), "both are shown the same, which is encoded once"
    assert [(kind, message.visit) for kind, _, message in apart.hub.calls] == [
        ("send", views.visit_part(after))
    ]
    ended = visits.ended()
    topics.news(change(visits.live(), ended))
    seen = staffs.sent[0].visit, patient.sent[0].visit
    assert seen == (views.visit_of_staff(ended), views.visit_over(ended))


def test_a_case_is_sent_if_it_shows_a_difference() -> None:
    before = visits.queued()
    after = visits.does(before, Save("allergies", "none", left=False), PATIENT)
    apart, topics = opened(after)
    topics.news(change(before, after))
    assert apart.hub.calls == [], "nobody is subscribed"
    tab(apart, PATIENT, "case/v_1")
    topics.news(change(after, replace(after, version=99)))
    assert apart.hub.calls == []
    topics.news(change(before, after))
    topics.news(change(None, after))
    sent = [message.case for _, name, message in apart.hub.calls if name == f"{ORG}/case/v_1"]
    assert sent == [views.case(after, visits.GUIDE)] * 2
    apart.service.known_guide = lambda organisation, version: None
    topics.news(change(before, after))
    assert len(apart.hub.calls) == 2


@pytest.mark.parametrize(
    ("before", "after", "ends"),
    [
        (RAY, replace(RAY, on_call=False), True),
        (RAY, replace(RAY, areas=("mind",)), False),
        (replace(RAY, on_call=False), replace(RAY, on_call=False, version=2), False),
        (None, replace(RAY, on_call=False), False),
    ],
)
def test_a_provider_who_goes_off_call_loses_the_cases_of_waiting_patients(
    before: Staff | None, after: Staff, ends: bool
) -> None:
    apart, topics = opened(visits.queued(), staff=(OSEI, after))
    socket = tab(apart, COLLEAGUE, "case/v_1", "case/v_unknown", "sessions")
    topics.news(change(before, after))
    left = {f"{ORG}/case/v_unknown", f"{ORG}/sessions"}
    assert socket.topics == (left if ends else left | {f"{ORG}/case/v_1"})
    assert socket.sent == ([server.Gone(topic="case/v_1")] if ends else [])


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        (RAY, RAY, False),
        (RAY, replace(RAY, on_call=False), True),
        (replace(RAY, on_call=False), RAY, False),
        (replace(RAY, on_call=False), replace(RAY, on_call=False), False),
        (RAY, replace(RAY, areas=("mind",)), True),
        (replace(RAY, areas=("mind",)), RAY, True),
    ],
)
def test_a_right_may_end_with_on_call_and_with_the_areas(before: Staff, after: Staff, lost: bool) -> None:
    assert module._lost(before, after) is lost


def test_a_fault_in_one_topic_does_not_keep_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    apart, topics = opened(visits.claimed())
    colleague = tab(apart, COLLEAGUE, "visit/v_1", "case/v_1")

    def fails(*_: Any) -> None:
        raise ValueError

    monkeypatch.setattr(topics, "_show_visit", fails)
    fails.__name__ = "_show_visit"
    topics.news(change(visits.queued(), visits.claimed()))
    assert colleague.topics == frozenset()


def test_an_unknown_organisation_changes_nothing() -> None:
    apart, topics = opened(visits.claimed())
    apart.known = False
    colleague = tab(apart, COLLEAGUE, "visit/v_1")
    topics.news(change(visits.queued(), visits.claimed()))
    topics.news(Reset(ORG))
    assert (len(colleague.topics), apart.debouncer.calls) == (1, [])


# --- sending the whole state of every topic after a reset


def test_after_a_reset_everything_is_shown_at_once() -> None:
    apart, topics = opened()
    topics.news(Reset(ORG))
    ((name, _, delay_s),) = apart.debouncer.named("run")
    assert (name, delay_s, AT_ONCE) == (f"{ORG}/reset", 0, 32)


async def test_after_a_reset_each_topic_is_shown_and_a_fault_in_one_keeps_no_other() -> None:
    apart, topics = opened(visits.queued())
    shown: list[tuple[str, str]] = []

    def show(kind: str) -> Any:
        async def shows(mirror: Any, about: str) -> None:
            shown.append((kind, about))
            if kind == "sessions":
                raise ValueError

        return shows

    topics._whole = {kind: show(kind) for kind in topics._whole}
    tab(apart, CLAIMANT, "bell/osei", "visit/v_1", "sessions", "queue:mind", "queue")
    await topics._show_all(apart.mirror)
    assert sorted(shown[:2]) == [("queue", ""), ("queue", "mind")]
    assert shown[2:] == [("sessions", ""), ("visit", "v_1"), ("bell", "osei")]


async def test_after_a_reset_the_work_is_tried_again_if_the_store_is_away() -> None:
    apart, topics = opened()

    async def away(mirror: Any, about: str) -> None:
        raise UnavailableError("store")

    topics._whole["queue"] = away
    tab(apart, CLAIMANT, "queue")
    with pytest.raises(UnavailableError):
        await topics._show_all(apart.mirror)


def test_every_kind_of_topic_can_be_shown_whole() -> None:
    _, topics = opened()
    assert list(topics._whole) == ["queue", "sessions", "visit", "case", "chat", "place", "bell"]
    assert list(topics._subscribe_staff) == ["queue", "sessions", "bell"]


@pytest.mark.parametrize(
    ("visit", "actor", "kind", "sent", "stays"),
    [
        (None, PATIENT, "visit", ["Gone"], False),
        (visits.claimed(), PATIENT, "visit", ["VisitState"], True),
        (visits.claimed(), COLLEAGUE, "visit", ["VisitState", "Gone"], False),
        (visits.claimed(), COLLEAGUE, "case", ["Gone"], False),
        (visits.claimed(), CLAIMANT, "case", ["CaseState"], True),
    ],
)
async def test_a_visits_topic_is_shown_whole_to_those_who_may_see_it(
    visit: Visit | None, actor: Actor, kind: str, sent: list[str], stays: bool
) -> None:
    apart, topics = opened(*([] if visit is None else [visit]))
    socket = tab(apart, actor, f"{kind}/v_1")
    await topics._whole_visit(kind, apart.mirror, "v_1")
    assert [type(message).__name__ for message in socket.sent] == sent
    assert (f"{ORG}/{kind}/v_1" in socket.topics) is stays


async def test_a_client_that_leaves_a_topic_while_its_state_is_read_does_not_get_the_state() -> None:
    apart, topics = opened(visits.claimed())
    socket = tab(apart, CLAIMANT, "case/v_1")

    async def leaves(*_: Any) -> Any:
        apart.hub.unsubscribe(socket, f"{ORG}/case/v_1")
        return visits.GUIDE

    apart.service.guide = leaves
    await topics._whole_visit("case", apart.mirror, "v_1")
    assert socket.sent == []
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("o/queue", ("queue", "")), ("o/queue:a/b", ("queue", "a/b")), ("o/visit/v_1:2", ("visit", "v_1:2"))],
)
def test_a_topics_name_has_its_kind_and_what_it_is_about(name: str, kind: tuple[str, str]) -> None:
    assert module.kind_of(name) == kind
