"""Runs several stores, of which one is the master of the others, and three Sentinels that watch them.

All are real processes, which a test may kill. The Sentinels know each other from the start, so that they are ready at
once. `MASTER` is the name that they use for the master.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis

from tests.limits import WAIT_S
from tests.ports import free_ports
from web.server.valkey import find_binary

MASTER = "clinic"
DOWN_MS = 2000
"""The time after which a master counts as down. With 1000, Sentinels may count a new master as down before they have
reached it, and promote another one at once."""
COPYING = "copying"
"""The user name with which a store copies the master. A test disables this user in order to cut only the links
between stores.
"""
STORE = f"""port {{port}}
bind 127.0.0.1
appendonly yes
appendfsync always
save ""
repl-diskless-sync-delay 0
min-replicas-to-write {{copies}}
min-replicas-max-lag 2
masteruser {COPYING}
masterauth {COPYING}
user {COPYING} on >{COPYING} ~* &* +@all
"""
SENTINEL = """port {port}
bind 127.0.0.1
sentinel myid {id}
sentinel monitor {master} 127.0.0.1 {first} 2
sentinel down-after-milliseconds {master} {down_ms}
sentinel failover-timeout {master} 2000
{known}
"""


class Program:
    """A process of a store or a Sentinel: the bundled program on its own port."""

    def __init__(self, folder: Path, port: int, configuration: str, *options: str) -> None:
        folder.mkdir()
        self.port = port
        file = folder / "server.conf"
        file.write_text(configuration)
        self._command = [
            str(find_binary()),
            str(file),
            *options,
            "--dir",
            str(folder),
            "--logfile",
            str(folder / "log"),
        ]
        self.start()

    def start(self) -> None:
        """Start the program. It can be started again after a kill."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def send(self, number: int) -> None:
        """Send the signal `number` to the program."""
        self._process.send_signal(number)

    def end(self) -> None:
        """Kill the program's process."""
        self.send(signal.SIGCONT)
        self._process.kill()
        self._process.wait()

    def client(self) -> Any:
        """Return a client of this store, which may be the master or a copy."""
        return redis.Redis(port=self.port, socket_timeout=WAIT_S)

    def says(self, section: str, name: str) -> Any:
        """Return the value `name` in a section of the reply to INFO; None if the server does not answer."""
        with contextlib.suppress(redis.RedisError, OSError), self.client() as client:
            return client.info(section).get(name)
        return None


def wait_for(condition: Callable[[], object]) -> None:
    """Return as soon as the condition holds. Raises AssertionError after WAIT_S."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "the stores are not ready"
        time.sleep(0.02)


class Watched:
    """The stores and the Sentinels that watch them. The first store is the master at the beginning."""

    def __init__(self, folder: Path, stores: int, copies: int, stack: contextlib.ExitStack) -> None:
        """Start this number of stores, and three Sentinels. `folder`: the folder for their files. `stack` ends them.

        `copies`: a command is refused if fewer copies than this are connected to the master.
        """
        self._folder, self._stack = folder, stack
        ports = free_ports(stores + 3)
        first, *others = ports[:stores]
        self.stores = [self._started(port, STORE.format(port=port, copies=copies)) for port in ports[:stores]]
        wait_for(lambda: all(each.says("server", "run_id") for each in self.stores))
        for each in self.stores[1:]:
            with each.client() as client:
                client.execute_command("REPLICAOF", "127.0.0.1", first)
        ids = {port: f"{port:040d}" for port in ports[stores:]}
        replicas = [f"sentinel known-replica {MASTER} 127.0.0.1 {port}" for port in others]
        self.sentinels = []
        for port in ids:
            peers = [
                f"sentinel known-sentinel {MASTER} 127.0.0.1 {other} {name}"
                for other, name in ids.items()
                if other != port
            ]
            values = {"port": port, "id": ids[port], "master": MASTER, "down_ms": DOWN_MS, "first": first}
            text = SENTINEL.format(**values, known="\n".join([*replicas, *peers]))
            self.sentinels.append(self._started(port, text, "--sentinel"))
        wait_for(lambda: self.stores[0].says("replication", "connected_slaves") == len(others))
        wait_for(lambda: all(map(self._agreed, self.sentinels)))

    def _started(self, port: int, configuration: str, *options: str) -> Program:
        program = Program(self._folder / str(port), port, configuration, *options)
        self._stack.callback(program.end)
        return program

    @property
    def url(self) -> str:
        """Return the setting `redis.url` with which a server finds the master."""
        return f"redis+sentinel://{MASTER}@{','.join(f'127.0.0.1:{each.port}' for each in self.sentinels)}/0"

    @property
    def master(self) -> Program:
        """Return the store that the Sentinels name as the master now."""
        with self.sentinels[0].client() as client:
            _, port = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
        return next(each for each in self.stores if each.port == int(port))

    @staticmethod
    def _agreed(sentinel: Program) -> bool:
        """Return True if a Sentinel is in contact with enough others to decide."""
        with contextlib.suppress(redis.RedisError, OSError), sentinel.client() as client:
            return bool(client.execute_command("SENTINEL", "CKQUORUM", MASTER))
        return False

    def cut(self) -> None:
        """Cut the links between the stores, so that no copy receives further commands. All other links stay."""
        with self.master.client() as client:
            client.acl_setuser(COPYING, enabled=False)
            client.execute_command("CLIENT", "KILL", "TYPE", "replica")


@contextlib.contextmanager
def watched(folder: Path, stores: int = 2, copies: int = 0) -> Iterator[Watched]:
    """Yield stores that three Sentinels watch, for this test only; kill all of them at the end.

    `folder`: the folder for their files. `stores`: their number. `copies`: the number of copies that must be
    connected to the master; with fewer copies, it refuses commands.
    """
    with contextlib.ExitStack() as stack:
        yield Watched(folder, stores, copies, stack)
