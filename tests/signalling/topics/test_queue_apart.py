"""Tests which messages about the queue are sent to whom, without a store or sockets."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.protocol import views
from signalling.store.mirror import Change, Reset
from signalling.topics import queue as module
from signalling.topics.queue import COUNTED, PLACE_TICK_S, PLACES_PER_TURN, WHOLE, Queue, Shown
from signalling.visit.queue_state import AtClosing, Closing, QueueRules, Watch
from signalling.visit.record import Policy, Staff, Visit
from signalling.visit.waiting import Paced
from signalling.visit.waiting_area import Area
from tests.signalling import visits
from tests.signalling.topics.apart import ORG, Tab, TopicsApart

OSEI = Staff(id="osei", name="Osei", role=visits.CLAIMANT.role, version=1, on_call=True)
MIND, WALK_IN, OTHER = Area("mind", "Mind"), Area("walk-in", "Walk-in"), Area("other", "Other")
SUBSCRIBE = client.Subscribe(id=9, topic="queue")


def opened(*open_: Visit, staff: tuple[Staff, ...] = (OSEI,), **policy: Any) -> tuple[TopicsApart, Queue]:
    """Return (the topics, the queue) of a worker with these visits and staff."""
    apart = TopicsApart(*open_, staff=staff, **policy)
    hub: Any = apart.hub
    debouncer: Any = apart.debouncer
    return apart, Queue(hub, apart.service, debouncer)


def waiting(number: int, **more: Any) -> Visit:
    """Return a waiting visit with this number in the queue."""
    return replace(visits.queued(), id=f"v_{number}", number=number, **more)


def change(before: Any, after: Any) -> Change:
    """Return an event that has changed the record `before` into `after`."""
    return Change(ORG, 20, "changed", before, after)


# --- the parts of the queue that a person may be shown: waiting areas, or only the number of rows


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        (WHOLE, "queue"),
        (Shown(("mind",)), "queue:mind"),
        (Shown(("mind", "walk-in")), "queue:mind+walk-in"),
        (Shown((), True), "queue:#"),
        (Shown(("mind",), True), "queue:#mind"),
    ],
)
def test_each_part_of_the_queue_has_its_name(shown: Shown, name: str) -> None:
    assert module.queue_topic(ORG, shown) == f"{ORG}/{name}"
    assert module._shown_by(name.partition(":")[2]) == shown
    assert COUNTED == "#"


@pytest.mark.parametrize(
    ("visit", "areas", "shown"),
    [
        (None, (), False),
        (waiting(1), (), True),
        (waiting(1), ("mind",), True),
        (waiting(1, area=MIND), ("mind", "x"), True),
        (waiting(1, area=MIND), ("walk-in",), False),
        (waiting(1, area=MIND), (), True),
        (visits.claimed(), (), False),
    ],
)
def test_a_row_is_shown_to_those_who_work_in_its_area(
    visit: Visit | None, areas: tuple[str, ...], shown: bool
) -> None:
    assert module._is_shown(visit, areas) is shown


@pytest.mark.parametrize(
    ("staff", "role", "areas"),
    [
        (None, visits.CLAIMANT, ()),
        (replace(OSEI, areas=("mind",)), visits.CLAIMANT, ("mind",)),
        (replace(OSEI, id="zoe", areas=("mind",)), visits.ADMIN, ()),
    ],
)
def test_an_admin_receives_all_rows_and_others_those_of_their_areas(
    staff: Staff | None, role: Any, areas: tuple[str, ...]
) -> None:
    apart, _ = opened(staff=() if staff is None else (staff,))
    socket: Any = Tab(role)
    assert module._areas_of(apart.mirror, socket) == areas


QUEUED, CLAIMED = waiting(1), replace(visits.claimed(), id="v_1", number=1)


@pytest.mark.parametrize(
    ("before", "after", "fresh", "why"),
    [
        (None, QUEUED, True, None),
        (QUEUED, replace(QUEUED, step="allergies"), False, None),
        (CLAIMED, QUEUED, True, None),
        (QUEUED, CLAIMED, None, "claimed"),
        (QUEUED, replace(QUEUED, area=OTHER), None, "moved"),
        (replace(QUEUED, area=OTHER), QUEUED, True, None),
    ],
)
def test_a_change_of_a_visit_is_a_row_or_its_end(
    before: Visit | None, after: Visit, fresh: bool | None, why: str | None
) -> None:
    message = module._change(before, after, Shown(("mind",)), 41)
    if fresh is None:
        assert isinstance(message, server.QueueGone)
        assert (message.visit, message.why, message.version, message.topic) == ("v_1", why, 41, "queue")
        assert message.by == views.person(after.claimant)
    else:
        assert message == server.QueueRow(topic="queue", version=41, fresh=fresh, row=views.row(after))


@pytest.mark.parametrize(
    ("before", "after", "counted"),
    [(QUEUED, QUEUED, False), (QUEUED, replace(QUEUED, step="allergies"), True), (CLAIMED, CLAIMED, False)],
)
def test_a_change_that_no_row_shows_is_not_sent(before: Visit, after: Visit, counted: bool) -> None:
    assert module._change(before, after, Shown((), counted), 41) is None


@pytest.mark.parametrize(
    ("before", "after", "who"),
    [
        (visits.claimed(), visits.live(), "osei"),
        (visits.live(), visits.ended(), "osei"),
        (visits.live(), replace(visits.queued(), claimant=None), "osei"),
        (None, visits.live(), "osei"),
        (visits.live(), visits.live(), None),
        (visits.queued(), visits.claimed(), None),
        (None, replace(visits.live(), claimant=None), None),
    ],
)
def test_a_provider_begins_or_ends_to_be_in_session_with_the_visit(
    before: Visit | None, after: Visit, who: str | None
) -> None:
    apart, _ = opened()
    found = module._session_changed(apart.mirror, before, after)
    assert (found.id if found is not None else None) == who


# --- subscribing to the queue


@pytest.mark.parametrize(
    ("epoch", "version", "missing", "since"),
    [
        (None, None, None, 0),
        ("epoch", None, None, 0),
        ("old", 30, [], 0),
        ("epoch", 30, None, 1),
        ("epoch", 30, [], 1),
    ],
)
async def test_a_client_is_sent_what_it_lacks_or_the_whole_queue(
    epoch: str | None, version: int | None, missing: list[Any] | None, since: int
) -> None:
    apart, queue = opened(waiting(2), waiting(1), replace(CLAIMED, id="v_9"))
    apart.hub.missing = missing
    tab: Any = Tab(visits.CLAIMANT)
    request = replace(SUBSCRIBE, epoch=epoch, version=version)
    reply = await queue.subscribe(tab, request, apart.mirror)
    assert reply == server.Subscribed(reply_to=9, topic="queue", epoch="epoch", version=40)
    assert tab.topics == {f"{ORG}/queue"}
    assert apart.hub.calls == [("since", f"{ORG}/queue", 30)][:since]
    if since and missing is not None:
        assert tab.sent == []
        return
    (snapshot,) = tab.sent
    assert (snapshot.topic, snapshot.epoch, snapshot.version) == ("queue", "epoch", 40)
    assert [row.visit for row in snapshot.rows] == ["v_1", "v_2"]
    assert snapshot.staff == (views.staff(OSEI, False),)


async def test_the_updates_that_a_client_lacks_are_written_in_its_encoding() -> None:
    apart, queue = opened()
    apart.hub.missing = [type("Encoded", (), {"frame": lambda self, codec: codec.subprotocol.encode()})()]
    tab: Any = Tab(visits.CLAIMANT)
    await queue.subscribe(tab, replace(SUBSCRIBE, epoch="epoch", version=30), apart.mirror)
    assert (tab.written, tab.sent) == ([b"greenroom.v1.json"], [])


async def test_a_second_subscription_replaces_the_first_one_and_nothing_else() -> None:
    apart, queue = opened()
    tab: Any = Tab(visits.CLAIMANT)
    apart.hub.subscribe(tab, f"{ORG}/queues", 0)
    await queue.subscribe(tab, replace(SUBSCRIBE, counted=True), apart.mirror)
    assert tab.topics == {f"{ORG}/queues", f"{ORG}/queue:#"}
    await queue.subscribe(tab, SUBSCRIBE, apart.mirror)
    assert tab.topics == {f"{ORG}/queues", f"{ORG}/queue"}
    queue.unsubscribe(tab)
    assert tab.topics == {f"{ORG}/queues"}


@pytest.mark.parametrize("about", ["", "mind", "#"])
async def test_a_part_of_the_queue_is_sent_whole_and_its_kept_updates_are_forgotten(about: str) -> None:
    apart, queue = opened(waiting(1, area=MIND), waiting(2, area=WALK_IN), amber_ms=60_000)
    await queue.show_whole(apart.mirror, about)
    name = f"{ORG}/queue" + (f":{about}" if about else "")
    forgotten, (kind, to, snapshot) = apart.hub.calls
    assert (forgotten, kind, to) == (("forget", name, 40), "send", name)
    assert [row.visit for row in snapshot.rows] == (["v_1"] if about == "mind" else ["v_1", "v_2"])
    assert (snapshot.limits.amber_ms, snapshot.rows[0].name) == (60_000, "" if about == "#" else "Ana Ruiz")

    async def gone(organisation: str) -> Any:
        raise LookupError(organisation)

    apart.service.organisation = gone
    await queue.show_whole(apart.mirror, about)
    assert apart.hub.calls[-1][2].limits.amber_ms == Policy().amber_ms


# --- changes of records


def test_a_change_is_sent_to_every_part_of_the_queue_that_has_subscribers() -> None:
    apart, queue = opened()
    tab: Any = Tab(visits.CLAIMANT)
    for shown in (Shown(("mind",)), Shown(("walk-in",)), Shown((), True)):
        queue._join(tab, apart.mirror, shown)
    apart.hub.unsubscribe(tab, f"{ORG}/queue:walk-in")
    queue.news(change(None, waiting(1)))
    assert [name for name, _ in apart.published()] == ["queue", "queue:#", "queue:mind"]
    assert apart.debouncer.named("run")[0][0] == f"{ORG}/places"
    assert apart.debouncer.named("run")[0][2] == PLACE_TICK_S == 0.25


def test_an_event_with_two_messages_has_two_versions() -> None:
    apart, queue = opened()
    before = replace(visits.live(), id="v_1")
    queue.news(change(before, replace(QUEUED, claimant=None)))
    assert [(type(message).__name__, message.version) for _, message in apart.published()] == [
        ("QueueRow", 39),
        ("QueueStaff", 40),
    ]
    queue.news(change(None, QUEUED))
    assert [message.version for _, message in apart.published()] == [40]


@pytest.mark.parametrize(
    ("before", "after", "counts"),
    [
        (QUEUED, CLAIMED, 1),
        (QUEUED, replace(QUEUED, step="allergies"), 0),
        (QUEUED, replace(QUEUED, area=MIND), 1),
        (CLAIMED, replace(visits.live(), id="v_1"), 0),
    ],
)
def test_places_are_counted_when_a_visit_begins_or_ends_to_wait_or_moves(
    before: Visit, after: Visit, counts: int
) -> None:
    apart, queue = opened()
    queue.news(change(before, after))
    assert len(apart.debouncer.calls) == counts


@pytest.mark.parametrize(
    ("before", "after", "messages"),
    [
        (None, OSEI, 1),
        (OSEI, replace(OSEI, version=2), 0),
        (OSEI, replace(OSEI, on_call=False), 1),
    ],
)
def test_a_change_of_staff_is_sent_if_colleagues_see_it(
    before: Staff | None, after: Staff, messages: int
) -> None:
    apart, queue = opened(staff=(after,))
    queue.news(change(before, after))
    assert (
        apart.published()
        == [("queue", server.QueueStaff(topic="queue", version=40, staff=views.staff(after, False)))][
            :messages
        ]
    )
    assert len(apart.debouncer.calls) == messages


@pytest.mark.parametrize("counted", [False, True])
def test_staff_who_work_in_other_areas_now_get_their_rows_in_each_tab_with_the_queue(counted: bool) -> None:
    after = replace(OSEI, areas=("mind",))
    apart, queue = opened(waiting(1, area=MIND), waiting(2, area=WALK_IN), staff=(after,))
    tab: Any = Tab(visits.CLAIMANT)
    other: Any = Tab(visits.CLAIMANT)
    apart.hub.subscribe(other, f"{ORG}/sessions", 0)
    queue._join(tab, apart.mirror, Shown((), counted))
    queue.news(change(OSEI, after))
    assert tab.topics == {f"{ORG}/queue:{'#' * counted}mind"}
    assert [[row.visit for row in snapshot.rows] for snapshot in tab.sent] == [["v_1"]]
    assert (other.topics, other.sent) == ({f"{ORG}/sessions"}, [])
    queue.news(change(after, after))
    assert len(tab.sent) == 1, "the areas are the same"


def test_new_rules_are_sent_and_the_places_counted() -> None:
    apart, queue = opened()
    rules = QueueRules(amber_ms=60_000)
    queue.news(change(None, Watch(rules=rules)))
    assert apart.published() == [
        ("queue", server.QueueChanged(topic="queue", version=40, limits=views.limits(rules)))
    ]
    assert len(apart.debouncer.calls) == 1


def test_a_reset_or_an_unknown_organisation_sends_nothing_here() -> None:
    apart, queue = opened()
    queue.news(Reset(ORG))
    apart.known = False
    queue.news(change(None, QUEUED))
    assert (apart.hub.calls, apart.debouncer.calls) == ([], [])


# --- places in the queue

CLAIMS = tuple(Paced(visits.T0 - 60_000 * ago, 1) for ago in range(10, 0, -1))
SOON = Closing(at_ms=visits.T0, over=False, rule=AtClosing.END)


@pytest.mark.parametrize(
    ("area", "policy", "place", "waiting_", "wait", "on_call", "closing"),
    [
        ("", {}, 2, 4, True, 2, AtClosing.END),
        ("", {"show_wait": False}, 2, 4, False, 2, AtClosing.END),
        ("", {"show_place": False}, None, None, True, 2, AtClosing.END),
        ("mind", {}, 1, 1, False, 2, None),
        ("walk-in", {}, 1, 1, False, 1, None),
    ],
)
def test_a_patient_is_sent_the_place_the_wait_and_the_closing_time(
    area: str,
    policy: dict[str, Any],
    place: int | None,
    waiting_: int | None,
    wait: bool,
    on_call: int,
    closing: Any,
) -> None:
    staff = (OSEI, replace(OSEI, id="lin", areas=("mind",)), replace(OSEI, id="kim", on_call=False))
    shown = {"show_place": True, "show_wait": True, **policy}
    apart, queue = opened(
        waiting(1),
        waiting(2, area=Area(area, area) if area else None),
        waiting(3),
        waiting(4),
        staff=staff,
        **shown,
    )
    apart.mirror.claims = CLAIMS
    apart.mirror.watch = Watch(rules=QueueRules(closing={"": SOON}))
    state = queue.place(apart.mirror, apart.policy, "v_2")
    assert (state.topic, state.epoch, state.version) == ("place/v_2", "epoch", 40)
    assert (state.place, state.on_call) == (place, on_call)
    assert (state.waiting, state.wait_low_ms is not None) == (waiting_, wait)
    assert (state.closing.rule if state.closing is not None else None) == closing


def test_a_patient_who_does_not_wait_has_no_place_and_no_closing_time() -> None:
    apart, queue = opened(CLAIMED, show_place=True, show_wait=True)
    apart.mirror.watch = Watch(rules=QueueRules(closing={"": SOON}))
    for visit in ("v_1", "v_unknown"):
        state = queue.place(apart.mirror, apart.policy, visit)
        assert (state.place, state.closing, state.wait_low_ms, state.wait_high_ms) == (None,) * 4
    apart, queue = opened(waiting(1, booked_ms=visits.T0))
    apart.mirror.watch = Watch(rules=QueueRules(closing={"": SOON}))
    closing = queue.place(apart.mirror, apart.policy, "v_1").closing
    assert closing is not None
    assert closing.rule == AtClosing.KEEP, "who booked keeps the place"


async def test_places_are_sent_to_the_patients_of_this_worker_and_the_loop_goes_on_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apart, queue = opened(*(waiting(number) for number in range(1, 66)))
    tab: Any = Tab(visits.PATIENT)
    apart.hub.subscribe(tab, f"{ORG}/place/v_65", 0)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("signalling.topics.queue.asyncio.sleep", sleep)
    await queue._send_places(apart.mirror)
    assert PLACES_PER_TURN == 64
    assert slept == [0]
    assert [(kind, name, message.topic) for kind, name, message in apart.hub.calls] == [
        ("send", f"{ORG}/place/v_65", "place/v_65")
    ]
