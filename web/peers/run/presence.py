"""Checks whether the server of a run is still there: a thread opens a connection to its port every second.

A server that is slow counts as present; a server whose port refuses connections counts as gone.
"""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Self

EVERY_S = 1.0
# The longest time in s to wait for a connection. If it passes without an answer, this is no refusal: perhaps the
# machine is only busy.
PATIENCE_S = 5.0
GONE_S = 15.0
"""If the port has refused connections for this time in s, the server counts as gone. A restart takes less time."""


class Presence:
    """Watches the port of a server, as a context manager.

    `gone_since`: the time, of time.monotonic in s, at which the port began to refuse; None while it accepts.
    """

    def __init__(self, host: str, port: int) -> None:
        self.gone_since: float | None = None
        self._at = host, port
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._run, name="presence", daemon=True)

    @property
    def is_gone(self) -> bool:
        """Whether the port has refused connections for at least GONE_S seconds."""
        since = self.gone_since
        return since is not None and time.monotonic() - since >= GONE_S

    def look(self) -> None:
        """Connect to the server's port once, and set `gone_since`.

        If the port refuses, `gone_since` becomes the present time, unless it is set already. If the port accepts,
        `gone_since` becomes None. If the port does not answer in time, `gone_since` does not change.
        """
        try:
            socket.create_connection(self._at, PATIENCE_S).close()
        except TimeoutError:
            return
        except OSError:
            self.gone_since = self.gone_since or time.monotonic()
        else:
            self.gone_since = None

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            self.look()

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
