"""Tests who may see which topic in which status, by one reviewed table: SECURITY.md row 31.

People review `SHOWN`. The matrix is made from the topics of the protocol. It is compared with
`rights.may_see`, and then with what real workers send on real sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from signalling.clients.client import SignallingClient
from signalling.errors import RequestError
from signalling.protocol.reference import TOPICS as ALL_TOPICS
from signalling.service import Accepted
from signalling.topics import rights
from signalling.topics.topics import kind_of
from signalling.visit import commands as c
from signalling.visit.record import Actor, Role, Status, Visit
from tests.signalling.clinic import Clinic, clinic
from tests.signalling.visit.test_matrix import with_guest
from tests.signalling.visits import (
    ADMIN,
    CLAIMANT,
    IN_STATUS,
    ORG,
    OTHER,
    PATIENT,
    STAFF,
    VISIT,
    assigned,
    does,
    people,
    person,
)
from tests.signalling.waits import until

TOPICS = {topic.partition("/")[0] for topic in ALL_TOPICS}
# Reviewed by people. A person who is not listed must not see the topic. `released`: the visit is in the queue again,
# and its guest is still a party.
SHOWN = """
visit  queued     patient, on call, assignee, admin
visit  released   patient, guest, on call, admin
visit  claimed    patient, guest, claimant, admin
visit  live       patient, guest, claimant, admin
visit  completed  patient, guest, claimant, admin
visit  declined   patient, admin
case   queued     patient, on call, assignee, admin
case   released   patient, on call, admin
case   claimed    patient, claimant, admin
case   live       patient, claimant, admin
case   completed  claimant, admin
case   declined   admin
chat   queued     patient, on call, assignee, admin
chat   released   patient, guest, on call, admin
chat   claimed    patient, guest, claimant, admin
chat   live       patient, guest, claimant, admin
chat   completed  claimant, admin
chat   declined   admin
place  queued     patient
place  released   patient
place  claimed    patient
place  live       patient
queue     always  on call, off call, claimant, assignee, admin
sessions  always  on call, off call, claimant, assignee, admin
bell      always  on call, off call, claimant, assignee, admin
"""
Cell = tuple[str, str, str]


def reviewed() -> set[Cell]:
    """Return (topic, status, person) for each cell of the table `SHOWN`."""
    rows = (line.split(maxsplit=2) for line in SHOWN.strip().splitlines())
    return {(topic, status, who.strip()) for topic, status, everybody in rows for who in everybody.split(",")}


def everybody(organisation: str = ORG) -> dict[str, Actor]:
    """Return one person of each kind that can subscribe, by name; `dismissed` is a guest who was removed from the
    visit.
    """
    return people(organisation) | {"dismissed": person("guest-ben", Role.GUEST, organisation, VISIT)}


def visits() -> dict[str, Visit]:
    """Return name -> visit. Most names are those of the visit's status.

    The visit `released` waits again after a claim (status `queued`); `declined` has the same status as `completed`.
    """
    return {
        "queued": assigned(),
        "released": does(with_guest(Status.CLAIMED), c.Release(), CLAIMANT),
        "claimed": with_guest(Status.CLAIMED),
        "live": with_guest(Status.LIVE),
        "completed": with_guest(Status.ENDED),
        "declined": does(assigned(), c.Decline("No"), ADMIN),
    }


def cells(organisation: str) -> Iterator[Cell]:
    """Yield (topic, status, person) for each topic that the module `rights` lets the person see."""
    for who, actor in everybody(organisation).items():
        for topic in TOPICS:
            for status, visit in visits().items():
                if rights.may_see(topic, visit, actor, STAFF):
                    yield topic, status, who
            if rights.may_see_staffs(topic, actor):
                yield topic, "always", who


def test_s31_the_matrix_of_topics_equals_the_reviewed_one() -> None:
    assert set(cells(ORG)) == reviewed()


def test_s31_every_topic_of_the_protocol_has_its_rows() -> None:
    assert rights.OF_VISITS.keys() | rights.OF_STAFF.keys() == TOPICS == {topic for topic, _, _ in reviewed()}
    assert all(seen.keys() == set(Status) for seen in rights.OF_VISITS.values())
    assert {visit.status for visit in visits().values()} == set(Status) == set(IN_STATUS)


def test_s31_another_organisation_sees_no_topic_of_a_visit() -> None:
    assert {cell for cell in cells(OTHER) if cell[1] != "always"} == set()
    assert (PATIENT.id, PATIENT.visit) == (people(OTHER)["patient"].id, people(OTHER)["patient"].visit)


# --- the same table with real workers on real sockets


class Scene:
    """A clinic that two workers serve, with one person of each kind: patient, guest, claimant and others.

    A test makes one visit after another in the clinic.
    """

    def __init__(self, two: Clinic, stack: AsyncExitStack) -> None:
        self.two, self._stack = two, stack
        self.staff = {who: a for who, a in people().items() if a.is_staff}
        self.clients: dict[str, SignallingClient] = {}
        self.visit = ""
        self.actors: dict[str, Actor] = {}

    async def connect(self, who: str, actor: Actor, worker: int) -> None:
        """Open a socket of `actor`, under the name `who`, at a worker. It replaces the person's earlier socket."""
        if (old := self.clients.pop(who, None)) is not None:
            await old.close()
        client = await self.two.connect(actor, worker)
        self._stack.push_async_callback(client.close)
        self.clients[who], self.actors[who] = client, actor

    async def command(self, who: str, command: c.Command) -> None:
        """Carry out a command of a person. Return when both workers have applied it and each socket has received the
        resulting messages.
        """
        done = await self.two.workers[0].service.command(self.actors[who], self.visit, command)
        assert isinstance(done, Accepted), done
        await self.settled(done.version)

    async def settled(self, version: int) -> None:
        """Wait until both workers have this version, and each socket has received all messages before it."""
        await until(
            lambda: all(w.service.mirrors.known(ORG).version >= version for w in self.two.workers)  # type: ignore[union-attr]
        )
        await asyncio.gather(*(client.request("ping") for client in self.clients.values()))

    async def on_call(self, who: str, on: bool = True) -> None:
        """Turn On-Call on or off for the person whose key in `clients` is `who`."""
        await self.settled((await self.clients[who].request("on_call", on=on))["version"])

    async def bring(self, status: str) -> None:
        """Make a new visit in this status. Its patient, its guests and all related staff get new sockets."""
        others = {**self.staff, "other patient": person("patient:v_2", Role.PATIENT, ORG, "v_2")}
        for number, (who, actor) in enumerate(others.items()):
            # Each visit needs new sockets, because an older socket would be closed for too many requests.
            await self.connect(who, actor, number % 2)
        patient = await self.two.arrive(0)
        self.visit = str(patient.visit)
        await self.connect("patient", patient, 0)
        for who in ("claimant", "assignee", "on call", "off call", "admin"):
            await self.on_call(who, on=who in ("claimant", "assignee", "on call"))
        await self.command("admin", c.Assign(self.actors["assignee"].id))
        if status in ("claimed", "live", "released", "completed"):
            await self.command("claimant", c.Claim())
            for key in ("guest-rosa", "guest-ben"):
                await self.command("claimant", c.Invite(key, key.title(), "family"))
        for who, key in (("guest", "guest-rosa"), ("dismissed", "guest-ben")):
            await self.connect(who, person(key, Role.GUEST, ORG, self.visit), 1)
        if status in ("claimed", "live", "released", "completed"):
            await self.command("claimant", c.Dismiss("guest-ben"))
        if status == "live":
            await self.command("patient", c.Start())
            await self.command("claimant", c.Start())
        for wanted, who, command in (
            ("released", "claimant", c.Release()),
            ("completed", "claimant", c.End()),
            ("declined", "admin", c.Decline("No")),
        ):
            if wanted == status:
                await self.command(who, command)
        for who in ("claimant", "assignee"):
            await self.on_call(who, on=False)

    async def ask(self) -> set[tuple[str, str]]:
        """Subscribe every person to every topic; return (topic, person) for each subscription that is accepted."""
        pairs = [(topic, who) for who in self.clients for topic in sorted(TOPICS)]
        answers = await asyncio.gather(*(self._shown(topic, who) for topic, who in pairs))
        return {pair for pair, shown in zip(pairs, answers, strict=True) if shown}

    async def _shown(self, topic: str, who: str) -> bool:
        of_visit = topic in rights.OF_VISITS
        asked = await self.clients[who].ask("subscribe", topic=f"{topic}/{self.visit}" if of_visit else topic)
        answer = await asked
        assert answer["type"] == "subscribed" or answer["code"] == (
            "not_found" if of_visit else "not_allowed"
        )
        return bool(answer["type"] == "subscribed")

    def received(self, who: str) -> list[dict[str, Any]]:
        """Return the messages about the visit that a person has received since the last call."""
        backlog = self.clients[who].backlog
        found = [m for m in backlog if m.get("topic", "").endswith(self.visit)]
        backlog.clear()
        return found


