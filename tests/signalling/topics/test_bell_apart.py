"""Tests the bell, which is the topic of a person's notifications, without a store or sockets.

Tests what the bell sends to the person's pages, and how it marks notifications as read.
"""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from signalling.errors import SealError, UnavailableError
from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.store.mirror import Change, Reset
from signalling.store.records import Origin
from signalling.topics.bell import ATTEMPTS, MOST_AT_FIRST, Bell
from signalling.visit.record import Mark, Notice
from signalling.visit.relations import Event
from tests.signalling import visits
from tests.signalling.topics.apart import ORG, Tab, TopicsApart

NAME = f"{ORG}/bell:osei"
ORIGIN = Origin("key", 3)


def notice(number: int) -> Notice:
    """Return a notification with this time."""
    return Notice(
        id=f"n_{number}", kind="assigned", at_ms=number, visit="v_1", name="Ana", by="Zoe", note="now"
    )


class BellApart(TopicsApart):
    """The bell of a worker. `stored`: what each read of the notifications returns, one read after another.

    `held`: the stored record of the newest notification that the person has read, or None.
    """

    def __init__(self, *stored: tuple[list[Notice], int]) -> None:
        super().__init__()
        self.reads, self.commits = list(stored), list[tuple[Any, ...]]()
        self.held: Mark | None = None
        self.read_place = 5
        self.overtaken = 0
        self.noted: list[str] = []
        hub: Any = self.hub
        self.service.store = self
        self.mirror.committed = self.noted.append
        self.bell = Bell(hub, self.service)
        self.bell._notices = SimpleNamespace(newest=self._newest, place=self._place, opened=self._opened)  # type: ignore[assignment]

    async def _newest(self, organisation: str, person: str) -> tuple[list[Notice], int]:
        assert (organisation, person) == (ORG, "osei")
        return self.reads.pop(0)

    async def _place(self, organisation: str, person: str, until_ms: int) -> int:
        return self.read_place

    @staticmethod
    def _opened(organisation: str, person: str, sealed: bytes) -> Notice:
        if not sealed.isdigit():
            raise SealError("unreadable")
        return notice(int(sealed))

    async def load(self, organisation: str, kind: type[Mark], person: str) -> tuple[Mark | None, int]:
        return self.held, 700

    async def commit(self, organisation: str, record: Mark, event: Event, **how: Any) -> str | None:
        self.commits.append((organisation, record, event, how))
        if self.overtaken:
            self.overtaken -= 1
            return None
        return "committed"

    def sent(self) -> list[tuple[str, int]]:
        """Return (type of message, number of unread notifications) of each message since the last call."""
        found = [(type(message).__name__, message.unread) for _, _, message in self.hub.calls]
        assert all((call[0], call[1], call[2].version) == ("send", NAME, 40) for call in self.hub.calls)
        self.hub.calls.clear()
        return found


async def test_a_page_is_sent_the_newest_notifications_and_the_number_of_all_that_are_unread() -> None:
    apart = BellApart(([notice(30), notice(20), notice(10)], 5))
    socket: Any = Tab(visits.CLAIMANT)
    reply = await apart.bell.subscribe(socket, client.Subscribe(id=9, topic="bell"), apart.mirror)
    assert reply == server.Subscribed(reply_to=9, topic="bell", epoch="epoch", version=40)
    assert socket.topics == {NAME}
    (snapshot,) = socket.sent
    assert (snapshot.topic, snapshot.epoch, snapshot.version, snapshot.unread) == ("bell", "epoch", 40, 5)
    assert [item.id for item in snapshot.items] == ["n_30", "n_20", "n_10"]
    item = snapshot.items[0]
    assert (item.kind, item.at_ms, item.visit, item.name, item.by, item.note) == (
        "assigned", 30, "v_1", "Ana", "Zoe", "now"
    )  # fmt: skip
    apart.bell.news(Change(ORG, 21, "bell_marked", None, Mark(id="osei", version=1, until_ms=10)))
    assert apart.sent() == [("BellMarked", 2)], "the two older ones are read as well"
    apart.bell.unsubscribe(socket)
    assert socket.topics == frozenset()


async def test_a_page_whose_notifications_cannot_be_read_is_not_subscribed() -> None:
    apart = BellApart(([], 0))
    notices: Any = apart.bell._notices
    read, socket = notices.newest, Tab(visits.CLAIMANT)

    async def away(organisation: str, person: str) -> None:
        raise UnavailableError("store")

    for newest, subscribed in ((away, False), (read, True), (away, True)):
        notices.newest = newest
        with nullcontext() if newest is read else pytest.raises(UnavailableError):
            await apart.bell.subscribe(
                cast("Any", socket), client.Subscribe(id=9, topic="bell"), apart.mirror
            )
        assert (NAME in socket.topics) is subscribed


