"""Tests the tags of a visit, and the patient's answer to the survey after it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from signalling.visit import commands as c
from signalling.visit.record import Outcome, Status
from signalling.visit.relations import Decided, Refusal
from signalling.visit.rules import decide
from tests.signalling.visits import ADMIN, CLAIMANT, PATIENT, T0, context, does, ended, event_of, refused

FOLLOW_UP: dict[str, Any] = {"tags": ("Follow-up", "Billing"), "survey": True}


def test_tags_are_those_of_the_organisation_and_one_that_is_given_up_stays() -> None:
    visit = does(ended(), c.SetTags(("Billing", "Follow-up", "Billing")), CLAIMANT, **FOLLOW_UP)
    assert visit.tags == ("Billing", "Follow-up")
    assert event_of(visit, c.SetTags(visit.tags), CLAIMANT, **FOLLOW_UP) is None, "set before: no error"
    kept = does(visit, c.SetTags(("Billing",)), ADMIN, tags=())
    assert (kept.tags, kept.status) == (("Billing",), Status.ENDED)
    unknown = refused(kept, c.SetTags(("Billing", "VIP", "Follow-up")), ADMIN, tags=("Billing",))
    assert unknown == Refusal("not_found", {"tags": ["Follow-up", "VIP"]})
    decided = decide(visit, c.SetTags(("Follow-up", "Billing")), CLAIMANT, context(**FOLLOW_UP))
    assert isinstance(decided, Decided)
    assert decided.event is not None
    assert decided.event.note == "Follow-up, Billing"


def test_the_survey_is_answered_once_and_only_if_the_visit_took_place_and_the_clinic_asks() -> None:
    answer = c.AnswerSurvey(2, "Kind people")
    visit = does(ended(), answer, PATIENT, T0 + 9, **FOLLOW_UP)
    assert visit.survey is not None
    assert (visit.survey.choice, visit.survey.text, visit.survey.at_ms) == (2, "Kind people", T0 + 9)
    assert event_of(visit, answer, PATIENT, T0 + 99, **FOLLOW_UP) is None, "the reply was lost: no error"
    assert refused(visit, c.AnswerSurvey(5, ""), PATIENT, **FOLLOW_UP).code == "limit_reached"
    assert refused(ended(), answer, PATIENT).code == "not_allowed"
    for other in (Outcome.DECLINED, Outcome.WITHDRAWN, Outcome.EXPIRED):
        not_held = replace(ended(), outcome=other)
        assert refused(not_held, answer, PATIENT, **FOLLOW_UP).code == "wrong_status"
