"""Tests that each kind of record has its own key and its own index."""

from __future__ import annotations

from signalling.store import keys
from signalling.store.kinds import KINDS, RECORDS, index_of
from signalling.visit.record import Role, Staff
from tests.faults.ended import ended_visit
from tests.signalling.clinic import ORG


def test_each_kind_of_record_is_in_its_own_index() -> None:
    person = Staff(id="u_1", name="Dr M. Osei", role=Role.PROVIDER)
    visit = ended_visit(ORG, 0)
    assert (index_of(ORG, visit), index_of(ORG, person)) == (keys.OPEN(ORG), keys.STAFF(ORG))


def test_each_kind_of_record_has_a_kind_of_key() -> None:
    assert list(KINDS.values()) == list(RECORDS)
