"""Tests the plan of a run: which share each process gets, and that credentials are read but never shown."""

from typing import Any

import pytest

from web.peers.errors import PlanError
from web.peers.people.answers import asked, information, plausible
from web.peers.run.plan import Plan, credentials

STAFF = credentials("ana@clinic.example secret one\nben@clinic.example,two\n")


def test_credentials_are_an_email_and_a_password_a_line() -> None:
    assert [(one.email, one.password) for one in STAFF] == [
        ("ana@clinic.example", "secret one"),
        ("ben@clinic.example", "two"),
    ]
    assert len(credentials("# staff\n\n  ana@clinic.example x\n")) == 1


@pytest.mark.parametrize("text", ["", "# nobody\n", "ana@clinic.example\n", "only a-secret\n"])
def test_malformed_credentials_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(PlanError) as refused:
        credentials(text)
    assert "a-secret" not in str(refused.value)


def test_a_password_is_in_no_text_about_the_plan() -> None:
    plan = Plan(url="https://clinic.example", credentials=STAFF)
    assert "secret" not in repr(plan) + str(plan.in_words())


def test_each_process_has_patients_and_staff_of_its_own_and_together_they_are_all() -> None:
    plan = Plan(url="x", patients=7, providers=5, credentials=STAFF)
    shares = [plan.share(index, 2) for index in range(2)]
    assert [len(share.visitors) for share in shares] == [4, 3]
    assert [len(share.staff) for share in shares] == [3, 2]
    assert {one.email for share in shares for one in share.staff} == {one.email for one in STAFF}


def test_a_process_without_a_provider_would_leave_its_patients_waiting_and_is_refused() -> None:
    with pytest.raises(PlanError, match="at least 3 providers"):
        Plan(url="x", providers=2, credentials=STAFF).share(0, 3)


def test_providers_need_credentials_unless_ones_own_staff_claims() -> None:
    with pytest.raises(PlanError, match="--credentials"):
        Plan(url="x", providers=2).share(0, 1)
    assert Plan(url="x", providers=0).share(0, 1).staff == ()


def test_made_up_patients_are_recognisable_as_not_real() -> None:
    ana, ben = information(1), information(2, "es", state="NM")
    assert ana["name"] != ben["name"]
    assert "Synthetic" in ana["name"]
    assert "555 01" in ana["phone"]
    assert ana["email"].endswith("example.org")
    assert (ben["language"], ben["state"]) == ("es", "NM")


def test_only_the_steps_that_are_asked_are_answered() -> None:
    steps: list[dict[str, Any]] = [
        {"id": "a", "kind": "yes_no", "options": []},
        {"id": "b", "kind": "text", "options": [], "only_if": {"step": "a", "answer": True}},
        {"id": "c", "kind": "choice", "options": ["x", "y"], "only_if": None},
    ]
    assert [step["id"] for step in asked(steps, {"a": False})] == ["a", "c"]
    assert [step["id"] for step in asked(steps, {"a": True})] == ["a", "b", "c"]
    assert plausible(steps[2], "Ana") == "x"
