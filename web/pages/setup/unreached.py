"""Lists the mails and text messages that could not be delivered, for pages of the set-up.

A message about a visit or a booked visit is listed with the name of its receiver, any other mail with the receiver's
email address.
"""

from collections.abc import Sequence
from typing import NamedTuple

from aiohttp import web

from signalling.store.jobs import Job
from web.appointments.words import moment
from web.keys import DESK, SERVICE
from web.languages.i18n import N_, gettext
from web.organisations.settings import Organisation
from web.pages.setup.frame import when

SHOWN = 20
"""The greatest number of mails and text messages in the list of those that could not be delivered."""
ABOUT = {
    "assigned": N_("Assignment"),
    "booked": N_("Booked visit"),
    "cancelled": N_("Cancelled visit"),
    "claimed": N_("A patient’s turn"),
    "closed": N_("Clinic closed"),
    "declined": N_("Declined request"),
    "emergency": N_("Emergency access"),
    "invite": N_("Invitation"),
    "moved": N_("Moved visit"),
    "password": N_("New password"),
    "phone": N_("Continue on another device"),
    "reminder": N_("Reminder"),
    "trial": N_("Test mail"),
    "turn": N_("A patient’s turn"),
    "two_factor": N_("Two-factor sign-in"),
    "waiting": N_("A patient waits"),
}
"""Kind of a mail or text message, as its job names it -> the words for this kind in the lists of the pages."""


class Unreached(NamedTuple):
    """A message that could not be delivered. `path`: the path of the page about its visit, "" if there is none."""

    at: str
    about: str
    who: str
    path: str


def about(job: Job) -> str:
    """Return in words what a job's mail or text message is about; for a webhook, return the name of its event."""
    payload = job.payload
    if "event" in payload:
        return str(payload["event"])
    name = payload.get("mail") or payload.get("message") or payload.get("letter", {}).get("name", "")
    return gettext(ABOUT[name]) if name in ABOUT else str(name)


async def unreached(
    request: web.Request, organisation: Organisation, given_up: Sequence[tuple[int, Job]]
) -> list[Unreached]:
    """Return the newest messages that could not be delivered, the newest first.

    `given_up`: all given-up jobs, the oldest first, as pairs: (time in ms, job).
    """
    return [await _unreached(request, organisation, *one) for one in given_up[: -SHOWN - 1 : -1]]


async def _unreached(request: web.Request, organisation: Organisation, at_ms: int, job: Job) -> Unreached:
    payload, home = job.payload, f"/{organisation.id}/staff"
    who, path = "", ""
    if "visit" in payload:
        visit = await request.app[SERVICE].visit(organisation.id, payload["visit"])
        if visit is not None:
            # Only messages to staff have the key "person"; other messages are to the visit's patient.
            who = payload["name"] if "person" in payload else visit.patient.name
            path = f"{home}/visits/{visit.id}"
    elif "appointment" in payload:
        booked = await request.app[DESK].book.get(organisation.id, payload["appointment"])
        if booked is not None:
            day = moment(booked.starts_ms, organisation.timezone).date()
            who, path = booked.patient.name, f"{home}/calendar?day={day.isoformat()}"
    elif "letter" in payload:
        who = payload["letter"]["to"]
    return Unreached(when(at_ms, organisation), about(job), who, path)
