"""Tests the Sessions List, the search for ended visits and a visit's history, without a store or sockets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.protocol import shapes, views
from signalling.store.mirror import Change, Reset
from signalling.store.past_visits import Found, Query
from signalling.store.records import NEWEST
from signalling.topics import sessions_list as module
from signalling.topics.sessions_list import PAGE, Sessions
from signalling.visit.call_quality import Tally
from signalling.visit.commands import Save
from signalling.visit.record import Actor, Visit
from signalling.visit.relations import Event
from tests.signalling import visits
from tests.signalling.topics.apart import ORG, Tab, TopicsApart

NAME = f"{ORG}/sessions"
ADMIN, CLAIMANT, COLLEAGUE = visits.ADMIN, visits.CLAIMANT, visits.COLLEAGUE
CLAIMED, LIVE, ENDED = visits.claimed(), visits.live(), visits.ended()
TAGGED = replace(ENDED, tags=("rash",))


class SessionsApart(TopicsApart):
    """The Sessions List of a worker. `found`: what a search finds. `asked`: the searches."""

    def __init__(self, *open_: Visit) -> None:
        super().__init__(*open_)
        self.found = Found([])
        self.asked: list[tuple[Any, ...]] = []
        self.service.past = SimpleNamespace(find=self._find)
        self.service.store = SimpleNamespace(history=self._history)
        hub: Any = self.hub
        self.sessions = Sessions(hub, self.service)

    async def _find(self, *asked: Any) -> Found:
        self.asked.append(asked)
        return self.found

    async def _history(self, organisation: str, visit: str) -> list[Event]:
        return [Event("opened", 1), Event("declined", 2, ADMIN.person, "Call 911")]


async def test_the_list_has_the_visits_that_are_taken_in_the_order_of_their_claims() -> None:
    taken = [
        replace(CLAIMED, id=id_, claimed_ms=at_ms)
        for id_, at_ms in (("v_2", 7), ("v_1", 7), ("v_4", 8), ("v_3", None), ("v_5", 0))
    ]
    apart = SessionsApart(*taken, replace(visits.queued(), id="v_waits"))
    socket: Any = Tab(CLAIMANT)
    reply = await apart.sessions.subscribe(socket, client.Subscribe(id=9, topic="sessions"), apart.mirror)
    assert reply == server.Subscribed(reply_to=9, topic="sessions", epoch="epoch", version=40)
    assert socket.topics == {NAME}
    (snapshot,) = socket.sent
    assert (snapshot.topic, snapshot.epoch, snapshot.version) == ("sessions", "epoch", 40)
    assert [row.visit for row in snapshot.rows] == ["v_3", "v_5", "v_1", "v_2", "v_4"]
    await apart.sessions.show_whole(apart.mirror, "")
    assert apart.hub.calls == [("send", NAME, snapshot)]


@pytest.mark.parametrize(
    ("before", "after", "sent"),
    [
        (visits.queued(), CLAIMED, server.SessionsRow(topic="sessions", version=40, row=views.session_row(CLAIMED))),
        (None, LIVE, server.SessionsRow(topic="sessions", version=40, row=views.session_row(LIVE))),
        (CLAIMED, LIVE, server.SessionsRow(topic="sessions", version=40, row=views.session_row(LIVE))),
        (LIVE, ENDED, server.SessionsGone(topic="sessions", version=40, visit="v_1")),
        (CLAIMED, visits.queued(), server.SessionsGone(topic="sessions", version=40, visit="v_1")),
        (CLAIMED, visits.does(CLAIMED, Save("allergies", "None", left=True), visits.PATIENT), None),
        (visits.queued(), replace(visits.queued(), version=9), None),
        (ENDED, TAGGED, None),
        (None, visits.queued(), None),
    ],
)  # fmt: skip
def test_a_change_is_sent_if_the_list_shows_it(
    before: Visit | None, after: Visit, sent: server.SessionsRow | server.SessionsGone | None
) -> None:
    apart = SessionsApart()
    change = Change(ORG, 20, "changed", before, after)
    apart.sessions.news(change)
    assert apart.hub.calls == [], "nobody is subscribed"
    apart.hub.topics[NAME] = []
    apart.sessions.news(Reset(ORG))
    apart.sessions.news(change)
    assert apart.hub.calls == ([] if sent is None else [("send", NAME, sent)])
    apart.hub.calls.clear()
    apart.known = False
    apart.sessions.news(change)
    assert apart.hub.calls == []


@pytest.mark.parametrize(
    ("actor", "asked", "query"),
    [
        (CLAIMANT, {}, Query()),
        (CLAIMANT, {"text": "ruiz", "since_ms": 5}, Query(text="ruiz", since_ms=5)),
        (CLAIMANT, {"outcome": "completed"}, Query(outcome="completed")),
        (CLAIMANT, {"provider": "lin"}, Query(provider="lin")),
        (CLAIMANT, {"provider": "lin", "tag": "rash"}, Query(provider="osei", tag="rash")),
        (ADMIN, {"provider": "lin", "tag": "rash"}, Query(provider="lin", tag="rash")),
        (CLAIMANT, {"before_ms": 7, "before_visit": "v_7"}, Query(before=(7, "v_7"))),
        (CLAIMANT, {"before_ms": 7}, Query(before=(7, ""))),
        (CLAIMANT, {"before_visit": "v_7"}, Query(before=NEWEST)),
    ],
)  # fmt: skip
async def test_only_admins_find_the_visits_of_others_by_their_tags(
    actor: Actor, asked: dict[str, Any], query: Query
) -> None:
    apart = SessionsApart()
    await apart.sessions.past(actor, client.SessionsPast(id=9, **asked))
    assert apart.asked == [(ORG, query, 51)]


@pytest.mark.parametrize(
    ("found", "unread", "rows", "more"),
    [(50, 0, 50, False), (51, 0, 50, True), (3, 7, 3, True), (0, 0, 0, False)],
)
async def test_a_page_of_ended_visits_has_fifty_rows_and_says_whether_there_are_more(
    found: int, unread: int, rows: int, more: bool
) -> None:
    apart = SessionsApart()
    apart.found = Found([replace(ENDED, id=f"v_{number}") for number in range(found)], unread)
    page = await apart.sessions.past(CLAIMANT, client.SessionsPast(id=9))
    assert (page.reply_to, page.more, page.unread, PAGE) == (9, more, unread, 50)
    assert [row.visit for row in page.rows] == [f"v_{number}" for number in range(rows)]


@pytest.mark.parametrize(("actor", "seen"), [(CLAIMANT, True), (ADMIN, True), (COLLEAGUE, False)])
async def test_tags_and_notes_are_shown_to_those_who_may_see_the_visit(
    actor: Actor, seen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tally = Tally(party="patient", name="Ana", connected_ms=7.0)

    async def calls_of(store: Any, organisation: str, visit: str) -> list[Tally]:
        assert (store, organisation, visit) == (apart.service.store, ORG, "v_1")
        return [tally]

    monkeypatch.setattr(module, "calls_of", calls_of)
    apart = SessionsApart()
    apart.found, apart.stored["v_1"] = Found([TAGGED]), TAGGED
    (row,) = (await apart.sessions.past(actor, client.SessionsPast(id=9))).rows
    assert row == views.past_row(TAGGED, apart.policy, with_texts=seen)
    assert row.tags == (("rash",) if seen else ())
    found = await apart.sessions.history(actor, client.VisitHistory(id=9, visit="v_1"))
    assert found == server.History(
        reply_to=9,
        visit="v_1",
        events=(
            shapes.HistoryPart(kind="opened", at_ms=1, by=None, note=None),
            shapes.HistoryPart(
                kind="declined", at_ms=2, by=views.person(ADMIN.person), note="Call 911" if seen else None
            ),
        ),
        calls=(views.call(tally),),
    )


async def test_a_visit_that_is_not_there_has_no_history() -> None:
    found = await SessionsApart().sessions.history(CLAIMANT, client.VisitHistory(id=9, visit="v_none"))
    assert isinstance(found, server.Error)
    assert (found.code, found.reply_to) == ("not_found", 9)
