"""Tests that each kind of wrong input is one sentence, at the start of the server and in `greenroom doctor`.

The kinds are the store's address, its servers, their role and rights, a version, the data key, the clock, the disk,
and a restore or a rotation that has not finished. A sentence names the key of the settings and the reason.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from tests.conftest import StartServer
from tests.faults.link import link_to
from tests.faults.sentinels import MASTER, Program, wait_for
from tests.faults.test_store_clock import an_hour_back
from tests.limits import WAIT_S
from tests.ports import free_ports
from tests.web.server.test_own_store import too_old
from web.commands.main import app
from web.config import EXIT_CODE
from web.doctor import checks
from web.server import store_version
from web.server.data_key import FILE, RESTORED, RESTORING, key_id

STORE = """port {port}
bind 127.0.0.1
appendonly yes
appendfsync always
aof-use-rdb-preamble no
save ""
"""
ROOT_KEY, OLD, NEW = b"r" * 32, b"o" * 32, b"n" * 32
Sections = dict[str, dict[str, Any]]


class Place:
    """The folder of a server that will start with wrong input. `stack` ends what the input needs."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        self.stack = stack
        self._folder = folder

    def store(self, more: str = "") -> Program:
        """Start a store; return it. `more`: further lines of its configuration."""
        (port,) = free_ports(1)
        program = Program(self._folder / "store", port, STORE.format(port=port) + more)
        self.stack.callback(program.end)
        wait_for(lambda: program.says("server", "run_id"))
        return program

    def key(self, content: bytes) -> None:
        """Write the file of the data key."""
        path = self.data / FILE
        path.touch(0o600)
        path.write_bytes(content)

    def holding(self, **values: bytes) -> Sections:
        """Start a store with these values of `greenroom:` keys; return the settings that lead to it."""
        program = self.store()
        with program.client() as client:
            for name, value in values.items():
                client.set(f"greenroom:{name}", value)
        return leads_to(program)


def leads_to(store: Program, begin: str = "redis://", rest: str = "", **access: str | float) -> Sections:
    """Return settings that lead to a store. `begin` and `rest` are around the host and port in its URL."""
    url = f"{begin}127.0.0.1:{store.port}{rest}"
    return {"redis": {"url": url, "socket_timeout_s": 10, **access}}


def no_answer(place: Place) -> Sections:
    (port,) = free_ports(1)
    return {"redis": {"url": f"redis://:s3cret@127.0.0.1:{port}"}}


def a_replica(place: Place) -> Sections:
    store = place.store()
    with store.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
    return leads_to(store)


def fewer_rights(place: Place) -> Sections:
    store = place.store("user clinic on >s3cret ~* &* +@all -zadd -eval\n")
    return leads_to(store, username="clinic", password="s3cret")


def a_wrong_password(place: Place) -> Sections:
    store = place.store("user clinic on >other ~* &* +@all\n")
    return leads_to(store, username="clinic", password="s3cret")


def an_old_store(place: Place) -> Sections:
    return {"redis": {"url": place.stack.enter_context(too_old())}}


def a_store_of_a_later_release(place: Place) -> Sections:
    return place.holding(version=b"%d" % (store_version.VERSION + 1))


def a_short_key(place: Place) -> Sections:
    place.key(b"short")
    return {}


def another_key(place: Place) -> Sections:
    place.key(NEW)
    return place.holding(key=key_id(OLD))


def half_a_restore(place: Place) -> Sections:
    place.key(OLD)
    (place.data / RESTORED / "valkey").mkdir(parents=True)
    return {}


def half_a_restore_into_a_store(place: Place) -> Sections:
    place.key(OLD)
    return place.holding(key=RESTORING + b"1")


