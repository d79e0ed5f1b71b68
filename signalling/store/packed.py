"""The packed form of an ended visit: one compressed value with its record, history, chat and calls. Does no I/O.

The compression uses a dictionary with the words that every record has, so that only the differences between visits
need memory. `packing.py` keeps packed visits in the store.
"""

from __future__ import annotations

import zlib

import msgspec

from signalling.visit.call_quality import Tally
from signalling.visit.record import ChatMessage, Visit
from signalling.visit.relations import Event

_FORMAT = b"\x01"
"""The first byte of a packed visit. It names the dictionary with which the visit was compressed."""
_LEVEL, _WINDOW, _MEMORY = 9, -zlib.MAX_WBITS, 9  # raw deflate (RFC 1951), without zlib's header


class PackedVisit(msgspec.Struct, frozen=True, array_like=True):
    """All data of an ended visit except its photos. `events`: its history. `calls`: the quality of its calls.

    Fields are only added at the end, with a default, because visits that were packed earlier lack them.
    """

    visit: Visit
    events: tuple[Event, ...] = ()
    messages: tuple[ChatMessage, ...] = ()
    calls: tuple[Tally, ...] = ()


def _person(id_: str, name: str) -> dict[str, str]:
    return {"id": id_, "name": name}


def _party(id_: str, changes: int) -> dict[str, object]:
    return {
        "id": id_,
        "name": "",
        "relation": None,
        "connections": {},
        "away_since_ms": None,
        "started_ms": None,
        "changes": changes,
        "left_ms": None,
    }


def _event(kind: str, by: dict[str, str] | None) -> dict[str, object]:
    return {"kind": kind, "at_ms": _AT_MS, "by": by, "note": None}


def _message(party: str) -> dict[str, object]:
    return {"id": "m_", "version": 1, "visit": "v_", "at_ms": _AT_MS, "party": party, "name": "", "text": ""}


_AT_MS = 1_795_000_000_000
_PATIENT, _PROVIDER = _person("patient:v_", ""), _person("u_", "Dr ")
_KINDS = (
    "declined expired closed by_phone withdrawn admin guest- staff clinic invited tagged surveyed reopened contacted "
    "assigned transferred released returned paused hung_up photo_added patient_done"
)
DICTIONARY = msgspec.msgpack.encode(
    [
        _KINDS,
        {"party": "patient", "name": "", "connected_ms": 1.0, "interruptions": 0, "seen": {}},
        {"heard_lost": {}, "sent_lost": {}, "round_trip": {}, "picture": {}},
        *map(_message, ("staff", "provider", "patient")),
        _event("opened", _PATIENT),
        _event("guide_finished", _PATIENT),
        _event("claimed", _PROVIDER),
        _event("started", _PROVIDER),
        _event("went_live", _PATIENT),
        _event("ended", _PROVIDER),
        {
            "id": "v_",
            "organisation": "",
            "version": 20,
            "status": "ended",
            "outcome": "completed",
            "patient": {
                "name": "",
                "birth_date": "1970-01-01",
                "phone": "+1",
                "email": "@example.com",
                "state": "",
                "reason": "",
                "language": "en",
                "filled_in_by": None,
                "extension": "",
                "phone_shown": "",
            },
            "guide_version": 1,
            "steps": 4,
            "step": 4,
            "typing": None,
            "answers": {"network": "ok", "": {"agreed": True, "signature": "", "language": "en"}},
            "guide_done_ms": _AT_MS,
            "arrived_ms": _AT_MS,
            "number": 65_536,
            "assignee": None,
            "assigned_ms": None,
            "assigned_by": None,
            "facility": None,
            "opened_by": "patient:v_",
            "booked_ms": None,
            "admins_until_ms": None,
            "claimant": _PROVIDER,
            "claimed_ms": _AT_MS,
            "live_ms": _AT_MS,
            "talked_ms": 60_000,
            "ended_ms": _AT_MS,
            "reason": None,
            "returned": 0,
            "parties": {"patient": _party("patient:v_", 9), "provider": _party("u_", 3)},
            "photos": [],
            "area": None,
            "triage": None,
            "contacts": [],
            "agreed": [],
            "tags": [],
            "survey": None,
            "writers": [],
            "unanswered": 0,
            "answered_ms": None,
            "escalations": [],
        },
    ]
)
"""The dictionary of the compression (`zdict` of zlib): values that packed visits share, the most frequent values last.

It never changes, because a packed visit can only be read with the dictionary with which it was packed. A new dictionary
needs a new `_FORMAT`.
"""
_encode = msgspec.msgpack.Encoder().encode
_PACKED = msgspec.msgpack.Decoder(PackedVisit)


class _Record(msgspec.Struct, frozen=True, array_like=True):
    # the first field of PackedVisit; the decoder leaves out the other fields
    visit: Visit


_RECORD = msgspec.msgpack.Decoder(_Record)


def packed(whole: PackedVisit) -> bytes:
    """Return a visit with its history, chat and calls as one compressed value. The caller encrypts it for the store."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zdict=DICTIONARY)
    return _FORMAT + packer.compress(_encode(whole)) + packer.flush()


def unpacked(data: bytes) -> PackedVisit:
    """Return the visit in bytes that `packed` made. Raises `msgspec.DecodeError` for other bytes."""
    return _PACKED.decode(_expanded(data))


def record_of(data: bytes) -> Visit:
    """Return only the record of a packed visit, which is faster than to decode the whole visit.

    Raises `msgspec.DecodeError` if the bytes are no packed visit.
    """
    return _RECORD.decode(_expanded(data)).visit


def _expanded(data: bytes) -> bytes:
    if not data.startswith(_FORMAT):
        raise msgspec.DecodeError("packed by another release")
    try:
        return zlib.decompressobj(_WINDOW, zdict=DICTIONARY).decompress(data[1:])
    except zlib.error:
        raise msgspec.DecodeError("no packed visit") from None
