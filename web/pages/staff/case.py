"""Returns a patient's Case Information in words, for pages that the server draws.

On pages that scripts draw, `shared/case.js` shows the Case Information.
"""

import re
from typing import NamedTuple

from signalling.visit.record import Visit
from signalling.visit.setup_guide import Guide, visible
from web.languages.i18n import gettext
from web.organisations.settings import Organisation
from web.pages.setup.frame import when
from web.pages.staff.answers import answer_words, day_words, language_name


class Fact(NamedTuple):
    """A value of the patient information form, with its label. `path`: the URL of the value's link, "" for no link."""

    label: str
    value: str
    path: str = ""


def facts_of(visit: Visit, organisation: Organisation) -> list[Fact]:
    """Return the time of arrival and the values of the patient information form, without empty values."""
    patient = visit.patient
    dialled = re.sub(r"[^+\d]", "", patient.phone)
    facts = (
        Fact(gettext("Arrived"), when(visit.arrived_ms, organisation)),
        Fact(gettext("Date of birth"), day_words(patient.birth_date)),
        Fact(gettext("Region"), organisation.regions.get(patient.state, patient.state)),
        Fact(gettext("Phone"), patient.phone_shown or patient.phone, f"tel:{dialled}"),
        Fact(gettext("Email"), patient.email),
        Fact(gettext("Language"), language_name(patient.language)),
        Fact(gettext("Reason for the visit"), patient.reason),
        Fact(gettext("Filled in by"), patient.filled_in_by or ""),
    )
    return [fact for fact in facts if fact.value]


def answers_of(visit: Visit, guide: Guide) -> list[tuple[str, str]]:
    """Return (title of a step, answer) of the steps that are asked of the patient and have an answer."""
    found = (
        (step.title, answer_words(step.kind, visit.answers.get(step.id)))
        for step in visible(guide, visit.answers)
    )
    return [(title, words) for title, words in found if words]
