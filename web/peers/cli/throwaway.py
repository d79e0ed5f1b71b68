"""A server with an empty store, and people who can sign in to it; all is removed at the end.

Knows how to start `greenroom serve` on a free port with a Valkey and a folder of its own, and how accounts are made by
the product itself, without any form.
"""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from signalling.visit.record import Role
from web import demo
from web.config import Settings, parse
from web.identity.accounts import Account, Accounts, Hasher
from web.organisations.documents import Organisations
from web.server.redis_client import connect
from web.server.valkey import EmbeddedStore, LockedFolder

GREENROOM = [sys.executable, "-c", "from web.commands.main import main; main()"]
"""Our own command line, whether or not its script is installed."""
ORGANISATION = "bench"
READY_S = 30.0
STOP_S = 30.0
WORDS = "a password of nobody"
UNLIMITED = dict.fromkeys(
    ("visits_per_address", "sockets_before_hello", "sockets_per_address", "sockets_per_person"), 0
)
"""The limits of a server for loads: everybody who is played comes from one machine."""
AT_ONCE = 50  # accounts that are made together: each takes a connection to the store
SERVE = [*GREENROOM, "serve", "--config"]


class NotReady(Exception):
    """The server did not start; the text is the end of its log."""


class OneHash(Hasher):
    """Hashes once for everybody: nobody here signs in by a password, and fifty hashes take seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._hash = ""

    async def hash(self, password: str) -> str:
        """The hash of the first password."""
        self._hash = self._hash or await super().hash(password)
        return self._hash


class Throwaway(NamedTuple):
    """A server that runs: its settings, its address, and the processes of its workers and its store."""

    settings: Settings
    url: str
    workers: list[int]
    store: int


@contextmanager
def throwaway(workers: int) -> Iterator[Throwaway]:
    """A server with so many workers and an empty store; all is stopped and removed at the end. Raises NotReady."""
    folder = Path(tempfile.mkdtemp(prefix="greenroom-bench-"))
    lock = LockedFolder(folder / "store")
    store = EmbeddedStore(lock)
    try:
        store.start()
        assert store.pid is not None
        sections: dict[str, dict[str, Any]] = {
            "server": {"port": 0, "workers": workers},
            "redis": {"url": store.url},
            "data": {"folder": str(folder / "data")},
            "log": {"format": "json"},
            "limits": UNLIMITED,
        }
        with _server(folder, sections) as (url, found):
            yield Throwaway(parse(sections, "bench"), url, found, store.pid)
    finally:
        store.stop()
        lock.close()
        shutil.rmtree(folder, ignore_errors=True)


async def make_staff(settings: Settings, providers: int, admins: int = 0) -> list[Account]:
    """Make the organisation with so many providers, whose accounts are returned, and so many admins."""
    client = connect(settings)
    hasher = OneHash()
    await hasher.hash(WORDS)
    try:
        organisation = msgspec.structs.replace(demo.ORGANISATION, id=ORGANISATION, name="Bench Clinic")
        await Organisations(client).save(organisation)
        accounts = Accounts(client, hasher)
        staff: list[Account] = []
        for start in range(0, providers, AT_ONCE):
            some = range(start, min(start + AT_ONCE, providers))
            staff += await asyncio.gather(*(_account(accounts, number) for number in some))
        for number in range(admins):
            await _account(accounts, number, Role.ADMIN)
        return staff
    finally:
        hasher.close()
        await client.aclose()


async def _account(accounts: Accounts, number: int, role: Role = Role.PROVIDER) -> Account:
    word = "admin" if role is Role.ADMIN else "staff"
    return await accounts.add(
        ORGANISATION,
        email=f"{word}{number}@bench.example",
        name=f"{'Desk' if role is Role.ADMIN else 'Dr'} Bench {number}",
        role=role,
        password=WORDS,
    )


@contextmanager
def _server(folder: Path, sections: dict[str, dict[str, Any]]) -> Iterator[tuple[str, list[int]]]:
    config, log = folder / "config.toml", folder / "log"
    config.write_text(
        "\n".join(
            f"[{section}]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
            for section, values in sections.items()
        ),
        "utf-8",
    )
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*SERVE, str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield _ready(server, log, sections["server"]["workers"])
    finally:
        server.terminate()
        try:
            server.wait(STOP_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(STOP_S)


def _ready(server: "subprocess.Popen[bytes]", log: Path, workers: int) -> tuple[str, list[int]]:
    """The server's address and its worker processes, once each has opened its app (and so has a socket for media)."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and server.poll() is None:
        url = _listening(log)
        found = list(children(server.pid))
        if url and len(found) == workers and all(map(_has_udp, found)):
            return url, found
        time.sleep(0.05)
    raise NotReady(f"the server did not start: {log.read_text('utf-8', 'replace')[-2000:]}")


def _listening(log: Path) -> str | None:
    for line in log.read_text("utf-8", "replace").splitlines():
        with suppress(json.JSONDecodeError):
            event = json.loads(line)
            if event.get("event") == "listening":
                return str(event["url"])
    return None


def _has_udp(pid: int) -> bool:
    """Whether a process has a UDP socket open."""
    with suppress(OSError):
        udp = {line.split()[9] for line in Path("/proc/net/udp").read_text().splitlines()[1:]}
        udp |= {line.split()[9] for line in Path("/proc/net/udp6").read_text().splitlines()[1:]}
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if str(descriptor.readlink()).removeprefix("socket:[").rstrip("]") in udp:
                    return True
    return False


def children(pid: int) -> dict[int, str]:
    """The processes that a process has started, and their names."""
    found = (Path("/proc") / str(pid) / "task" / str(pid) / "children").read_text().split()
    return {int(child): (Path("/proc") / child / "comm").read_text().strip() for child in found}
