"""Machines that coordinate over the network: helpers join a run, and what cannot be joined is said in a sentence."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import msgspec
import pytest
from typer.testing import CliRunner, Result

from tests.server import RunningServer
from tests.web.site import LIND, OSEI
from web import demo
from web.config import parse
from web.peers.cli.command import peers_app
from web.peers.distributed import coordinator as coordinator_module
from web.peers.distributed.coordinator import Coordinator
from web.peers.distributed.messages import OTHER_VERSION, Address, Join, Present
from web.peers.errors import RunError
from web.peers.people.people import Provider
from web.peers.run.observations import Observations
from web.peers.run.plan import Credential, Plan
from web.server import tls

GREENROOM = str(Path(sys.executable).with_name("greenroom"))
LONG_S = 60.0  # until something must have happened, on a machine with much to do
KEY = "a key of more than sixteen letters"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One real server for all of these tests."""
    running = RunningServer(
        tmp_path_factory.mktemp("afar"), {"server": {"port": 0}, "limits": {"visits_per_address": 0}}
    )
    yield running.wait()
    running.stop()


@pytest.fixture(scope="module")
def staff(server: RunningServer) -> Path:
    """A file of credentials."""
    settings = parse({"data": {"folder": str(server.data)}}, "test")
    path = server.folder / "staff"
    path.write_text("".join(f"{email} {demo.password(settings, email)}\n" for email in (OSEI, LIND)))
    return path


