"""Plays a provider's page On-Demand Requests, by the rules that PROTOCOL.md gives for clients.

It shows exactly the rows that the server has sent.
"""

from __future__ import annotations

from typing import Any

from signalling.clients.client import SignallingClient
from tests.limits import WAIT_S
from tests.signalling.waits import until


class Screen:
    """The rows and staff of On-Demand Requests on one client. `drained` applies the messages that have arrived."""

    def __init__(self, client: SignallingClient) -> None:
        self.client = client
        self.version = -1
        self.epoch = ""
        self.rows: dict[str, dict[str, Any]] = {}
        self.staff: dict[str, dict[str, Any]] = {}
        self.limits: dict[str, Any] = {}
        self.snapshots = 0
        self.shown: list[int] = []

    def take(self, message: dict[str, Any]) -> None:
        """Apply a message, unless its version is not higher than the version that is shown."""
        if message["type"] == "queue.snapshot":
            self.snapshots += 1
            self.epoch, self.version = message["epoch"], message["version"]
            self.limits = message["limits"]
            self.rows = {row["visit"]: row for row in message["rows"]}
            self.staff = {person["id"]: person for person in message["staff"]}
            return
        if message["version"] <= self.version:
            return
        self.version = message["version"]
        self.shown.append(self.version)
        if message["type"] == "queue.row":
            self.rows[message["row"]["visit"]] = message["row"]
        elif message["type"] == "queue.changed":
            self.limits = message["limits"]
        elif message["type"] == "queue.gone":
            self.rows.pop(message["visit"], None)
        elif message["type"] == "queue.staff":
            self.staff[message["staff"]["id"]] = message["staff"]

    def drained(self) -> Screen:
        """Apply all messages that have arrived by now; return this screen."""
        while self.client.backlog:
            message = self.client.backlog.popleft()
            if message.get("topic") == "queue":
                self.take(message)
        return self

    async def reaches(self, version: int, within_s: float = WAIT_S) -> float:
        """Return the time in s until the screen has reached a version. Raises AssertionError after `within_s`."""
        return await until(lambda: self.drained().version == version, within_s)

    def same_as(self, other: Screen) -> bool:
        """Return True if both screens show the same rows."""
        return (self.rows, self.staff, self.limits) == (other.rows, other.staff, other.limits)


async def screen(client: SignallingClient, **held: Any) -> Screen:
    """Subscribe a client to the queue; return the screen.

    `held`: the epoch and version from which the client resumes.
    """
    shown = Screen(client)
    await client.request("subscribe", topic="queue", **held)
    return shown.drained()
