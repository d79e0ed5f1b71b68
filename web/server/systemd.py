"""What systemd passes to a service, and the states that it learns from it: sd_listen_fds(3) and sd_notify(3).

Knows environment variables and sockets. A server that systemd did not start has no such variables, and all of this does
nothing.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import time
from collections.abc import MutableMapping

from web.errors import ConfigError

FIRST = 3
"""The number of the first descriptor that systemd passes."""
SEND_S = 1.0
INTERNET = (socket.AF_INET, socket.AF_INET6)

Environment = MutableMapping[str, str]


def passed_listener(environment: Environment) -> socket.socket | None:
    """Return the listening TCP socket that systemd has opened; None if it has opened none. Raises ConfigError.

    Removes the variables, so that no child takes the socket for its own.
    """
    receiver, count, _ = (
        environment.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
    )
    if receiver != str(os.getpid()):
        return None
    with contextlib.suppress(OSError):  # of a descriptor that is no socket
        listener = socket.socket(fileno=FIRST)
        if count == "1" and listener.family in INTERNET and listener.type == socket.SOCK_STREAM:
            listener.set_inheritable(False)
            return listener
    raise ConfigError(
        "systemd: expected a .socket unit with one ListenStream=, a port or an IP address with a port"
    )


class Notify:
    """Sends states to systemd; takes the address out of the environment, so that gunicorn sends none of its own."""

    def __init__(self, environment: Environment) -> None:
        address = environment.pop("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._answering = mmap.mmap(-1, 1)  # the master and its workers share it
        self._ready = False

    def answers(self) -> None:
        """Let the master know that a worker answers; for workers, from whom systemd takes no state."""
        self._answering[0] = 1

    def look(self) -> None:
        """Send once that the server answers, as soon as a worker does."""
        if self._answering[0] and not self._ready:
            self._ready = True
            self._send("READY=1")

    def reloaded(self) -> None:
        """Send that the new workers have taken over."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Send that new workers replace the old ones, until `reloaded`."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Send that the server has begun to stop."""
        self._send("STOPPING=1")

    def _send(self, state: str) -> None:
        if self._address:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(SEND_S)
                sender.sendto(state.encode(), self._address)
