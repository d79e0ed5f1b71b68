"""Audit log entries: who did which act, on which data, and when. A keyed hash chains each entry to the one before.

An `Act` contains ids and times, never text from a patient. The key of the hashes is derived from the data key: a person
who can only write to the store cannot change, remove, move or add an entry without being detected. A `Head` with a
keyed hash records the log's beginning and end, so that removed entries are detected too. `audit_log.py` stores the
entries. Does no I/O.
"""

from __future__ import annotations

import hmac

import msgspec

from signalling.errors import BrokenHeadError
from signalling.visit.record import ChatMessage, Record, Staff, Visit
from signalling.visit.relations import Event
from signalling.visit.rules import DEADLINES, QUIET, RULES

# each keyed hash is cut to this number of bytes, half of the length of SHA-256 (RFC 2104 §5)
TAG = 16
# name of the entry that the server writes if another program has changed the log
BROKEN = "trail.broken"
# name of the entry that the server writes if another program has put data among the acts that wait to be logged
FORGED = "trail.forged"

KEPT = sorted(({row.event for row in RULES} | {row.event for row in DEADLINES}) - QUIET)

OF_EVENTS: dict[tuple[type[Record], str], str] = {
    **{(Visit, kind): f"visit.{kind}" for kind in KEPT},
    (ChatMessage, "wrote"): "chat.written",
    (Staff, "on_call"): "staff.on_call",
    (Staff, "off_call"): "staff.off_call",
}
"""(type of record, event) -> the name of the audit entry, which is written in the same commit as the event."""

OF_TOPICS = {
    "queue": "queue.read",
    "sessions": "sessions.read",
    "visit": "visit.read",
    "case": "case.read",
    "chat": "chat.read",
}
"""Topic (without the visit's id) -> the name of the entry that each subscription adds.

`bell` is not listed, because every page subscribes to it to show a number. The entry `OPENED_BELL` is added when a
person looks at the list of notifications.
"""
OPENED_BELL = "bell.read"

ASSIGNING = frozenset({"assigned", "transferred"})
"""The events whose audit entry names, in its field `to`, the provider to whom the visit is assigned."""

KINDS = (
    ("patient:", "patient"),
    ("guest-", "guest"),
    ("api:", "key"),
    ("facility:", "facility"),
    ("command:", "command"),
    ("nobody", "nobody"),
)
"""Pairs: the beginning of an actor's id, and the kind of actor. "" and "system" are the server; all other ids are
accounts of staff.
"""


class Act(msgspec.Struct, frozen=True, array_like=True):
    """The content of an entry of the audit log, without the entry's number and hash.

    `who`: the id of the actor. `kind`: the kind of actor. `what`: the name of the entry. `about`: the id of the visit
    or of other data, "" for none. `to`: the id of the provider to whom the visit is assigned, "" for none.
    """

    at_ms: int
    kind: str
    who: str
    what: str
    about: str = ""
    to: str = ""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """An entry of the audit log: an act with its number. The first entry has number 1, and no number is used twice."""

    number: int
    act: Act


class Head(msgspec.Struct, frozen=True, array_like=True):
    """The record of the first and the last entry of an audit log.

    `first`: the number of the first entry that the log still has. `anchor`: the hash of the last removed entry; if no
    entry was removed, the hash with which the chain begins. `count`: the number of the last entry. `last`: the hash of
    the last entry. `since_ms`: the time of the first entry.
    """

    first: int
    anchor: bytes
    count: int
    last: bytes
    since_ms: int = 0


_encode = msgspec.msgpack.Encoder().encode
_ACT = msgspec.msgpack.Decoder(Act)
_ENTRY = msgspec.msgpack.Decoder(Entry)
_HEAD = msgspec.msgpack.Decoder(Head)


def kind_of(who: str) -> str:
    """Return the kind of the actor whose id is `who`: "staff", "system", or one of KINDS."""
    if who in ("", "system"):
        return "system"
    return next((kind for begins, kind in KINDS if who.startswith(begins)), "staff")


def act(at_ms: int, who: str, what: str, about: str = "", to: str = "") -> Act:
    """Return the act with these values. Its `kind` follows from the actor's id `who`.

    `at_ms`: the time. `what`: the name of the entry. `about`: the id of the visit or of other data, "" for none. `to`:
    the id of the provider to whom the visit is assigned, "" for none.
    """
    return Act(at_ms, kind_of(who), who, what, about, to)


def act_of(record: Record, event: Event) -> Act | None:
    """Return the act that the commit of an event adds to the audit log; None if OF_EVENTS has no entry for the event.

    `record`: the changed record.
    """
    what = OF_EVENTS.get((type(record), event.kind))
    if what is None:
        return None
    about = record.visit if isinstance(record, ChatMessage) else record.id
    to = ""
    if isinstance(record, Visit) and record.assignee is not None and event.kind in ASSIGNING:
        to = record.assignee.id
    return act(event.at_ms, event.by.id if event.by is not None else "", what, about, to)


def encode(found: Act) -> bytes:
    """Return the act `found` as bytes, from which `decode` makes the act again."""
    return _encode(found)


