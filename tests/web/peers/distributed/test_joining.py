"""Tests which machines can join a run over the network; each refusal is a sentence at both ends."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import msgspec
import pytest
from typer.testing import CliRunner, Result

from tests.limits import WAIT_S
from tests.server import RunningServer
from web.peers.cli.command import peers_app
from web.peers.distributed import coordinator as coordinator_module
from web.peers.distributed.coordinator import Coordinator
from web.peers.distributed.messages import OTHER_VERSION, Address, Join, Present
from web.peers.errors import RunError
from web.peers.run.plan import Credential, Plan
from web.server import tls

KEY = "a key of more than sixteen letters"


def join(at: object, *words: object, certificate: str = "00" * 32) -> Result:
    return CliRunner().invoke(peers_app, ["join", str(at), "--certificate", certificate, *map(str, words)])


def refused(result: Result) -> str:
    """Return the last sentence that a command prints if it cannot be carried out."""
    assert result.exit_code == 2, result.output
    return [line for line in result.stderr.splitlines() if line][-1]


class Lobby(Coordinator):
    """A run that waits for two helpers (processes that join it) and never begins.

    `said`: the texts that the user of the run sees. `meant`: a plan that helpers get instead of the run's own plan.
    """

    def __init__(self, plan: Plan, meant: Plan | None = None) -> None:
        self.said: list[str] = []
        shares = [(meant or plan).share(index, 3) for index in (1, 2)]
        super().__init__(Address("127.0.0.1", 0), KEY, plan, shares, self.said.append)

    def join(self, *words: object, at: object = None) -> Result:
        """Join this run with the command that it prints; return the result.

        `words`: further options of the command. `at`: an address to use instead of the run's own.
        """
        key = () if "--key" in words else ("--key", KEY)
        return join(at or self.at, *words, *key, certificate=self.fingerprint)


NOBODY = Plan(url="http://127.0.0.1:1", organisation="demo", providers=0)
STAFFED = replace(NOBODY, providers=3, credentials=(Credential("ana@clinic.example", "x"),))


def test_a_wrong_key_is_called_that_on_both_sides() -> None:
    with Lobby(NOBODY) as lobby:
        assert f"{lobby.at} does not know this key" in refused(lobby.join("--key", "x" * 20))
        assert lobby.said == ["Somebody at 127.0.0.1 came with a wrong key."]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["127.0.0.1:1", "--key", KEY], "nobody waits for helpers at 127.0.0.1:1"),
        (["127.0.0.1:x", "--key", KEY], "expected an address like"),
        (["127.0.0.1:1"], "expected the key that the other machine shows"),
        (["127.0.0.1:1", "--key", "short"], "at least 16 letters in --key"),
        (["127.0.0.1:1", "--key", KEY, "--credentials", "/nowhere"], "/nowhere: No such file"),
    ],
)
def test_a_run_that_cannot_be_joined_is_one_sentence_with_exit_2(words: list[str], sentence: str) -> None:
    assert sentence in refused(join(*words))


def test_a_server_that_is_no_run_is_called_that(server: RunningServer) -> None:
    at = server.url.removeprefix("http://")
    assert f"{at} is no run that waits for helpers" in refused(join(at, "--key", KEY))


@pytest.mark.parametrize(
    ("plan", "meant", "sentence"),
    [
        (NOBODY, replace(NOBODY, seed=2), "is it the same Greenroom there?"),
        (STAFFED, None, "expected credentials of staff"),
        (NOBODY, None, "nobody answers at http://127.0.0.1:1"),
    ],
)
def test_a_helper_that_could_not_play_its_share_says_why_and_leaves_its_place_to_another(
    plan: Plan, meant: Plan | None, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GREENROOM_PEERS_CREDENTIALS", raising=False)
    with Lobby(plan, meant) as lobby:
        for helper in (1, 2):
            assert sentence in refused(lobby.join("--processes", 2))
            assert lobby.said[-1].startswith(f"0 of 2 helpers have joined: helper {helper} (")
            assert sentence in lobby.said[-1]


def test_more_processes_than_are_wanted_are_refused_with_how_many_are() -> None:
    with Lobby(NOBODY) as lobby:
        assert "2 more helpers are wanted; found 3" in refused(lobby.join("--processes", 3))


def test_a_helper_is_not_let_in_without_a_fingerprint() -> None:
    for certificate in ("", "12:34", "00" * 31):
        assert "expected the fingerprint" in refused(
            join("127.0.0.1:1", "--key", KEY, certificate=certificate)
        )


def test_a_coordinator_with_another_certificate_never_receives_the_key(tmp_path: Path) -> None:
    context = tls.server_context(*map(str, tls.self_signed(tmp_path, datetime.now(UTC))))
    read: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as peer:
            peer.settimeout(WAIT_S)
            read.append(peer.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        at = Address("127.0.0.1", listener.getsockname()[1])
        assert f"{at} has another certificate" in refused(join(at, "--key", KEY))
        thread.join(WAIT_S)
    assert not b"".join(read)


@contextmanager
def recorded(at: Address) -> Iterator[tuple[Address, bytearray]]:
    """Yield (the address of a port that forwards to `at`, all bytes that pass in both directions)."""
    seen, bound, over = bytearray(), Future[int](), threading.Event()

    async def copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                seen.extend(data)
                to.write(data)
        to.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(at.host, at.port)
        await asyncio.gather(copy(reader, back), copy(there, writer))

    async def serve() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        bound.set_result(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(over.wait, WAIT_S)
        server.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    yield Address("127.0.0.1", bound.result(WAIT_S)), seen
    over.set()
    thread.join(WAIT_S)


def test_neither_the_key_nor_the_plan_travels_in_clear() -> None:
    with Lobby(NOBODY) as lobby, recorded(lobby.at) as (at, seen):
        sentence = refused(lobby.join("--processes", 2, at=at))
    assert "nobody answers at http://127.0.0.1:1" in sentence, "the plan has not arrived"
    assert len(seen) > 1000
    for secret in (KEY, "Bearer", "127.0.0.1:1", "Welcome"):
        assert secret.encode() not in seen


async def _strangers(lobby: Lobby) -> list[int | None]:
    """Connect a browser, a client without a key, and three clients that send invalid messages with the key; return the
    status or close code of each.
    """
    url, bearer = f"https://{lobby.at}/", {"Authorization": f"Bearer {KEY}"}
    codes: list[int | None] = []
    async with aiohttp.ClientSession() as http, asyncio.timeout(WAIT_S):
        async with http.get(url, ssl=False) as answer:
            codes.append(answer.status)
        async with http.get(url, ssl=False, headers=bearer) as answer:
            codes.append(answer.status)
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await http.ws_connect(url, ssl=False)
        for said in (b"\xff" * 100, msgspec.msgpack.encode(Present()), b""):
            async with http.ws_connect(url, ssl=False, headers=bearer) as socket:
                await socket.send_bytes(said)
                await socket.receive()
                codes.append(socket.close_code)
    return codes


def test_strangers_receive_nothing_and_the_run_continues_to_wait() -> None:
    with Lobby(NOBODY) as lobby:
        assert asyncio.run(_strangers(lobby)) == [401, 426, *[OTHER_VERSION] * 3]
        assert lobby.said == ["Somebody at 127.0.0.1 came with another version of Greenroom."]
        assert "nobody answers" in refused(lobby.join())


async def _half_dead(lobby: Lobby) -> None:
    """Join the run, then neither answer a ping nor close the connection."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(WAIT_S):
        headers = {"Authorization": f"Bearer {KEY}"}
        socket = await http.ws_connect(f"https://{lobby.at}/", ssl=False, headers=headers, autoping=False)
        await socket.send_bytes(msgspec.msgpack.encode(Join("box2", "1", 2)))
        while not lobby.said:  # noqa: ASYNC110 - said in another thread
            await asyncio.sleep(0.05)


