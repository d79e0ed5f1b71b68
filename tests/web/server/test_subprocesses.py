"""Tests what is found out about other processes of this machine."""

from __future__ import annotations

import os
import socket

from web.server.subprocesses import udp_ports


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
