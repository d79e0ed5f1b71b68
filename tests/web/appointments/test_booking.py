"""Booking over HTTP against the whole app on a real Valkey: hold, book, move, cancel, check in, and the letters."""

import asyncio
import re
import time
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import msgspec
import pytest
from aiohttp import ClientResponse

from signalling.record import Policy, Status, Visit
from tests.web.conftest import OpenSite
from tests.web.site import FORM, Person, Site
from web.appointments.appointment import Appointment
from web.appointments.slots import HOUR_MS, MINUTE_MS
from web.organisations import Booking
from web.pages.calendar_shown import DESK
from web.pages.public import ORGANISATIONS, SERVICE

CHICAGO = ZoneInfo("America/Chicago")
BOOKING = Booking(enabled=True, slot_min=30, lead_h=0, horizon_days=14, capacity=1)


@pytest.fixture
async def site(open_site: OpenSite) -> Site:
    """A clinic that is open day and night, with one provider for booked visits."""
    site = await open_site()
    await site.change(booking=BOOKING)
    return site


async def offered(person: Person, path: str = "/demo", *, later_than_min: int = 5) -> list[int]:
    """The times that a page offers, of the whole week; none that may begin before the test is done with it."""
    found = re.search(r'id="week-data">(.*?)</script>', await (await person.get(path)).text())
    assert found
    times: list[int] = msgspec.json.decode(found[1])["starts_ms"]
    return [starts_ms for starts_ms in times if starts_ms > time.time() * 1000 + later_than_min * MINUTE_MS]


async def hold(person: Person, starts_ms: int, **fields: str) -> ClientResponse:
    return await person.post("/demo/appointments/hold", {"starts": str(starts_ms), **fields})


async def book(person: Person, starts_ms: int, **fields: str) -> str:
    """Books a time; returns the path of the visit's page."""
    assert (await hold(person, starts_ms, zone=fields.pop("zone", ""))).status == 303
    answer = await person.post("/demo/appointments/new", {**FORM, **fields})
    assert answer.status == 303, await answer.text()
    return answer.headers["Location"]


async def appointments(site: Site) -> list[Appointment]:
    return await site.app[DESK].book.between("demo", 0, 10**15)


async def at(site: Site, monkeypatch: pytest.MonkeyPatch, now_ms: int) -> None:
    """From now on the desk's clock says this."""
    monkeypatch.setattr(site.app[DESK], "now_ms", lambda: now_ms)


