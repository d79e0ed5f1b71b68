"""Tests that a port that is chosen for a program is free, and that no other program gets it by chance."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.ports import LOOPBACK, NUMBERS, free_ports

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_free_ports_are_different_and_can_be_used_for_tcp_and_udp() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert set(ports) <= set(NUMBERS)
    for port in ports[:3]:
        with (
            socket.create_server((LOOPBACK, port)),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        ):
            datagrams.bind((LOOPBACK, port))
            assert port not in free_ports(3)


def test_the_kernel_gives_no_free_port_to_another_program() -> None:
    if RANGE.exists():
        first, last = map(int, RANGE.read_text("ascii").split())
        assert not set(NUMBERS) & set(range(first, last + 1))
