"""The real server, its store and the people who will be connected, made ready for a measurement.

Knows how to start `greenroom serve` on a free port with a Valkey and a folder of its own, and how people get their
cookies: by accounts, visits and sessions as the product itself keeps them.
"""

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from signalling.visit.record import Role
from web import demo
from web.bench import process, visits
from web.bench.peers import Door, Seat
from web.config import Settings, parse
from web.identity import sessions
from web.identity.accounts import Account, Accounts, Hasher
from web.identity.visitors import STAFF
from web.organisations.documents import Organisations
from web.server.redis_client import connect
from web.server.valkey import EmbeddedStore, LockedFolder

ORGANISATION = "bench"
READY_S = 30.0
STOP_S = 30.0
WORDS = "a password of nobody"
UNLIMITED = dict.fromkeys(
    ("visits_per_address", "sockets_before_hello", "sockets_per_address", "sockets_per_person"), 0
)
"""The limits of a server for loads: everybody who is played comes from one machine."""
AT_ONCE = 50  # accounts that are made together: each takes a connection to the store
SERVE = [*process.GREENROOM, "serve", "--config"]


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


class Stage:
    """A server that runs. `workers` and `store` are the processes of each."""

    def __init__(self, settings: Settings, url: str, workers: list[int], store: int) -> None:
        self.settings = settings
        self.url = url
        self.workers = workers
        self.store = store
        address = urlsplit(url)
        assert address.hostname is not None
        assert address.port is not None
        self.door = Door(address.hostname, address.port, ORGANISATION)

    def staff(self, people: int, seats: int, admins: int = 0) -> list[Seat]:
        """Seats of `people` providers, each seat in a browser of its own, person after person in turn; and so many
        admins, who have none.
        """
        return asyncio.run(self._staff(people, seats, admins))

    async def _staff(self, people: int, seats: int, admins: int) -> list[Seat]:
        client = connect(self.settings)
        hasher = OneHash()
        await hasher.hash(WORDS)
        try:
            organisation = msgspec.structs.replace(demo.ORGANISATION, id=ORGANISATION, name="Bench Clinic")
            await Organisations(client).save(organisation)
            accounts = Accounts(client, hasher)
            staff: list[Account] = []
            for start in range(0, people, AT_ONCE):
                some = range(start, min(start + AT_ONCE, people))
                staff += await asyncio.gather(*(self._account(accounts, number) for number in some))
            for number in range(admins):
                await self._account(accounts, number, Role.ADMIN)
            storage = sessions.storage(client, self.settings)
            return [await self._browser(storage, staff[number % people]) for number in range(seats)]
        finally:
            hasher.close()
            await client.aclose()

    @staticmethod
    async def _account(accounts: Accounts, number: int, role: Role = Role.PROVIDER) -> Account:
        word = "admin" if role is Role.ADMIN else "staff"
        return await accounts.add(
            ORGANISATION,
            email=f"{word}{number}@bench.example",
            name=f"{'Desk' if role is Role.ADMIN else 'Dr'} Bench {number}",
            role=role,
            password=WORDS,
        )

    @staticmethod
    async def _browser(storage: sessions.Storage, account: Account) -> Seat:
        entry = {"organisation": ORGANISATION, "person": account.id, "generation": account.generation}
        return await visits.browser(storage, STAFF, entry, "staff")

    def waiting(self, number: int) -> tuple[list[Seat], list[str]]:
        """So many patients who wait: the browser of each, and their visits. The organisation must have its staff."""

        async def enter() -> tuple[list[Seat], list[str]]:
            opened = await visits.open_visits(self.settings, ORGANISATION, number)
            return await visits.patients(self.settings, ORGANISATION, opened), opened

        return asyncio.run(enter())

    def patient(self) -> tuple[Seat, str]:
        """One patient who waits, and their visit. The organisation must have its staff already."""
        seats, opened = self.waiting(1)
        return seats[0], opened[0]


@contextmanager
def stage(workers: int) -> Iterator[Stage]:
    """The server with so many workers and an empty store; all is stopped and removed at the end. Raises NotReady."""
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
            yield Stage(parse(sections, "bench"), url, found, store.pid)
    finally:
        store.stop()
        lock.close()
        shutil.rmtree(folder, ignore_errors=True)


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
        found = list(process.children(server.pid))
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
