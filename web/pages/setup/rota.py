"""Serves the set-up's page of the on-call rota, the order in which staff get messages about unclaimed requests.

An administrator sets there who is in the rota, in which order, and at which hours. People choose the channels in
their preferences; `web.channels` sends the messages. The page lists the people whom no channel reached.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from aiohttp import web
from msgspec.structs import replace

from signalling.visit.record import STAFF_ROLES, Role
from web.channels.staff import channels_of, not_reached
from web.identity.accounts import Account
from web.keys import ACCOUNTS, JOBS
from web.languages.i18n import N_, day_names, gettext
from web.organisations.settings import Organisation, Rota, Turn, bounds
from web.pages.setup import calendar_form
from web.pages.setup.frame import Form, Parsed, Posted, admin, posted_to, save, show, when

MOST = bounds(Rota, "turns").most
SHOWN = 20
"""The greatest number of people in the page's list of staff whom no message has reached."""
CHANNELS = {"text": N_("Text message"), "push": N_("Notification")}
"""Channel of messages -> its name in the page's list of staff whom no message has reached."""


class Number(NamedTuple):
    """A field of the rota with a number of minutes, and its texts."""

    label: str
    help: str


NUMBERS = {
    "first_min": Number(
        N_("The first person gets a message when a patient has waited for"),
        N_("And nobody has claimed the patient. 0: no messages are sent."),
    ),
    "next_min": Number(
        N_("The next person gets one after a further"),
        N_("After the last one all administrators. Nobody gets two messages about one request."),
    ),
}


class RotaSection:
    """Handles the form of the set-up's section "On-call rota".

    `accounts`: all accounts of the organisation, disabled or not.
    """

    name = "rota"
    template = "setup/rota.html"

    def __init__(self, accounts: Sequence[Account]) -> None:
        self._names = {account.id: account.name for account in accounts}
        self._new = {account.id for account in accounts if not account.disabled}

    def form(self, organisation: Organisation) -> Form:
        """Return the form, filled with the organisation's settings."""
        rota = organisation.rota
        turns = [
            {
                "key": turn.person,
                "name": self._names.get(turn.person, turn.person),
                "place": str(place),
                "hours": calendar_form.clock_hours(turn.hours),
                "remove": False,
            }
            for place, turn in enumerate(rota.turns, 1)
        ]
        return {**{name: str(getattr(rota, name)) for name in NUMBERS}, "turns": turns, "new": ""}

    def parse(self, posted: Posted, organisation: Organisation) -> Parsed:
        """Check the posted form; return its values and a sentence for each wrong field."""
        keys = [key for key in dict.fromkeys(posted.getall("turn", [])) if key in self._names][: MOST + 1]
        rows = [self._typed(posted, key) for key in keys]
        form: Form = {name: posted.get(name, "").strip()[:8] for name in NUMBERS}
        form |= {"turns": rows, "new": posted.get("new", "")}
        errors = {
            name: sentence for name in NUMBERS if (sentence := _wrong_number(form[name], *bounds(Rota, name)))
        }
        for row in rows:
            errors |= _wrong(row)
        kept = [] if errors else [row for row in rows if not row["remove"]]
        turns = [_turn(row) for row in sorted(kept, key=lambda row: int(row["place"]))]
        if form["new"] in self._new and form["new"] not in {turn.person for turn in turns}:
            turns.append(Turn(person=form["new"], hours=organisation.hours))
        if len(turns) > MOST:
            errors["new"] = gettext("At most %(most)s people can be in the rota.") % {"most": MOST}

        def apply(document: Organisation) -> Organisation:
            numbers = {name: int(form[name]) for name in NUMBERS}
            return replace(document, rota=Rota(**numbers, turns=tuple(turns)))

        return Parsed(form, errors, apply)

    def shown(self, organisation: Organisation) -> dict[str, str]:
        """Return the on-call rota in words: label of a setting, or place and name of a person -> words."""
        rota = organisation.rota
        return {
            **{gettext(row.label): str(getattr(rota, name)) for name, row in NUMBERS.items()},
            **{
                f"{place}. {self._names.get(turn.person, turn.person)}": calendar_form.hours_words(turn.hours)
                for place, turn in enumerate(rota.turns, 1)
            },
        }

    def others(self, form: Form) -> list[tuple[str, str]]:
        """Return the id and the name of each person who is not in the rota and can be added."""
        known = {row["key"] for row in form["turns"]}
        return [(key, name) for key, name in self._names.items() if key in self._new - known]

    def _typed(self, posted: Posted, key: str) -> dict[str, Any]:
        return {
            "key": key,
            "name": self._names[key],
            "place": posted.get(f"{key}-place", "").strip()[:4],
            "hours": calendar_form.typed_hours(posted, f"{key}-"),
            "remove": f"{key}-remove" in posted,
        }


