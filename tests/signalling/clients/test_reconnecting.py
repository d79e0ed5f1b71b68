"""Tests how a client reconnects, and what it does with its topics and requests meanwhile (PROTOCOL.md#topics)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, cast

import aiohttp
import pytest

from signalling.clients import reconnecting
from signalling.clients.client import Received, SignallingClient
from signalling.clients.reconnecting import ReturningClient, Subscription
from signalling.errors import ClosedError, RequestError
from tests.limits import WAIT_S
from tests.signalling.waits import until


async def test_r26_a_topic_whose_visit_is_gone_is_refused_and_not_requested_again() -> None:
    async def connect(**how: object) -> SignallingClient:
        raise OSError

    refused: list[RequestError] = []
    client = ReturningClient(connect)
    await client.hold("visit/v_1", lambda message: None, refused.append)
    client._listen({"type": "gone", "topic": "visit/v_1"})
    client._listen({"type": "gone", "topic": "visit/v_1"})
    assert [error.code for error in refused] == ["not_found"]


def test_changes_are_shown_where_nothing_had_ever_happened_before() -> None:
    shown: list[int] = []
    held = Subscription(lambda message: shown.append(message["version"]), lambda _: None)
    held.take({"type": "queue.snapshot", "topic": "queue", "epoch": "", "version": 0})
    held.take({"type": "queue.row", "topic": "queue", "version": 2})
    assert shown == [0, 2]


def held() -> tuple[Subscription, list[int]]:
    """Return (a subscription to a topic, a list).

    The list gets the version of each message that the subscription passes on to its page.
    """
    shown: list[int] = []
    return Subscription(lambda message: shown.append(message["version"]), lambda _: None), shown


def change(version: int, epoch: str | None = None, kind: str = "queue.row") -> Received:
    """Return a message of the topic `queue` whose type is `kind`.

    `epoch`: the value of its field `epoch`; None: the message has no such field.
    """
    return {"type": kind, "topic": "queue", "version": version} | ({} if epoch is None else {"epoch": epoch})


def snapshot(version: int, epoch: str = "e1") -> Received:
    return change(version, epoch, "queue.snapshot")


def test_changes_that_overtake_the_whole_state_are_shown_after_it_and_each_once() -> None:
    topic, shown = held()
    for version in (3, 5, 6):
        topic.take(change(version))
    assert shown == []
    topic.take(snapshot(5))
    assert shown == [5, 6]
    topic.take(change(6))
    topic.take(change(7))
    topic.take(change(7, "e1"))
    assert shown == [5, 6, 7]
    assert (topic.epoch, topic.version) == ("e1", 7)


def test_of_early_changes_the_last_256_are_kept() -> None:
    topic, shown = held()
    for version in range(300):
        topic.take(change(version))
    topic.take(snapshot(-1))
    assert shown == [-1, *range(44, 300)]


def test_a_whole_state_is_shown_whatever_its_version_and_a_new_epoch_resets_versions() -> None:
    topic, shown = held()
    topic.take(snapshot(5))
    topic.take(snapshot(4))
    assert (shown, topic.version) == ([5, 4], 4)
    topic.take(change(1, "e2"))
    assert (shown, topic.epoch) == ([5, 4, 1], "e2")


class Socket:
    """A scripted connection: it records requests, gives the answers of its script, and ends with the script's close
    code.
    """

    def __init__(
        self, code: int = 1000, answers: list[Exception | None] | None = None, quiet: int = 0
    ) -> None:
        self.welcome: Received = {"type": "welcome", "resume": f"token of {id(self)}"}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.closed_with: int | None = None
        self.closed = self.vanished = False
        self.ends = asyncio.Event()
        self._code, self._answers, self._quiet = code, answers or [], quiet

    async def request(self, kind: str, **fields: Any) -> Received:
        self.asked.append((kind, fields))
        answer = self._answers.pop(0) if self._answers else None
        if answer is not None:
            raise answer
        return {"type": "ok"}

    async def wait_closed(self, within_s: float) -> int:
        assert within_s == 20
        if self._quiet:
            self._quiet -= 1
            raise TimeoutError
        await self.ends.wait()
        self.closed_with = self._code
        return self._code

    def vanish(self) -> None:
        self.vanished = True

    async def close(self) -> None:
        self.closed = True


Attempt = Socket | Exception


def returning(*attempts: Attempt, **more: Any) -> tuple[ReturningClient, list[dict[str, Any]]]:
    """Return (a client whose attempts to connect have these results, a list that gets the arguments of
    each attempt).

    `more`: arguments of `ReturningClient`.
    """
    left, made = list(attempts), list[dict[str, Any]]()

    async def connect(**how: Any) -> SignallingClient:
        made.append(how)
        attempt = left.pop(0)
        if isinstance(attempt, Exception):
            raise attempt
        return cast("SignallingClient", attempt)

    return ReturningClient(connect, **more), made


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """A list that gets each pause as (close code, number of the attempt). The pauses take no time."""
    found: list[tuple[int, int]] = []

    def none_s(code: int, attempt: int, chance: float) -> float:
        assert 0 <= chance < 1
        found.append((code, attempt))
        return 0.0

    monkeypatch.setattr(reconnecting, "pause_s", none_s)
    monkeypatch.setattr(reconnecting, "ASK_AGAIN_S", 0.0)
    return found


def refused(code: str) -> RequestError:
    return RequestError(code, "", {})


async def test_a_client_comes_back_with_its_token_and_versions_and_stops_after_a_bye(
    paused: list[tuple[int, int]],
) -> None:
    first, second = Socket(1006), Socket(1000)
    client, made = returning(first, OSError(), aiohttp.ClientError(), TimeoutError(), second)
    seen: list[int] = []
    await client.hold("queue", lambda message: seen.append(message["version"]))
    running = asyncio.ensure_future(client.run())
    await until(lambda: first.asked)
    assert first.asked == [("subscribe", {"topic": "queue"})]
    assert made[0] == {"resume": None, "or_anew": True, "listener": made[0]["listener"]}
    made[0]["listener"](snapshot(7))
    first.ends.set()
    await until(lambda: second.asked)
    assert first.closed
    assert second.asked == [("subscribe", {"topic": "queue", "epoch": "e1", "version": 7})]
    assert [how["resume"] for how in made[1:]] == [first.welcome["resume"]] * 4
    assert paused == [(1006, 0), (1006, 1), (1006, 2), (1006, 3)]
    assert client.welcome == second.welcome
    second.ends.set()
    assert await running == 1000
    assert seen == [7]


async def test_a_drain_is_no_failed_attempt_and_a_success_resets_the_pauses(
    paused: list[tuple[int, int]],
) -> None:
    sockets = [Socket(code) for code in (1001, 1006, 1001, 1000)]
    for socket in sockets:
        socket.ends.set()
    client, _ = returning(sockets[0], OSError(), *sockets[1:])
    assert await client.run() == 1000
    assert paused == [(1001, 0), (1006, 0), (1006, 0), (1001, 0)]


@pytest.mark.parametrize(("failure", "code"), [(refused("not_signed_in"), 4202), (ClosedError(4203), 4203)])
async def test_a_client_that_is_refused_permanently_does_not_reconnect(
    failure: Exception, code: int, paused: list[tuple[int, int]]
) -> None:
    client, _ = returning(failure)
    assert await client.run() == code
    assert paused == []


async def test_other_refusals_are_tried_again(paused: list[tuple[int, int]]) -> None:
    last = Socket(1000)
    last.ends.set()
    client, _ = returning(refused("unavailable"), ClosedError(4005), last)
    assert await client.run() == 1000
    assert paused == [(1006, 0), (4005, 1)]


async def test_a_quiet_socket_is_pinged_and_replaced_if_it_does_not_answer(
    paused: list[tuple[int, int]],
) -> None:
    alive, dead, gone, last = (
        Socket(1001, quiet=2),
        Socket(quiet=1, answers=[TimeoutError()]),
        Socket(quiet=1, answers=[ClosedError(4199)]),
        Socket(1000),
    )
    alive.ends.set()
    last.ends.set()
    client, _ = returning(alive, dead, gone, last)
    assert await client.run() == 1000
    assert [kind for kind, _ in alive.asked] == ["ping", "ping"]
    assert (dead.closed, gone.closed) == (True, True)
    assert [socket.vanished for socket in (alive, dead, gone)] == [False, True, False]
    assert [code for code, _ in paused] == [1001, 1006, 4199]


async def test_topics_are_subscribed_and_unsubscribed_on_an_open_socket() -> None:
    socket = Socket()
    client, _ = returning(socket)
    request = asyncio.ensure_future(client.request("visit.claim", visit="v_1"))
    await asyncio.sleep(0)
    assert not request.done(), "no socket is open yet"
    running = asyncio.ensure_future(client.run())
    assert await request == {"type": "ok"}
    await client.hold("queue", lambda _: None)
    await client.let_go("queue")
    assert socket.asked == [
        ("visit.claim", {"visit": "v_1"}),
        ("subscribe", {"topic": "queue"}),
        ("unsubscribe", {"topic": "queue"}),
    ]
    socket.ends.set()
    await running
    await client.hold("bell", lambda _: None)
    await client.let_go("bell")
    assert len(socket.asked) == 3, "its socket is closed"


async def test_a_topic_that_is_refused_is_held_no_more_and_one_that_is_not_available_is_asked_again(
    paused: list[tuple[int, int]],
) -> None:
    socket = Socket(answers=[refused("unavailable"), refused("not_allowed"), None])
    client, made = returning(socket)
    codes, seen = list[str](), list[Received]()
    await client.hold("queue", seen.append, lambda error: codes.append(error.code))
    await client.hold("bell", seen.append)
    running = asyncio.ensure_future(client.run())
    await until(lambda: len(socket.asked) == 3)
    assert [fields["topic"] for _, fields in socket.asked] == ["queue", "queue", "bell"]
    assert codes == ["not_allowed"]
    made[0]["listener"](snapshot(1))
    assert seen == []
    socket.ends.set()
    await running


async def test_a_topic_that_is_not_available_is_asked_again_after_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[float] = []

    async def sleep(delay_s: float) -> None:
        waited.append(delay_s)

    socket = Socket(answers=[refused("unavailable"), None])
    client, _ = returning()
    await client.hold("queue", lambda _: None)
    monkeypatch.setattr("signalling.clients.reconnecting.asyncio.sleep", sleep)
    await client._ask(cast("SignallingClient", socket), "queue", client._held["queue"])
    assert (waited, len(socket.asked)) == ([1.0], 2)


async def test_a_topic_is_asked_again_however_long_it_is_not_available(
    paused: list[tuple[int, int]],
) -> None:
    socket = Socket(answers=[refused("unavailable")] * 2_000)
    client, _ = returning(socket)
    await client.hold("queue", lambda _: None)
    running = asyncio.ensure_future(client.run())
    await until(lambda: len(socket.asked) == 2_001 or running.done())
    assert not running.done()
    socket.ends.set()
    assert await running == 1000


async def test_a_topic_that_ends_while_it_is_not_available_is_not_asked_again(
    paused: list[tuple[int, int]],
) -> None:
    class Refusing(Socket):
        async def request(self, kind: str, **fields: Any) -> Received:
            await super().request(kind, **fields)
            if kind == "subscribe":
                await client.let_go("queue")
                raise refused("unavailable")
            return {"type": "ok"}

    socket = Refusing()
    client, _ = returning(socket)
    await client.hold("queue", lambda _: None)
    socket.ends.set()
    assert await client.run() == 1000
    assert [kind for kind, _ in socket.asked] == ["subscribe", "unsubscribe"]


async def test_a_request_ends_with_the_close_code_if_the_client_does_not_reconnect(
    paused: list[tuple[int, int]],
) -> None:
    client, _ = returning(ClosedError(4203))
    early = asyncio.ensure_future(client.request("visit.claim", visit="v_1"))
    await asyncio.sleep(0)
    assert await client.run() == 4203
    for request in (early, asyncio.ensure_future(client.request("visit.claim", visit="v_1"))):
        with pytest.raises(ClosedError) as closed:
            async with asyncio.timeout(WAIT_S):
                await request
        assert closed.value.code == 4203


async def test_changes_of_a_lost_socket_do_not_hide_those_of_a_new_epoch(
    paused: list[tuple[int, int]],
) -> None:
    first, second = Socket(1006), Socket(1000)
    client, made = returning(first, second)
    seen: list[int] = []
    await client.hold("queue", lambda message: seen.append(message["version"]))
    running = asyncio.ensure_future(client.run())
    await until(lambda: first.asked)
    made[0]["listener"](change(800))
    first.ends.set()
    await until(lambda: second.asked)
    made[1]["listener"](snapshot(3, "e2"))
    made[1]["listener"](change(4))
    assert seen == [3, 4]
    second.ends.set()
    await running


async def test_messages_without_a_topic_are_passed_on_and_messages_of_a_dropped_topic_are_not() -> None:
    heard: list[Received] = []
    client, _ = returning(heard=heard.append)
    offer = {"type": "media.offer", "visit": "v_1"}
    client._listen(offer)
    client._listen(snapshot(1))
    client._listen({"type": "gone", "topic": "queue"})
    await client.hold("queue", heard.append)
    client._listen({"type": "queue.odd", "topic": "queue"})
    client._listen(snapshot(2))
    assert heard == [offer, snapshot(2)]


async def test_a_client_to_a_server_passes_on_how_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def connect(*where: Any, **how: Any) -> Awaitable[SignallingClient]:
        made.append((where, how))
        raise ClosedError(1000)

    monkeypatch.setattr(SignallingClient, "connect", connect)
    http: Any = object()
    client = ReturningClient.to(http, "wss://h/demo/ws", "staff", headers={"a": "b"}, subprotocol="x")
    assert await client.run() == 1000
    ((where, how),) = made
    assert where == (http, "wss://h/demo/ws", "staff")
    assert how["headers"] == {"a": "b"}
    assert (how["subprotocol"], how["resume"], how["or_anew"]) == ("x", None, True)
