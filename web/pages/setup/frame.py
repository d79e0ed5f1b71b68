"""Contains the common parts of the set-up's pages: check of the role, frame, and saving without overwriting another
person's changes.

The settings of an organisation are one document in the store, and each saved change gives it a new revision. A form
contains the revision from which it was made. If another person has saved the same section since, nothing is written,
and the page is shown again with the typed values and the other changes (HTTP 409).
"""

import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from aiohttp import web
from msgspec.structs import replace
from multidict import MultiDictProxy

from signalling.visit.record import Role
from web.errors import OrganisationError
from web.identity.accounts import Account
from web.identity.visitors import require, was_signed_in
from web.keys import ORGANISATION, ORGANISATIONS, SIGNED_IN
from web.languages.i18n import N_, date_words, gettext, time_words
from web.organisations.by_path import UnknownOrganisation
from web.organisations.settings import Organisation
from web.pages.errors import Handler
from web.pages.rendering import page
from web.pages.staff.frame import staff_page
from web.requests.fields import LARGEST_BYTES, PATIENT_BYTES, read_fields

ATTEMPTS = 20

Posted = MultiDictProxy[str]
Form = dict[str, Any]


class Parsed(NamedTuple):
    """The result of reading a posted form.

    It has the values to show again, a sentence for each wrong field, and a function that applies the values to the
    settings.
    """

    form: Form
    errors: dict[str, str]
    apply: Callable[[Organisation], Organisation]


class Section(Protocol):
    """A page of the set-up with a form for a part of the organisation's settings."""

    name: str
    template: str

    def form(self, organisation: Organisation) -> Form:
        """Return the form, filled with the organisation's settings."""

    def parse(self, posted: Posted, organisation: Organisation) -> Parsed:
        """Check the posted form and return the result. `organisation`: the settings before the change."""

    def shown(self, organisation: Organisation) -> Mapping[str, str]:
        """Return the section's settings in words (label -> text), so that two versions can be compared."""


class Change(NamedTuple):
    """A value of a section that another person has changed since the form of the section was shown."""

    label: str
    before: str
    now: str


class Conflict(NamedTuple):
    """Describes a conflict: another person has saved the section since the form was shown.

    It has the person's name ("" if unknown), the time, and the changes.
    """

    by: str
    at: str
    changes: list[Change]


ADMIN = web.RequestKey("administrator", Account)
"""The key under which each request to the set-up keeps the signed-in administrator or auditor."""

PAGES: tuple[tuple[str, str], ...] = (
    ("", N_("First set-up")),
    ("calendar", N_("Public-facing calendar")),
    ("guide", N_("Setup guide")),
    ("areas", N_("Waiting areas")),
    ("people", N_("People")),
    ("rota", N_("On-call rota")),
    ("policy", N_("Rules and limits")),
    ("after", N_("After the visit")),
    ("translations", N_("Translations")),
    ("mail", N_("Mail")),
    ("texts", N_("Text messages")),
    ("links", N_("Entry links")),
    ("facilities", N_("Facilities")),
    ("api", N_("Programs")),
    ("deliveries", N_("Deliveries")),
    ("patients", N_("Records of a patient")),
    ("emergency", N_("Emergency access")),
    ("audit", N_("Audit log")),
)
"""The pages of the set-up: last part of the path, and name; in the order of the navigation."""


async def admin(request: web.Request, *more: Role) -> tuple[Organisation, Account]:
    """Return the organisation as it is in the store now, and the signed-in administrator.

    `more`: other roles that may open the page as well.

    Raises HTTP 404 if there is no such organisation, 303 if nobody is signed in, and 403 for an account with
    another role.
    """
    name = request.match_info["organisation"]
    organisation = await request.app[ORGANISATIONS].read(name)
    if organisation is None:
        raise UnknownOrganisation
    request[ORGANISATION] = organisation
    account = request[ADMIN] = await require(request, name, Role.ADMIN, *more)
    return organisation, account


async def posted_to(request: web.Request) -> Posted:
    """Return the fields of a form of the set-up, which may be larger than a form of a patient.

    Raises HTTP 408, 413 or 415 if the form takes too long, is too large, or is no form. The larger size is allowed
    only if somebody is signed in, or was signed in until the sign-in ended by its time limit.
    """
    known = SIGNED_IN in request or await was_signed_in(request, request.match_info["organisation"])
    return await read_fields(request, LARGEST_BYTES if known else PATIENT_BYTES)


