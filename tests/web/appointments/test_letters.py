"""Tests the mails of a booked visit over HTTP: texts, calendar entries that replace earlier ones, and reminders."""

import asyncio
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import icalendar
import pytest
from msgspec.structs import replace

from tests.limits import WAIT_S
from tests.web.appointments.test_appointment import BOOKED, Noted
from tests.web.appointments.visitor import CHICAGO, book, offered
from tests.web.site import Site
from web.appointments.letters import Promised, letter
from web.appointments.slots import HOUR_MS
from web.keys import ORGANISATIONS
from web.mail.letters import written
from web.organisations.demo import ORGANISATION


async def mails(site: Site, count: int) -> list[EmailMessage]:
    """Return all sent mails as soon as `count` mails were sent."""
    outbox = Path(site.settings.data.folder) / "outbox"
    async with asyncio.timeout(WAIT_S):
        while len(found := sorted(outbox.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return [message_from_bytes(path.read_bytes(), policy=default) for path in found]


def event(mail: EmailMessage) -> tuple[str, Any]:
    """Return (method, event) of the calendar entry in a mail."""
    (attached,) = mail.iter_attachments()
    assert attached.get_content_type() == "text/calendar"
    calendar: Any = icalendar.Calendar.from_ical(attached.get_content())
    return str(calendar["method"]), calendar.walk("VEVENT")[0]


async def test_each_change_is_mailed_with_a_calendar_entry_that_replaces_the_last(site: Site) -> None:
    ana = site.person(**{"Accept-Language": "en"})
    first, second, *_ = await offered(ana)
    path = await book(ana, first)
    booked = (await mails(site, 1))[0]
    assert booked["To"] == "ana@example.org"
    assert path.rpartition("/")[2] in booked.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    await ana.post(f"{path}/move", {"starts": str(second)})
    await mails(site, 2)
    await ana.post(f"{path}/cancel")
    told = [event(mail) for mail in await mails(site, 3)]
    assert [method for method, _ in told] == ["REQUEST", "REQUEST", "CANCEL"]
    assert len({str(one["uid"]) for _, one in told}) == 1
    assert [int(one["sequence"]) for _, one in told] == [0, 1, 2]
    assert [str(one["status"]) for _, one in told] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]
    starts = [round(one["dtstart"].dt.timestamp() * 1000) for _, one in told]
    assert starts == [first, second, second]
    assert "Ana" not in told[0][1].to_ical().decode().replace("ana@example.org", "")


async def test_reminders_are_sent_24_hours_and_1_hour_before_and_only_for_the_current_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from web.keys import JOBS, MAIL_QUEUE

    ana = site.person()
    times = await offered(ana)
    far, farther = times[-2:]
    path = await book(ana, far)
    await ana.post(f"{path}/move", {"starts": str(farther)})
    jobs = [(due, job.payload) for due, job in await site.app[JOBS].waiting("demo")]
    reminders = [(due, payload) for due, payload in jobs if payload["mail"] == "reminder"]
    assert sorted(due for due, _ in reminders) == sorted(
        moment - hours * HOUR_MS for moment in (far, farther) for hours in (24, 1)
    )
    organisation = await site.app[ORGANISATIONS].get("demo")
    assert organisation is not None
    resolve = site.app[MAIL_QUEUE].resolvers["reminder"]
    letters = {due: await resolve(organisation, payload) for due, payload in reminders}
    assert {due for due, letter in letters.items() if letter} == {farther - 24 * HOUR_MS, farther - HOUR_MS}
    await ana.post(f"{path}/cancel")
    assert [await resolve(organisation, payload) for _, payload in reminders] == [None] * 4


def test_f27_reminders_of_a_visit_after_midnight_name_the_day_of_the_visit() -> None:
    starts_ms = round(datetime(2026, 12, 2, 0, 30, tzinfo=CHICAGO).timestamp() * 1000)
    visit = replace(BOOKED, starts_ms=starts_ms, zone="America/Chicago", language="en")
    entries = Promised(Noted()).about(None, visit, starts_ms - 48 * HOUR_MS)
    reminders = [at_ms for at_ms, name in entries if name == b"reminder"]
    due = [datetime.fromtimestamp(at_ms / 1000, CHICAGO) for at_ms in reminders]
    assert [f"{at:%d %H:%M}" for at in due] == ["01 00:30", "01 23:30"], "the day before, both"
    for at_ms, left in zip(reminders, ("24 hours", "60 minutes"), strict=True):
        found = letter("reminder", visit, {}, ORGANISATION, url="", sender="", now_ms=at_ms)
        mail = written(found, ORGANISATION, sender="a@b.example", origin="", message_id="<1@b>", now=due[0])
        said = mail.get_body(("plain",)).get_content().replace("\u202f", " ")  # type: ignore[union-attr]
        assert left in mail["Subject"]
        assert "December 2, 2026" in said
        assert "12:30 AM" in said


async def test_the_calendar_entry_can_be_downloaded(site: Site) -> None:
    ana = site.person()
    first = (await offered(ana))[0]
    answer = await ana.get(f"{await book(ana, first)}/visit.ics")
    assert answer.content_type == "text/calendar"
    calendar: Any = icalendar.Calendar.from_ical(await answer.read())
    assert str(calendar["method"]) == "PUBLISH"
    (entry,) = calendar.walk("VEVENT")
    assert round(entry["dtstart"].dt.timestamp() * 1000) == first
    assert "attendee" not in entry
