"""Tests one WebSocket and its limits: each fault has its own code, and other clients are not affected."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgpack
import pytest
from redis.asyncio import Redis

from signalling.clients.client import JSON, MSGPACK
from signalling.errors import ClosedError, RequestError, UnavailableError
from signalling.protocol.client_messages import Bye, Hello
from signalling.protocol.reference import client_types
from signalling.sockets import handshake
from signalling.sockets.handlers import HANDLERS
from signalling.store.records import Origin
from signalling.visit.record import Actor
from signalling.worker import Limits
from tests.limits import WAIT_S
from tests.signalling.clinic import Clinic, clinic, headers
from tests.signalling.waits import until


@pytest.fixture
async def two(valkey: Redis) -> AsyncIterator[Clinic]:
    async with clinic(valkey) as opened:
        yield opened


async def raw(
    two: Clinic, actor: Actor | None = None, subprotocol: str = JSON
) -> aiohttp.ClientWebSocketResponse:
    """Open a WebSocket for `actor` (None: a provider), with this subprotocol; send nothing on it."""
    said = headers(actor) if actor is not None else {}
    return await two.http.ws_connect(two.url(0), protocols=(subprotocol,), headers=said)


async def hello(two: Clinic, **fields: Any) -> aiohttp.ClientWebSocketResponse:
    """Open a provider's socket, and send a hello with these fields."""
    ws = await raw(two, two.provider())
    await ws.send_json({"type": "hello", "id": 1, "role": "staff", **fields})
    assert (await ws.receive_json(timeout=WAIT_S))["type"] == "welcome"
    return ws


async def to_the_end(ws: aiohttp.ClientWebSocketResponse) -> tuple[int | None, list[dict[str, Any]]]:
    """Read to the end of a socket; return (close code, all messages before the close)."""
    messages: list[dict[str, Any]] = []
    async with asyncio.timeout(WAIT_S):
        async for message in ws:
            messages.append(json.loads(message.data))  # noqa: PERF401 (messages before a time-out count too)
    return ws.close_code, messages


async def test_a_socket_that_sends_no_hello_is_closed(valkey: Redis) -> None:
    async with clinic(valkey, 1, Limits(hello_s=0.3)) as one:
        code, said = await to_the_end(await raw(one, one.provider()))
        assert (code, said) == (4003, [])


@pytest.mark.parametrize(
    ("first", "answer"),
    [
        ({"type": "ping", "id": 7}, "hello_first"),
        ({"type": "visit.claim", "id": 7, "visit": "v_1"}, "hello_first"),
        ({"type": "hello", "id": 7, "role": "system"}, "bad_message"),
        ({"type": "hello", "id": 7, "role": "staff", "from": "u_boss"}, "bad_message"),
    ],
)
async def test_anything_before_hello_is_answered_and_closed(
    two: Clinic, first: dict[str, Any], answer: str
) -> None:
    ws = await raw(two, two.provider())
    await ws.send_json(first)
    code, said = await to_the_end(ws)
    assert code == 4003
    assert [(m["code"], m["reply_to"]) for m in said] == [(answer, 7)]


async def test_a_ping_before_hello_is_answered_and_a_pong_is_not(two: Clinic) -> None:
    said = headers(two.provider())
    ws = await two.http.ws_connect(two.url(0), protocols=(JSON,), headers=said, autoping=False)
    await ws.pong(b"unasked")
    await ws.ping(b"first")
    answer = await ws.receive(timeout=WAIT_S)
    assert (answer.type, bytes(answer.data)) == (aiohttp.WSMsgType.PONG, b"first")


@pytest.mark.parametrize("role", ["patient", "staff"])
async def test_a_hello_without_a_sign_in_for_its_role_is_refused(two: Clinic, role: str) -> None:
    patient = await two.arrive()
    for actor in (None, two.provider() if role == "patient" else patient):
        ws = await raw(two, actor)
        await ws.send_json({"type": "hello", "id": 1, "role": role})
        code, said = await to_the_end(ws)
        assert (code, [m["code"] for m in said]) == (4202, ["not_signed_in"])


