"""Returns a patient's Case Information in words, for pages that the server draws.

In scripts, `shared/case.js` draws it.
"""

from signalling.visit.record import Visit
from signalling.visit.setup_guide import Guide, visible
from web.languages.i18n import gettext
from web.organisations.settings import Organisation
from web.pages.setup.frame import when
from web.pages.staff.answers import answer_words, day_words, language_name


def facts_of(visit: Visit, organisation: Organisation) -> list[tuple[str, str]]:
    """Return (label, value) of what the patient wrote into the patient information form, without empty values."""
    patient = visit.patient
    facts = (
        (gettext("Arrived"), when(visit.arrived_ms, organisation)),
        (gettext("Date of birth"), day_words(patient.birth_date)),
        (gettext("Region"), organisation.regions.get(patient.state, patient.state)),
        (gettext("Phone"), patient.phone_shown or patient.phone),
        (gettext("Email"), patient.email),
        (gettext("Language"), language_name(patient.language)),
        (gettext("Reason for the visit"), patient.reason),
        (gettext("Filled in by"), patient.filled_in_by or ""),
    )
    return [(label, value) for label, value in facts if value]


def answers_of(visit: Visit, guide: Guide) -> list[tuple[str, str]]:
    """Return (title of a step, answer) of the steps that are asked of the patient and have an answer."""
    found = (
        (step.title, answer_words(step.kind, visit.answers.get(step.id)))
        for step in visible(guide, visit.answers)
    )
    return [(title, words) for title, words in found if words]
