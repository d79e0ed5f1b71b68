"""Tests connections that one worker passes to another: each reaches the right worker.

The number of connections that wait to be passed is limited, and connections that have ended are closed.
"""

from __future__ import annotations

import socket

from tests.media.duo import until
from web.server.passed_streams import PassedStreams


async def test_a_connection_reaches_the_worker_that_it_is_passed_to_and_no_other() -> None:
    streams = PassedStreams(workers=1)
    got: dict[int, list[socket.socket]] = {0: [], 1: []}
    ends = [streams.receive(index, got[index].append) for index in got]
    ours, theirs = socket.socketpair()
    assert streams.send(1, theirs)
    theirs.close()
    await until(lambda: bool(got[1]))
    got[1][0].sendall(b"here")
    assert ours.recv(4) == b"here"
    assert got[0] == []
    for end in ends:
        end()
    for sock in (ours, *got[1]):
        sock.close()


async def test_a_worker_that_is_not_there_or_takes_nothing_gets_no_endless_queue() -> None:
    streams = PassedStreams(workers=1)
    ours, theirs = socket.socketpair()
    assert not streams.send(2, theirs)
    taken = 0
    while streams.send(1, theirs):
        taken += 1
        assert taken < 10_000
    assert taken > 0
    ours.close()
    theirs.close()


async def test_a_connection_that_has_ended_meanwhile_is_closed() -> None:
    streams = PassedStreams(workers=1)
    ours, theirs = socket.socketpair()
    seen = []

    def take(sock: socket.socket) -> None:
        seen.append(sock)
        raise OSError

    end = streams.receive(0, take)
    streams.send(0, theirs)
    theirs.close()
    await until(lambda: bool(seen))
    assert seen[0].fileno() == -1
    assert ours.recv(1) == b""
    end()
    ours.close()
