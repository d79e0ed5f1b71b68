"""Tests how a person of each role is related to a visit.

The visit is the person's own, or one of other people, or there is no visit yet.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from signalling.visit.commands import Invite
from signalling.visit.record import Role, Visit
from signalling.visit.relations import is_licensed, party_key, relations
from tests.signalling.visits import CLAIMANT, OTHER, PEOPLE, STAFF, VISIT, assigned, claimed, does, people

GUEST = PEOPLE["guest"]


def with_guest() -> Visit:
    """Return a claimed visit to which the guest was invited."""
    return does(claimed(), Invite(GUEST.id, "Rosa", "daughter"), CLAIMANT)


@pytest.mark.parametrize(
    ("who", "known"),
    [
        ("patient", {"patient"}),
        ("other patient", set()),
        ("claimant", {"staff", "claimant"}),
        ("assignee", {"staff"}),
        ("on call", {"staff", "on call"}),
        ("off call", {"staff"}),
        ("admin", {"staff", "admin"}),
        ("facility", set()),
        ("guest", {"guest"}),
        ("system", {"system"}),
    ],
)
def test_each_role_has_its_relation_to_a_claimed_visit(who: str, known: set[str]) -> None:
    assert relations(with_guest(), PEOPLE[who], STAFF) == known
    assert relations(with_guest(), people(OTHER)[who], STAFF) == frozenset(), "of another organisation"


@pytest.mark.parametrize(
    ("who", "known"),
    [
        ("patient", {"patient"}),
        ("other patient", {"patient"}),
        ("facility", {"facility"}),
        ("guest", set()),
        ("claimant", {"staff"}),
        ("on call", {"staff", "on call"}),
        ("system", {"system"}),
    ],
)
def test_who_may_open_a_visit_that_does_not_exist_yet(who: str, known: set[str]) -> None:
    assert relations(None, PEOPLE[who], STAFF) == known


def test_the_assignee_is_the_one_who_was_named() -> None:
    assert relations(assigned(), PEOPLE["assignee"], STAFF) == {"staff", "assignee"}
    assert "assignee" not in relations(assigned(), PEOPLE["on call"], STAFF)


def test_staff_who_are_not_on_duty_are_still_staff() -> None:
    assert relations(claimed(), PEOPLE["on call"], {}) == {"staff"}


def test_a_guest_is_one_of_this_visit_who_was_invited() -> None:
    assert relations(claimed(), GUEST, STAFF) == frozenset()
    assert relations(with_guest(), replace(GUEST, visit="v_2"), STAFF) == frozenset()


def test_a_facility_knows_what_it_opened_by_its_id_and_old_records_by_name() -> None:
    desk = PEOPLE["facility"]
    opened = replace(claimed(), opened_by=desk.id, facility="another name")
    assert relations(opened, desk, STAFF) == {"facility"}
    assert relations(replace(opened, opened_by="other", facility=desk.name), desk, STAFF) == frozenset()
    assert relations(replace(opened, opened_by=None, facility=desk.name), desk, STAFF) == {"facility"}
    assert relations(replace(opened, opened_by=None), desk, STAFF) == frozenset()


def test_a_party_has_its_key_and_nobody_else_has_one() -> None:
    visit = with_guest()
    assert party_key(visit, PEOPLE["patient"]) == "patient"
    assert party_key(visit, PEOPLE["other patient"]) is None
    assert party_key(visit, CLAIMANT) == "provider"
    assert party_key(visit, PEOPLE["admin"]) is None
    assert party_key(replace(visit, claimant=None), CLAIMANT) is None
    assert party_key(visit, GUEST) == GUEST.id
    assert party_key(claimed(), GUEST) is None
    assert party_key(visit, replace(GUEST, visit="v_2")) is None
    assert (GUEST.role, VISIT) == (Role.GUEST, "v_1")


@pytest.mark.parametrize(
    ("states", "state", "licensed"),
    [
        (("TX", "OK"), "TX", True),
        (("TX", "OK"), "NM", False),
        (("TX", "OK"), "", True),
        ((), "NM", True),
        ((), "", True),
    ],
)
def test_a_licence_is_missing_only_if_both_the_licences_and_the_patients_state_are_known(
    states: tuple[str, ...], state: str, licensed: bool
) -> None:
    assert is_licensed(states, state) is licensed
