"""Defines the form "After the visit": the tags that staff may set, and the survey for the patient.

Until an administrator saves the survey, its fields contain proposed words in the administrator's language. A
patient's answer is stored as the number of a choice, so new words of a choice apply to earlier answers too.
"""

from msgspec.structs import replace

from signalling.visit.record import Policy
from signalling.visit.survey import Tag
from web.languages.i18n import N_, gettext
from web.organisations.settings import Organisation, Survey, SurveyChoice, bounds, bounds_of
from web.pages.setup.frame import Form, Parsed, Posted, plain

MOST_TAGS = bounds(Policy, "tags").most
LONGEST_TAG = bounds_of(Tag).most
LONGEST_CHOICE = bounds_of(SurveyChoice).most
QUESTION, COMMENT = N_("How was your visit?"), N_("What went well, and what did not?")
CHOICES = (N_("Very good"), N_("Good"), N_("Fair"), N_("Poor"), N_("Very poor"))
TOO_LONG = N_("This is too long; at most %(most)s characters, please.")
LABELS = {
    "question": N_("Question"),
    "choices": N_("Five answers, one on each line"),
    "comment": N_("What stands over the free text"),
}
TEXTS = {"question": bounds(Survey, "question").most, "comment": bounds(Survey, "comment").most}


class After:
    """Handles the form of the set-up's section "After the visit"."""

    name = "after"
    template = "setup/after.html"

    def form(self, organisation: Organisation) -> Form:
        """Return the form, filled with the organisation's settings."""
        survey = organisation.survey
        fresh = survey.choices is None
        return {
            "tags": "\n".join(organisation.policy.tags),
            "survey": organisation.policy.survey,
            "question": gettext(QUESTION) if fresh else survey.question,
            "choices": "\n".join(survey.choices or map(gettext, CHOICES)),
            "comment": gettext(COMMENT) if fresh else survey.comment,
        }

    def parse(self, posted: Posted, organisation: Organisation) -> Parsed:
        """Check the posted form; return its values and a sentence for each wrong field."""
        tags = list(dict.fromkeys(_lines(posted.get("tags", ""), LONGEST_TAG)))
        choices = _lines(posted.get("choices", ""), LONGEST_CHOICE)
        form: Form = {
            "tags": "\n".join(tags),
            "survey": "survey" in posted,
            "choices": "\n".join(choices),
            **{name: plain(posted.get(name, ""), most) for name, most in TEXTS.items()},
        }
        errors = {
            name: gettext(TOO_LONG) % {"most": most} for name, most in TEXTS.items() if len(form[name]) > most
        }
        if len(tags) > MOST_TAGS:
            errors["tags"] = gettext("At most %(most)s tags, please.") % {"most": MOST_TAGS}
        for name, lines, longest in (("tags", tags, LONGEST_TAG), ("choices", choices, LONGEST_CHOICE)):
            if any(len(line) > longest for line in lines):
                errors[name] = gettext("At most %(most)s characters on a line, please.") % {"most": longest}
        if len(choices) != len(CHOICES):
            errors["choices"] = gettext("Write five answers, one on each line.")
        if form["survey"] and not form["question"]:
            errors["question"] = gettext("Write the question.")

        def apply(document: Organisation) -> Organisation:
            survey = Survey(
                question=form["question"],
                choices=(choices[0], choices[1], choices[2], choices[3], choices[4]),
                comment=form["comment"],
            )
            policy = replace(document.policy, tags=tuple(tags), survey=form["survey"])
            return replace(document, policy=policy, survey=survey)

        return Parsed(form, errors, apply)

    def shown(self, organisation: Organisation) -> dict[str, str]:
        """Return the section's settings in words: label -> text."""
        form, yes = self.form(organisation), {True: gettext("Yes"), False: gettext("No")}
        return {
            gettext("Tags, one on each line"): form["tags"],
            gettext("Patients are asked after their visit"): yes[form["survey"]],
            **{gettext(label): form[name] for name, label in LABELS.items()},
        }


def _lines(text: str, longest: int) -> list[str]:
    """Return the lines of a text that are not empty.

    Each line is cut to `longest` + 1 characters. If a returned line has more than `longest` characters, the line was
    longer than allowed.
    """
    return [line for found in text[:20_000].splitlines() if (line := plain(found, longest))]