def a_full_disk(place: Place) -> Sections:
    mounted(place, "size=64k,mode=700")
    with suppress(OSError), (place.data / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return {}


def a_read_only_disk(place: Place) -> Sections:
    mounted(place, "ro,mode=700")
    return {}


def mounted(place: Place, options: str) -> None:
    """Mount a file system in memory in the place of the data folder."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place.data], capture_output=True)
    if done.returncode:
        pytest.skip("no disk may be mounted here")
    place.stack.callback(lambda: subprocess.run(["umount", "-l", place.data], check=True))


class Wrong(NamedTuple):
    """Wrong input.

    `said`: the sentence at start, as a pattern. `check`: the check of `greenroom doctor` that reports it. `found`:
    the sentence of doctor, if it is another one. The check "" is the check of the settings, which comes before all
    others.
    """

    prepare: Callable[[Place], Sections]
    said: str
    check: str = "store"
    found: str = ""


def url(text: str) -> Callable[[Place], Sections]:
    return lambda place: {"redis": {"url": text}}


KINDS = {
    "url: scheme": Wrong(
        url("http://:s3cret@a"), r'redis\.url: expected "redis://", .* at the beginning', ""
    ),
    "url: port": Wrong(
        url("redis://a:99999"), r"redis\.url: expected a host, or a host and a port from 1 to", ""
    ),
    "url: database": Wrong(
        lambda place: leads_to(place.store(), rest="/99"),
        r"redis\.url: the store there has no database of this number: put another one after the last slash",
    ),
    "url: TLS": Wrong(
        # The store waits for the rest of a command, and never answers.
        lambda place: leads_to(place.store(), "rediss://", socket_timeout_s=0.5),
        r"redis\.url: no store answers there by TLS \(TimeoutError\)",
    ),
    "url: host": Wrong(
        url("redis://nowhere.invalid"), r"redis\.url: the host in it is not known: no name server"
    ),
    "node: none answers": Wrong(no_answer, r"redis\.url: no store answers there \(ConnectionError\)"),
    "node: no cluster": Wrong(
        lambda place: leads_to(place.store(), "redis+cluster://"),
        r"redis\.url: the server there is no node of a cluster: begin with redis://",
    ),
    "node: of a cluster": Wrong(
        lambda place: leads_to(place.store("cluster-enabled yes\n")),
        r"redis\.url: expected a server alone; found a node of a cluster: begin with redis\+cluster://",
    ),
    "node: cluster without slots": Wrong(
        lambda place: leads_to(place.store("cluster-enabled yes\n"), "redis+cluster://"),
        r"redis\.url: some slots of the cluster there have no node that answers",
    ),
    "node: no Sentinel": Wrong(
        lambda place: leads_to(place.store(), f"redis+sentinel://{MASTER}@"),
        r"redis\.url: the servers there are no Sentinels: begin with redis://",
    ),
    "role": Wrong(
        a_replica, r"redis\.url: expected a server that takes writes; found a replica: name its master"
    ),
    "rights": Wrong(fewer_rights, r"redis\.url: the store refuses its user EVAL, ZADD; docs/OPERATIONS\.md"),
    "rights: password": Wrong(a_wrong_password, r"redis\.url: the store there refuses this user or password"),
    "version: of the store": Wrong(
        an_old_store, r"redis\.url: expected Redis or Valkey 7\.0 or newer; found 6\.2"
    ),
    "version: of its contents": Wrong(
        a_store_of_a_later_release,
        r"the store in redis\.url, or .*, was used by a newer Greenroom \(.*\): install that release again",
        "store contents",
    ),
    "key: short": Wrong(a_short_key, r"data\.folder: \S+/secret\.key must hold 32 bytes", "data key"),
    "key: another one": Wrong(
        another_key, r"data\.folder: secret\.key is not the key that this store's .*; copy", "store contents"
    ),
    "key: missing": Wrong(
        lambda place: place.holding(key=key_id(OLD)),
        r"data\.folder: secret\.key is missing, the key that this store's .*; copy",
        "store contents",
    ),
    "disk: full": Wrong(
        a_full_disk,
        r"data\.folder: expected a folder that can be written; found \S+ \(No space left on device\)",
        "disk",
        r"0\.0 GiB are free for \S+",
    ),
    "disk: read-only": Wrong(
        a_read_only_disk,
        r"data\.folder: expected a folder that can be written; found \S+ \(Read-only file system\)",
        "data folder",
        r"this account may not write to \S+, or its disk is read-only",
    ),
    "restore: half, in the data folder": Wrong(
        half_a_restore, r"data\.folder: a restore into \S+ has not finished: run the same", "data folder"
    ),
    "restore: half, in the store": Wrong(
        half_a_restore_into_a_store,
        r"redis\.url: a restore into this store has not finished: run the same",
        "store contents",
    ),
}


SHORT = (
    "url: database", "node: none answers", "role", "rights", "version: of its contents", "key: another one",
    "disk: full", "restore: half, in the data folder",
)  # fmt: skip
"""One of each kind, for `make test`."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The folder of a server that a test starts with wrong input.

    `greenroom doctor` waits longer for each check, because the machine may be busy.
    """
    monkeypatch.setattr(checks, "EACH_S", WAIT_S)
    with ExitStack() as stack:
        yield Place(tmp_path, stack)


def doctor(config: Path) -> tuple[int, dict[str, dict[str, str]], str]:
    """Run `greenroom doctor` with these settings; return (exit code, check -> its record, sentence of an error)."""
    done = CliRunner().invoke(app, ["doctor", "--json", "--config", str(config)])
    assert "s3cret" not in done.output
    found = json.loads(done.stdout) if done.stdout else []
    return done.exit_code, {each["check"]: each for each in found}, str(done.exception)


@pytest.mark.parametrize(
    "kind", [*SHORT, *(pytest.param(kind, marks=pytest.mark.long) for kind in KINDS if kind not in SHORT)]
)
def test_wrong_input_is_one_sentence_with_its_key_and_reason_at_start_and_from_doctor(
    kind: str, place: Place, start_server: StartServer
) -> None:
    wrong = KINDS[kind]
    server = start_server(wrong.prepare(place))
    assert server.process.wait(WAIT_S) == EXIT_CODE, server.log
    (line,) = server.log.splitlines()
    assert re.match(rf"greenroom: (\S+: )?{wrong.said}", line), line
    assert "s3cret" not in line
    assert len(re.findall(r"[.!?] [A-Z]", line)) == 0, "it is one sentence"

    code, found, error = doctor(server.config)
    if not wrong.check:
        assert re.search(wrong.said, error), error
        return
    assert code == 1
    assert found[wrong.check]["state"] == "wrong", found[wrong.check]
    assert re.match(wrong.found or wrong.said, found[wrong.check]["found"]), found[wrong.check]
    assert found[wrong.check]["advice"]
    assert not [each for each in found.values() if "the check failed" in each["found"]]


def test_half_a_rotation_is_named_and_a_server_goes_on_with_both_keys(
    place: Place, start_server: StartServer
) -> None:
    place.key(ROOT_KEY + OLD + NEW)
    server = start_server(place.holding(key=key_id(OLD))).wait()
    assert [each["level"] for each in server.events if each["event"] == "key.rotation_unfinished"] == [
        "warning"
    ]
    code, found, _ = doctor(server.config)
    assert (code, found["data key"]["found"]) == (0, "a rotation of the data key has not finished")
    assert found["data key"]["advice"] == "Run `greenroom rotate-keys` again."


async def test_a_clock_that_differs_from_the_stores_is_named_and_a_server_goes_on(
    place: Place, start_server: StartServer
) -> None:
    store = place.store()
    async with link_to(f"redis://127.0.0.1:{store.port}") as link:
        link.answered = an_hour_back
        server = start_server({"redis": {"url": link.url}})
        await asyncio.to_thread(server.wait)
        (warned,) = [each for each in server.events if each["event"] == "store.clock_differs"]
        # On a busy machine, an answer of the store may be some seconds old when it arrives.
        apart = r"clocks 3,(5[5-9]|6[0-4])\d\.\d s apart"
        assert re.fullmatch(apart, warned["reason"]), warned
        code, found, _ = await asyncio.to_thread(doctor, server.config)
        assert (code, found["clock"]["state"], found["clock"]["advice"]) == (1, "wrong", "Let NTP set both.")
        assert re.fullmatch(f"this machine and the store have {apart}", found["clock"]["found"])
        await asyncio.to_thread(server.stop)
