"""Receives the socket that systemd passes to a service (sd_listen_fds(3)), and sends systemd states (sd_notify(3)).

systemd passes the socket, and the address for the states, in environment variables. If systemd did not start the
server, there are no such variables, and this module does nothing.
"""

from __future__ import annotations

import contextlib
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
    """Return the listening TCP socket that systemd has opened; None if it has opened none.

    systemd's variables are removed from `environment`, so that no child process takes the socket for its own.
    Raises ConfigError if systemd has passed anything but one TCP socket.
    """
    receiver, count, _ = (
        environment.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
    )
    if receiver != str(os.getpid()):
        return None
    # If systemd has passed something that is no socket, OSError occurs here, and ConfigError is raised below.
    with contextlib.suppress(OSError):
        listener = socket.socket(fileno=FIRST)
        if count == "1" and listener.family in INTERNET and listener.type == socket.SOCK_STREAM:
            listener.set_inheritable(False)
            return listener
    raise ConfigError(
        "systemd: expected a .socket unit with one ListenStream=, a port or an IP address with a port"
    )


class Notify:
    """Sends states of the server to systemd.

    The address to which states are sent is removed from `environment`, so that gunicorn sends no states of
    its own.
    """

    def __init__(self, environment: Environment) -> None:
        self.address = environment.pop("NOTIFY_SOCKET", "")
        self._ready = False

    def ready(self) -> None:
        """Report to systemd that the server is ready, at the first call only. Only the master may call this."""
        if not self._ready:
            self.reloaded()

    def reloaded(self) -> None:
        """Report to systemd that the new workers have replaced the old workers, and that the server is ready."""
        self._ready = True
        self._send("READY=1")

    def reloading(self) -> None:
        """Report to systemd that new workers begin to replace the old workers; `reloaded` reports the end."""
        self._ready = True
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report to systemd that the whole server has begun to stop."""
        self._send("STOPPING=1")

    def _send(self, state: str) -> None:
        if self.address:
            address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(SEND_S)
                sender.sendto(state.encode(), address)
