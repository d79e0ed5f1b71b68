"""The record of the whole queue: the rules that pages with the queue have received, closing times, and active
alerts.

`queue_watch.py` defines how this record changes. Times are in ms. Does no I/O.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from signalling.visit.urgency import Urgency


class AtClosing(StrEnum):
    """An organisation's rule for what becomes of the visits that still wait when it closes."""

    KEEP = "keep"
    ASK = "ask"
    END = "end"


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """A closing time that is near. `over`: True if it has passed and the organisation has not opened again."""

    at_ms: int
    over: bool
    rule: AtClosing


class QueueRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules by which pages show the queue, which are a part of `Policy`, and the closing times.

    `words`: level of urgency -> the organisation's own word for it. `closing`: the id of a waiting area (""
    for none) -> its closing time, only while patients wait there.
    """

    amber_ms: int = 600_000
    red_ms: int = 1_800_000
    urgent_first: bool = False
    words: dict[Urgency, str] = {}
    alert_waiting: int = 0
    alert_wait_ms: int = 0
    closing: dict[str, Closing] = {}


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the whole queue: the rules that pages with the queue have received, and the active alerts.

    `alerts`: the names of the active alerts. A name is the kind of alert (`queue_watch.py`), if the alert is about
    all patients. If the alert is about one waiting area, the name is the kind, "/" and the area's id.
    """

    id: str = "queue"
    version: int = 0
    rules: QueueRules = QueueRules()
    alerts: tuple[str, ...] = ()
