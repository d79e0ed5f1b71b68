"""Passes connections with ICE over TCP, which carry media, to the worker that serves their call.

All workers accept from the pages' port, so that a browser's connection arrives at any of them. The ufrag (a name) in
its first packet names the worker of the call (`media.protocols.ice.relay_index`). The socket is sent to that worker
as a descriptor (SCM_RIGHTS). No byte of the connection has been read before.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

# The greatest number of connections that a worker receives in one turn of the event loop.
BATCH = 32


class PassedStreams:
    """Passes connections through a Unix socket pair for each index of a worker; the master makes them before it
    forks.

    `kept`: the pairs that the previous program of this process made before an upgrade, as (descriptor of the receiving
    end, descriptor of the sending end); empty at an ordinary start. If a worker dies, the next worker with its index
    receives the connections that wait in the pair. It has no calls for them, so it closes them.
    """

    def __init__(self, workers: int, kept: Sequence[tuple[int, int]] = ()) -> None:
        self._ends = [(socket.socket(fileno=one), socket.socket(fileno=other)) for one, other in kept]
        # There are two pairs of sockets for each worker, because a worker that stops and its successor run at the
        # same time.
        while len(self._ends) < 2 * workers:
            self._ends.append(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
        for receiving, sending in self._ends:
            receiving.setblocking(False)
            sending.setblocking(False)

    @property
    def descriptors(self) -> list[tuple[int, int]]:
        """All socket pairs, each as (descriptor of the receiving end, descriptor of the sending end)."""
        return [(receiving.fileno(), sending.fileno()) for receiving, sending in self._ends]

    def send(self, index: int, sock: socket.socket) -> bool:
        """Pass a connection to the worker with this index; return False if that worker does not exist, or too many
        connections wait for it.

        The caller closes its own descriptor in any case.
        """
        if index >= len(self._ends):
            return False
        try:
            socket.send_fds(self._ends[index][1], [b"\0"], [sock.fileno()])
        except OSError:
            return False
        return True

    def receive(self, index: int, take: Callable[[socket.socket], None]) -> Callable[[], None]:
        """Call `take` with each connection that is passed to the worker `index`, until the returned function is called.

        If this process has no free descriptor, the kernel drops the connection.
        """
        loop, receiving = asyncio.get_running_loop(), self._ends[index][0]

        def read() -> None:
            for _ in range(BATCH):
                try:
                    _data, descriptors, _flags, _address = socket.recv_fds(receiving, 1, 1)
                except OSError:
                    return
                for descriptor in descriptors:
                    sock = socket.socket(fileno=descriptor)
                    try:
                        take(sock)
                    except OSError:
                        sock.close()

        loop.add_reader(receiving.fileno(), read)

        def end() -> None:
            loop.remove_reader(receiving.fileno())

        return end
