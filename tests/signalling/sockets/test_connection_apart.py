"""Tests how one client's messages are answered and limited, without a store or a network."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import WSMessage, WSMsgType

from signalling import counts
from signalling.errors import BadMessageError, SupersededError, UnavailableError
from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.protocol.codec import CODECS
from signalling.rooms.worker_messages import Member
from signalling.sockets import connection as module
from signalling.sockets.connection import BURST, MOST_BAD, PROBE_EVERY_S, RATE, Connection, Flood
from signalling.sockets.handlers import HANDLERS
from signalling.visit import commands as c
from signalling.visit.record import Actor
from tests.signalling import visits
from tests.signalling.rooms.apart import Noted
from tests.signalling.sockets.apart import ORIGIN, FakeWs

JSON = CODECS["greenroom.v1.json"]
CLAIMANT, PATIENT, VISIT = visits.CLAIMANT, visits.PATIENT, visits.VISIT


class Services(SimpleNamespace):
    """Replaces the services of a worker that the handlers of requests use.

    `outcome`: the result of each command. `noted`: the calls of commands and other methods.
    """

    def __init__(self, *open_: Any) -> None:
        self.noted: list[tuple[Any, ...]] = []
        self.outcome: Any = SimpleNamespace(version=6)
        self.away = False
        known = SimpleNamespace(visits={visit.id: visit for visit in open_})
        self.now: dict[str, Any] = dict(known.visits)
        self.asked = True
        self.joins: list[Any] = []
        policy = SimpleNamespace(invite_ms=60_000)

        async def organisation(name: str) -> Any:
            return SimpleNamespace(policy=policy)

        async def visit_now(organisation: str, visit: str) -> Any:
            return self.now.get(visit)

        async def issue(*link: Any) -> str:
            self.noted.append(("issue", *link))
            return "token"

        service = SimpleNamespace(
            command=self._command,
            set_on_call=self._on_call,
            mirrors=SimpleNamespace(known=lambda organisation: known),
            visit_now=visit_now,
            organisation=organisation,
            clock_ms=lambda: 1000,
        )
        memberships = SimpleNamespace(leave=self._note("leave"), join=self._note("join"), ask=self._ask)
        super().__init__(
            worker="w-own",
            service=service,
            topics=SimpleNamespace(
                subscribe=self._subscribe,
                unsubscribe=lambda *what: self.noted.append(what),
                sessions=SimpleNamespace(past=self._note("past"), history=self._note("history")),
                bell=SimpleNamespace(mark=self._mark),
            ),
            memberships=memberships,
            relay=SimpleNamespace(probe=lambda: "sdp", ice_servers=lambda: []),
            audit_log=Noted(),
            guest_links=SimpleNamespace(issue=issue),
            tokens=SimpleNamespace(on_pages=self._note("on_pages")),
            spawn=self._spawn,
            superseded=self._note("superseded"),
            traces=None,
        )

    def _spawn(self, work: Any) -> Any:
        self.noted.append(("spawned",))
        work.close()
        return None

    def _note(self, name: str) -> Any:
        async def noted(*args: Any) -> None:
            self.noted.append((name, *args))

        return noted

    def _ask(self, connection: str, visit: str, make: Any) -> bool:
        self.noted.append(("ask", connection, visit, make("member", 7)))
        return self.asked

    async def _command(self, actor: Actor, visit: str, command: Any, origin: Any = None) -> Any:
        self.noted.append(("command", visit, command))
        if self.away:
            raise UnavailableError("store")
        return self.outcome

    async def _on_call(self, actor: Actor, on: bool, origin: Any) -> int:
        return 8 if on else 0

    async def _mark(self, actor: Actor, until_ms: int, origin: Any) -> int:
        self.noted.append(("mark", until_ms))
        return 5

    async def _subscribe(self, socket: Any, request: Any) -> Any:
        self.noted.append(("subscribe", request.topic))
        return server.Subscribed(reply_to=request.id, topic=request.topic, epoch="e", version=1)


def opened(actor: Actor = CLAIMANT, *open_: Any, ws: Any = None) -> tuple[Connection, Services, list[Any]]:
    """Return (a connection of a person, its services, the messages that it is sent)."""
    services: Any = Services(*open_)
    written: list[bytes] = []
    transport: Any = SimpleNamespace(
        get_write_buffer_size=lambda: 0, write=written.append, is_closing=lambda: False, abort=lambda: None
    )
    socket: Any = ws or FakeWs()
    made = Connection(services, actor, "c_1", ORIGIN, socket, transport, JSON, 1 << 20)
    return made, services, written


def sent(written: list[bytes]) -> list[dict[str, Any]]:
    """Return the messages in frames that were written."""
    return [json.loads(data[data.index(b"{") :]) for data in written if b"{" in data]


def says(**message: Any) -> WSMessage:
    """Return a message of a client as a text frame."""
    return WSMessage(WSMsgType.TEXT, json.dumps(message).encode(), None)


def closing(connection: Connection) -> list[int]:
    """Return a list that gets each code with which the connection closes its socket from now on."""
    codes: list[int] = []
    connection.socket._cut = codes.append
    return codes


async def answer(connection: Connection, request: Any) -> Any:
    """Return the reply of the handler of a request."""
    found: Any = HANDLERS[type(request)](connection, request)
    return await found if hasattr(found, "__await__") else found


def test_the_limits_of_a_client_are_these() -> None:
    assert (MOST_BAD, BURST, RATE, PROBE_EVERY_S) == (10, 200, 50.0, 5.0)


def test_a_client_may_send_200_messages_at_once_and_50_more_each_second() -> None:
    flood = Flood(10.0)
    assert [flood.takes(10.0) for _ in range(201)] == [True] * 200 + [False]
    assert [flood.takes(11.04) for _ in range(52)].count(True) == 50
    idle = Flood(0.0)
    assert [idle.takes(1000.0) for _ in range(201)].count(True) == 200, "what is not used is not saved"


def test_a_client_tests_its_network_once_in_five_seconds() -> None:
    made, _, _ = opened()
    assert [made.may_probe(now_s) for now_s in (0.0, 4.9, 5.0, 9.9, 10.0)] == [True, False, True, False, True]


async def test_a_socket_is_closed_with_its_code_and_one_that_reads_too_slowly_is_cut() -> None:
    made, services, _ = opened()
    before = {code: counts.SOCKETS_CLOSED[code] for code in ("4005", "4002")}
    aborted = made.socket = Noted()  # type: ignore[assignment]
    made.cut(4005)
    assert (services.noted, aborted.calls) == ([("spawned",)], [])
    made.cut(4002)
    assert (len(services.noted), aborted.calls) == (1, [("abort",)])
    assert {code: counts.SOCKETS_CLOSED[code] - number for code, number in before.items()} == {
        "4005": 1, "4002": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("message", "answers", "code"),
    [
        (says(type="ping", id=7), [("pong", 7)], None),
        (says(type="nonsense", id=7), [("error", 7)], None),
        (says(type="hello", id=7, role="staff"), [("error", 7)], None),
        (says(type="bye", id=7), [], 1000),
        (WSMessage(WSMsgType.TEXT, b"\xff", None), [], 1007),
        (WSMessage(WSMsgType.BINARY, b"{}", None), [("error", None)], None),
        (WSMessage(WSMsgType.PONG, b"", None), [], None),
    ],
)
def test_a_message_is_answered_at_once_if_nothing_must_be_waited_for(
    message: WSMessage, answers: list[tuple[str, int | None]], code: int | None
) -> None:
    made, _, written = opened()
    closed = closing(made)
    made.socket.received_s = 0.0
    assert made.handled(message)
    assert [(found["type"], found["reply_to"]) for found in sent(written)] == answers
    assert closed == ([] if code is None else [code])
    assert made.received_bye is (code == 1000)
    assert made.socket.received_s > 0


def test_a_ping_of_the_websocket_is_answered_and_counted_as_a_message() -> None:
    made, _, written = opened()
    closed = closing(made)
    made._flood._tokens = -1e9
    made._handle(WSMessage(WSMsgType.PING, b"first", None))
    assert (written, closed) == ([b"\x8a\x05first"], [4005])
    made.socket.open = True
    made._handle(says(type="ping", id=7))
    assert (len(written), closed) == (1, [4005, 4005])


def test_the_tenth_malformed_message_closes_the_socket() -> None:
    made, _, written = opened()
    closed = closing(made)
    for number in range(10):
        assert closed == []
        made._handle(says(type="nonsense", id=number))
    assert (closed, sent(written)[0]["details"]) == ([4004], {"path": "$.type"})


@pytest.mark.parametrize(
    ("problem", "code", "closed"),
    [
        (SupersededError(), None, [4203]),
        (LookupError(), "not_found", []),
        (UnavailableError("store"), "unavailable", []),
        (ValueError(), "unavailable", []),
    ],
)
@pytest.mark.parametrize("later", [False, True])
async def test_a_request_that_fails_is_answered_and_the_socket_stays(
    problem: Exception, code: str | None, closed: list[int], later: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, services, written = opened()
    codes = closing(made)

    def fails(connection: Any, request: Any) -> Any:
        async def answered() -> Any:
            raise problem

        if later:
            return answered()
        raise problem

    monkeypatch.setitem(HANDLERS, client.Ping, fails)
    pending = made._handle(says(type="ping", id=7))
    assert (pending is not None) is later
    if pending is not None:
        await made._answer(*pending)
    assert [message["code"] for message in sent(written)] == ([] if code is None else [code])
    assert (codes, services.noted) == (closed, [("spawned",)] * len(closed))


async def test_only_one_task_answers_the_requests_of_a_connection() -> None:
    made, services, _ = opened(ws=FakeWs())
    made.wake()
    assert services.noted == [], "the socket is still aiohttp's"
    made.continue_on(FakeWs(), lambda: None)  # type: ignore[arg-type]
    made.wake()
    assert services.noted == [("spawned",)]


@pytest.mark.parametrize("later", [False, True])
async def test_a_request_whose_reply_cannot_be_encoded_is_answered_with_an_error(
    later: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _, written = opened()
    wrong: Any = server.Pong(reply_to=7, server_ms=object())  # type: ignore[arg-type]

    async def answered() -> Any:
        return wrong

    monkeypatch.setitem(HANDLERS, client.Ping, lambda *_: answered() if later else wrong)
    pending = made._handle(says(type="ping", id=7))
    if pending is not None:
        await made._answer(*pending)
    assert [(message["code"], message["reply_to"]) for message in sent(written)] == [("unavailable", 7)]


async def test_a_connection_whose_request_fails_without_an_answer_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, _, _ = opened(ws=FakeWs(says(type="ping", id=1), says(type="ping", id=2)))
    codes = closing(made)

    def fails(connection: Connection, message: Any) -> None:
        raise ValueError

    monkeypatch.setattr(Connection, "_handle", fails)
    with pytest.raises(ValueError):
        await made.requests()
    assert codes == [1011]


async def test_requests_are_answered_in_their_order_and_later_ones_wait() -> None:
    made, services, written = opened(ws=FakeWs())
    ws: Any = made._ws
    on_call = says(type="on_call", id=1, on=True)
    assert not made.handled(on_call), "its reply waits for the store"
    made._busy = True
    assert not made.handled(says(type="ping", id=2)), "it comes after the first one"
    ws.messages = [on_call, says(type="ping", id=2)]
    await made.requests()
    assert [message["reply_to"] for message in sent(written)] == [1, 2]
    made.socket.open = False
    assert not made.handled(says(type="ping", id=4))
    assert services.noted == []


async def test_a_request_whose_socket_closed_before_its_turn_is_given_up() -> None:
    made, _, _ = opened(ws=FakeWs())
    made.handled(says(type="on_call", id=1, on=True))
    assert made._pending is not None
    coroutine = made._pending[1]
    made.socket.open = False
    await made.requests()
    with pytest.raises(RuntimeError):
        await coroutine


async def test_a_connection_is_the_member_of_a_room_and_leaves_pages_and_rooms() -> None:
    made, services, _ = opened()
    assert made.member("v_1", "provider") == Member(
        visits.ORG, "v_1", "provider", "osei", "c_1", "w-own", "greenroom.v1.json"
    )
    made.entered = frozenset({"v_2", "v_1"})
    await made.keep_pages()
    await made.left("v_1")
    assert made.entered == {"v_2"}
    assert services.noted == [
        ("on_pages", ORIGIN, "c_1", CLAIMANT, ["v_1", "v_2"]),
        ("leave", "c_1", "v_1"),
        ("command", "v_1", c.Leave("c_1", "w-own")),
    ]
    made.socket.received_s = 0.0
    made.wake()
    assert made.socket.received_s > 0


def test_a_frame_of_the_other_type_is_no_message() -> None:
    with pytest.raises(BadMessageError) as refused:
        module.decoded(WSMessage(WSMsgType.BINARY, b"{}", None), JSON)
    assert (refused.value.path, refused.value.reply_to) == ("frame type", None)