def decode(data: bytes) -> Act:
    """Return the act in bytes that `encode` made.

    Raises `msgspec.DecodeError` or `UnicodeDecodeError` for other bytes.
    """
    return _ACT.decode(data)


class Chain:
    """Calculates the hash chain of one organisation's log. `key`: 32 bytes, used for nothing else."""

    def __init__(self, key: bytes, organisation: str) -> None:
        self._key = key
        self._place = organisation.encode() + b"\0"

    def _tag(self, purpose: bytes, data: bytes) -> bytes:
        return hmac.digest(self._key, purpose + self._place + data, "sha256")[:TAG]

    @property
    def begin(self) -> Head:
        """Return the head (record of the first and last entry) of a log without entries."""
        start = self._tag(b"begin", b"")
        return Head(1, start, 0, start)

    def bind(self, head: Head, acts: list[Act]) -> tuple[Head, list[bytes]]:
        """Add acts to the end of a log.

        Return (the log's new head, the bytes to store for each act: its hash, then the entry).
        """
        number, last, kept = head.count, head.last, []
        for found in acts:
            number += 1
            data = _encode(Entry(number, found))
            last = self._tag(b"entry", last + data)
            kept.append(last + data)
        since_ms = head.since_ms or (acts[0].at_ms if acts else 0)
        return Head(head.first, head.anchor, number, last, since_ms), kept

    def seal(self, head: Head) -> bytes:
        """Return a head as bytes, with a keyed hash that only this server can calculate."""
        data = _encode(head)
        return self._tag(b"head", data) + data

    def open(self, sealed: bytes) -> Head:
        """Return the head in bytes that `seal` made. Raises `BrokenHeadError` if its keyed hash is wrong."""
        if not hmac.compare_digest(sealed[:TAG], self._tag(b"head", sealed[TAG:])):
            raise BrokenHeadError("not sealed by this server")
        return _HEAD.decode(sealed[TAG:])

    def follows(self, last: bytes, kept: bytes) -> bool:
        """Return True if `kept`, the bytes of a stored entry, are unchanged and follow the entry with the
        hash `last`.
        """
        return hmac.compare_digest(kept[:TAG], self._tag(b"entry", last + kept[TAG:]))


def hash_of(kept: bytes) -> bytes:
    """Return the hash in an entry's stored bytes. The hash of the next entry is calculated from it."""
    return kept[:TAG]


def entry_of(kept: bytes) -> Entry | None:
    """Return the audit entry in an entry's stored bytes, None if they cannot be decoded."""
    try:
        return _ENTRY.decode(kept[TAG:])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class Checker:
    """Checks an audit log entry by entry, from the first on. `problem`: the first problem as a sentence, "" if none so
    far.

    `seen_entry`: the (number, hash) of an entry that this machine has seen earlier, None if it has seen no entry. The
    entry shows whether the store was restored to an earlier state.
    """

    def __init__(self, chain: Chain, head: Head, seen_entry: tuple[int, bytes] | None = None) -> None:
        self._chain = chain
        self._head = head
        self._last = head.anchor
        self._next = head.first
        self._seen_entry = seen_entry
        self.count = 0
        self.problem = ""
        self._seen(head.first - 1, head.anchor)

    def read(self, kept: bytes) -> bool:
        """Check the next entry, given its stored bytes; return True if no problem was found so far."""
        if self.problem:
            return False
        entry = entry_of(kept)
        if entry is None or not self._chain.follows(self._last, kept):
            self.problem = self._broken(entry)
        elif self._next > self._head.count:
            self.problem = f"entry {self._next} was added after the end"
        elif entry.act.what in (BROKEN, FORGED):
            self.problem = PROBLEMS[entry.act.what].format(number=entry.number)
        else:
            self._last, self._next, self.count = hash_of(kept), self._next + 1, self.count + 1
            self._seen(entry.number, self._last)
        return not self.problem

    def _broken(self, entry: Entry | None) -> str:
        if self._next > self._head.count:
            return f"entry {self._next} was added after the end"
        if entry is None or entry.number <= self._next:
            return f"entry {self._next} was changed, or stands in another's place"
        how = "cut from the beginning" if self._next == self._head.first else "removed or moved"
        return f"{_entries(self._next, entry.number - 1)} {how}"

    def _seen(self, number: int, last: bytes) -> None:
        if self._seen_entry is not None and self._seen_entry[0] == number and self._seen_entry[1] != last:
            self.problem = f"entry {number} is not the one that this server has seen; the log was replaced"

    def end(self) -> str:
        """Check the end of the log; return the first problem as a sentence, "" if there is none."""
        if not self.problem and self._next <= self._head.count:
            self.problem = f"{_entries(self._next, self._head.count)} cut from the end"
        if not self.problem and self._seen_entry is not None and self._seen_entry[0] > self._head.count:
            self.problem = f"{_entries(self._next, self._seen_entry[0])} cut from the end"
        return self.problem


PROBLEMS = {
    BROKEN: "entry {number} says that the log's beginning and end were changed or removed before it",
    FORGED: "entry {number} stands in the place of something that no server of ours had written",
}


def _entries(first: int, last: int) -> str:
    return f"entry {first} was" if first == last else f"entries {first} to {last} were"
