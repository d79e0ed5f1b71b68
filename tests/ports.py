"""Finds free ports for programs that need the number of their port before they start."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress
from typing import Final

LOOPBACK: Final = "127.0.0.1"
NUMBERS: Final = range(10_000, 32_000)
"""The kernel gives no port of this range to a program that asks for any port. So between the choice of a port here and
the start of the program that uses it, no other program gets it by chance.
"""


def free_ports(number: int) -> list[int]:
    """Return `number` ports of loopback that no program uses now, neither for TCP nor for UDP."""
    found: list[int] = []
    with ExitStack() as held:
        for port in random.sample(NUMBERS, len(NUMBERS)):
            if len(found) == number:
                return found
            with suppress(OSError):
                held.enter_context(socket.create_server((LOOPBACK, port)))
                datagrams = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                datagrams.bind((LOOPBACK, port))
                found.append(port)
    raise OSError(f"{number} ports of {LOOPBACK} are not free")
