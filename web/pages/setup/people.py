"""Serves the set-up's page of people: the accounts that may sign in, with their roles and licensed states.

Only the owner of an account knows its password: a new person, or a person whose password is reset, receives a one-time
link by mail. The administrator sees the link too. If two administrators change the same person at once, the second
change is not saved, and its author sees a message.
"""

import hashlib
from typing import Any, NamedTuple

from aiohttp import web

from signalling.visit.record import Role
from web.audit.noting import noted
from web.errors import AccountError
from web.identity.accounts import Account
from web.identity.invitations import HOURS, Invitations
from web.identity.second_factor import turn_off
from web.identity.visitors import enrol
from web.keys import ACCOUNTS, MAIL_QUEUE, REDIS, SERVICE, SETTINGS
from web.languages.i18n import N_, gettext
from web.organisations.settings import Organisation
from web.pages.errors import not_found
from web.pages.setup.frame import Form, Posted, admin, draw, path_of, plain, posted_to
from web.pages.staff.two_factor import notify
from web.requests.security import origin_of

ROLES: dict[Role, str] = {
    Role.PROVIDER: N_("Provider"),
    Role.ADMIN: N_("Administrator"),
    Role.AUDITOR: N_("Auditor"),
}
CHANGED = N_(
    "Somebody else has changed this person meanwhile. Look at what is saved now, above; save again to put yours in its "
    "place."
)
NOT_ONESELF = N_("You cannot do this to your own account; ask another administrator.")


class Shown(NamedTuple):
    """Additions to the list of people: a form with errors, or a new one-time link.

    `person`: the id of the person in the form with errors, "" for the form that adds a person.
    """

    person: str | None = None
    form: Form = {}  # noqa: RUF012 - no code changes this dictionary
    errors: dict[str, str] = {}  # noqa: RUF012 - no code changes this dictionary
    status: int = 200
    link: str = ""
    linked: Account | None = None


async def people(request: web.Request) -> web.Response:
    """Answer GET …/setup/people with the list of people who have an account of the organisation."""
    organisation, account = await admin(request)
    return await _draw(request, organisation, account, Shown())


async def add_person(request: web.Request) -> web.Response:
    """Answer POST …/setup/people: add a person; the page shows the one-time link with which they set a password."""
    organisation, account = await admin(request)
    posted = await posted_to(request)
    form = _typed(posted, organisation)
    errors = _wrong(form, new=True)
    if not errors and await request.app[ACCOUNTS].find(organisation.id, form["email"]) is not None:
        errors["email"] = gettext("There is an account for this email address already.")
    if not errors:
        try:
            added = await request.app[ACCOUNTS].add(
                organisation.id,
                email=form["email"],
                name=form["name"],
                role=Role(form["role"]),
                states=tuple(form["states"]),
                password=None,
            )
        except AccountError:
            errors["email"] = gettext("Write an email address such as ana@example.org.")
    if errors:
        return await _draw(request, organisation, account, Shown("", form, errors, 422))
    if form["areas"]:
        added = await _save(request, organisation, added, form)
    await noted(request, "account.added", added.id)
    return await _linked(request, organisation, account, added, "invite")


async def change_person(request: web.Request) -> web.Response:
    """Answer POST …/setup/people/{person}: carry out the action that the field `do` names."""
    organisation, account = await admin(request)
    posted = await posted_to(request)
    person = await request.app[ACCOUNTS].get(organisation.id, request.match_info["person"])
    if person is None:
        links = [(gettext("People"), path_of(organisation, "people"))]
        return not_found(
            request, gettext("There is no such person"), gettext("The link may be cut off."), links
        )
    form = _typed(posted, organisation, person.states)
    do = posted.get("do", "")
    if do not in DOING:
        raise web.HTTPBadRequest
    errors = _wrong(form, new=False) if do == "save" else {}
    moves = do in ("disable", "reset", "two-factor") or (do == "save" and form["role"] != person.role)
    status = 422
    if moves and person.id == account.id:
        errors[""] = gettext(NOT_ONESELF)
    elif not errors and posted.get("seen") != fingerprint(person):
        errors[""], status = gettext(CHANGED), 409
    if not errors:
        try:
            changed = await DOING[do](request, organisation, person, form)
        except AccountError as error:
            errors[""] = gettext(str(error))
    if errors:
        return await _draw(request, organisation, account, Shown(person.id, form, errors, status))
    await noted(request, ACTS[do], changed.id)
    if do == "reset":
        return await _linked(request, organisation, account, changed, "password")
    await enrol(request.app[SERVICE], organisation.id, changed)
    raise web.HTTPSeeOther(path_of(organisation, "people") + "?saved")


async def _save(request: web.Request, organisation: Organisation, person: Account, form: Form) -> Account:
    return await request.app[ACCOUNTS].edit(
        organisation.id,
        person.email,
        name=form["name"],
        role=Role(form["role"]),
        states=tuple(form["states"]),
        areas=tuple(form["areas"]),
    )


