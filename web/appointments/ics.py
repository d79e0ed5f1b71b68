"""The calendar entry of a booked visit, for mails and downloads: iCalendar (RFC 5545), iTIP methods (RFC 5546).

Pure. Times are in UTC, so that calendars do not depend on our time zones. Mail servers and shared calendars read the
entry, so it contains the organisation's name and the link, and nothing that the patient wrote.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from icalendar import Alarm, Calendar, Event, vCalAddress, vText

from web.appointments.appointment import Appointment, Status
from web.requests.mail_addresses import on_the_envelope

REQUEST, CANCEL, PUBLISH = "REQUEST", "CANCEL", "PUBLISH"
ALARM_MIN = 15


class Words(NamedTuple):
    """The entry's texts in the patient's language."""

    summary: str
    description: str
    clinic: str


def entry(
    appointment: Appointment, words: Words, *, link: str, sender: str, method: str, now_ms: int
) -> bytes:
    """Return the .ics file. `method` is REQUEST or CANCEL in a mail from the address `sender`, PUBLISH in a download.

    The UID never changes, and SEQUENCE counts the changes, so that calendars move or remove the entry that they have.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//Greenroom//Booked visits//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    event = Event()
    # Older bookings have the name of the host in it, as it was then.
    event.add("uid", appointment.uid or f"{appointment.id}@{urlsplit(link).hostname or 'greenroom'}")
    event.add("sequence", appointment.sequence)
    event.add("dtstamp", _utc(now_ms))
    event.add("dtstart", _utc(appointment.starts_ms))
    event.add("dtend", _utc(appointment.ends_ms))
    event.add("summary", words.summary)
    event.add("description", f"{words.description}\n{link}")
    event.add("location", vText(link))
    event.add("url", link)
    event.add("class", "PRIVATE")
    gone = appointment.status is Status.CANCELLED
    event.add("status", "CANCELLED" if gone else "CONFIRMED")
    if method != PUBLISH:  # a download is not an invitation (RFC 5546 §3.2.1)
        organizer = vCalAddress(f"mailto:{sender}")
        organizer.params["CN"] = vText(words.clinic)
        event.add("organizer", organizer)
        address = on_the_envelope(appointment.patient.email) or appointment.patient.email
        attendee = vCalAddress(f"mailto:{address}")
        attendee.params["CN"] = vText(address)  # a name may be a stranger's
        attendee.params["PARTSTAT"] = vText("ACCEPTED")
        attendee.params["RSVP"] = vText("FALSE")  # who has booked is not asked again
        event.add("attendee", attendee)
    if not gone:
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", words.summary)
        alarm.add("trigger", timedelta(minutes=-ALARM_MIN))
        event.add_component(alarm)
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def _utc(moment_ms: int) -> datetime:
    """Return the time in UTC, in whole seconds as iCalendar needs it."""
    return datetime.fromtimestamp(moment_ms // 1000, UTC)
