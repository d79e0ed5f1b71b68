"""Serves the pages of the set-up that have no module of their own, such as the calendar and the entry links.

This module also defines the steps of a first set-up, and when each is done. The fields of a form are defined in its
form module, such as `calendar_form.py`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from aiohttp import web
from markupsafe import escape
from yarl import URL

from signalling.visit.record import Role
from web.identity.accounts import Account
from web.keys import ACCOUNTS, SETTINGS
from web.languages.i18n import N_, day_names, gettext
from web.organisations.countries import countries
from web.organisations.settings import LANGUAGES, Organisation, bounds
from web.pages.setup import after_form, calendar_form, messages_form, policy_form
from web.pages.setup.emergency import end_if_turned_off
from web.pages.setup.frame import Section, admin, draw, path_of, posted_to, save, show
from web.requests.security import origin_of

CALENDAR = calendar_form.Calendar()
POLICY = policy_form.PolicySection()
AFTER = after_form.After()


class Step(NamedTuple):
    """A step of the first set-up: its page, and a function that returns whether it is done."""

    page: str
    label: str
    help: str
    done: Callable[[Organisation, Sequence[Account]], bool]


def _checked(name: str) -> Callable[[Organisation, Sequence[Account]], bool]:
    return lambda organisation, _: name in organisation.checked


STEPS: tuple[Step, ...] = (
    Step(
        "calendar",
        N_("Set up the public-facing calendar"),
        N_("Name, time zone, opening hours, closed days, texts and colour."),
        _checked("calendar"),
    ),
    Step(
        "guide",
        N_("Build the setup guide"),
        N_("What patients answer while they wait: questions, consents, the device check."),
        _checked("guide"),
    ),
    Step(
        "people",
        N_("Add the people who will see patients"),
        N_("Providers with the states they are licensed in, and at least one more administrator."),
        lambda _, accounts: any(a.role is Role.PROVIDER and not a.disabled for a in accounts),
    ),
    Step(
        "policy",
        N_("Look at the rules and limits"),
        N_("Who may claim, how long things may take, when waits turn amber and red."),
        _checked("policy"),
    ),
    Step(
        "links",
        N_("Give patients their link"),
        N_("Then try it: Meet Now in one window, On-Call in another."),
        lambda organisation, _: {"calendar", "guide", "policy"} <= set(organisation.checked),
    ),
)


class Link(NamedTuple):
    """A link that a clinic gives to patients or to staff.

    `path`: the part of its address after the organisation's path, "" for that path itself.
    """

    path: str
    label: str
    help: str


LINKS: tuple[Link, ...] = (
    Link("", N_("Patients"), N_("The public-facing calendar with Meet Now.")),
    Link("/staff", N_("Staff"), N_("Sign-in, Sessions List and the set-up.")),
)


FRAME = '<iframe src="{url}" title="{name}" allow="{allow}" style="width: 100%; height: 100vh; border: 0"></iframe>'
"""The HTML code by which another site shows the public-facing calendar in a frame."""
DELEGATED = (
    "camera",
    "microphone",
    "display-capture",
    "autoplay",
    "fullscreen",
    "screen-wake-lock",
    "speaker-selection",
)
"""The permissions that a site must give to the frame (Permissions Policy); otherwise a visit has no picture and no
sound.
"""


async def overview(request: web.Request) -> web.Response:
    """Answer GET …/setup with the checklist of the first set-up."""
    organisation, _ = await admin(request)
    accounts = await request.app[ACCOUNTS].list(organisation.id)
    steps = [
        {
            "href": path_of(organisation, step.page),
            "label": gettext(step.label),
            "help": gettext(step.help),
            "done": step.done(organisation, accounts),
        }
        for step in STEPS
    ]
    return draw(request, organisation, "", "setup/overview.html", {"steps": steps})


async def calendar(request: web.Request) -> web.Response:
    """Answer GET …/setup/calendar with the form of the public-facing calendar."""
    organisation, _ = await admin(request)
    return show(request, organisation, CALENDAR, **calendar_context())


async def save_calendar(request: web.Request) -> web.Response:
    """Answer POST …/setup/calendar: save the form of the public-facing calendar."""
    return await _save(request, CALENDAR, **calendar_context())


async def policy(request: web.Request) -> web.Response:
    """Answer GET …/setup/policy with the form of the rules and limits."""
    organisation, _ = await admin(request)
    return show(request, organisation, POLICY, **_policy_context())


async def save_policy(request: web.Request) -> web.Response:
    """Answer POST …/setup/policy: save the form of the rules and limits."""
    organisation, account = await admin(request)
    fields = await posted_to(request)
    try:
        return await save(request, organisation, account, POLICY, fields, **_policy_context())
    except web.HTTPSeeOther:  # `save` redirects after it has saved the form
        await end_if_turned_off(request, account)
        raise


async def after(request: web.Request) -> web.Response:
    """Answer GET …/setup/after with the form "After the visit"."""
    organisation, _ = await admin(request)
    return show(request, organisation, AFTER, **_after_context())


async def save_after(request: web.Request) -> web.Response:
    """Answer POST …/setup/after: save the sent form "After the visit"."""
    return await _save(request, AFTER, **_after_context())


async def links(request: web.Request) -> web.Response:
    """Answer GET …/setup/links with the links for patients and staff."""
    organisation, _ = await admin(request)
    origin = origin_of(request, request.app[SETTINGS].server.public_url.rstrip("/"))
    found = [
        {
            "label": gettext(link.label),
            "help": gettext(link.help),
            "path": f"/{organisation.id}{link.path}",
            "url": f"{origin}/{organisation.id}{link.path}",
            "qr": f"/{organisation.id}/qr.svg" if not link.path else "",
        }
        for link in LINKS
    ]
    found += [
        {
            "label": area.name,
            "help": gettext("The calendar of this waiting area."),
            "path": f"/{organisation.id}/{area.id}",
            "url": f"{origin}/{organisation.id}/{area.id}",
            "qr": f"/{organisation.id}/qr.svg?area={area.id}",
        }
        for area in organisation.areas
    ]
    context = {
        "links": found,
        "frame": FRAME.format(
            url=found[0]["url"], name=escape(organisation.name), allow="; ".join(DELEGATED)
        ),
        "origin": URL(origin).origin(),
    }
    return draw(request, organisation, "links", "setup/links.html", context)


async def _save(request: web.Request, section: Section, **more: Any) -> web.Response:
    organisation, account = await admin(request)
    return await save(request, organisation, account, section, await posted_to(request), **more)


def calendar_context() -> dict[str, Any]:
    """Return the values for the template of the set-up's page "Calendar", except those of its form."""
    return {
        "languages": list(LANGUAGES.items()),
        "zones": calendar_form.zones(),
        "countries": list(countries().items()),
        "day_names": day_names(),
        "choices": [(name, gettext(label)) for name, label in calendar_form.CHOICES.items()],
        "bookable": [(name, gettext(label)) for name, label in calendar_form.BOOKABLE.items()],
        "longest": {
            **{name: bounds(Organisation, name).most for name in calendar_form.TEXTS},
            "frame_origins": calendar_form.SITES_LENGTH,
        },
        "numbers": [
            (name, gettext(row.label), gettext(row.unit)) for name, row in calendar_form.NUMBERS.items()
        ],
    }


def _after_context() -> dict[str, Any]:
    tags = after_form.MOST_TAGS * (after_form.LONGEST_TAG + 1)
    choices = len(after_form.CHOICES) * (after_form.LONGEST_CHOICE + 1)
    return {
        "labels": {name: gettext(label) for name, label in after_form.LABELS.items()},
        "longest": {**after_form.TEXTS, "tags": tags, "choices": choices},
    }


def _policy_context() -> dict[str, Any]:
    return {
        "choices": list(policy_form.CHOICES.items()),
        "words": list(policy_form.WORDS.items()),
        "longest": {**policy_form.LONGEST, **{say: messages_form.LONGEST for _, say in messages_form.ROWS}},
        "messages": messages_form.ROWS,
        "durations": [
            (name, row, gettext(policy_form.UNITS[row.unit_ms]))
            for name, row in policy_form.DURATIONS.items()
        ],
    }