async def mails(site: Site, count: int) -> list[EmailMessage]:
    """The mails that have left, once there are so many."""
    outbox = Path(site.settings.data.folder) / "outbox"
    async with asyncio.timeout(20):
        while len(found := sorted(outbox.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return [message_from_bytes(path.read_bytes(), policy=default) for path in found]


def event(mail: EmailMessage) -> tuple[str, Any]:
    """The method and the event of a mail's calendar entry."""
    (attached,) = mail.iter_attachments()
    assert attached.get_content_type() == "text/calendar"
    calendar: Any = icalendar.Calendar.from_ical(attached.get_content())
    return str(calendar["method"]), calendar.walk("VEVENT")[0]


# --- booking


async def test_a_time_is_chosen_held_and_booked_and_nobody_else_is_offered_it(site: Site) -> None:
    ana, ben = site.person(), site.person()
    times = await offered(ana)
    assert (await hold(ana, times[3])).headers["Location"] == "/demo/appointments/new"
    assert times[3] not in await offered(ben)
    page = await (await ana.get("/demo/appointments/new")).text()
    when = datetime.fromtimestamp(times[3] / 1000, CHICAGO)
    assert f"{when:%B} {when.day}, {when.year}" in page
    answer = await ana.post("/demo/appointments/new", FORM)
    shown = await (await ana.get(answer.headers["Location"])).text()
    assert "Your booked visit" in shown
    assert "Ana Ruiz" in shown
    (kept,) = await appointments(site)
    assert (kept.starts_ms, kept.patient.phone) == (times[3], "+1 512 555 0142")
    assert times[3] not in await offered(ben)


async def test_of_many_who_want_one_time_at_once_one_has_it_and_the_others_are_told(site: Site) -> None:
    people = [site.person() for _ in range(8)]
    (first, *_) = await offered(people[0])
    answers = await asyncio.gather(*(hold(person, first) for person in people))
    assert sorted(answer.status for answer in answers) == [303] + [409] * 7
    loser = next(answer for answer in answers if answer.status == 409)
    assert "Somebody else has just taken this time" in await loser.text()


async def test_a_form_sent_twice_books_once(site: Site) -> None:
    ana = site.person()
    await hold(ana, (await offered(ana))[0])
    answers = await asyncio.gather(*(ana.post("/demo/appointments/new", FORM) for _ in range(4)))
    assert {answer.status for answer in answers} == {303}
    assert len(await appointments(site)) == 1


async def test_a_form_that_fails_keeps_what_was_written_and_the_time(site: Site) -> None:
    ana, ben = site.person(), site.person()
    first = (await offered(ana))[0]
    await hold(ana, first)
    answer = await ana.post("/demo/appointments/new", {**FORM, "email": "ana at example"})
    text = await answer.text()
    assert answer.status == 422
    assert "Write an email address" in text
    assert 'value="Ana Ruiz"' in text
    assert first not in await offered(ben)


async def test_whoever_took_too_long_chooses_again_and_keeps_what_was_written(site: Site) -> None:
    ana, ben = site.person(), site.person()
    first, second, *_ = await offered(ana)
    await hold(ana, first)
    redis = site.app[DESK].book._redis
    (name,) = await redis.zrange("{demo}:slots", 0, -1)
    ends, _ = (await redis.hget("{demo}:slots:spans", name)).split()
    await redis.hset("{demo}:slots:spans", name, b"%s 1" % ends)  # the ten minutes are over
    await book(ben, first, name="Ben Lee")
    answer = await ana.post("/demo/appointments/new", FORM)
    text = await answer.text()
    assert answer.status == 422
    assert f'<option value="{second}">' in text
    assert f'<option value="{first}">' not in text
    assert 'value="Ana Ruiz"' in text
    answer = await ana.post("/demo/appointments/new", {**FORM, "starts": str(second)})
    assert answer.status == 303
    assert [kept.starts_ms for kept in await appointments(site)] == [first, second]


async def test_a_hold_that_ran_out_books_all_the_same_while_the_time_is_free(site: Site) -> None:
    ana = site.person()
    await hold(ana, (await offered(ana))[0])
    redis = site.app[DESK].book._redis
    await redis.delete("{demo}:slots", "{demo}:slots:spans")
    assert (await ana.post("/demo/appointments/new", FORM)).status == 303


async def test_choosing_another_time_gives_the_first_one_back(site: Site) -> None:
    ana, ben = site.person(), site.person()
    first, second, *_ = await offered(ana)
    await hold(ana, first)
    await hold(ana, second)
    free = await offered(ben)
    assert first in free
    assert second not in free


async def test_one_address_cannot_hold_all_times(site: Site) -> None:
    people = [site.person() for _ in range(9)]
    times = await offered(people[0])
    answers = [await hold(person, at_ms) for person, at_ms in zip(people, times, strict=False)]
    assert [answer.status for answer in answers] == [303] * 8 + [429]


@pytest.mark.parametrize("starts", ["", "0", "x", "-5", "99999999999999", "1e9", "１２"])
async def test_a_time_that_is_not_on_offer_is_refused(site: Site, starts: str) -> None:
    answer = await site.person().post("/demo/appointments/hold", {"starts": starts})
    assert answer.status == 409


async def test_where_booking_is_off_nothing_of_it_shows(site: Site) -> None:
    ana = site.person()
    (first, *_) = await offered(ana)
    await site.change(booking=msgspec.structs.replace(BOOKING, enabled=False))
    assert "Or book a time" not in await (await ana.get("/demo")).text()
    assert (await ana.get("/demo/appointments")).headers["Location"] == "/demo"
    assert (await hold(ana, first)).status == 303
    assert await appointments(site) == []


async def test_where_a_week_is_full_the_first_one_with_a_time_left_is_shown(site: Site) -> None:
    await site.change(booking=msgspec.structs.replace(BOOKING, slot_min=240, closes="04:00", opens="00:00"))
    ana = site.person()
    week = await offered(ana, later_than_min=0)
    assert 6 <= len(week) <= 7
    desk = site.app[DESK]
    for at_ms in week:
        organisation = await site.app[ORGANISATIONS].get("demo")
        assert organisation is not None
        await desk.hold(organisation, at_ms, f"h_{at_ms}", f"elsewhere {at_ms}")
    assert min(await offered(ana)) > max(week)
    day = datetime.fromtimestamp(week[1] / 1000, CHICAGO).date()
    asked = await (await ana.get(f"/demo?day={day}")).text()
    assert "Go to the next free time" in asked


# --- the link


async def test_a_forged_cut_or_foreign_link_opens_nothing(site: Site) -> None:
    ana = site.person()
    path = await book(ana, (await offered(ana))[0])
    await site.change(id="lakeside")
    token = path.rpartition("/")[2]
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")
    other = "a_" + "x" * 16 + "~" + token.partition("~")[2]
    for wrong in (
        f"/demo/appointments/{forged}",
        f"/demo/appointments/{other}",
        f"/lakeside/appointments/{token}",
    ):
        answer = await site.person().get(wrong)
        assert answer.status == 404
        assert "There is no such booked visit" in await answer.text()
        assert (await site.person().post(f"{wrong}/cancel")).status == 404
    assert "Ana" not in path
    assert (await site.person().get(path)).headers["Cache-Control"] == "no-store"


async def test_moving_frees_the_old_time_and_takes_the_new_one(site: Site) -> None:
    ana, ben = site.person(), site.person()
    first, second, *_ = await offered(ana)
    path = await book(ana, first)
    assert first in await offered(ana, f"{path}/move")  # one's own time counts as free
    assert (await ana.post(f"{path}/move", {"starts": str(second)})).headers["Location"] == path
    free = await offered(ben)
    assert first in free
    assert second not in free
    (kept,) = await appointments(site)
    assert (kept.starts_ms, kept.moved) == (second, 1)


async def test_a_visit_cannot_move_to_a_time_that_is_taken(site: Site) -> None:
    ana, ben = site.person(), site.person()
    first, second, *_ = await offered(ana)
    path = await book(ana, first)
    await book(ben, second, name="Ben Lee")
    answer = await ana.post(f"{path}/move", {"starts": str(second)})
    assert answer.status == 409
    assert "Somebody else has just taken this time" in await answer.text()
    assert sorted(kept.starts_ms for kept in await appointments(site)) == [first, second]


async def test_cancelling_frees_the_time_once_and_for_all(site: Site) -> None:
    ana = site.person()
    first, second, *_ = await offered(ana)
    path = await book(ana, first)
    assert (await ana.post(f"{path}/cancel")).status == 303
    assert "This visit was cancelled" in await (await ana.get(path)).text()
    assert first in await offered(ana)
    assert (await ana.post(f"{path}/cancel")).status == 303
    assert (await ana.post(f"{path}/move", {"starts": str(second)})).status == 409
    assert (await ana.post(f"{path}/check-in")).status == 409


async def test_the_browser_that_booked_finds_the_way_back_from_the_calendar(site: Site) -> None:
    ana = site.person()
    path = await book(ana, (await offered(ana))[0])
    assert f'href="{path}"' in await (await ana.get("/demo")).text()
    assert path not in await (await site.person().get("/demo")).text()
    await ana.post(f"{path}/cancel")
    assert path not in await (await ana.get("/demo")).text()


async def test_a_record_that_cannot_be_read_does_not_hide_the_others(site: Site) -> None:
    ana, ben = site.person(), site.person()
    first, second, *_ = await offered(ana)
    await book(ana, first)
    await book(ben, second, name="Ben Lee")
    broken = (await appointments(site))[0]
    await site.app[DESK].book._redis.hset(f"{{demo}}:appointment:{broken.id}", "record", b"\x02")
    assert [kept.patient.name for kept in await appointments(site)] == ["Ben Lee"]


async def test_a_stranger_cannot_change_a_visit_from_another_site(site: Site) -> None:
    ana = site.person()
    path = await book(ana, (await offered(ana))[0])
    answer = await ana.post(f"{path}/cancel", None, Origin="https://elsewhere.example")
    assert answer.status == 403
    assert (await appointments(site))[0].status == "booked"


# --- check in


async def test_check_in_opens_the_visit_in_the_queue_marked_with_its_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = site.person()
    first = (await offered(ana))[4]
    path = await book(ana, first)
    await at(site, monkeypatch, first - 15 * MINUTE_MS - 1)
    assert "Check In opens here 15 minutes before" in await (await ana.get(path)).text()
    assert (await ana.post(f"{path}/check-in")).status == 409
    await at(site, monkeypatch, first - 15 * MINUTE_MS)
    phone = site.person()  # the link was opened somewhere else
    assert ">Check In</button>" in await (await phone.get(path)).text()
    answers = await asyncio.gather(*(phone.post(f"{path}/check-in") for _ in range(4)))
    assert {answer.headers["Location"] for answer in answers} == {"/demo/visit"}
    (visit,) = (await site.app[SERVICE].mirrors.get("demo")).visits.values()
    assert (visit.booked_ms, visit.patient.name, visit.status) == (first, "Ana Ruiz", Status.QUEUED)
    assert (await phone.get("/demo/visit")).status == 200
    assert "Return to your visit" in await (await phone.get(path)).text()
    assert (await phone.post(f"{path}/cancel")).status == 409


async def test_a_booked_patient_comes_in_while_meet_now_is_closed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = site.person()
    first = (await offered(ana))[0]
    path = await book(ana, first)
    await site.change(policy=Policy(needs_on_call=True))
    await at(site, monkeypatch, first)
    assert (await ana.post(f"{path}/check-in")).headers["Location"] == "/demo/visit"


async def test_whoever_left_the_line_may_check_in_again_until_it_is_too_late(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from signalling.commands import Withdraw
    from web.pages.public import patient

    ana = site.person()
    first = (await offered(ana))[0]
    path = await book(ana, first)
    await at(site, monkeypatch, first)
    await ana.post(f"{path}/check-in")
    service = site.app[SERVICE]
    (visit,) = (await service.mirrors.get("demo")).visits.values()
    await service.command(patient("demo", visit.id, "Ana Ruiz"), visit.id, Withdraw())
    await ana.post(f"{path}/check-in")
    (again,) = (await service.mirrors.get("demo")).visits.values()
    assert again.id != visit.id
    await service.command(patient("demo", again.id, "Ana Ruiz"), again.id, Withdraw())
    await at(site, monkeypatch, first + HOUR_MS)
    assert (await ana.post(f"{path}/check-in")).status == 409
    assert "This visit is over" in await (await ana.get(path)).text()


async def test_a_check_in_that_a_crash_cut_short_is_taken_up_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = site.person()
    first = (await offered(ana))[0]
    path = await book(ana, first)
    await at(site, monkeypatch, first)

    async def crash(*_: object, **__: object) -> None:
        raise RuntimeError

    service = site.app[SERVICE]
    with monkeypatch.context() as broken:
        broken.setattr(service, "open", crash)
        assert (await ana.post(f"{path}/check-in")).status == 500
    assert (await ana.post(f"{path}/check-in")).status == 303
    (kept,) = await appointments(site)
    visit, _ = await service.store.load("demo", Visit, kept.visit or "")
    assert visit is not None
    assert visit.booked_ms == first


# --- letters


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


async def test_reminders_are_promised_for_24_hours_and_1_hour_before_and_only_for_the_time_that_stands(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from web.jobs import JOBS
    from web.mail import POST

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
    resolve = site.app[POST].resolvers["reminder"]
    letters = {due: await resolve(organisation, payload) for due, payload in reminders}
    assert {due for due, letter in letters.items() if letter} == {farther - 24 * HOUR_MS, farther - HOUR_MS}
    await ana.post(f"{path}/cancel")
    assert [await resolve(organisation, payload) for _, payload in reminders] == [None] * 4


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


async def test_what_a_patient_wrote_is_nowhere_in_the_store_in_the_clear(site: Site) -> None:
    await book(
        site.person(), (await offered(site.person()))[0], reason="canary-reason", email="canary@example.org"
    )
    redis = site.app[DESK].book._redis
    for key in await redis.keys("{demo}*"):
        kind = await redis.type(key)
        held = await {b"hash": redis.hgetall, b"string": redis.get}.get(kind, redis.dump)(key)
        assert b"canary" not in repr(held).encode(), key
        assert b"Ana Ruiz" not in repr(held).encode(), key


async def test_the_time_is_written_by_the_patients_own_clock(site: Site) -> None:
    ana = site.person()
    first = (await offered(ana))[0]
    shown = await (await ana.get(await book(ana, first, zone="Europe/Madrid"))).text()
    madrid = datetime.fromtimestamp(first / 1000, ZoneInfo("Europe/Madrid"))
    assert f"{madrid:%A}" in shown
    assert "At the clinic:" in shown
    assert (await appointments(site))[0].zone == "Europe/Madrid"
    ben = site.person()
    await book(ben, (await offered(ben))[0], zone="Middle/Earth", name="Ben Lee")
    assert [kept.zone for kept in await appointments(site)] == ["Europe/Madrid", ""]


# --- set by an administrator


async def test_an_administrator_says_which_hours_can_be_booked(site: Site) -> None:
    from tests.web.setup.desk import desk

    admin = await desk(site)
    assert (await admin.change("calendar", bookable_from="10:00", bookable_to="12:00")).status == 303
    found = await offered(site.person())
    assert {datetime.fromtimestamp(at_ms / 1000, CHICAGO).hour for at_ms in found} == {10, 11}
    wrong = await admin.change("calendar", bookable_from="12:00", bookable_to="10:00")
    assert wrong.status == 422
    assert "A closing time must be later" in await wrong.text()
