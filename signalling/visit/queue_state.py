"""The record of the queue as a whole: the rules that its pages have, and the alerts that are given.

Pure data. What becomes of it is defined in `queue_watch.py`. Times are in ms.
"""

from __future__ import annotations

import msgspec

from signalling.visit.urgency import Urgency


class QueueRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of the queue that its pages follow: a part of `Policy`. `words`: level -> the organisation's word."""

    amber_ms: int = 600_000
    red_ms: int = 1_800_000
    urgent_first: bool = False
    words: dict[Urgency, str] = {}
    alert_waiting: int = 0
    alert_wait_ms: int = 0


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the queue as a whole: the rules that the pages have, and the alerts that are given.

    `alerts`: kinds of `queue_watch.py`, each of all patients, or with "/" and the id of a waiting area.
    """

    id: str = "queue"
    version: int = 0
    rules: QueueRules = QueueRules()
    alerts: tuple[str, ...] = ()
