"""Defines the form of the rules and limits: durations, who may claim, and how long ended visits are kept.

`DURATIONS` and `CHOICES` together have a row for each field of `Policy` (the type of these rules and limits). A test
compares them with `Policy`, so that an administrator can change every rule. The bounds of a field are part of its type.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from signalling.visit.record import Policy
from web.languages.i18n import N_, gettext
from web.organisations.settings import Organisation, bounds
from web.pages.setup import messages_form
from web.pages.setup.frame import Form, Parsed, Posted, plain

SECOND, MINUTE, PATIENT = 1000, 60_000, 1
UNITS: Mapping[int, str] = {SECOND: N_("seconds"), MINUTE: N_("minutes"), PATIENT: N_("patients")}


class Duration(NamedTuple):
    """A field of the form for a duration, or for a number of patients.

    `unit_ms`: the unit of the typed number in ms; 1 for a number of patients.
    """

    label: str
    help: str
    unit_ms: int


DURATIONS: Mapping[str, Duration] = {
    "amber_ms": Duration(N_("A wait turns amber after"), N_("In On-Demand Requests."), MINUTE),
    "red_ms": Duration(N_("A wait turns red after"), N_("Later than amber."), MINUTE),
    "alert_waiting": Duration(
        N_("Alert when more wait than"),
        N_(
            "Everybody on call and all administrators are notified once, and again only after the queue was shorter. "
            "0: never."
        ),
        PATIENT,
    ),
    "alert_wait_ms": Duration(
        N_("Alert when somebody waits longer than"),
        N_("The same people are notified once, and again only after nobody had waited this long. 0: never."),
        MINUTE,
    ),
    "front_desk_ms": Duration(
        N_("Front desk first"),
        N_(
            "For this long, only administrators and the assigned provider can claim a new request. "
            "0: everybody at once."
        ),
        MINUTE,
    ),
    "assignment_ms": Duration(
        N_("An assignment is taken up within"),
        N_("Otherwise the request returns to everybody, and the administrator is told."),
        SECOND,
    ),
    "grace_ms": Duration(
        N_("A lost connection pauses the call after"),
        N_("Back within this time, nobody needs to press Start Session again."),
        SECOND,
    ),
    "return_grace_ms": Duration(
        N_("A provider who is gone gives the patient back after"),
        N_("The patient returns to the queue, at the old place."),
        SECOND,
    ),
    "away_expiry_ms": Duration(
        N_("A patient who is gone loses the place after"),
        N_("Until then it is kept, and staff see the patient as offline."),
        MINUTE,
    ),
    "off_call_ms": Duration(
        N_("On-Call goes off when a provider’s pages are closed for"),
        N_("The provider is told."),
        MINUTE,
    ),
    "invite_ms": Duration(N_("A guest’s link opens for"), N_("It works once."), MINUTE),
    "reopen_ms": Duration(N_("A provider may reopen a session within"), N_("0: never."), MINUTE),
}


class Choice(NamedTuple):
    """A yes-or-no field of `Policy`, the organisation's rules and limits, and its text in the form."""

    label: str
    help: str


CHOICES: Mapping[str, Choice] = {
    "needs_on_call": Choice(
        N_("Meet Now is open only while somebody is on call"),
        N_("Otherwise patients can stand in line at any time within the opening hours."),
    ),
    "urgent_first": Choice(
        N_("More urgent patients come first"),
        N_(
            "Then the longest wait. Otherwise the wait alone decides, and urgency is only shown. Patients see their "
            "place accordingly."
        ),
    ),
    "closes_line": Choice(
        N_("At closing time, the visits that still wait end"),
        N_(
            "Patients are told on the page and by mail, with the way to book a time. Otherwise they keep their place. "
            "Booked visits always do."
        ),
    ),
    "asks_closing": Choice(
        N_("At closing time, staff and patients who still wait are asked what to do"),
        N_(
            "Patients read that they can stay or leave, with the way to book a time. Staff are notified, and "
            "administrators can end the visits."
        ),
    ),
    "answers_waiting": Choice(
        N_("Patients can answer a message of staff while they wait"),
        N_(
            "At most five messages until staff write again. Otherwise they read it, and answer in the session."
        ),
    ),
    "claim_in_session": Choice(
        N_("Providers can claim another patient while they are in a session"),
        N_("Otherwise the session must be ended first."),
    ),
    "block_unlicensed": Choice(
        N_("A provider who is not licensed where the patient is cannot claim"),
        N_("Otherwise the provider is warned. Where somebody is licensed is set with each person."),
    ),
}
WORDS: Mapping[str, str] = {
    "emergency_word": N_("Emergency"),
    "urgent_word": N_("Urgent"),
    "routine_word": N_("Routine"),
}
"""Field for the clinic's own word for a level of urgency -> the word that pages use by default."""
RETENTION = "retention_days"
"""A field of this form, a number of days, that belongs to `Organisation`, not to `Policy`."""
EMERGENCY = "emergency_min"
"""A field of this form, a number of minutes, that belongs to `Organisation`, not to `Policy`."""
TWO_FACTOR = "admins_two_factor"
"""A yes-or-no field of this form that belongs to `Organisation`, not to `Policy`."""


