"""Tests the packed (compressed) form of a visit: it is read as it was written, and the dictionary of the compression
never changes.
"""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from signalling.store.packed import DICTIONARY, PackedVisit, packed, record_of, unpacked
from signalling.visit.record import ChatMessage
from signalling.visit.relations import Event
from tests.faults.ended import ended_visit
from tests.signalling.clinic import ORG

VISIT = ended_visit(ORG, 0)
WHOLE = PackedVisit(
    VISIT,
    (Event("ended", 1),),
    (ChatMessage(id="m_1", visit=VISIT.id, at_ms=1, party="staff", name="Noor", text="¿Qué tal? 🙂"),),
)


def test_a_packed_visit_is_read_as_it_was_and_so_is_its_record_alone() -> None:
    data = packed(WHOLE)
    assert unpacked(data) == WHOLE
    assert record_of(data) == VISIT
    assert len(data) < len(msgspec.msgpack.encode(WHOLE)) / 3


@pytest.mark.parametrize("data", [b"", b"\x02anything", b"\x01anything", msgspec.msgpack.encode(VISIT)])
def test_other_bytes_are_no_packed_visit(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        unpacked(data)


def test_the_dictionary_is_that_with_which_earlier_releases_packed() -> None:
    assert hashlib.sha256(DICTIONARY).hexdigest() == (
        "88b2ed038fd4ad42f62345fa799edea3a03112209c98ecdc35e3de84dcda620f"
    )
