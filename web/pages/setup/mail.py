"""Serves the set-up's page about mail: the sender's addresses, how mails are sent, how many wait, and a test mail.

`web.mail` defines the texts of mails.
"""

from typing import Any, NamedTuple

from aiohttp import web
from msgspec.structs import replace

from web.keys import JOBS, MAIL_QUEUE, SERVICE, SETTINGS
from web.languages.i18n import N_, current, gettext
from web.mail.carriers import where
from web.mail.mail_queue import KIND
from web.organisations.settings import Organisation, bounds
from web.pages.setup.frame import Form, Parsed, Posted, admin, path_of, posted_to, save, show, when
from web.pages.setup.unreached import unreached
from web.requests.mail_addresses import mail_address

LONGEST = bounds(Organisation, "mail_sender").most


class Address(NamedTuple):
    """An email address of the settings, with the texts beside its field."""

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


class MailSection:
    """Handles the form of the set-up's section "Mail"."""

    name = "mail"
    template = "setup/mail.html"

    def form(self, organisation: Organisation) -> Form:
        """Return the form, filled with the organisation's settings."""
        return {name: getattr(organisation, name) for name in ADDRESSES}

    def parse(self, posted: Posted, organisation: Organisation) -> Parsed:
        """Check the posted form; return its values and a sentence for each wrong address."""
        form = {name: posted.get(name, "").strip()[: LONGEST + 1] for name in ADDRESSES}
        errors = {
            name: gettext("Write an email address such as ana@example.org.")
            for name, text in form.items()
            if text and not (text.isascii() and mail_address(text))
        }
        return Parsed(form, errors, lambda document: replace(document, **form))

    def shown(self, organisation: Organisation) -> dict[str, str]:
        """Return the section's settings in words: label -> text."""
        return {gettext(row.label): getattr(organisation, name) for name, row in ADDRESSES.items()}


SECTION = MailSection()


async def mail(request: web.Request) -> web.Response:
    """Answer GET …/setup/mail with the page about mail."""
    organisation, _ = await admin(request)
    return show(request, organisation, SECTION, **await _context(request, organisation))


async def save_mail(request: web.Request) -> web.Response:
    """Answer POST …/setup/mail: save the sender's and the reply address of the clinic's mails."""
    organisation, account = await admin(request)
    more = await _context(request, organisation)
    return await save(request, organisation, account, SECTION, await posted_to(request), **more)


async def try_mail(request: web.Request) -> web.Response:
    """Answer POST …/setup/mail/try: send a test mail to the administrator, through the mail queue, as all mails are
    sent.
    """
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
    last = when(given_up[-1][0], organisation) if given_up else ""
    return {
        "addresses": ADDRESSES,
        "longest": dict.fromkeys(ADDRESSES, LONGEST),
        "way": where(request.app[SETTINGS]),
        "files": not request.app[SETTINGS].mails,
        "waiting": len(waiting),
        "given_up": len(given_up),
        "unreached": await unreached(request, organisation, given_up),
        "last": last,
        "tried": "tried" in request.query,
        "try_path": path_of(organisation, "mail/try"),
    }
