"""Tests the search for the UDP ports of another process, and that SIGTERM ends what a program has started."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from web.server.subprocesses import ended_by_sigterm, udp_ports


def test_the_udp_ports_of_a_process_are_those_of_its_open_sockets() -> None:
    with (
        socket.socket(type=socket.SOCK_DGRAM) as four,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six,
    ):
        for sock, host in ((four, "127.0.0.1"), (six, "::1")):
            sock.bind((host, 0))
        ports = {four.getsockname()[1], six.getsockname()[1]}
        assert ports <= udp_ports(os.getpid())
    assert not ports & udp_ports(os.getpid())


def test_a_process_that_has_ended_has_no_ports() -> None:
    assert udp_ports(2**22 + 1) == set()


def test_sigterm_leaves_the_contexts_inside_and_a_second_signal_does_not_interrupt_them() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    stopped: list[str] = []

    @contextmanager
    def server() -> Iterator[None]:
        try:
            yield
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
            stopped.append("server")

    with pytest.raises(SystemExit) as ended, ended_by_sigterm(), server():
        os.kill(os.getpid(), signal.SIGTERM)
    assert (ended.value.code, stopped) == (128 + signal.SIGTERM, ["server"])
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_without_a_signal_and_in_another_thread_nothing_changes() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), []

    def elsewhere() -> None:
        with ended_by_sigterm():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    with ended_by_sigterm():
        assert signal.getsignal(signal.SIGTERM) != before
    assert [*seen, signal.getsignal(signal.SIGTERM)] == [before, before]
