"""The mails about booked visits: which changes cause which mails, and how a mail is written when it is due.

The job that sends a mail is stored in the same commit as the change that the mail reports. The job names only the
appointment. The text is written when the mail is sent, so that it is up to date, and the job contains no patient
data.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from signalling.store.records import Extra
from web.appointments import ics
from web.appointments.appointment import Appointment, Status
from web.appointments.book import JobEntry
from web.appointments.slots import HOUR_MS, MINUTE_MS
from web.languages.i18n import filled, gettext, using
from web.mail.letters import Attachment, Letter
from web.organisations.settings import Organisation

REMINDERS_H = (24, 1)
CLOSE_MS = HOUR_MS // 2
"""The least time in ms between a reminder and the mail about the booking or its change, and between two reminders. A
reminder that would be closer is not sent.
"""


class Promises(Protocol):
    """Makes jobs that send mails. A job writes the text of its mail when the mail is due."""

    def promise(
        self, organisation: str, kind: str, payload: dict[str, Any], *, now_ms: int, due_ms: int | None = None
    ) -> Extra:
        """Return the job that sends a mail, in the form in which a commit stores jobs.

        The text of the mail is written when the mail is due. `kind`: the name of the mail; `payload`: the values that
        the text needs; `due_ms`: the time at which the mail is due, None for at once.
        """


class Promised:
    """Makes the jobs that send mails about an appointment; a change's commit stores them."""

    def __init__(self, promises: Promises) -> None:
        self._promises = promises

    def about(self, before: Appointment | None, after: Appointment, now_ms: int) -> Sequence[JobEntry]:
        """Return jobs for a mail about a change of an appointment, and for reminders; () if the change needs no mail.

        The commit of the change stores the jobs. `before`: the appointment before the change, None if it is new;
        `after`: the appointment after it.
        """
        name = _name(before, after)
        if name is None:
            return ()
        payload = {
            "version": after.version,
            "was_ms": after.starts_ms if before is None else before.starts_ms,
        }
        found = [self._entry(after, name, payload, now_ms, now_ms)]
        if after.status is Status.BOOKED:
            for hours in REMINDERS_H:
                due_ms = after.starts_ms - hours * HOUR_MS
                # If the reminder would be due within CLOSE_MS from now, it is not sent: this change sends a
                # mail already.
                if due_ms > now_ms + CLOSE_MS:
                    payload = {"starts_ms": after.starts_ms, "hours": hours}
                    found.append(self._entry(after, "reminder", payload, now_ms, due_ms))
        return found

    def _entry(
        self, appointment: Appointment, name: str, payload: dict[str, Any], now_ms: int, due_ms: int
    ) -> JobEntry:
        payload = {"appointment": appointment.id, **payload}
        _, score, member = self._promises.promise(
            appointment.organisation, name, payload, now_ms=now_ms, due_ms=due_ms
        )
        return score, member


def _name(before: Appointment | None, after: Appointment) -> str | None:
    if before is None:
        return "booked"
    if after.status is Status.CANCELLED:
        return "cancelled"
    if after.starts_ms == before.starts_ms:
        return None
    # If only the rules of the time zone have changed, the agreed time is the same. The mail "booked" is sent again,
    # with the changed calendar entry.
    return "booked" if after.wall and after.wall == before.wall else "moved"


def entry_words(organisation: Organisation) -> ics.Words:
    """Return the texts of the calendar entry in the current language."""
    return ics.Words(
        filled(gettext("Video visit with {clinic}"), clinic=organisation.name),
        gettext("Check in, move or cancel:"),
        organisation.name,
    )


def stale(name: str, appointment: Appointment, payload: Mapping[str, Any], now_ms: int) -> bool:
    """Return True if the mail of a job must not be sent, because it is out of date.

    `name`: the mail's name; `payload`: the values in the job. A reminder is out of date if the booked time was changed
    or has passed, or if the visit was cancelled or the patient has checked in. It is also out of date if a later
    reminder is due within CLOSE_MS, or already was due. Another mail is out of date if the appointment has changed
    since, except by a check-in.
    """
    if name == "reminder":
        moved = appointment.starts_ms != payload["starts_ms"]
        left_ms = appointment.starts_ms - now_ms
        # If mails could not be sent for a long time, several reminders are due at once. Only the latest reminder is
        # sent.
        replaced = any(
            left_ms <= hours * HOUR_MS + CLOSE_MS for hours in REMINDERS_H if hours < payload["hours"]
        )
        return moved or replaced or appointment.status is not Status.BOOKED or left_ms <= 0
    return appointment.version > payload["version"] and appointment.status is not Status.CHECKED_IN


def letter(
    name: str,
    appointment: Appointment,
    payload: Mapping[str, Any],
    organisation: Organisation,
    *,
    url: str,
    sender: str,
    now_ms: int,
) -> Letter:
    """Return the mail with this name. Every mail except the reminder has the present calendar entry of the visit.

    `payload`: the values in the job that sends the mail; `url`: the patient's link; `sender`: the address of the
    organisation. A visitor may have entered a stranger's address, so the mail contains no text from the visitor, not
    even a name.
    """
    cancelled = appointment.status is Status.CANCELLED
    method = ics.CANCEL if cancelled else ics.REQUEST
    with using(appointment.language):
        words = entry_words(organisation)
    entry = ics.entry(appointment, words, link=url, sender=sender, method=method, now_ms=now_ms)
    context: dict[str, Any] = {
        "starts_ms": appointment.starts_ms,
        "timezone": appointment.zone or organisation.timezone,
        "url": url,
    }
    own: dict[str, dict[str, Any]] = {
        "moved": {"was_ms": payload.get("was_ms", appointment.starts_ms)},
        "cancelled": {"by_clinic": appointment.cancelled_by is not None, "reason": appointment.reason},
        "reminder": {"left_min": -(-(appointment.starts_ms - now_ms) // MINUTE_MS)},
    }
    return Letter(
        name=name,
        to=appointment.patient.email,
        language=appointment.language,
        context=context | own.get(name, {}),
        # The reminder has no calendar entry: the mail before it, about the booking or its change, had the entry.
        attachments=() if name == "reminder" else (_attachment(entry, method),),
    )


def _attachment(entry: bytes, method: str) -> Attachment:
    return Attachment("visit.ics", f"text/calendar; method={method}; charset=utf-8", entry)


NAMES = ("booked", "moved", "cancelled", "reminder")
Found = Callable[[str, str], Awaitable[Appointment | None]]
"""Reads an appointment by two ids: that of its organisation and its own."""
Resolver = Callable[[Organisation, dict[str, Any]], Awaitable[Letter | None]]


def resolver(
    name: str,
    found: Found,
    url: Callable[[str, str], str],
    sender: Callable[[Organisation], str],
    clock_ms: Callable[[], int],
) -> Resolver:
    """Return the function that writes the mail with this name when it is due.

    The function returns None if there is no such appointment any longer, or if the mail is out of date. `found` reads
    the appointment; `url` returns the patient's link; `sender` returns the address of an organisation; `clock_ms`
    returns the time in ms.
    """

    async def resolve(organisation: Organisation, payload: dict[str, Any]) -> Letter | None:
        appointment = await found(organisation.id, payload["appointment"])
        if appointment is None or stale(name, appointment, payload, clock_ms()):
            return None
        link = url(organisation.id, appointment.id)
        return letter(
            name, appointment, payload, organisation, url=link, sender=sender(organisation), now_ms=clock_ms()
        )

    return resolve