async def _disable(request: web.Request, organisation: Organisation, person: Account, _: Form) -> Account:
    return await request.app[ACCOUNTS].disable(organisation.id, person.email)


async def _enable(request: web.Request, organisation: Organisation, person: Account, _: Form) -> Account:
    return await request.app[ACCOUNTS].enable(organisation.id, person.email)


async def _lost(request: web.Request, organisation: Organisation, person: Account, _: Form) -> Account:
    changed = await turn_off(request.app[REDIS], request.app[ACCOUNTS], organisation.id, person.email)
    await notify(request, organisation, changed, "reset")
    return changed


async def _reset(request: web.Request, organisation: Organisation, person: Account, _: Form) -> Account:
    return await request.app[ACCOUNTS].forget_password(organisation.id, person.email)


DOING = {"save": _save, "disable": _disable, "enable": _enable, "reset": _reset, "two-factor": _lost}

ACTS = {
    "save": "account.changed",
    "disable": "account.disabled",
    "enable": "account.enabled",
    "reset": "account.password_reset",
    "two-factor": "account.second_factor_off",
}


def fingerprint(person: Account) -> str:
    """Return a hash of the values in a person's form. A later comparison shows whether they were changed."""
    access = (person.disabled, bool(person.hash), person.second_factor)
    values = repr((person.name, person.role, person.states, person.areas, *access))
    return hashlib.sha256(values.encode()).hexdigest()[:16]


async def _linked(
    request: web.Request, organisation: Organisation, account: Account, person: Account, letter: str
) -> web.Response:
    """Make a one-time link for a person, mail the link to the person, and return the page that shows it to the
    administrator.

    `account`: the administrator; `person`: the person's account; `letter`: the name of the mail.
    """
    token = await Invitations(request.app[REDIS], request.app[ACCOUNTS]).make(organisation.id, person)
    origin = origin_of(request, request.app[SETTINGS].server.public_url.rstrip("/"))
    link = f"{origin}/{organisation.id}/staff/invitation/{token}"
    context: dict[str, Any] = {"name": person.name, "url": link, "hours": HOURS}
    if letter == "invite":
        context |= {"by": account.name, "auditor": person.role is Role.AUDITOR}
    await request.app[MAIL_QUEUE].queue(
        organisation.id,
        letter,
        person.email,
        person.language or organisation.languages[0],
        context,
        now_ms=request.app[SERVICE].clock_ms(),
    )
    return await _draw(request, organisation, account, Shown(link=link, linked=person))


def _typed(posted: Posted, organisation: Organisation, states: tuple[str, ...] = ()) -> Form:
    """Return the values that were typed into the form. `posted`: its fields.

    `states`: the person's present licensed states, which stay unchanged if the organisation has no regions.
    """
    regions, chosen = organisation.regions, posted.getall("states", [])
    return {
        "name": plain(posted.get("name", ""), 100),
        "email": posted.get("email", "").strip()[:255],
        "role": posted.get("role", ""),
        "states": [code for code in regions if code in chosen] if regions else list(states),
        "areas": [area for area in organisation.area_names if area in posted.getall("areas", [])],
    }


def _wrong(form: Form, *, new: bool) -> dict[str, str]:
    errors = {}
    if not 1 <= len(form["name"]) <= 100:
        errors["name"] = gettext("Write the person’s name, in 1 to 100 characters.")
    if new and "@" not in form["email"]:
        errors["email"] = gettext("Write the person’s email address.")
    if form["role"] not in ROLES:
        errors["role"] = gettext("Choose what the person is.")
    return errors


async def _draw(
    request: web.Request, organisation: Organisation, account: Account, shown: Shown
) -> web.Response:
    accounts = await request.app[ACCOUNTS].list(organisation.id)
    new: Form = {"name": "", "email": "", "role": Role.PROVIDER, "states": [], "areas": []}
    rows = [
        {
            "account": person,
            "id": person.id,
            "role": gettext(ROLES[person.role]),
            "mine": person.id == account.id,
            "seen": fingerprint(person),
            "form": shown.form
            if shown.person == person.id
            else {"name": person.name, "role": person.role, "states": person.states, "areas": person.areas},
            "errors": shown.errors if shown.person == person.id else {},
        }
        for person in accounts
    ]
    prefix = shown.person or "new"
    context = {
        "rows": rows,
        "new": shown.form if shown.person == "" else new,
        "new_errors": shown.errors if shown.person == "" else {},
        "errors": {name and f"{prefix}-{name}": text for name, text in shown.errors.items()},
        "regions": list(organisation.regions.items()),
        "areas": list(organisation.area_names.items()),
        "roles": [(role, gettext(label)) for role, label in ROLES.items()],
        "link": shown.link,
        "linked": shown.linked,
        "hours": HOURS,
    }
    return draw(request, organisation, "people", "setup/people.html", context, shown.status)