@asynccontextmanager
async def scene(valkey: Redis) -> AsyncIterator[Scene]:
    """Yield a scene whose staff are spread over both workers. One provider belongs to another organisation."""
    async with AsyncExitStack() as stack:
        two = await stack.enter_async_context(clinic(valkey))
        found = Scene(two, stack)
        yield found


def test_the_id_in_a_topics_name_may_have_a_colon() -> None:
    assert kind_of(f"{ORG}/chat/v:1") == ("chat", "v:1")
    assert kind_of(f"{ORG}/queue") == ("queue", "")


async def test_s31_real_workers_show_exactly_what_the_table_says(valkey: Redis) -> None:
    async with scene(valkey) as here:
        await here.connect("stranger", person("ray", Role.ADMIN, "hillside"), 1)
        await here.clients["stranger"].request("on_call", on=True)
        wanted = reviewed()
        for status in visits():
            await here.bring(status)
            shown = {
                (topic, status if topic in rights.OF_VISITS else "always", who)
                for topic, who in await here.ask()
            }
            shown -= {
                (topic, "always", "stranger") for topic in rights.OF_STAFF
            }  # topics of the stranger's own organisation
            assert shown == {
                cell for cell in wanted if cell[1] in (status, "always") and cell[2] in here.actors
            }


