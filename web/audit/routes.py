"""Declares the audit entry of each route of the pages, in one table; a test compares the table with the router.

The API declares its entries in `web/api/operations.py`, each command of the command line beside the command,
and changes and views of visits in `signalling/visit/audit_entries.py`.
"""

from aiohttp import web

from web.audit.noting import ByHandler, Declared, NoEntry, Of, Row, in_path
from web.identity import sessions
from web.identity.accounts import pseudonym
from web.identity.visitors import HALF, booked_key
from web.keys import DESK
from web.requests.fields import read_form

STAFF = "/{organisation}/staff"
SETUP = f"{STAFF}/setup"
BOOKED = "/{organisation}/appointments/{token}"
FACILITY = "/{organisation}/facility/{token}"
SAVED = "?saved"


def _always(text: str) -> Of:
    async def of(_: web.Request) -> str | None:
        return text

    return of


async def _tried(request: web.Request) -> str:
    """Return a pseudonym for the email address in the sign-in form that was sent."""
    return f"email:{pseudonym((await read_form(request)).get('email', '')[:255])}"


async def _half(request: web.Request) -> str | None:
    """Return the id of the account whose password was given in this browser and whose second factor is still
    missing.

    Returns None if there is no such account.
    """
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


PUBLIC = NoEntry("shows what everybody may see")
FORM = NoEntry("shows a form, or a page without a patient")
SOCKET = NoEntry("the page's data comes by its WebSocket, whose topics leave entries")
SETTINGS = NoEntry("shows settings, which name no patient")
ONESELF = NoEntry("shows or changes only what is one's own")