async def test_a_socket_is_closed_after_ten_malformed_messages(two: Clinic) -> None:
    ws = await hello(two)
    for i in range(9):
        await ws.send_str(json.dumps({"type": "nonsense", "id": i}))
        assert (await ws.receive_json())["reply_to"] == i
    await ws.send_json({"type": "ping", "id": 77})
    assert (await ws.receive_json())["type"] == "pong", "nine are forgiven"
    await ws.send_bytes(b"a binary frame on a text protocol")
    code, said = await to_the_end(ws)
    assert (code, [m["code"] for m in said]) == (4004, ["bad_message"])


async def test_a_flood_of_pings_of_the_websocket_is_cut_off_with_the_code_of_a_flood(two: Clinic) -> None:
    ws = await hello(two)
    with contextlib.suppress(ConnectionError):
        for _ in range(1000):
            await ws.ping()
    assert (await to_the_end(ws))[0] == 4005


async def test_a_flood_is_cut_off_and_everybody_else_is_answered_meanwhile(
    two: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "signalling.sockets.connection.RATE", 0.0
    )  # only 200 at once, however long this takes
    quiet = await two.connect(two.provider("Dr Quiet"))
    ws = await hello(two)
    answers = asyncio.create_task(to_the_end(ws))
    with contextlib.suppress(ConnectionError):
        for i in range(400):
            await ws.send_json({"type": "ping", "id": i})
            if i % 40 == 0:
                await quiet.request("ping")
    code, said = await answers
    assert (code, len(said)) == (4005, 200)
    await quiet.request("ping")


async def test_a_message_over_64_kib_is_closed_with_its_own_code_and_one_below_is_not(two: Clinic) -> None:
    ws = await hello(two)
    await ws.send_json({"type": "ping", "id": 2, "pad": "x" * 65_000})
    assert (await ws.receive_json())["code"] == "bad_message"
    await ws.send_json({"type": "ping", "id": 3, "pad": "x" * 66_000})
    assert (await to_the_end(ws))[0] == 1009


async def test_an_identity_inside_a_message_is_refused(two: Clinic) -> None:
    provider = await two.connect(two.provider())
    with pytest.raises(RequestError) as refused:
        await provider.request("on_call", on=True, **{"from": "u_boss"})
    assert refused.value.code == "bad_message"


async def test_json_and_message_pack_carry_the_same_messages(two: Clinic) -> None:
    patient = await two.arrive()
    clients = [await two.connect(two.provider(), subprotocol=s) for s in (JSON, MSGPACK)]
    states = []
    for client in clients:
        await client.request("on_call", on=True)
        await client.request("subscribe", topic=f"case/{patient.visit}")
        states.append(await client.expect("case.state"))
    assert states[0]["case"] == states[1]["case"]


async def test_a_second_hello_is_a_bad_message(two: Clinic) -> None:
    ws = await hello(two)
    await ws.send_json({"type": "hello", "id": 2, "role": "staff"})
    answer = await ws.receive_json()
    assert (answer["code"], answer["details"]) == ("bad_message", {"path": "$.type"})


async def test_bye_ends_the_connection(two: Clinic) -> None:
    client = await two.connect(two.provider())
    await client.send({"type": "bye", "id": 9})
    assert await client.wait_closed() == 1000


async def test_a_person_who_leaves_a_visits_page_leaves_its_media_too(two: Clinic) -> None:
    patient, provider = await two.arrive(), await two.on_call(two.provider(), 0)
    await provider.request("visit.claim", visit=patient.visit)
    await provider.request("visit.enter", visit=patient.visit)
    await provider.request("media.join", visit=patient.visit)
    connection = provider.welcome["connection"]
    worker = two.workers[0]
    assert worker.connections[connection].entered == {patient.visit}
    assert worker.memberships.holds(connection)
    await provider.request("visit.leave", visit=patient.visit)
    assert worker.connections[connection].entered == set()
    assert not worker.memberships.holds(connection)


async def test_each_request_that_a_person_may_not_make_is_refused_with_its_code(two: Clinic) -> None:
    patient = await two.arrive()
    theirs, staffs = await two.connect(patient, 0), await two.connect(two.provider(), 1)
    own, unknown = {"visit": patient.visit}, {"visit": "v_unknown"}
    for client, request, fields, code in (
        (theirs, "media.join", own, "wrong_status"),
        (theirs, "media.restart", own, "wrong_status"),
        (staffs, "media.join", own, "not_allowed"),
        (staffs, "media.restart", own, "not_allowed"),
        (staffs, "media.restart", unknown, "not_found"),
        (theirs, "bell.mark", {"until_ms": 1}, "not_allowed"),
        (theirs, "sessions.past", {"text": "Ruiz"}, "not_allowed"),
        (theirs, "visit.history", own, "not_allowed"),
    ):
        with pytest.raises(RequestError) as refusal:
            await client.request(request, **fields)
        assert (request, refusal.value.code) == (request, code)


