"""The set-up's page about mail: the sender's addresses, how mails are sent, how many wait, and a test mail.

Knows this section's fields and the number of queued mails. `web.mail` defines the texts of mails.
"""

from typing import Any, NamedTuple

from aiohttp import web
from msgspec.structs import replace

from signalling.store.jobs import Job
from web.appointments.words import moment
from web.keys import DESK, JOBS, MAIL_QUEUE, SERVICE, SETTINGS
from web.languages.i18n import N_, current, date_words, gettext, time_words
from web.mail.carriers import where
from web.mail.mail_queue import KIND
from web.organisations.settings import Organisation, bounds
from web.pages.setup.frame import Form, Parsed, Posted, admin, path_of, posted_to, save, show
from web.requests.mail_addresses import mail_address

LONGEST = bounds(Organisation, "mail_sender").most


class Address(NamedTuple):
    """An address of the document, and its texts."""

    label: str
    help: str


ADDRESSES: dict[str, Address] = {
    "mail_sender": Address(
        N_("Mails are from"),
        N_("An address that the mail server may send for. Empty: the server’s own."),
    ),
    "reply_to": Address(
        N_("Answers go to"), N_("Where somebody reads them. Empty: to the address that mails are from.")
    ),
}


SHOWN = 20
"""The most mails that could not be delivered in the list."""
ABOUT = {
    "assigned": N_("Assignment"),
    "booked": N_("Booked visit"),
    "cancelled": N_("Cancelled visit"),
    "claimed": N_("A patient’s turn"),
    "closed": N_("Clinic closed"),
    "declined": N_("Declined request"),
    "invite": N_("Invitation"),
    "moved": N_("Moved visit"),
    "password": N_("New password"),
    "phone": N_("Continue on another device"),
    "reminder": N_("Reminder"),
    "trial": N_("Test mail"),
    "two_factor": N_("Two-factor sign-in"),
}
"""Mails by name, as the list calls them."""


class MailSection:
    """The section "Mail"."""

    name = "mail"
    template = "setup/mail.html"

    def form(self, organisation: Organisation) -> Form:
        """Return the form with the values of the document."""
        return {name: getattr(organisation, name) for name in ADDRESSES}

    def parse(self, posted: Posted, organisation: Organisation) -> Parsed:
        """Return the posted form, with a sentence for each wrong address."""
        form = {name: posted.get(name, "").strip()[: LONGEST + 1] for name in ADDRESSES}
        errors = {
            name: gettext("Write an email address such as ana@example.org.")
            for name, text in form.items()
            if text and not (text.isascii() and mail_address(text))
        }
        return Parsed(form, errors, lambda document: replace(document, **form))

    def shown(self, organisation: Organisation) -> dict[str, str]:
        """Return the section in words, by label."""
        return {gettext(row.label): getattr(organisation, name) for name, row in ADDRESSES.items()}


SECTION = MailSection()


async def mail(request: web.Request) -> web.Response:
    """Answer GET …/setup/mail."""
    organisation, _ = await admin(request)
    return show(request, organisation, SECTION, **await _context(request, organisation))


async def save_mail(request: web.Request) -> web.Response:
    """Answer POST …/setup/mail."""
    organisation, account = await admin(request)
    more = await _context(request, organisation)
    return await save(request, organisation, account, SECTION, await posted_to(request), **more)


async def try_mail(request: web.Request) -> web.Response:
    """Answer POST …/setup/mail/try: send a test mail to the administrator, through the same queue as all others."""
    organisation, account = await admin(request)
    now_ms = request.app[SERVICE].clock_ms()
    language = account.language or current()
    await request.app[MAIL_QUEUE].queue(
        organisation.id, "trial", account.email, language, {"name": account.name}, now_ms=now_ms
    )
    raise web.HTTPSeeOther(path_of(organisation, "mail") + "?tried")


async def _context(request: web.Request, organisation: Organisation) -> dict[str, Any]:
    jobs = request.app[JOBS]
    waiting = [job for _, job in await jobs.waiting(organisation.id) if job.kind == KIND]
    given_up = [(at_ms, job) for at_ms, job in await jobs.dead(organisation.id) if job.kind == KIND]
    last = _when(organisation, given_up[-1][0]) if given_up else ""
    return {
        "addresses": ADDRESSES,
        "longest": dict.fromkeys(ADDRESSES, LONGEST),
        "way": where(request.app[SETTINGS]),
        "files": not request.app[SETTINGS].mail.host,
        "waiting": len(waiting),
        "given_up": len(given_up),
        "unreached": [await _unreached(request, organisation, *one) for one in given_up[: -SHOWN - 1 : -1]],
        "last": last,
        "tried": "tried" in request.query,
        "try_path": path_of(organisation, "mail/try"),
    }


class Unreached(NamedTuple):
    """A mail that could not be delivered: its time, its subject, its recipient, and the page about it, if there is
    one.
    """

    at: str
    about: str
    who: str
    path: str


async def _unreached(request: web.Request, organisation: Organisation, at_ms: int, job: Job) -> Unreached:
    """Return the person whom a given-up mail did not reach: a patient by name, staff by address."""
    payload, home = job.payload, f"/{organisation.id}/staff"
    about, who, path = payload.get("mail", ""), "", ""
    if "visit" in payload:
        visit = await request.app[SERVICE].visit(organisation.id, payload["visit"])
        if visit is not None:
            who, path = visit.patient.name, f"{home}/visits/{visit.id}"
    elif "appointment" in payload:
        booked = await request.app[DESK].book.get(organisation.id, payload["appointment"])
        if booked is not None:
            day = moment(booked.starts_ms, organisation.timezone).date()
            who, path = booked.patient.name, f"{home}/calendar?day={day.isoformat()}"
    elif "letter" in payload:
        about, who = payload["letter"]["name"], payload["letter"]["to"]
    return Unreached(_when(organisation, at_ms), gettext(ABOUT.get(about, about)), who, path)


def _when(organisation: Organisation, at_ms: int) -> str:
    at = moment(at_ms, organisation.timezone)
    return f"{date_words(at, 'medium')}, {time_words(at)}"
