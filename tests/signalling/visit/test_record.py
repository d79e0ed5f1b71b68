"""Tests the record of a visit: the stored names of statuses, outcomes and roles, and what old records lack.

Tests also the default limits of an organisation.
"""

import pytest
from msgspec import ValidationError, convert
from msgspec.structs import asdict, replace

from signalling.visit.record import Outcome, Party, Person, Policy, Role, Staff, Status
from tests.signalling.visits import ADMIN, CLAIMANT, PATIENT, PEOPLE, ended, live, queued

MINUTE_MS = 60_000


def test_the_stored_names_of_statuses_outcomes_and_roles_do_not_change() -> None:
    assert [str(status) for status in Status] == ["queued", "claimed", "live", "ended"]
    assert [str(outcome) for outcome in Outcome] == [
        "completed",
        "declined",
        "withdrawn",
        "expired",
        "by_phone",
        "closed",
    ]
    assert [str(role) for role in Role] == [
        "patient",
        "provider",
        "admin",
        "auditor",
        "facility",
        "guest",
        "system",
    ]


@pytest.mark.parametrize(
    ("name", "least", "most"), [("grace_ms", 5_000, 600_000), ("invite_ms", MINUTE_MS, 30 * MINUTE_MS)]
)
def test_a_limit_has_bounds_in_seconds_or_minutes(name: str, least: int, most: int) -> None:
    for allowed in (least, most):
        assert getattr(convert({name: allowed}, Policy), name) == allowed
    for refused in (least - 1, most + 1):
        with pytest.raises(ValidationError, match=name):
            convert({name: refused}, Policy)


def test_an_organisation_that_has_chosen_nothing_has_these_limits() -> None:
    assert asdict(Policy()) == {
        "grace_ms": 30_000,
        "return_grace_ms": 2 * MINUTE_MS,
        "away_expiry_ms": 60 * MINUTE_MS,
        "assignment_ms": 2 * MINUTE_MS,
        "reopen_ms": 30 * MINUTE_MS,
        "front_desk_ms": 0,
        "off_call_ms": 5 * MINUTE_MS,
        "invite_ms": 15 * MINUTE_MS,
        "amber_ms": 10 * MINUTE_MS,
        "red_ms": 30 * MINUTE_MS,
        "claim_in_session": True,
        "block_unlicensed": False,
        "closes_line": False,
        "asks_closing": False,
        "answers_waiting": False,
        "needs_on_call": False,
        "show_place": True,
        "show_wait": True,
        "urgent_first": False,
        "alert_waiting": 0,
        "alert_wait_ms": 0,
        "emergency_word": "",
        "urgent_word": "",
        "routine_word": "",
        "tags": (),
        "survey": False,
    }


def test_a_record_of_before_a_field_has_its_neutral_value() -> None:
    visit = queued()
    assert (visit.number, visit.talked_ms, visit.returned, visit.step) == (0, 0, 0, 1)
    assert asdict(Staff(id="lin", name="Lin", role=Role.PROVIDER)) == {
        "id": "lin",
        "name": "Lin",
        "role": Role.PROVIDER,
        "version": 0,
        "on_call": False,
        "on_call_since_ms": None,
        "states": (),
        "areas": (),
    }


def test_a_visit_is_open_until_it_ends_and_a_party_present_with_a_connection() -> None:
    assert queued().is_open
    assert live().is_open
    assert not ended().is_open
    assert not Party(id="ana", name="Ana").present
    assert replace(Party(id="ana", name="Ana"), connections={"c": "w"}).present


def test_staff_are_providers_and_admins_and_are_shown_by_id_and_name() -> None:
    staff = {who for who, actor in PEOPLE.items() if actor.is_staff}
    assert staff == {"claimant", "assignee", "on call", "off call", "admin"}
    assert (ADMIN.person, PATIENT.person) == (Person("zoe", "Zoe"), Person("ana", "Ana"))
    assert CLAIMANT.visit is None