async def test_a_lost_connection_counts_as_held_while_it_may_be_resumed(two: Clinic) -> None:
    provider = await two.connect(two.provider(), 0)
    connection, worker = provider.welcome["connection"], two.workers[0]
    provider.vanish()
    await until(lambda: connection not in worker.connections and worker.holds(connection))


async def test_a_worker_that_drains_closes_all_sockets_with_1001(two: Clinic) -> None:
    clients = [await two.connect(two.provider(f"Dr {i}"), 0) for i in range(6)]
    stays = await two.connect(two.provider("Dr Stays"), 1)
    async with asyncio.timeout(WAIT_S):
        await two.workers[0].drain()
    assert [await client.wait_closed() for client in clients] == [1001] * 6
    back = await two.connect(two.provider("Dr 0"), 1, resume=clients[0].welcome["resume"])
    assert back.welcome["resumed"]
    await stays.request("ping")


async def test_r36_a_new_socket_on_a_draining_worker_is_closed_with_1001_at_once(two: Clinic) -> None:
    silent = await raw(two, two.provider("Dr Silent"), JSON)
    # While the client `stays` is connected, the worker cannot stop.
    stays = await two.connect(two.provider("Dr Stays"), 0)
    worker = two.workers[0]
    tokens, asked, asking = worker.tokens.issue, asyncio.Event(), asyncio.Event()

    async def slow(connection: str, actor: Actor) -> Any:
        asking.set()
        await asked.wait()
        return await tokens(connection, actor)

    worker.tokens.issue = slow  # type: ignore[method-assign]
    late = asyncio.create_task(two.connect(two.provider("Dr Late"), 0))
    await asking.wait()
    drained = asyncio.create_task(worker.drain())
    assert (await silent.receive(timeout=WAIT_S)).data == 1001
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await two.http.ws_connect(two.url(0), headers=headers(two.provider()))
    assert refused.value.status == 503
    assert await stays.wait_closed() == 1001
    asked.set()
    assert await (await late).wait_closed() == 1001
    async with asyncio.timeout(WAIT_S):
        await drained


async def test_message_pack_in_a_text_frame_is_malformed(two: Clinic) -> None:
    ws = await raw(two, two.provider(), MSGPACK)
    await ws.send_bytes(msgpack.packb({"type": "hello", "id": 1, "role": "staff"}))
    assert msgpack.unpackb(await ws.receive_bytes())["type"] == "welcome"
    await ws.send_str("{}")
    assert msgpack.unpackb(await ws.receive_bytes())["code"] == "bad_message"
    await ws.close()


async def refused_resume(two: Clinic, actor: Actor, token: str, worker: int = 1) -> str:
    """Try to resume a connection at a worker; return the code of the error that the server sends.

    Check that the same socket may then send hello without a token.
    """
    ws = await two.http.ws_connect(two.url(worker), protocols=(JSON,), headers=headers(actor))
    await ws.send_json({"type": "hello", "id": 1, "role": "staff", "resume": token})
    answer = await ws.receive_json(timeout=WAIT_S)
    await ws.send_json({"type": "hello", "id": 2, "role": "staff"})
    welcome = await ws.receive_json(timeout=WAIT_S)
    assert (welcome["type"], welcome["resumed"]) == ("welcome", False)
    await ws.close()
    return str(answer["code"])


async def test_every_reason_to_refuse_a_resume_has_its_own_code(two: Clinic, valkey: Redis) -> None:
    actor, other = two.provider(), two.provider("Dr B. Lin")
    client = await two.connect(actor)
    token, public = client.welcome["resume"], client.welcome["connection"]
    altered = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]
    for made_up in (public, "r_" + public, altered, "r_", "r_ü", token + "A"):
        assert await refused_resume(two, actor, made_up) == "resume_invalid", made_up
    assert await refused_resume(two, other, token) == "resume_invalid", "another person's"
    await client.request("ping")
    await client.send({"type": "bye", "id": 5})
    await client.wait_closed()

    async def answer() -> str:
        return await refused_resume(two, actor, token)

    assert await answer() == "resume_ended"
    async for key in valkey.scan_iter("*:resume:*"):
        await valkey.delete(key)
    assert await answer() == "resume_expired"