class Machine:
    """A `greenroom peers` that runs as on a machine of its own, and what it has said so far."""

    def __init__(self, *words: object, **environment: str) -> None:
        self.said, self._silent = "", False
        self.process = subprocess.Popen(
            [GREENROOM, "peers", *map(str, words)],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.said += line
                self._news.notify_all()
        with self._news:
            self._silent = True
            self._news.notify_all()

    def until(self, text: str) -> str:
        """The line with this text, once it has been said."""
        with self._news:
            self._news.wait_for(lambda: text in self.said or self._silent, LONG_S)
            assert text in self.said, self.said
            return next(line for line in self.said.splitlines() if text in line)

    def until_arrived(self, number: int) -> None:
        """Returns once it has said that so many patients have come."""

        def come() -> bool:
            return any(int(told) >= number for told in re.findall(r"(\d+) of \d+ arrived", self.said))

        with self._news:
            self._news.wait_for(lambda: come() or self._silent, LONG_S)
            assert come(), self.said

    def ended(self) -> int:
        """Its exit code."""
        try:
            code = self.process.wait(LONG_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"does not end: {self.said}") from None
        self._reader.join(LONG_S)
        assert "Traceback" not in self.said, self.said
        return code

    def dies(self) -> None:
        """As when a machine loses its power: all its processes at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(LONG_S)

    def helpers_command(self) -> list[str]:
        """What it wants to be typed elsewhere, on this machine's own address."""
        return self.until("greenroom peers join ").split()[2:]


Start = Callable[..., Machine]


@pytest.fixture
def machine() -> Iterator[Start]:
    """Starts machines, and ends those that are left."""
    started: list[Machine] = []

    def start(*words: object, **environment: str) -> Machine:
        started.append(Machine(*words, **environment))
        return started[-1]

    yield start
    for one in started:
        one.dies()


@pytest.fixture
def coordinator(machine: Start, server: RunningServer, staff: Path) -> Start:
    """Starts a run that waits for helpers."""

    def start(*words: object, **environment: str) -> Machine:
        listen = ("--listen", "127.0.0.1:0", "--credentials", staff)
        return machine(f"{server.url}/demo", *listen, *words, **environment)

    return start


def test_helpers_drive_their_shares_and_one_report_holds_what_all_of_them_saw(
    coordinator: Start, machine: Start, staff: Path, tmp_path: Path
) -> None:
    first = coordinator(
        *("--helpers", 2, "-n", 9, "-p", 3, "-a", "steady:20/s", "--fill-in", "10ms..50ms"),
        *("--report", tmp_path / "r", "--fail-if", "errors>0", "--fail-if", "journey.count<9"),
    )
    command = first.helpers_command()
    helpers = [machine(*command, "--credentials", staff) for _ in range(2)]
    assert [one.ended() for one in helpers] == [0, 0], [one.said for one in helpers]
    assert first.ended() == 0, first.said
    assert "0 of 2 helpers have joined" in first.said
    assert "1 of 2 helpers have joined" in first.said
    assert "2 of 2 helpers have joined" in first.said
    seen = Observations.load(tmp_path / "r" / "observations.jsonl")
    assert len(seen.steps["journey"]) == 9
    assert len(seen.gauges["waiting"]) == 3  # of each process one
    assert seen.duration_s < LONG_S
    assert seen.about.plan["helpers"] == "2"
    report = "".join(file.read_text() for file in (tmp_path / "r").iterdir())
    assert command[-1] not in report
    assert "helper 2 (" in report
    for one in helpers:
        assert "3 patients will come from here" in one.said


# --- how it ends


LONG_RUN = ("-n", 1000, "-a", "steady:20/s", "-p", 3, "--talk", "30s")


async def _rows(server: RunningServer, staff: str) -> dict[str, dict[str, object]]:
    email, password = staff.splitlines()[0].split(" ", 1)
    async with Provider(f"{server.url}/demo", email, password) as provider:
        await provider.sign_in()
        return dict(provider.rows)


def test_ctrl_c_at_a_helper_ends_its_share_and_at_the_coordinator_the_run_and_both_are_reported(
    coordinator: Start, machine: Start, server: RunningServer, staff: Path, tmp_path: Path
) -> None:
    before = asyncio.run(_rows(server, staff.read_text()))
    first = coordinator(*LONG_RUN, "--helpers", 2, "--report", tmp_path / "r", GREENROOM_PEERS_KEY=KEY)
    command = first.helpers_command()
    assert KEY not in first.said
    helpers = [machine(*command[:4], "--credentials", staff, GREENROOM_PEERS_KEY=KEY) for _ in range(2)]
    first.until_arrived(4)
    helpers[0].process.send_signal(signal.SIGINT)
    assert helpers[0].ended() == 0, helpers[0].said
    assert "Ended early" in helpers[0].said
    assert first.process.poll() is None
    first.process.send_signal(signal.SIGINT)
    assert first.ended() == 0, first.said
    assert helpers[1].ended() == 0, helpers[1].said
    assert "Ended early by helper " in first.said
    assert "Ended early: what was seen" in first.said
    seen = Observations.load(tmp_path / "r" / "observations.jsonl")
    assert len(seen.steps["arrive"]) > 3
    assert len(seen.gauges["waiting"]) == 3
    assert not asyncio.run(_rows(server, staff.read_text())).keys() - before


def test_a_helper_that_dies_during_the_run_is_named_to_all_others(
    coordinator: Start, machine: Start, staff: Path
) -> None:
    first = coordinator(*LONG_RUN, "--helpers", 2)
    command = first.helpers_command()
    killed = machine(*command, "--credentials", staff)
    first.until("1 of 2 helpers have joined: helper 1 (")
    other = machine(*command, "--credentials", staff)
    killed.until("It has begun")
    killed.dies()
    assert first.ended() == 2
    assert first.said.splitlines()[-1].startswith("greenroom peers: helper 1 (")
    assert "is gone: it has hung up" in first.said.splitlines()[-1]
    assert other.ended() == 2
    assert "was ended: helper 1 (" in other.said.splitlines()[-1]


def test_helpers_end_their_visits_when_the_coordinator_is_gone(
    coordinator: Start, machine: Start, server: RunningServer, staff: Path
) -> None:
    before = asyncio.run(_rows(server, staff.read_text()))
    first = coordinator(*LONG_RUN, "--helpers", 1)
    helper = machine(*first.helpers_command(), "--credentials", staff)
    first.until_arrived(4)
    first.dies()
    assert helper.ended() == 2
    assert f"greenroom peers: the coordinator at {first.helpers_command()[1]} is gone" in helper.said
    left = asyncio.run(_rows(server, staff.read_text()))
    numbers = [int(str(row["name"]).split()[-1]) for visit, row in left.items() if visit not in before]
    assert not [number for number in numbers if number % 2 == 0], "every other patient was the helper's"


def test_ctrl_c_before_everybody_has_joined_calls_the_run_off_on_both_sides(
    coordinator: Start, machine: Start, staff: Path
) -> None:
    first = coordinator("--helpers", 3, "-p", 4)
    command = first.helpers_command()
    leaves, waits = (machine(*command, "--credentials", staff) for _ in range(2))
    first.until("2 of 3 helpers have joined")
    leaves.until("Waiting for the other helpers")
    leaves.process.send_signal(signal.SIGINT)
    assert leaves.ended() == 2
    assert leaves.said.endswith("greenroom peers: left before the run began\n")
    assert first.until("has left: its user ended it").startswith("1 of 3 helpers have joined: helper")
    first.process.send_signal(signal.SIGINT)
    assert first.ended() == 2
    assert first.said.endswith("greenroom peers: ended before it began: 1 of 3 helpers have joined\n")
    assert waits.ended() == 2
    assert "does without: ended before it began" in waits.said


# --- who can join, and who cannot


def join(at: object, *words: object, certificate: str = "00" * 32) -> Result:
    return CliRunner().invoke(peers_app, ["join", str(at), "--certificate", certificate, *map(str, words)])


def refused(result: Result) -> str:
    """The last sentence of a command that cannot be carried out."""
    assert result.exit_code == 2, result.output
    return [line for line in result.stderr.splitlines() if line][-1]


class Lobby(Coordinator):
    """A run that waits for two helpers and is never played; `said` is what its user was told."""

    def __init__(self, plan: Plan, meant: Plan | None = None) -> None:
        self.said: list[str] = []
        shares = [(meant or plan).share(index, 3) for index in (1, 2)]
        super().__init__(Address("127.0.0.1", 0), KEY, plan, shares, self.said.append)

    def join(self, *words: object, at: object = None) -> Result:
        """Type what this run shows, with its key unless `words` have another."""
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
            peer.settimeout(LONG_S)
            read.append(peer.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        at = Address("127.0.0.1", listener.getsockname()[1])
        assert f"{at} has another certificate" in refused(join(at, "--key", KEY))
        thread.join(LONG_S)
    assert not b"".join(read)


@contextmanager
def recorded(at: Address) -> Iterator[tuple[Address, bytearray]]:
    """A port that leads to another, and all bytes that pass in either direction."""
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
        await asyncio.to_thread(over.wait, LONG_S)
        server.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    yield Address("127.0.0.1", bound.result(LONG_S)), seen
    over.set()
    thread.join(LONG_S)


def test_neither_the_key_nor_the_plan_travels_in_clear() -> None:
    with Lobby(NOBODY) as lobby, recorded(lobby.at) as (at, seen):
        sentence = refused(lobby.join("--processes", 2, at=at))
    assert "nobody answers at http://127.0.0.1:1" in sentence, "the plan has not arrived"
    assert len(seen) > 1000
    for secret in (KEY, "Bearer", "127.0.0.1:1", "Welcome"):
        assert secret.encode() not in seen


async def _strangers(lobby: Lobby) -> list[int | None]:
    """A browser that looks, one without a key, and three with the key who send what is no message of a helper."""
    url, bearer = f"https://{lobby.at}/", {"Authorization": f"Bearer {KEY}"}
    codes: list[int | None] = []
    async with aiohttp.ClientSession() as http, asyncio.timeout(LONG_S):
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
    """Join, and then neither answer a ping nor close."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(LONG_S):
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


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--listen", "127.0.0.1:0"], "expected --helpers with --listen"),
        (["--helpers", "1", "--part", "1/2"], "expected --helpers without --part"),
        (["--helpers", "1", "--listen", "here:there"], "expected an address like"),
        (["--helpers", "1", "--join-within", "soon"], "expected a duration"),
    ],
)
def test_options_of_helpers_that_cannot_be_used_are_named(words: list[str], sentence: str) -> None:
    assert sentence in refused(CliRunner().invoke(peers_app, ["http://127.0.0.1:1/demo", *words]))