ENDS: tuple[tuple[str, str, str, c.Command | None], ...] = (
    ("claimed by a colleague", "queued", "admin", c.Claim()),
    ("claimed by the assignee", "queued", "assignee", c.Claim()),
    ("unassigned", "queued", "admin", c.Unassign()),
    ("declined", "queued", "admin", c.Decline("No")),
    ("withdrawn", "queued", "patient", c.Withdraw()),
    ("off call", "queued", "on call", None),
    ("off call again", "released", "on call", None),
    ("released", "claimed", "claimant", c.Release()),
    ("transferred", "claimed", "claimant", c.Transfer("ray")),
    ("dismissed", "claimed", "claimant", c.Dismiss("guest-rosa")),
    ("ended", "claimed", "claimant", c.End()),
    ("released by an admin", "live", "admin", c.Release()),
    ("ended by an admin", "live", "admin", c.End()),
)


async def test_s31_a_topic_ends_with_the_right_to_it_and_the_client_receives_gone(valkey: Redis) -> None:
    wrong: list[object] = []
    async with scene(valkey) as here:
        for name, status, who, command in ENDS:
            await here.bring(status)
            before = {pair for pair in await here.ask() if pair[0] in rights.OF_VISITS}
            for listener in here.clients:
                here.received(listener)
            if command is None:
                await here.on_call(who, on=False)
            else:
                await here.command(who, command)
            after = await seen_now(here)
            lost = before - after
            told = {listener: here.received(listener) for listener in here.clients}
            ended = {
                (m["topic"].partition("/")[0], listener)
                for listener, messages in told.items()
                for m in messages
                if m["type"] == "gone"
            }
            shown_after = [
                shown for listener, messages in told.items() for shown in too_much(messages, listener, lost)
            ]
            if ended != lost or not lost or shown_after:
                wrong.append((name, "lost", sorted(lost), "told", sorted(ended), shown_after))
            heard = await later_news(here)
            if not heard.isdisjoint(lost):
                wrong.append((name, "heard all the same", sorted(heard & lost)))
    assert wrong == []