async def test_a_lost_connections_token_lasts_a_minute_and_an_open_ones_is_kept(
    two: Clinic, valkey: Redis
) -> None:
    client = await two.connect(two.provider())
    (key,) = [key async for key in valkey.scan_iter("*:resume:*")]
    assert await valkey.pttl(key) > 3_600_000
    client.vanish()

    async def is_short() -> bool:
        return 55_000 < int(await valkey.pttl(key)) <= 60_000

    await until(is_short)


@pytest.mark.parametrize("worker", [0, 1])
async def test_resuming_a_connection_whose_socket_is_still_open_takes_it_over(
    two: Clinic, worker: int
) -> None:
    actor = two.provider()
    older = await two.connect(actor, 0)
    newer = await two.connect(actor, worker, resume=older.welcome["resume"])
    assert newer.welcome["connection"] == older.welcome["connection"]
    assert await older.wait_closed() == 4203
    await newer.request("ping")


async def test_a_person_who_is_no_longer_in_a_visit_does_not_return_to_it_by_a_resume(two: Clinic) -> None:
    patient, colleague = await two.arrive(), await two.on_call(two.provider("Dr B. Lin"), 0)
    await colleague.request("visit.claim", visit=patient.visit)
    await colleague.request("visit.enter", visit=patient.visit)
    await colleague.request("media.join", visit=patient.visit)  # media.join creates the visit's room
    provider, worker = await two.connect(two.provider(), 0), two.workers[0]
    connection = worker.connections[provider.welcome["connection"]]
    connection.entered |= {f"{patient.visit}", "v_gone"}
    await handshake._enter_again(worker, connection)
    assert not worker.memberships.holds(connection.id)


async def test_a_connection_lost_without_the_store_is_waited_for_before_the_person_leaves(
    two: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, waits = two.workers[0], list[str]()
    client = await two.connect(two.provider(), 0)

    async def unavailable(origin: Origin) -> None:
        raise UnavailableError("store")

    async def lingered(seconds: float) -> None:
        await asyncio.sleep(0)
        waits.append("for a resume")

    async def back(seconds: float) -> None:
        waits.append("for the store")

    monkeypatch.setattr(worker.tokens, "lost", unavailable)
    monkeypatch.setattr(worker, "lingered", lingered)
    monkeypatch.setattr(worker, "until_store_is_back", back)
    client.vanish()
    await until(lambda: len(waits) == 2)
    assert waits == ["for a resume", "for the store"]


async def test_of_many_sockets_that_resume_one_connection_at_once_one_stays(two: Clinic) -> None:
    actor = two.provider()
    first = await two.connect(actor, 0)
    token = first.welcome["resume"]
    clients = await asyncio.gather(*(two.connect(actor, i % 2, resume=token) for i in range(6)))
    assert await first.wait_closed() == 4203

    def open_ones() -> list[Any]:
        return [c for c in clients if c.closed_with is None]

    await until(lambda: len(open_ones()) == 1)
    assert {c.closed_with for c in clients if c.closed_with is not None} == {4203}
    await open_ones()[0].request("ping")
    with pytest.raises(ClosedError):
        await first.request("ping")


def test_every_message_of_a_client_has_its_handler() -> None:
    assert HANDLERS.keys() == set(client_types().values()) - {Hello, Bye}


async def test_a_client_tries_its_network_before_a_visit_but_not_without_end(two: Clinic) -> None:
    ws = await hello(two)
    for number in (2, 3):
        await ws.send_json({"type": "media.probe", "id": number})
    probe, refused = [await ws.receive_json(timeout=WAIT_S) for _ in range(2)]
    assert (probe["type"], probe["ice_servers"]) == ("probe", [])
    assert "a=candidate" in probe["sdp"]
    assert refused["code"] == "too_often"
    for number, path in ((4, "udp"), (5, "smoke")):
        await ws.send_json({"type": "media.probed", "id": number, "path": path})
    assert [(await ws.receive_json(timeout=WAIT_S))["type"] for _ in range(2)] == ["done", "error"]
    await ws.close()
