"""Tests who may write into a chat, how many messages a chat accepts, and who receives them, without a store or
sockets.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.store.mirror import Change, Reset
from signalling.store.records import Origin
from signalling.topics.chat import MOST_MESSAGES, MOST_MESSAGES_WITH_STAFF, VISITS_KNOWN, Chat
from signalling.visit.commands import Write
from signalling.visit.record import Actor, ChatMessage, Staff, Visit
from signalling.visit.relations import Refusal
from tests.signalling import visits
from tests.signalling.topics.apart import ORG, TopicsApart

OSEI = Staff(id="osei", name="Osei", role=visits.CLAIMANT.role, version=1)
RAY = replace(OSEI, id="ray", name="Ray", on_call=True)
PATIENT, CLAIMANT, COLLEAGUE = visits.PATIENT, visits.CLAIMANT, visits.COLLEAGUE
OTHER_PATIENT = visits.PEOPLE["other patient"]
ORIGIN = Origin("key", 3)
HELLO = client.ChatSend(id=9, visit="v_1", text="Hello")


class ChatApart(TopicsApart):
    """The chat of a worker. `held`: the number of messages in the store.

    `refusal`: the result of each command; None: each command is accepted.
    """

    def __init__(self, *open_: Visit) -> None:
        super().__init__(*open_, staff=(OSEI, RAY))
        self.held, self.asked, self.reads = 0, list[str](), 0
        self.commands: list[tuple[Any, ...]] = []
        self.refusal: Refusal | None = None
        self.written: list[tuple[Any, ...]] = []
        self.version: int | None = 41
        self.lines: Any = None
        self.service.store = self
        self.service.command, self.service.write = self._command, self._write
        hub: Any = self.hub
        self.chat = Chat(hub, self.service)

    async def count_lines(self, organisation: str, visit: str) -> int:
        self.asked.append(f"{organisation}/{visit}")
        return self.held

    async def _command(self, *command: Any) -> Refusal | str:
        self.commands.append(command)
        return self.refusal or "accepted"

    async def _write(self, *written: Any) -> int | None:
        self.written.append(written)
        return self.version

    async def _visit_now(self, organisation: str, visit: str) -> Visit | None:
        self.reads += 1
        return await super()._visit_now(organisation, visit)


def message(number: int, visit: str = "v_1") -> ChatMessage:
    """Return the message with this number in the chat of a visit."""
    return ChatMessage(id=f"m_{number}", visit=visit, at_ms=number, party="staff", name="Ray", text="Yes")


# --- writing of messages


@pytest.mark.parametrize(
    ("visit", "actor", "party", "noted"),
    [
        (visits.claimed(), PATIENT, "patient", False),
        (visits.live(), CLAIMANT, "provider", False),
        (visits.queued(), COLLEAGUE, "staff", True),
        (visits.queued(), PATIENT, "patient", True),
    ],
)
async def test_a_message_is_written_as_its_writers_and_noted_in_the_record_while_the_patient_waits(
    visit: Visit, actor: Actor, party: str, noted: bool
) -> None:
    apart = ChatApart(visit)
    assert await apart.chat.send(actor, HELLO, ORIGIN) == 41
    ((organisation, written, by, origin),) = apart.written
    assert (organisation, by, origin) == (ORG, actor.person, ORIGIN)
    assert written.id.startswith("m_")
    assert written == ChatMessage(
        id=written.id, visit="v_1", at_ms=visits.T0, party=party, name=actor.name, text="Hello"
    )
    assert apart.commands == [(actor, "v_1", Write(), ORIGIN)] * noted
    assert apart.reads == 0, "the copy of this worker is enough"


@pytest.mark.parametrize(
    ("visit", "now", "actor", "refusal"),
    [
        (None, None, PATIENT, Refusal("not_found")),
        (visits.claimed(), None, OTHER_PATIENT, Refusal("not_allowed")),
        (visits.claimed(), None, COLLEAGUE, Refusal("wrong_status", {"status": "claimed"})),
        (visits.ended(), None, PATIENT, Refusal("wrong_status", {"status": "ended"})),
        (visits.queued(), None, CLAIMANT, Refusal("not_allowed")),
        (visits.queued(), visits.claimed(), CLAIMANT, None),
        (None, visits.claimed(), PATIENT, None),
    ],
)
async def test_a_person_who_must_not_write_gets_the_reason_after_the_store_was_asked(
    visit: Visit | None, now: Visit | None, actor: Actor, refusal: Refusal | None
) -> None:
    apart = ChatApart(*([] if visit is None else [visit]))
    if now is not None:
        apart.now["v_1"] = now
    found = await apart.chat.send(actor, HELLO, ORIGIN)
    assert found == (41 if refusal is None else refusal)
    assert (len(apart.written), apart.reads) == (refusal is None, 1)


@pytest.mark.parametrize(
    ("held", "actor", "most"),
    [(999, PATIENT, None), (1000, PATIENT, 1000), (1000, CLAIMANT, None), (1999, CLAIMANT, None),
     (2000, CLAIMANT, 2000)],
)  # fmt: skip
async def test_the_second_thousand_messages_are_for_staff(held: int, actor: Actor, most: int | None) -> None:
    apart = ChatApart(visits.claimed())
    apart.held = held
    found = await apart.chat.send(actor, HELLO, ORIGIN)
    assert found == (41 if most is None else Refusal("limit_reached", {"most": most}))
    assert (MOST_MESSAGES, MOST_MESSAGES_WITH_STAFF) == (1000, 2000)


async def test_a_message_whose_id_the_store_has_already_is_not_written() -> None:
    apart = ChatApart(visits.claimed())
    apart.version = None
    assert await apart.chat.send(PATIENT, HELLO, ORIGIN) == Refusal("unavailable")


@pytest.mark.parametrize(
    ("now", "written"),
    [(visits.claimed(), True), (visits.queued(), False), (visits.ended(), False), (None, False)],
)
async def test_a_message_that_the_queue_refuses_is_written_if_the_session_has_begun(
    now: Visit | None, written: bool
) -> None:
    apart = ChatApart(visits.queued())
    apart.refusal = Refusal("limit_reached", {"most": 5})

    async def visit_now(organisation: str, visit: str) -> Visit | None:
        return now

    apart.service.visit_now = visit_now
    assert await apart.chat.send(PATIENT, HELLO, ORIGIN) == (41 if written else apart.refusal)


# --- the number of messages


@pytest.mark.parametrize(("held", "sent"), [(0, 250), (996, 1), (988, 3), (997, 1), (999, 1)])
async def test_the_number_is_asked_again_after_a_quarter_of_what_was_left(held: int, sent: int) -> None:
    apart = ChatApart()
    apart.held = held
    for _ in range(sent):
        assert await apart.chat._has_room(ORG, "v_1", 1000)
    assert apart.asked == [f"{ORG}/v_1"]
    apart.held = 1000
    assert not await apart.chat._has_room(ORG, "v_1", 1000)
    assert len(apart.asked) == 2


async def test_the_number_of_messages_is_known_for_1024_visits_and_limits() -> None:
    apart = ChatApart()
    for number in range(VISITS_KNOWN):
        assert await apart.chat._has_room(ORG, f"v_{number}", 1000)
    assert await apart.chat._has_room(ORG, "v_0", 1000)
    assert (len(apart.chat._unasked), len(apart.asked), VISITS_KNOWN) == (1024, 1024, 1024)
    assert await apart.chat._has_room(ORG, "v_0", 2000)
    assert list(apart.chat._unasked.values()) == [499], "the others are asked for again"


# --- reading of messages


async def test_messages_that_arrive_while_older_ones_are_read_are_in_the_snapshot_once() -> None:
    apart = ChatApart(visits.claimed())

    async def lines(organisation: str, visit: str, limit: int) -> list[ChatMessage]:
        for each in (message(2), message(3), message(4, "v_2")):
            apart.chat.news(Change(ORG, each.at_ms, "wrote", None, each))
        return [message(1), message(2)]

    apart.service.store = apart
    apart.lines = lines
    found = await apart.chat.snapshot(apart.mirror, visits.claimed())
    assert (found.topic, found.epoch, found.version) == ("chat/v_1", "epoch", 40)
    assert [line.id for line in found.lines] == ["m_1", "m_2", "m_3"]
    assert apart.chat._reading == {}


async def test_of_two_reads_at_once_each_gets_what_arrives_until_its_own_end() -> None:
    apart = ChatApart(visits.claimed())

    async def second(organisation: str, visit: str, limit: int) -> list[ChatMessage]:
        apart.chat.news(Change(ORG, 1, "wrote", None, message(1)))
        return []

    async def first(organisation: str, visit: str, limit: int) -> list[ChatMessage]:
        apart.lines = second
        inner = await apart.chat.snapshot(apart.mirror, visits.claimed())
        assert [line.id for line in inner.lines] == ["m_1"]
        apart.chat.news(Change(ORG, 2, "wrote", None, message(2)))
        raise OSError

    apart.lines = first
    with pytest.raises(OSError):
        await apart.chat.snapshot(apart.mirror, visits.claimed())
    assert apart.chat._reading == {}


def test_a_new_message_is_sent_to_the_chat_of_its_visit_and_nothing_else_is() -> None:
    apart = ChatApart(visits.claimed())
    apart.chat.news(Change(ORG, 20, "wrote", None, message(7)))
    apart.chat.news(Change(ORG, 20, "claimed", visits.queued(), visits.claimed()))
    apart.chat.news(Reset(ORG))
    apart.known = False
    apart.chat.news(Change(ORG, 20, "wrote", None, message(8)))
    ((kind, name, line),) = apart.hub.calls
    assert (kind, name, line.topic, line.version) == ("send", f"{ORG}/chat/v_1", "chat/v_1", 40)
    assert isinstance(line, server.ChatLine)
    assert (line.line.id, line.line.at_ms, line.line.party, line.line.name, line.line.text) == (
        "m_7", 7, "staff", "Ray", "Yes"
    )  # fmt: skip
