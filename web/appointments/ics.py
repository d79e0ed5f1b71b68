"""Makes the calendar entry of a booked visit, for mails, downloads and feeds (iCalendar, RFC 5545; iTIP, RFC 5546).

Times are in UTC, so that a calendar program needs no time zone rules from this server. Mail servers and shared
calendars can read the entry, so it contains the organisation's name and the visit's link, and no text of the patient.
The caller chooses the title of each entry (`Words`). This module does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from icalendar import Alarm, Calendar, Event, vCalAddress, vText

from web.appointments.appointment import Appointment, Status
from web.requests.mail_addresses import on_the_envelope

REQUEST, CANCEL, PUBLISH = "REQUEST", "CANCEL", "PUBLISH"
ALARM_MIN = 15
AGAIN = timedelta(minutes=15)
"""The time after which a calendar program should read a feed again."""


class Words(NamedTuple):
    """The texts of a calendar entry, in the language of its reader. `summary`: the title; `clinic`: the organisation's
    name.
    """

    summary: str
    description: str
    clinic: str


class Entry(NamedTuple):
    """A booked visit in a feed."""

    appointment: Appointment
    words: Words
    link: str


def feed(entries: Iterable[Entry], name: str) -> bytes:
    """Return an .ics file with the booked visits of `entries`; `name` is the name of the calendar.

    The file is the same, byte for byte, as long as no visit has changed.
    """
    calendar = _calendar()
    # The property NAME is not in RFC 5545, but in RFC 7986 §5.1.
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", AGAIN, parameters={"VALUE": "DURATION"})
    for one in entries:
        changed_ms = one.appointment.changed_ms or one.appointment.booked_ms
        calendar.add_component(_event(one.appointment, one.words, one.link, changed_ms))
    return bytes(calendar.to_ical())


def entry(
    appointment: Appointment, words: Words, *, link: str, sender: str, method: str, now_ms: int
) -> bytes:
    """Return the .ics file of an appointment.

    `words`: the texts of the file. `link`: the address of the patient's page. `method` is REQUEST or CANCEL in a mail
    from the address `sender`, and PUBLISH in a download. The UID never changes, and SEQUENCE counts the changes, so
    that calendar programs move or remove the entry that they have.
    """
    calendar = _calendar()
    calendar.add("method", method)
    event = _event(appointment, words, link, now_ms)
    if method != PUBLISH:  # only a mail is an invitation, with organizer and attendee (RFC 5546 §3.2.1)
        organizer = vCalAddress(f"mailto:{sender}")
        organizer.params["CN"] = vText(words.clinic)
        event.add("organizer", organizer)
        address = on_the_envelope(appointment.patient.email) or appointment.patient.email
        attendee = vCalAddress(f"mailto:{address}")
        # The email address is used as the name, because a visitor may have entered the address of a stranger
        # and any name.
        attendee.params["CN"] = vText(address)
        attendee.params["PARTSTAT"] = vText("ACCEPTED")
        # A calendar program need not ask whether the person will come, because the person has booked the visit.
        attendee.params["RSVP"] = vText("FALSE")
        event.add("attendee", attendee)
    if appointment.status is not Status.CANCELLED:
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", words.summary)
        alarm.add("trigger", timedelta(minutes=-ALARM_MIN))
        event.add_component(alarm)
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def _calendar() -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", "-//Greenroom//Booked visits//EN")
    calendar.add("version", "2.0")
    return calendar


def _event(appointment: Appointment, words: Words, link: str, stamp_ms: int) -> Event:
    event = Event()
    # An older booking has no `uid`. Its entry was sent with a UID made from its id and the host, so that UID
    # is kept.
    event.add("uid", appointment.uid or f"{appointment.id}@{urlsplit(link).hostname or 'greenroom'}")
    event.add("sequence", appointment.sequence)
    event.add("dtstamp", _utc(stamp_ms))
    event.add("dtstart", _utc(appointment.starts_ms))
    event.add("dtend", _utc(appointment.ends_ms))
    event.add("summary", words.summary)
    event.add("description", f"{words.description}\n{link}")
    event.add("location", vText(link))
    event.add("url", link)
    event.add("class", "PRIVATE")
    event.add("status", "CANCELLED" if appointment.status is Status.CANCELLED else "CONFIRMED")
    return event


def _utc(moment_ms: int) -> datetime:
    """Return `moment_ms` (ms since 1970) as a date and time in UTC, in whole seconds as iCalendar needs it."""
    return datetime.fromtimestamp(moment_ms // 1000, UTC)
