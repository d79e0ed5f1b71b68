"""The kinds of records in the store, and the keys of each. Does no I/O."""

from __future__ import annotations

from signalling.store import keys
from signalling.visit.queue_state import Watch
from signalling.visit.record import ChatMessage, Mark, Record, Staff, Visit

KINDS: dict[type[Record], str] = {
    Visit: "visit",
    Staff: "staff",
    ChatMessage: "line",
    Mark: "mark",
    Watch: "watch",
}
"""Type of record -> the name of its kind in keys, in encrypted data and in the stream of events."""
RECORDS = {
    "visit": keys.VISIT,
    "staff": keys.STAFF_MEMBER,
    "line": keys.LINE,
    "mark": keys.MARK,
    "watch": keys.WATCH,
}
"""Name of a kind of record -> the `Key` under which the records of this kind are stored."""


def index_of(organisation: str, record: Record) -> str:
    """Return the key of the sorted set in which the id of this record is listed.

    The set lists, for example, all open visits of the organisation, or all chat messages of one visit.
    """
    match record:
        case Visit():
            return keys.OPEN(organisation)
        case ChatMessage():
            return keys.CHAT(organisation, record.visit)
        case Staff():
            return keys.STAFF(organisation)
        case Watch():
            return keys.WATCHES(organisation)
        case _:
            return keys.MARKS(organisation)
