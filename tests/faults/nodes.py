"""Runs a cluster of stores whose slots a test can move: three masters, each with a copy or without, as
real processes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.sentinels import Program, wait_for
from tests.ports import free_ports

MASTERS = 3
DOWN_MS, STEADY_MS = 1000, 5000
"""The time in ms after which a node that does not answer counts as dead: in tests in which a node dies, and in all
others. These must not lose a node that only waits for a CPU of a busy machine.
"""
SLOTS = 16_384
NODE = """port {port}
bind 127.0.0.1
cluster-enabled yes
cluster-port {bus}
cluster-node-timeout {down_ms}
cluster-replica-validity-factor 0
cluster-require-full-coverage no
appendonly yes
appendfsync always
save ""
repl-diskless-sync-delay 0
"""


class Cluster:
    """The nodes of a cluster of stores.

    `masters`: the nodes that have slots at the beginning. `copies[n]`: the copy of `masters[n]`.
    """

    def __init__(self, folder: Path, stack: contextlib.ExitStack, copies: bool, down_ms: int) -> None:
        folder.mkdir(exist_ok=True)
        ports = free_ports(2 * MASTERS * (1 + copies))
        self.nodes = []
        for port, bus in zip(ports[::2], ports[1::2], strict=True):
            text = NODE.format(port=port, bus=bus, down_ms=down_ms)
            node = Program(folder / str(port), port, text)
            stack.callback(node.end)
            self.nodes.append(node)
        self.masters, self.copies = self.nodes[:MASTERS], self.nodes[MASTERS:]
        wait_for(lambda: all(each.says("server", "run_id") for each in self.nodes))
        self._join(dict(zip(ports[::2], ports[1::2], strict=True)))

    def _join(self, buses: dict[int, int]) -> None:
        first = self.nodes[0]
        for number, node in enumerate(self.nodes):
            ask(node, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if node is not first:
                ask(node, "CLUSTER", "MEET", "127.0.0.1", first.port, buses[first.port])
        for number, node in enumerate(self.masters):
            bounds = number * SLOTS // MASTERS, (number + 1) * SLOTS // MASTERS - 1
            ask(node, "CLUSTER", "ADDSLOTSRANGE", *bounds)
        wait_for(lambda: all(len(self._known(each)) == len(self.nodes) for each in self.nodes))
        for master, copy in zip(self.masters, self.copies, strict=False):
            ask(copy, "CLUSTER", "REPLICATE", self.id(master))
        wait_for(lambda: all(b"cluster_state:ok" in ask(each, "CLUSTER", "INFO") for each in self.nodes))
        number = len(self.copies) // MASTERS
        wait_for(lambda: all(each.says("replication", "connected_slaves") == number for each in self.masters))

    @staticmethod
    def _known(node: Program) -> list[bytes]:
        return list(ask(node, "CLUSTER", "NODES").splitlines())

    @staticmethod
    def id(node: Program) -> str:
        """Return the id that the cluster has given to a node."""
        return str(ask(node, "CLUSTER", "MYID").decode())

    @property
    def url(self) -> str:
        """Return the setting `redis.url` with which a server uses this cluster."""
        return f"redis+cluster://{','.join(f'127.0.0.1:{each.port}' for each in self.masters)}"

    def owner(self, slot: int, asked: Program | None = None) -> Program:
        """Return the node that has a slot now, according to the node `asked` (None: the last node in `nodes`).

        Raises LookupError if that node knows no owner of the slot.
        """
        for first, last, (_, port, *_), *_ in ask(asked or self.nodes[-1], "CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(each for each in self.nodes if each.port == port)
        raise LookupError(slot)

    def _known_by_all(self, slot: int, to: Program) -> None:
        wait_for(lambda: all(self.owner(slot, each) is to for each in self.nodes))

    def move_at_once(self, slot: int, to: Program) -> None:
        """Move a slot (group of keys) to another master in one step; only Valkey 9 or newer can do this."""
        ask(self.owner(slot), "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", self.id(to))
        self._known_by_all(slot, to)

    def move(self, slot: int, to: Program) -> None:
        """Move a slot (group of keys) to the master `to`, a few keys at a time; every version of Valkey can do this."""
        source = self.owner(slot)
        ask(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", self.id(source))
        ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", self.id(to))
        while names := ask(source, "CLUSTER", "GETKEYSINSLOT", slot, 5):
            ask(source, "MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", *names)
        for node in (to, source, *self.masters):
            ask(node, "CLUSTER", "SETSLOT", slot, "NODE", self.id(to))
        self._known_by_all(slot, to)


def ask(node: Program, *words: Any) -> Any:
    """Return a node's reply to a command, without a conversion by redis-py. `words`: the command and its arguments."""
    with node.client() as client:
        client.response_callbacks.clear()
        return client.execute_command(*words)


@contextlib.contextmanager
def cluster(folder: Path, *, copies: bool = True, down_ms: int = STEADY_MS) -> Iterator[Cluster]:
    """Yield a cluster for this test only; kill all its nodes at the end. `copies`: True if each master has a copy.

    `down_ms`: the time in ms after which a node that does not answer counts as dead.
    """
    with contextlib.ExitStack() as stack:
        yield Cluster(folder, stack, copies, down_ms)