LONGEST: Mapping[str, int] = {name: bounds(Policy, name).most for name in WORDS}


class PolicySection:
    """Handles the form of the set-up's section "Rules and limits"."""

    name = "policy"
    template = "setup/policy.html"

    def form(self, organisation: Organisation) -> Form:
        """Return the form, filled with the organisation's settings."""
        policy = organisation.policy
        return {
            **{name: _plain(getattr(policy, name) / row.unit_ms) for name, row in DURATIONS.items()},
            **{name: getattr(policy, name) for name in (*CHOICES, *WORDS)},
            RETENTION: str(organisation.retention_days),
            EMERGENCY: str(organisation.emergency_min),
            TWO_FACTOR: organisation.admins_two_factor,
            **messages_form.form_of(organisation),
        }

    def parse(self, posted: Posted, organisation: Organisation) -> Parsed:
        """Check the posted form; return its values and a sentence for each wrong field."""
        form: Form = {
            **{name: posted.get(name, "").strip().replace(",", ".")[:12] for name in DURATIONS},
            **{name: name in posted for name in CHOICES},
            **{name: plain(posted.get(name, ""), LONGEST[name]) for name in WORDS},
            RETENTION: posted.get(RETENTION, "").strip()[:8],
            EMERGENCY: posted.get(EMERGENCY, "").strip()[:8],
            TWO_FACTOR: TWO_FACTOR in posted,
            **messages_form.typed(posted),
        }
        numbers = {name: _number(form[name]) for name in DURATIONS}
        errors = {name: wrong for name in DURATIONS if (wrong := _wrong(name, numbers[name]))}
        errors |= messages_form.wrong(form)
        for name, most in LONGEST.items():
            if len(form[name]) > most:
                sentence = gettext("This is too long; at most %(most)s characters, please.")
                errors[name] = sentence % {"most": most}
        days = int(form[RETENTION]) if form[RETENTION].isascii() and form[RETENTION].isdigit() else 0
        kept = bounds(Organisation, RETENTION)
        if not kept.least <= days <= kept.most:
            sentence = gettext("Write a whole number of days from %(least)s to %(most)s.")
            errors[RETENTION] = sentence % kept._asdict()
        minutes = int(form[EMERGENCY]) if form[EMERGENCY].isascii() and form[EMERGENCY].isdigit() else -1
        lasts = bounds(Organisation, EMERGENCY)
        if not lasts.least <= minutes <= lasts.most:
            sentence = gettext("Write a whole number of minutes from %(least)s to %(most)s.")
            errors[EMERGENCY] = sentence % lasts._asdict()
        if not errors and numbers["red_ms"] <= numbers["amber_ms"]:
            errors["red_ms"] = gettext("Red must come later than amber.")
        if form["closes_line"] and form["asks_closing"]:
            errors["asks_closing"] = gettext("Choose one: visits end at closing time, or you are asked.")

        def apply(document: Organisation) -> Organisation:
            durations = {name: round(numbers[name] * row.unit_ms) for name, row in DURATIONS.items()}
            choices = {name: form[name] for name in (*CHOICES, *WORDS)}
            policy = replace(document.policy, **durations, **choices)
            return replace(
                document,
                policy=policy,
                retention_days=days,
                emergency_min=minutes,
                admins_two_factor=form[TWO_FACTOR],
                messages=messages_form.messages(form),
            )

        return Parsed(form, errors, apply)

    def shown(self, organisation: Organisation) -> dict[str, str]:
        """Return the section's settings in words: label -> text."""
        form = self.form(organisation)
        yes = {True: gettext("Yes"), False: gettext("No")}
        return {
            **{
                gettext(row.label): f"{form[name]} {gettext(UNITS[row.unit_ms])}"
                for name, row in DURATIONS.items()
            },
            **{gettext(row.label): yes[form[name]] for name, row in CHOICES.items()},
            **{_word_label(name): form[name] for name in WORDS},
            gettext("Days that ended visits are kept"): form[RETENTION],
            gettext("Minutes that emergency access lasts"): form[EMERGENCY],
            gettext("Administrators and auditors need two-factor sign-in"): yes[form[TWO_FACTOR]],
            **messages_form.shown(organisation),
        }


def _word_label(name: str) -> str:
    return gettext("Your word for “%(word)s”") % {"word": gettext(WORDS[name])}


def _wrong(name: str, number: float) -> str | None:
    """Return a sentence about what is wrong with a duration; None if nothing is wrong.

    `name`: the field; `number`: the typed value, in the unit that the table DURATIONS has for the field.
    """
    unit_ms, (least_ms, most_ms) = DURATIONS[name].unit_ms, bounds(Policy, name)
    if least_ms <= number * unit_ms <= most_ms:
        return None
    return gettext("Write a number of %(unit)s from %(least)s to %(most)s.") % {
        "unit": gettext(UNITS[unit_ms]),
        "least": least_ms // unit_ms,
        "most": most_ms // unit_ms,
    }


def _number(text: str) -> float:
    """Return the number in the text, or -1 if it is not a number."""
    whole, _, rest = text.partition(".")
    digits = whole + rest
    return float(text) if digits.isascii() and digits.isdigit() else -1.0


def _plain(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