DECLARED: dict[tuple[str, str], Declared] = {
    # Pages of visitors and patients
    ("GET", "/"): PUBLIC,
    ("GET", "/healthz"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/metrics"): PUBLIC,
    ("GET", "/static/{path}"): PUBLIC,
    ("GET", "/{organisation}"): PUBLIC,
    ("GET", "/{organisation}/{area}"): PUBLIC,
    ("GET", "/{organisation}/logo/{name}"): PUBLIC,
    ("GET", "/{organisation}/qr.svg"): PUBLIC,
    ("GET", "/{organisation}/api"): PUBLIC,
    ("GET", "/{organisation}/api/v1/openapi.json"): PUBLIC,
    ("GET", "/{organisation}/api/v1/asyncapi.json"): PUBLIC,
    ("GET", "/{organisation}/api/v1/protocol.md"): PUBLIC,
    ("*", "/{organisation}/api/v1/{rest}"): NoEntry("there is no such operation"),
    ("*", "/{organisation}/{rest}"): NoEntry("there is no such page"),
    ("GET", "/{organisation}/information"): FORM,
    ("POST", "/{organisation}/information"): NoEntry("the commit of the visit leaves one"),
    ("GET", "/{organisation}/visit"): SOCKET,
    ("POST", "/{organisation}/visits/{visit}/contact"): NoEntry("the commit of the visit leaves one"),
    ("POST", "/{organisation}/visits/{visit}/photos"): NoEntry("the commit of the visit leaves one"),
    ("GET", "/{organisation}/visits/{visit}/photos/{photo}"): ByHandler(("photo.read",)),
    ("POST", "/{organisation}/visits/{visit}/photos/{photo}/remove"): NoEntry(
        "the commit of the visit leaves one"
    ),
    ("POST", "/{organisation}/visits/{visit}/phone"): ByHandler(("visit.linked",)),
    ("GET", "/{organisation}/ws"): SOCKET,
    ("GET", "/{organisation}/guest"): SOCKET,
    ("GET", "/{organisation}/join/{token}"): FORM,
    ("POST", "/{organisation}/join/{token}"): SOCKET,
    ("GET", "/{organisation}/enter/{token}"): FORM,
    ("POST", "/{organisation}/enter/{token}"): ByHandler(("visit.linked",)),
    # Pages of facilities
    ("GET", FACILITY): ByHandler(("facility.read",)),
    ("POST", FACILITY): NoEntry("the commit of the visit leaves one"),
    ("GET", f"{FACILITY}/list"): NoEntry("shows initials, again and again, of a page that has its entry"),
    ("POST", f"{FACILITY}/visits/{{visit}}"): ByHandler(("visit.linked",)),
    # Pages of booked visits, opened by the patient's link
    ("GET", "/{organisation}/appointments"): PUBLIC,
    ("GET", "/{organisation}/appointments/next"): PUBLIC,
    ("POST", "/{organisation}/appointments/hold"): NoEntry("holds a time for nobody yet"),
    ("GET", "/{organisation}/appointments/new"): FORM,
    ("POST", "/{organisation}/appointments/new"): Row(
        "appointment.booked", _booked, _patient(_booked), done=(303,), goes="~"
    ),
    ("GET", BOOKED): _by_link("appointment.read", (200,)),
    ("GET", f"{BOOKED}/visit.ics"): _by_link("appointment.read", (200,)),
    ("POST", f"{BOOKED}/move"): _by_link("appointment.moved", (303,)),
    ("POST", f"{BOOKED}/cancel"): _by_link("appointment.cancelled", (303,)),
    ("POST", f"{BOOKED}/check-in"): _by_link("appointment.checked_in", (303,)),
    ("GET", f"{BOOKED}/move"): PUBLIC,
    ("GET", "/{organisation}/feed/{token}/visits.ics"): NoEntry(
        "a calendar program asks again and again; the link's making has its entry, and no patient is named"
    ),
    # Pages of staff
    ("GET", STAFF): SOCKET,
    ("GET", f"{STAFF}/visits/{{visit}}"): SOCKET,
    ("GET", f"{STAFF}/visits/{{visit}}/emergency"): ByHandler(("visit.emergency_read",)),
    ("POST", f"{STAFF}/visits/{{visit}}/emergency"): NoEntry("the entry is written before the access holds"),
    ("POST", f"{STAFF}/visits/{{visit}}/emergency/end"): ByHandler(("visit.emergency_ended",)),
    ("GET", f"{STAFF}/sign-in"): FORM,
    ("GET", f"{STAFF}/sign-in/code"): FORM,
    ("GET", f"{STAFF}/session"): ONESELF,
    ("POST", f"{STAFF}/session"): ONESELF,
    ("GET", f"{STAFF}/invitation/{{token}}"): FORM,
    ("GET", f"{STAFF}/password"): FORM,
    ("GET", f"{STAFF}/two-factor"): ONESELF,
    ("POST", f"{STAFF}/two-factor"): ByHandler(
        ("account.second_factor_on", "account.second_factor_off", "account.recovery_codes")
    ),
    ("GET", f"{STAFF}/preferences"): ONESELF,
    ("POST", f"{STAFF}/preferences"): ONESELF,
    ("POST", f"{STAFF}/preferences/text"): ONESELF,
    ("POST", f"{STAFF}/preferences/devices"): ByHandler(("device.added", "device.removed")),
    ("POST", f"{STAFF}/preferences/feed"): ByHandler(("feed.made", "feed.revoked")),
    ("POST", f"{STAFF}/sign-in"): Row("signin.failed", _tried, done=(422,)),
    ("POST", f"{STAFF}/sign-in/code"): Row("signin.failed", _half, done=(422,)),
    ("POST", f"{STAFF}/sign-out"): Row("signin.ended", done=(303,), goes="/sign-in"),
    ("POST", f"{STAFF}/password"): ByHandler(("account.password_set",)),
    ("POST", f"{STAFF}/preferences/password"): Row("account.password_set", done=(303,), goes=SAVED),
    ("GET", f"{STAFF}/calendar"): Row("appointments.read", done=(200,)),
    ("GET", f"{STAFF}/calendar/{{appointment}}/move"): Row(
        "appointment.read", in_path("appointment"), done=(200,)
    ),
    ("POST", f"{STAFF}/calendar/{{appointment}}/move"): Row(
        "appointment.moved", in_path("appointment"), done=(303,)
    ),
    ("POST", f"{STAFF}/calendar/{{appointment}}/cancel"): Row(
        "appointment.cancelled", in_path("appointment"), done=(303,)
    ),
    ("GET", f"{STAFF}/reports"): Row("reports.read", done=(200,)),
    ("GET", f"{STAFF}/reports.csv"): Row("reports.exported", done=(200,)),
    # Pages of the set-up
    ("GET", SETUP): SETTINGS,
    ("GET", f"{SETUP}/calendar"): SETTINGS,
    ("GET", f"{SETUP}/policy"): SETTINGS,
    ("GET", f"{SETUP}/after"): SETTINGS,
    ("GET", f"{SETUP}/guide"): SETTINGS,
    ("GET", f"{SETUP}/areas"): SETTINGS,
    ("GET", f"{SETUP}/rota"): SETTINGS,
    ("GET", f"{SETUP}/translations"): SETTINGS,
    ("GET", f"{SETUP}/mail"): SETTINGS,
    ("POST", f"{SETUP}/mail/try"): ONESELF,
    ("GET", f"{SETUP}/texts"): SETTINGS,
    ("GET", f"{SETUP}/links"): SETTINGS,
    ("GET", f"{SETUP}/links/poster"): SETTINGS,
    ("GET", f"{SETUP}/people"): SETTINGS,
    ("POST", f"{SETUP}/people"): ByHandler(("account.added",)),
    ("POST", f"{SETUP}/people/{{person}}"): ByHandler(
        (
            *("account.changed", "account.disabled", "account.enabled"),
            *("account.password_reset", "account.second_factor_off"),
        )
    ),
    ("GET", f"{SETUP}/facilities"): SETTINGS,
    ("POST", f"{SETUP}/facilities"): ByHandler(("facility.added", "facility.moved", "facility.revoked")),
    ("GET", f"{SETUP}/facilities/{{facility}}/qr.svg"): SETTINGS,
    ("GET", f"{SETUP}/facilities/{{facility}}/poster"): SETTINGS,
    ("GET", f"{SETUP}/api"): SETTINGS,
    ("POST", f"{SETUP}/api"): ByHandler(
        ("key.added", "key.revoked", "webhook.added", "webhook.changed", "webhook.dropped")
    ),
    ("GET", f"{SETUP}/deliveries"): SETTINGS,
    ("POST", f"{SETUP}/deliveries"): ByHandler(("delivery.sent_again",)),
    ("GET", f"{SETUP}/emergency"): Row("emergencies.read", done=(200,)),
    ("POST", f"{SETUP}/emergency"): ByHandler(("visit.emergency_ended",)),
    ("GET", f"{SETUP}/patients"): FORM,
    ("POST", f"{SETUP}/patients"): ByHandler(("record.searched", "record.erased")),
    ("POST", f"{SETUP}/patients/export"): ByHandler(("record.exported",)),
    ("POST", f"{SETUP}/calendar"): _setup("calendar"),
    ("POST", f"{SETUP}/policy"): _setup("policy"),
    ("POST", f"{SETUP}/after"): _setup("after"),
    ("POST", f"{SETUP}/translations"): _setup("translations"),
    ("POST", f"{SETUP}/guide"): _setup("guide"),
    ("POST", f"{SETUP}/areas"): _setup("areas"),
    ("POST", f"{SETUP}/rota"): _setup("rota"),
    ("POST", f"{SETUP}/mail"): _setup("mail"),
    ("POST", f"{SETUP}/texts"): _setup("texts"),
    ("POST", f"{SETUP}/logo"): _setup("logo"),
    ("GET", f"{SETUP}/audit"): Row("audit.read", done=(200,)),
    ("GET", f"{SETUP}/audit/export"): Row("audit.exported", done=(200,)),
}