def keeping(handler: Handler) -> Handler:
    """Return a handler that calls `handler`, but shows a posted form again if the sign-in has ended.

    In this case the answer is HTTP 401, with a page that contains the fields of the form. The person signs in on
    another tab, and sends the fields again from this page.
    """

    async def keep(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPSeeOther as on:
            sign_in = str(on.location)
            if not sign_in.endswith(("/staff/sign-in", "/staff/two-factor")):
                raise
        posted = await posted_to(request)
        context = {"fields": list(posted.items()), "action": request.path_qs, "sign_in": sign_in}
        return page(
            request, "setup/signed_out.html", context, title=gettext("You are signed out"), status=401
        )

    return keep


def plain(text: str, longest: int, *, lines: bool = False) -> str:
    """Return the text without control characters, cut to `longest` + 1 characters.

    If the result has more than `longest` characters, the text was longer than allowed. If `lines` is false, line breaks
    and runs of spaces become one space.
    """
    text = text.replace("\r\n", "\n")
    kept = "".join(
        " " if unicodedata.category(char) in ("Cc", "Cs") and char != "\n" else char for char in text
    )
    return (kept.strip() if lines else " ".join(kept.split()))[: longest + 1]


def path_of(organisation: Organisation, name: str = "") -> str:
    """Return the path of the page with this name in the set-up; "" for its first page."""
    return f"/{organisation.id}/staff/setup" + (f"/{name}" if name else "")


def draw(
    request: web.Request,
    organisation: Organisation,
    name: str,
    template: str,
    context: Mapping[str, Any],
    status: int = 200,
) -> web.Response:
    """Return a page of the set-up, with the navigation and the heading that all its pages have.

    `name`: the key of the page in the table PAGES; `context`: the values for the template.
    """
    title, account = gettext(dict(PAGES)[name]), request[ADMIN]
    shown = PAGES if account.role is Role.ADMIN else ()
    frame: dict[str, Any] = {
        "here": name,
        "parts_of_setup": [(path_of(organisation, part), gettext(label), part) for part, label in shown],
        "heading": title,
        "errors": {},
        "longest": {},
        "conflict": None,
        "saved": "saved" in request.query and status == 200,
        "form_path": path_of(organisation, name),
        "logo_path": path_of(organisation, "logo"),
        "revision": organisation.revision,
    }
    wrong = gettext("Please check:") + " " if context.get("errors") else ""
    return staff_page(
        request,
        organisation,
        account,
        "setup" if shown else name,
        template,
        {**frame, **context},
        wrong + title,
        status,
    )


def show(
    request: web.Request,
    organisation: Organisation,
    section: Section,
    parsed: Parsed | None = None,
    conflict: Conflict | None = None,
    status: int = 200,
    **more: Any,
) -> web.Response:
    """Return a section's page, with the saved values or those of the posted form.

    `parsed`: the posted form, None for the saved values; `conflict`: the changes of another person, if there are any;
    `more`: further values for the template.
    """
    form = section.form(organisation) if parsed is None else parsed.form
    context = {"form": form, "errors": parsed.errors if parsed else {}, "conflict": conflict, **more}
    return draw(request, organisation, section.name, section.template, context, status)


async def save(
    request: web.Request,
    organisation: Organisation,
    account: Account,
    section: Section,
    posted: Posted,
    **more: Any,
) -> web.Response:
    """Save a posted section and redirect to its page; if it cannot be saved, return the form with HTTP 409 or 422.

    `account`: the administrator; `more`: further values for the template.
    """
    organisations = request.app[ORGANISATIONS]
    for _ in range(ATTEMPTS):
        parsed = section.parse(posted, organisation)
        if parsed.errors:
            return show(request, _drawn_from(organisation, posted), section, parsed, status=422, **more)
        conflict = await _conflict(request, organisation, section, posted)
        if conflict is not None:
            return show(request, organisation, section, parsed, conflict, status=409, **more)
        after = parsed.apply(organisation)
        if section.name not in after.checked:
            after = replace(after, checked=(*after.checked, section.name))
        try:
            if await organisations.replace(organisation, after, account.name):
                raise web.HTTPSeeOther(path_of(organisation, section.name) + "?saved")
        except OrganisationError as error:
            wrong = Parsed(parsed.form, {"": str(error)}, parsed.apply)
            return show(request, _drawn_from(organisation, posted), section, wrong, status=422, **more)
        newest = await organisations.read(organisation.id)
        if newest is None:
            raise UnknownOrganisation
        organisation = newest
    raise web.HTTPServiceUnavailable


def revision_of(posted: Posted) -> int:
    """Return the revision of the settings from which a form was made; -1 if the form does not contain it."""
    text = posted.get("revision", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else -1


def _drawn_from(organisation: Organisation, posted: Posted) -> Organisation:
    """Return the settings with the posted form's revision, so that the next save still detects a conflict."""
    return replace(organisation, revision=revision_of(posted))


async def _conflict(
    request: web.Request, organisation: Organisation, section: Section, posted: Posted
) -> Conflict | None:
    revision = revision_of(posted)
    if revision == organisation.revision:
        return None
    organisations = request.app[ORGANISATIONS]
    drawn = await organisations.edit(organisation.id, revision)
    newest = await organisations.edit(organisation.id, organisation.revision)
    before = section.shown(drawn.document) if drawn is not None else {}
    now = section.shown(organisation)
    changes = [
        Change(label, before.get(label, ""), now.get(label, ""))
        for label in dict.fromkeys((*before, *now))
        if before.get(label, "") != now.get(label, "")
    ]
    if not changes:
        # There is no conflict: the other changes are in other sections, and are kept.
        return None
    by, at = ("", "") if newest is None else (newest.by, when(newest.at_ms, organisation))
    return Conflict(by, at, changes)


def when(at_ms: int, organisation: Organisation) -> str:
    """Return a moment (ms since the epoch) in words, in the organisation's time zone."""
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(organisation.timezone))
    return f"{date_words(local, 'medium')}, {time_words(local)}"
