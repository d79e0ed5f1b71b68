"""The table of all page requests that leave an entry in the audit log; a test checks every route.

Routes that are not here show no patient data and change nothing that others rely on, or add their entry elsewhere:
sockets in signalling, and forms with several buttons by calling `noted`.
"""

from aiohttp import web

from web.audit.noting import Of, Row
from web.identity import sessions
from web.identity.accounts import pseudonym
from web.identity.visitors import HALF, booked_key
from web.keys import DESK
from web.requests.fields import read_form

STAFF = "/{organisation}/staff"
SETUP = f"{STAFF}/setup"
BOOKED = "/{organisation}/appointments/{token}"
SAVED = "?saved"


def _path(name: str) -> Of:
    async def of(request: web.Request) -> str | None:
        return request.match_info[name]

    return of


def _always(text: str) -> Of:
    async def of(_: web.Request) -> str | None:
        return text

    return of


async def _tried(request: web.Request) -> str:
    """Return the pseudonym of the email address with which a sign-in was tried."""
    return f"email:{pseudonym((await read_form(request)).get('email', '')[:255])}"


async def _half(request: web.Request) -> str | None:
    """Return the account of a pending sign-in whose second factor was tried; None if there is none."""
    entry = (await sessions.get(request)).get(HALF)
    return (
        str(entry["person"])
        if entry and entry["organisation"] == request.match_info["organisation"]
        else None
    )


async def _booked(request: web.Request) -> str:
    return str((await sessions.get(request)).get(booked_key(request.match_info["organisation"]), ""))


async def _of_link(request: web.Request) -> str:
    return request.app[DESK].links.read(request.match_info["organisation"], request.match_info["token"]) or ""


def _patient(of: Of) -> Of:
    async def who(request: web.Request) -> str | None:
        return f"patient:{await of(request)}"

    return who


def _setup(section: str, goes: str = SAVED) -> Row:
    return Row("setup.changed", _always(section), done=(303,), goes=goes)


def _by_link(what: str, done: tuple[int, ...]) -> Row:
    return Row(what, _of_link, _patient(_of_link), done)


ROWS: dict[tuple[str, str], Row] = {
    ("POST", f"{STAFF}/sign-in"): Row("signin.failed", _tried, done=(422,)),
    ("POST", f"{STAFF}/sign-in/code"): Row("signin.failed", _half, done=(422,)),
    ("POST", f"{STAFF}/sign-out"): Row("signin.ended", done=(303,), goes="/sign-in"),
    ("POST", f"{STAFF}/password"): Row("account.password_set", done=(303,)),
    ("POST", f"{STAFF}/preferences/password"): Row("account.password_set", done=(303,), goes=SAVED),
    ("GET", f"{STAFF}/calendar"): Row("appointments.read", done=(200,)),
    ("GET", f"{STAFF}/calendar/{{appointment}}/move"): Row(
        "appointment.read", _path("appointment"), done=(200,)
    ),
    ("POST", f"{STAFF}/calendar/{{appointment}}/move"): Row(
        "appointment.moved", _path("appointment"), done=(303,)
    ),
    ("POST", f"{STAFF}/calendar/{{appointment}}/cancel"): Row(
        "appointment.cancelled", _path("appointment"), done=(303,)
    ),
    ("GET", f"{STAFF}/reports"): Row("reports.read", done=(200,)),
    ("GET", f"{STAFF}/reports.csv"): Row("reports.exported", done=(200,)),
    ("POST", f"{SETUP}/calendar"): _setup("calendar"),
    ("POST", f"{SETUP}/policy"): _setup("policy"),
    ("POST", f"{SETUP}/guide"): _setup("guide"),
    ("POST", f"{SETUP}/mail"): _setup("mail"),
    ("POST", f"{SETUP}/logo"): _setup("logo"),
    ("GET", f"{SETUP}/audit"): Row("audit.read", done=(200,)),
    ("POST", "/{organisation}/appointments/new"): Row(
        "appointment.booked", _booked, _patient(_booked), done=(303,), goes="~"
    ),
    ("GET", BOOKED): _by_link("appointment.read", (200,)),
    ("GET", f"{BOOKED}/visit.ics"): _by_link("appointment.read", (200,)),
    ("POST", f"{BOOKED}/move"): _by_link("appointment.moved", (303,)),
    ("POST", f"{BOOKED}/cancel"): _by_link("appointment.cancelled", (303,)),
    ("POST", f"{BOOKED}/check-in"): _by_link("appointment.checked_in", (303,)),
}
