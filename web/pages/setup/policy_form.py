"""The form of the rules and limits: durations, who may claim, and how long ended visits are kept.

Pure. `DURATIONS` and `CHOICES` are the policy's fields, one row each; a test compares them with the policy itself, so
that an administrator can change every rule.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from web.languages.i18n import N_, gettext
from web.organisations.settings import RETENTION_DAYS, Organisation
from web.pages.setup.frame import Form, Parsed, Posted

SECOND, MINUTE = 1000, 60_000
UNITS: Mapping[int, str] = {SECOND: N_("seconds"), MINUTE: N_("minutes")}


class Duration(NamedTuple):
    """A duration of the policy in the form: its unit in ms and its bounds in that unit, both included."""

    label: str
    help: str
    unit_ms: int
    least: int
    most: int


DURATIONS: Mapping[str, Duration] = {
    "amber_ms": Duration(N_("A wait turns amber after"), N_("In On-Demand Requests."), MINUTE, 1, 1440),
    "red_ms": Duration(N_("A wait turns red after"), N_("Later than amber."), MINUTE, 1, 1440),
    "front_desk_ms": Duration(
        N_("Front desk first"),
        N_(
            "So long, only administrators and the assigned provider can claim a new request. 0: everybody at once."
        ),
        MINUTE,
        0,
        240,
    ),
    "assignment_ms": Duration(
        N_("An assignment is taken up within"),
        N_("Otherwise the request returns to everybody, and the administrator is told."),
        SECOND,
        10,
        3600,
    ),
    "grace_ms": Duration(
        N_("A lost connection pauses the call after"),
        N_("Back within this time, nobody needs to press Start Session again."),
        SECOND,
        5,
        600,
    ),
    "return_grace_ms": Duration(
        N_("A provider who is gone gives the patient back after"),
        N_("The patient returns to the queue, at the old place."),
        SECOND,
        15,
        3600,
    ),
    "away_expiry_ms": Duration(
        N_("A patient who is gone loses the place after"),
        N_("Until then it is kept, and staff see the patient as offline."),
        MINUTE,
        5,
        1440,
    ),
    "off_call_ms": Duration(
        N_("On-Call goes off when a provider’s pages are closed for"),
        N_("The provider is told."),
        MINUTE,
        1,
        240,
    ),
    "invite_ms": Duration(N_("A guest’s link opens for"), N_("It works once."), MINUTE, 1, 30),
    "reopen_ms": Duration(N_("A provider may reopen a session within"), N_("0: never."), MINUTE, 0, 1440),
}


class Choice(NamedTuple):
    """A yes-or-no field of the policy, and its text."""

    label: str
    help: str


CHOICES: Mapping[str, Choice] = {
    "needs_on_call": Choice(
        N_("Meet Now is open only while somebody is on call"),
        N_("Otherwise patients can stand in line at any time within the opening hours."),
    ),
    "claim_in_session": Choice(
        N_("Providers can claim another patient while they are in a session"),
        N_("Otherwise the session must be ended first."),
    ),
    "block_unlicensed": Choice(
        N_("A provider who is not licensed in the patient’s state cannot claim"),
        N_("Otherwise the provider is warned. Licensed states are set with each person."),
    ),
}
RETENTION = "retention_days"
"""A field of this form that belongs to the document, not to the policy: a number of days."""
TWO_FACTOR = "admins_two_factor"
"""Like `RETENTION`, but a yes-or-no field."""

IN_CALENDAR = frozenset({"show_place", "show_wait"})
"""The policy's fields that the calendar's form asks for."""


class PolicySection:
    """The section "Rules and limits"."""

    name = "policy"
    template = "setup/policy.html"

    def form(self, organisation: Organisation) -> Form:
        """Return the form with the values of the document."""
        policy = organisation.policy
        return {
            **{name: _plain(getattr(policy, name) / row.unit_ms) for name, row in DURATIONS.items()},
            **{name: getattr(policy, name) for name in CHOICES},
            RETENTION: str(organisation.retention_days),
            TWO_FACTOR: organisation.admins_two_factor,
        }

    def parse(self, posted: Posted, organisation: Organisation) -> Parsed:
        """Return the posted form, with a sentence for each wrong field."""
        form: Form = {
            **{name: posted.get(name, "").strip().replace(",", ".")[:12] for name in DURATIONS},
            **{name: name in posted for name in CHOICES},
            RETENTION: posted.get(RETENTION, "").strip()[:8],
            TWO_FACTOR: TWO_FACTOR in posted,
        }
        numbers = {name: _number(form[name]) for name in DURATIONS}
        errors = {
            name: gettext("Write a number of %(unit)s from %(least)s to %(most)s.")
            % {"unit": gettext(UNITS[row.unit_ms]), "least": row.least, "most": row.most}
            for name, row in DURATIONS.items()
            if not row.least <= numbers[name] <= row.most
        }
        days = int(form[RETENTION]) if form[RETENTION].isascii() and form[RETENTION].isdigit() else 0
        if days not in RETENTION_DAYS:
            errors[RETENTION] = gettext("Write a whole number of days from %(least)s to %(most)s.") % {
                "least": RETENTION_DAYS.start,
                "most": RETENTION_DAYS.stop - 1,
            }
        if not errors and numbers["red_ms"] <= numbers["amber_ms"]:
            errors["red_ms"] = gettext("Red must come later than amber.")

        def apply(document: Organisation) -> Organisation:
            durations = {name: round(numbers[name] * row.unit_ms) for name, row in DURATIONS.items()}
            choices = {name: form[name] for name in CHOICES}
            policy = replace(document.policy, **durations, **choices)
            return replace(document, policy=policy, retention_days=days, admins_two_factor=form[TWO_FACTOR])

        return Parsed(form, errors, apply)

    def shown(self, organisation: Organisation) -> dict[str, str]:
        """Return the section in words, by label."""
        form = self.form(organisation)
        yes = {True: gettext("Yes"), False: gettext("No")}
        return {
            **{
                gettext(row.label): f"{form[name]} {gettext(UNITS[row.unit_ms])}"
                for name, row in DURATIONS.items()
            },
            **{gettext(row.label): yes[form[name]] for name, row in CHOICES.items()},
            gettext("Days that ended visits are kept"): form[RETENTION],
            gettext("Administrators need two-factor sign-in"): yes[form[TWO_FACTOR]],
        }


def _number(text: str) -> float:
    """Return the number in the text, or -1 if it is not a number."""
    whole, _, rest = text.partition(".")
    digits = whole + rest
    return float(text) if digits.isascii() and digits.isdigit() else -1.0


def _plain(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