def too_much(messages: list[dict[str, Any]], who: str, lost: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return (person, type) of each message that `who` got about a topic without the right to see that topic.

    `lost`: (topic, person) of each right that has ended. Places in the queue are sent with a delay, so a place may
    still arrive, but no place arrives after the topic's message `gone`.
    """
    found, over = [], set()
    for message in messages:
        room = message["topic"].partition("/")[0]
        if message["type"] == "gone":
            over.add(room)
        elif (room, who) in lost and (room in over or room in ("case", "chat")):
            found.append((who, message["type"]))
    return found


async def seen_now(here: Scene) -> set[tuple[str, str]]:
    """Return (topic, person) for each topic of the present visit that the person may see."""
    visit = await here.two.workers[0].service.visit(ORG, here.visit)
    mirror = here.two.workers[1].service.mirrors.known(ORG)
    assert visit is not None
    assert mirror is not None
    return {
        (topic, who)
        for topic in rights.OF_VISITS
        for who, actor in here.actors.items()
        if rights.may_see(topic, visit, actor, mirror.staff)
    }


async def later_news(here: Scene) -> set[tuple[str, str]]:
    """Send chat messages and an answer, if still possible; return (topic, person) for each topic of which a person
    receives something.
    """
    for writer in ("claimant", "admin", "patient"):
        try:
            await here.clients[writer].request("chat.send", visit=here.visit, text="A word more.")
        except RequestError:
            continue
    try:
        done = await here.clients["patient"].request(
            "visit.save", visit=here.visit, step="allergies", answer="Pollen", left=False
        )
        await here.settled(done["version"])
    except RequestError:
        await here.settled(0)
    return {
        (m["topic"].partition("/")[0], who)
        for who in here.clients
        for m in here.received(who)
        if m["type"] != "gone"
    }


async def test_s31_a_right_that_comes_back_can_be_asked_for_again(valkey: Redis) -> None:
    async with scene(valkey) as here:
        await here.bring("queued")
        assert ("case", "on call") in await here.ask()
        await here.command("admin", c.Claim())
        assert ("case", "on call") not in await here.ask()
        await here.command("admin", c.Release())
        assert ("case", "on call") in await here.ask()


async def test_s42_an_ended_visit_shows_its_patient_and_guests_only_the_end_until_it_is_reopened(
    valkey: Redis,
) -> None:
    async with scene(valkey) as here:
        await here.bring("live")
        await here.ask()
        await here.command("claimant", c.End())
        for who in ("patient", "guest"):
            last = [m["visit"] for m in here.received(who) if m["type"] == "visit.state"][-1]
            assert (last["status"], last["outcome"]) == ("ended", "completed")
            assert (last["claimant"], last["parties"]) == (None, {})
            shown = {topic for topic, asked in await here.ask() if asked == who}
            assert shown == {"visit"}
            state = await here.clients[who].expect("visit.state")
            assert (state["visit"]["status"], state["visit"]["parties"]) == ("ended", {})
        full = await here.clients["claimant"].expect("visit.state", lambda m: m["visit"]["status"] == "ended")
        assert full["visit"]["claimant"]["id"] == here.actors["claimant"].id
        await here.command("claimant", c.Reopen())
        for who in ("patient", "guest"):
            back = await here.clients[who].expect("visit.state", lambda m: m["visit"]["status"] == "claimed")
            assert back["visit"]["parties"]["patient"]["name"]
        assert {("case", "patient"), ("chat", "patient"), ("chat", "guest")} <= await here.ask()
