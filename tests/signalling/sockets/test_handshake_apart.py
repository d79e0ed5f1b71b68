"""Tests the start of a WebSocket, without a store or a network: what the client is sent, and why it is refused."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import WSMessage, WSMsgType, web

from signalling import counts
from signalling.errors import ResumeError, TooManyGuessesError, UnavailableError
from signalling.protocol.codec import CODECS, JSON_SUBPROTOCOL
from signalling.sockets import handshake
from signalling.store.records import Origin
from signalling.visit.record import Actor
from tests.signalling import visits
from tests.signalling.sockets.apart import HELLO, STAFF, FakeWorker, FakeWs


async def serve(ws: FakeWs, worker: FakeWorker, actor: Actor | None = STAFF, **how: Any) -> Any:
    """Let the worker serve the socket of this person to its end; return the result of `handshake.serve`."""

    async def authenticate(request: Any, role: str) -> Actor | None:
        return actor

    transport = SimpleNamespace(get_write_buffer_size=lambda: 0, write=lambda data: None)
    request: Any = SimpleNamespace(remote="192.0.2.1", transport=how.pop("transport", transport))
    found = await handshake.serve(request, worker, authenticate, **how)  # type: ignore[arg-type]
    await asyncio.sleep(0)
    return found


def codes(ws: FakeWs) -> list[str]:
    """Return the code of each error that was sent on a socket."""
    return [message["code"] for message in ws.sent]


TEXT = WSMsgType.TEXT


@pytest.mark.parametrize(
    ("sends", "actor", "answers", "closed"),
    [
        ([{"type": "ping", "id": 7}], STAFF, ["hello_first"], [(4003, b"hello first")]),
        ([{"type": "hello", "id": 7, "role": "x"}], STAFF, ["bad_message"], [(4003, b"hello first")]),
        ([HELLO], None, ["not_signed_in"], [(4202, b"not signed in")]),
        ([WSMessage(TEXT, b"\xff", None)], STAFF, [], [(1007, b"")]),
        ([WSMessage(WSMsgType.ERROR, None, None)], STAFF, [], []),
        ([TimeoutError()], STAFF, [], [(4003, b"no hello")]),
        ([WSMessage(WSMsgType.PONG, b"", None)] * 20, STAFF, [], [(4005, b"too many hellos")]),
        ([WSMessage(WSMsgType.PONG, b"", None)] * 19, STAFF, [], []),
    ],
)
async def test_a_socket_without_an_accepted_hello_is_closed_with_its_reason(
    sends: list[Any], actor: Actor | None, answers: list[str], closed: list[tuple[int, bytes]]
) -> None:
    ws = FakeWs(*sends)
    worker = FakeWorker(ws)
    assert await serve(ws, worker, actor) is ws
    assert (codes(ws), ws.named("close")) == (answers, closed)
    assert worker.socket_counts.before_hello == {}
    assert worker.socket_counts.by_address == {}
    assert worker.connections == {}


async def test_a_bad_hello_is_answered_with_the_place_of_its_fault() -> None:
    ws = FakeWs({"type": "hello", "id": 7, "role": "x"})
    await serve(ws, FakeWorker(ws))
    assert (ws.sent[0]["reply_to"], ws.sent[0]["details"]) == (7, {"path": "$.role"})


async def test_a_ping_before_hello_is_answered() -> None:
    ws = FakeWs(WSMessage(WSMsgType.PING, b"first", None), WSMessage(WSMsgType.PONG, b"no", None))
    await serve(ws, FakeWorker(ws))
    assert ws.named("pong") == [(b"first",)]


async def test_a_worker_that_drains_takes_no_socket_and_ends_those_that_wait_for_hello() -> None:
    ws = FakeWs(HELLO)
    worker = FakeWorker(ws)
    worker.draining = True
    with pytest.raises(web.HTTPServiceUnavailable) as refused:
        await serve(ws, worker)
    assert refused.value.headers["Retry-After"] == "1"
    late = FakeWs(TimeoutError())
    worker = FakeWorker(late)

    async def admit(request: Any) -> str:
        worker.draining = True
        return ""

    await serve(late, worker, admit=admit)
    assert late.named("close") == [(1001, b"draining")]


async def test_an_address_with_too_many_sockets_before_hello_may_retry_after_five_seconds() -> None:
    ws = FakeWs(HELLO)
    worker = FakeWorker(ws, sockets_before_hello=1)
    worker.socket_counts.add_before_hello("192.0.2.1")
    with pytest.raises(web.HTTPTooManyRequests) as refused:
        await serve(ws, worker)
    assert refused.value.headers["Retry-After"] == "5"


async def test_a_request_that_cannot_be_upgraded_is_refused_and_a_client_that_left_is_not() -> None:
    ws = FakeWs(HELLO)
    ws.invalid = ValueError()
    with pytest.raises(web.HTTPBadRequest):
        await serve(ws, FakeWorker(ws))
    ws = FakeWs(HELLO)
    assert await serve(ws, FakeWorker(ws), transport=None) is ws
    ws.prepared = False
    with pytest.raises(ConnectionResetError):
        await serve(ws, FakeWorker(ws), transport=None)


async def test_a_person_with_too_many_sockets_is_refused_except_to_replace_one() -> None:
    ws = FakeWs(HELLO)
    worker = FakeWorker(ws, sockets_per_person=1)
    worker.socket_counts.add("", STAFF)
    before = counts.SOCKETS_OPENED["too_many_sockets"]
    await serve(ws, worker)
    assert (codes(ws), ws.named("close")) == (["too_many_sockets"], [(4006, b"too many sockets")])
    assert counts.SOCKETS_OPENED["too_many_sockets"] == before + 1
    assert sum(worker.socket_counts.by_person.values()) == 1


@pytest.mark.parametrize(
    ("resume", "actor", "key", "replaces"),
    [
        ("r_token", STAFF, "key", True),
        (None, STAFF, "key", False),
        ("r_token", visits.ADMIN, "key", False),
        ("r_token", STAFF, "another", False),
    ],
)
def test_only_the_own_connection_on_this_worker_is_replaced(
    resume: str | None, actor: Actor, key: str, replaces: bool
) -> None:
    worker: Any = FakeWorker(FakeWs())
    worker.connections["c_held"] = SimpleNamespace(actor=STAFF, origin=Origin(key, 1))
    hello: Any = SimpleNamespace(resume=resume)
    assert handshake._replaces(worker, actor, hello) is replaces


@pytest.mark.parametrize(
    ("problem", "code", "guesses", "closed"),
    [
        (ResumeError("resume_expired"), "resume_expired", 0, []),
        (ResumeError("resume_invalid"), "resume_invalid", 1, []),
        (UnavailableError("store"), "unavailable", 0, []),
        (TooManyGuessesError(), "resume_invalid", 1, [(4005, b"too many guesses")]),
    ],
)
async def test_a_refused_resume_is_answered_and_only_a_wrong_token_is_a_guess(
    problem: Exception, code: str, guesses: int, closed: list[tuple[int, bytes]]
) -> None:
    ws = FakeWs({**HELLO, "resume": "r_wrong"})
    worker = FakeWorker(ws)
    worker.tokens.problem = problem
    guessed: list[Any] = []

    async def guess(request: Any) -> None:
        guessed.append(request)
        if isinstance(problem, TooManyGuessesError):
            raise problem

    await serve(ws, worker, guessed=guess)
    assert (codes(ws), len(guessed), ws.named("close")) == ([code], guesses, closed)
    assert worker.socket_counts.by_person == {}, "the socket is not counted"


# --- welcoming a client


class Welcomed:
    """The connection of a socket that was welcomed, and the messages that were sent on it."""

    def __init__(self, worker: FakeWorker, connection: Any, sent: list[Any]) -> None:
        self.worker, self.connection, self.sent = worker, connection, sent


async def welcome(worker: FakeWorker, actor: Actor = STAFF, resume: str | None = None) -> Welcomed:
    """Welcome a client; return its connection, and the messages on its socket. `resume`: the token in its hello."""
    written: list[bytes] = []
    transport: Any = SimpleNamespace(
        get_write_buffer_size=lambda: 0, write=written.append, is_closing=lambda: False
    )
    hello: Any = SimpleNamespace(id=5, resume=resume)
    codec = CODECS[JSON_SUBPROTOCOL]
    found: Any = worker
    made = await handshake._welcome(None, worker.ws, transport, codec, found, actor, hello, None)  # type: ignore[arg-type]
    sent = [json.loads(frame[frame.index(b"{") :]) for frame in written if b"{" in frame]
    return Welcomed(worker, made, sent)


async def test_a_new_client_is_welcomed_and_counted() -> None:
    worker = FakeWorker(FakeWs())
    before = counts.SOCKETS_OPENED["new"]
    found = await welcome(worker)
    assert found.sent == [
        {
            "type": "welcome",
            "reply_to": 5,
            "connection": found.connection.id,
            "resume": "r_token",
            "resumed": False,
            "worker": "w-own",
            "me": {"id": "osei", "role": "provider", "name": "Osei"},
            "visit": None,
            "server_ms": 1234,
        }
    ]
    assert found.connection.id.startswith("c_")
    assert worker.connections == {found.connection.id: found.connection}
    assert worker.hub.named("add") == worker.heartbeat.named("watch") == [(found.connection.socket,)]
    assert worker.ws.named("welcome") == [()]
    assert counts.SOCKETS_OPENED["new"] == before + 1
    assert (worker.tasks, worker.noted) == ([], [])


@pytest.mark.parametrize("at", ["w-other", "w-own"])
async def test_a_resumed_client_keeps_its_connection_and_its_pages_and_is_taken_from_another_worker(
    at: str,
) -> None:
    worker = FakeWorker(FakeWs())
    worker.tokens.held.worker = at
    before = counts.SOCKETS_OPENED["resumed"]
    found = await welcome(worker, resume="r_old")
    assert (found.connection.id, found.connection.entered) == ("c_held", {"v_1"})
    assert (found.sent[0]["resume"], found.sent[0]["resumed"]) == ("r_old", True)
    assert counts.SOCKETS_OPENED["resumed"] == before + 1
    assert worker.noted == ([("supersede", "w-other", "c_held")] if at == "w-other" else [])
    assert len(worker.tasks) == 1, "its pages and calls are restored"
    await asyncio.sleep(0)


async def test_staff_are_sent_the_visit_that_they_claimed_last_and_a_patient_the_own_one() -> None:
    worker = FakeWorker(FakeWs())

    def taken(visit: str, claimant: str | None, claimed_ms: int | None) -> Any:
        person = None if claimant is None else SimpleNamespace(id=claimant)
        return SimpleNamespace(id=visit, claimant=person, claimed_ms=claimed_ms)

    worker.taken += [
        taken("v_first", "osei", None),
        taken("v_last", "osei", 20),
        taken("v_before", "osei", 10),
        taken("v_others", "lin", 30),
        taken("v_nobodys", None, 40),
    ]
    assert (await welcome(worker)).sent[0]["visit"] == "v_last"
    assert (await welcome(worker, visits.ADMIN)).sent[0]["visit"] is None
    assert (await welcome(worker, visits.PATIENT)).sent[0]["visit"] == visits.VISIT


async def test_a_client_that_is_welcomed_while_the_worker_drains_is_sent_away() -> None:
    worker = FakeWorker(FakeWs())
    worker.draining = True
    found = await welcome(worker)
    assert not found.connection.socket.open
    await asyncio.sleep(0)
    assert worker.ws.named("close") == [(1001, b"")]
