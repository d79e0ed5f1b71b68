"""The audit trail: who did what to whose data and when, each entry bound to the one before it by a keyed hash.

Pure. An `Act` holds ids and times, never what a patient said. The chain's key is derived from the data key, so that
whoever can write to the store can neither change, remove, move nor add an entry without it being seen; a sealed `Head`
says where the trail begins and ends, so that a cut is seen too. Where entries are kept stands in `audit_log.py`.
"""

from __future__ import annotations

import hmac

import msgspec

from signalling.visit.record import Line, Record, Staff, Visit
from signalling.visit.rules import DEADLINES, QUIET, RULES, Event

TAG = 16  # bytes of a keyed hash that are kept: half of SHA-256's (RFC 2104 §5)
BROKEN = "trail.broken"  # written by the server itself where it found the trail not as it had left it
FORGED = "trail.forged"  # the same, in the place of something that no server of ours had put into the queue

KEPT = sorted(({row.event for row in RULES} | {row.event for row in DEADLINES}) - QUIET)

OF_EVENTS: dict[tuple[type[Record], str], str] = {
    **{(Visit, kind): f"visit.{kind}" for kind in KEPT},
    (Line, "wrote"): "chat.written",
    (Staff, "on_call"): "staff.on_call",
    (Staff, "off_call"): "staff.off_call",
}
"""What is committed to the store -> the name of its entry, which goes into the same commit."""

OF_TOPICS = {
    "queue": "queue.read",
    "sessions": "sessions.read",
    "bell": "bell.read",
    "visit": "visit.read",
    "case": "case.read",
    "chat": "chat.read",
}
"""Topic (without the visit's id) -> the name of the entry that a subscription leaves: one, however much follows."""

ASSIGNING = frozenset({"assigned", "transferred"})
"""Events whose entry says to whom."""

KINDS = (
    ("patient:", "patient"),
    ("guest-", "guest"),
    ("api:", "key"),
    ("facility:", "facility"),
    ("command:", "command"),
    ("nobody", "nobody"),
)
"""How ids begin -> who that is. Other ids are accounts of staff."""


class BrokenHead(ValueError):
    """The head of a trail was not sealed by us, or was changed since."""


class Act(msgspec.Struct, frozen=True, array_like=True):
    """An entry without its place in the chain. `who`, `about` and `to` are ids; `kind` says what `who` is."""

    at_ms: int
    kind: str
    who: str
    what: str
    about: str = ""
    to: str = ""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """An act at its place: the first of a trail is number 1, and no number is given twice."""

    number: int
    act: Act


class Head(msgspec.Struct, frozen=True, array_like=True):
    """Where a trail begins (`anchor`: the hash before its `first` entry) and ends (`last`: that of entry `count`)."""

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
    """Return what somebody with this id is: "staff", "system", or one of KINDS."""
    if who in ("", "system"):
        return "system"
    return next((kind for begins, kind in KINDS if who.startswith(begins)), "staff")


def act(at_ms: int, who: str, what: str, about: str = "", to: str = "") -> Act:
    """Return an act of somebody whose id says what they are."""
    return Act(at_ms, kind_of(who), who, what, about, to)


def act_of(record: Record, event: Event) -> Act | None:
    """Return what a commit leaves in the trail; None for what happens too often and tells nothing."""
    what = OF_EVENTS.get((type(record), event.kind))
    if what is None:
        return None
    about = record.visit if isinstance(record, Line) else record.id
    to = ""
    if isinstance(record, Visit) and record.assignee is not None and event.kind in ASSIGNING:
        to = record.assignee.id
    return act(event.at_ms, event.by.id if event.by is not None else "", what, about, to)


def encode(found: Act) -> bytes:
    """Return an act's bytes."""
    return _encode(found)


def decode(data: bytes) -> Act:
    """Return an act from its bytes; raise `msgspec.DecodeError` or `UnicodeDecodeError`."""
    return _ACT.decode(data)


class Chain:
    """The chain of one organisation; `key` is 32 bytes that serve nothing else."""

    def __init__(self, key: bytes, organisation: str) -> None:
        self._key = key
        self._place = organisation.encode() + b"\0"

    def _tag(self, purpose: bytes, data: bytes) -> bytes:
        return hmac.digest(self._key, purpose + self._place + data, "sha256")[:TAG]

    @property
    def begin(self) -> Head:
        """Return the head of a trail without entries."""
        start = self._tag(b"begin", b"")
        return Head(1, start, 0, start)

    def bind(self, head: Head, acts: list[Act]) -> tuple[Head, list[bytes]]:
        """Return the head after these acts, and what is kept of each: its hash, then its entry."""
        number, last, kept = head.count, head.last, []
        for found in acts:
            number += 1
            data = _encode(Entry(number, found))
            last = self._tag(b"entry", last + data)
            kept.append(last + data)
        since_ms = head.since_ms or (acts[0].at_ms if acts else 0)
        return Head(head.first, head.anchor, number, last, since_ms), kept

    def seal(self, head: Head) -> bytes:
        """Return a head's bytes, which nobody else can make."""
        data = _encode(head)
        return self._tag(b"head", data) + data

    def open(self, sealed: bytes) -> Head:
        """Return the head; raise `BrokenHead`."""
        if not hmac.compare_digest(sealed[:TAG], self._tag(b"head", sealed[TAG:])):
            raise BrokenHead("not sealed by this server")
        return _HEAD.decode(sealed[TAG:])

    def follows(self, last: bytes, kept: bytes) -> bool:
        """Return whether what is kept is the entry after the one with the hash `last`, as it was written."""
        return hmac.compare_digest(kept[:TAG], self._tag(b"entry", last + kept[TAG:]))


def hash_of(kept: bytes) -> bytes:
    """Return the hash that the next entry is bound to."""
    return kept[:TAG]


def entry_of(kept: bytes) -> Entry | None:
    """Return the entry that is kept here, or None where it is none (any more)."""
    try:
        return _ENTRY.decode(kept[TAG:])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class Checker:
    """Reads a trail from its beginning. `problem` is the first thing that is wrong, as a sentence; "" where nothing is.

    `witness`: (number, hash) that this machine saw at some time, so that a store put back to an earlier state is seen.
    """

    def __init__(self, chain: Chain, head: Head, witness: tuple[int, bytes] | None = None) -> None:
        self._chain = chain
        self._head = head
        self._last = head.anchor
        self._next = head.first
        self._witness = witness
        self.count = 0
        self.problem = ""
        self._seen(head.first - 1, head.anchor)

    def read(self, kept: bytes) -> bool:
        """Take the next entry; return whether the trail is unbroken up to it."""
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
        if self._witness is not None and self._witness[0] == number and self._witness[1] != last:
            self.problem = f"entry {number} is not the one that this server has seen; the trail was replaced"

    def end(self) -> str:
        """Return the first problem of the whole trail; "" where there is none."""
        if not self.problem and self._next <= self._head.count:
            self.problem = f"{_entries(self._next, self._head.count)} cut from the end"
        if not self.problem and self._witness is not None and self._witness[0] > self._head.count:
            self.problem = f"{_entries(self._next, self._witness[0])} cut from the end"
        return self.problem


PROBLEMS = {
    BROKEN: "entry {number} says that the trail's beginning and end were changed or removed before it",
    FORGED: "entry {number} stands in the place of something that no server of ours had written",
}


def _entries(first: int, last: int) -> str:
    return f"entry {first} was" if first == last else f"entries {first} to {last} were"