async def test_the_notifications_of_persons_who_have_no_page_open_are_forgotten() -> None:
    apart = BellApart(*[([], 0)] * (2 * MOST_AT_FIRST))
    notices: Any = apart.bell._notices
    notices.newest = lambda organisation, person: apart._newest(organisation, "osei")
    for number in range(2 * MOST_AT_FIRST):
        socket: Any = Tab(replace(visits.CLAIMANT, id=f"person {number}"))
        await apart.bell.subscribe(socket, client.Subscribe(id=9, topic="bell"), apart.mirror)
        if number:
            apart.bell.unsubscribe(socket)
    assert len(apart.bell._unread) < MOST_AT_FIRST + 2
    assert f"{ORG}/bell:person 0" in apart.bell._unread


async def test_of_the_newest_notifications_only_the_unread_ones_count() -> None:
    apart = BellApart(([notice(30), notice(20), notice(10)], 2))
    apart.hub.topics[NAME] = []
    await apart.bell.show_whole(apart.mirror, "osei")
    assert apart.sent() == [("BellSnapshot", 2)]
    apart.bell.news(Change(ORG, 21, "bell_marked", None, Mark(id="osei", version=1, until_ms=20)))
    assert apart.sent() == [("BellMarked", 1)]


@pytest.mark.parametrize(
    ("counts", "reads"), [([0, 0], 1), ([0, 1, 1, 1], 2), (list(range(2 * ATTEMPTS)), ATTEMPTS)]
)
async def test_the_notifications_are_read_again_while_messages_are_sent_but_not_for_ever(
    counts: list[int], reads: int
) -> None:
    apart = BellApart(*([([notice(number)], 1) for number in range(12)]))
    apart.hub.counts = counts
    found = await apart.bell._snapshot(apart.mirror, "osei")
    assert (12 - len(apart.reads), ATTEMPTS) == (reads, 10)
    assert [item.id for item in found.items] == [f"n_{reads - 1}"]


async def test_a_new_notification_is_sent_and_counted_once() -> None:
    apart = BellApart(([notice(10)], 1))
    apart.hub.topics[NAME] = []
    await apart.bell.show_whole(apart.mirror, "osei")
    apart.sent()
    with capture_logs() as logs:
        apart.bell.news(
            Change(ORG, 20, "changed", None, visits.claimed(), (
                ("lin", b"7"), ("osei", b"x"), ("osei", b"10"), ("osei", b"20")
            ))
        )  # fmt: skip
    items = [message.item.id for _, _, message in apart.hub.calls]
    assert (items, apart.sent()) == (["n_10", "n_20"], [("BellItem", 1), ("BellItem", 2)])
    assert [line["event"] for line in logs] == ["bell.unreadable_notice"]


def test_a_page_that_has_no_snapshot_yet_gets_new_notifications_and_marks() -> None:
    apart = BellApart()
    apart.hub.topics[NAME] = []
    mark = Change(ORG, 20, "bell_marked", None, Mark(id="osei", version=1, until_ms=10))
    apart.bell.news(mark)
    assert apart.hub.calls[0][2].until_ms == 10
    assert apart.sent() == [("BellMarked", 0)]
    apart.bell.news(Change(ORG, 20, "changed", None, visits.claimed(), (("osei", b"10"),)))
    assert apart.sent() == [("BellItem", 1)]
    apart.bell.news(Change(ORG, 20, "bell_marked", None, Mark(id="lin", version=1, until_ms=10)))
    apart.bell.news(Reset(ORG))
    apart.known = False
    apart.bell.news(mark)
    assert apart.hub.calls == []


@pytest.mark.parametrize(
    ("held", "version"),
    [
        (None, 1),
        (Mark(id="osei", version=3, until_ms=9, place=4), 4),
        (Mark(id="osei", version=3, until_ms=4), 4),
        (Mark(id="osei", version=3, until_ms=9, place=5), None),
        (Mark(id="osei", version=3, until_ms=5), None),
    ],
)
async def test_notifications_are_marked_as_read_up_to_a_time_unless_they_are(
    held: Mark | None, version: int | None
) -> None:
    apart = BellApart()
    apart.held = held
    found = await apart.bell.mark(visits.CLAIMANT, 600, ORIGIN)
    if version is None:
        assert (found, apart.commits, apart.noted) == (0, [], [])
        return
    assert (found, apart.noted) == (40, ["committed"])
    mark = Mark(id="osei", version=version, until_ms=600, place=5)
    assert apart.commits == [(ORG, mark, Event("bell_marked", 700), {"index_score": 0, "origin": ORIGIN})]


@pytest.mark.parametrize("overtaken", [1, ATTEMPTS - 1, ATTEMPTS])
async def test_a_mark_is_tried_again_if_another_page_was_faster(overtaken: int) -> None:
    apart = BellApart()
    apart.overtaken = overtaken
    if overtaken < ATTEMPTS:
        assert await apart.bell.mark(visits.CLAIMANT, 600, ORIGIN) == 40
    else:
        with pytest.raises(UnavailableError):
            await apart.bell.mark(visits.CLAIMANT, 600, ORIGIN)
    assert len(apart.commits) == min(overtaken + 1, ATTEMPTS)