def test_a_helper_that_answers_no_heartbeat_leaves_its_place_to_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(coordinator_module, "HEARTBEAT_S", 0.2)
    with Lobby(NOBODY) as lobby:
        asyncio.run(_half_dead(lobby))
        assert lobby.said == [
            "0 of 2 helpers have joined: helper 1 (box2, 127.0.0.1) has left: it has hung up"
        ]


def test_a_run_that_nobody_joins_in_time_is_not_begun(server: RunningServer, staff: Path) -> None:
    words = (f"{server.url}/demo", "--credentials", staff, "--helpers", 1, "--listen", "127.0.0.1:0")
    result = CliRunner().invoke(peers_app, [*map(str, words), "--join-within", "100ms"])
    assert refused(result) == "greenroom peers: only 0 of 1 helpers have joined within 0.1 s"


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = Address("127.0.0.1", taken.getsockname()[1])
        with (
            pytest.raises(RunError, match=f"cannot listen at {at}: address already in use"),
            Coordinator(at, KEY, NOBODY, [NOBODY.share(0, 1)], print),
        ):
            pass


def test_a_coordinator_that_cannot_listen_for_another_reason_raises_a_run_error() -> None:
    at = Address("a..b", 7700)
    with (
        pytest.raises(RunError, match=f"cannot listen at {at}"),
        Coordinator(at, KEY, NOBODY, [NOBODY.share(0, 1)], print),
    ):
        pass


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--listen", "127.0.0.1:0"], "expected --helpers with --listen"),
        (["--helpers", "1", "--part", "1/2"], "expected --helpers without --part"),
        (["--helpers", "1", "--listen", "here:there"], "expected an address like"),
        (["--helpers", "1", "--listen", "a..b:7700"], "expected an address like"),
        (["--helpers", "1", "--join-within", "soon"], "expected a duration"),
    ],
)
def test_options_of_helpers_that_cannot_be_used_are_named(words: list[str], sentence: str) -> None:
    assert sentence in refused(CliRunner().invoke(peers_app, ["http://127.0.0.1:1/demo", *words]))