async def rota(request: web.Request) -> web.Response:
    """Answer GET …/setup/rota with the page of the on-call rota."""
    organisation, _ = await admin(request)
    accounts = await _staff(request, organisation)
    return show(
        request, organisation, RotaSection(accounts), **await _context(request, organisation, accounts)
    )


async def save_rota(request: web.Request) -> web.Response:
    """Answer POST …/setup/rota: save the on-call rota."""
    organisation, account = await admin(request)
    accounts = await _staff(request, organisation)
    more = await _context(request, organisation, accounts)
    posted = await posted_to(request)
    return await save(request, organisation, account, RotaSection(accounts), posted, **more)


async def _staff(request: web.Request, organisation: Organisation) -> list[Account]:
    accounts = await request.app[ACCOUNTS].list(organisation.id)
    return [one for one in accounts if one.role in STAFF_ROLES]


async def _context(
    request: web.Request, organisation: Organisation, accounts: Sequence[Account]
) -> dict[str, Any]:
    channels = await channels_of(request.app, organisation.id, accounts)
    in_rota = {turn.person for turn in organisation.rota.turns}
    unreached = not_reached(await request.app[JOBS].dead(organisation.id))
    return {
        "numbers": [(name, gettext(row.label), gettext(row.help)) for name, row in NUMBERS.items()],
        "day_names": day_names(),
        "people": [(one.id, one.name) for one in accounts if not one.disabled and one.id not in in_rota],
        "notes": {one.id: _note(one, channels[one.id]) for one in accounts},
        "no_admin": not any(
            channels[one.id] for one in accounts if one.role is Role.ADMIN and not one.disabled
        ),
        "unreached": [
            (when(one.at_ms, organisation), one.name, [gettext(CHANNELS[kind]) for kind in one.channels])
            for one in unreached[:SHOWN]
        ],
    }


def _note(account: Account, channels: tuple[str, ...]) -> str:
    """Return a sentence that says why a person of the rota gets no messages; "" if the person gets them.

    `channels`: the channels that reach the person.
    """
    if account.disabled:
        return gettext("This account is disabled: the person gets no message.")
    if not channels:
        return gettext("Has not chosen in their settings how to get messages: the rota goes on to the next.")
    return ""


def _wrong(row: dict[str, Any]) -> dict[str, str]:
    if row["remove"]:
        return {}
    key = row["key"]
    errors = {
        f"{key}-hours-{day}": sentence for day, sentence in calendar_form.wrong_week(row["hours"]).items()
    }
    if sentence := _wrong_number(row["place"], 1, MOST):
        errors[f"{key}-place"] = sentence
    return errors


def _wrong_number(text: str, least: int, most: int) -> str:
    number = int(text) if text.isascii() and text.isdigit() else -1
    if least <= number <= most:
        return ""
    return gettext("Write a whole number from %(least)s to %(most)s.") % {"least": least, "most": most}


def _turn(row: dict[str, Any]) -> Turn:
    return Turn(person=row["key"], hours=tuple(calendar_form.spans_of(day) for day in row["hours"]))
