"""Tests booking over HTTP with the whole app on a real Valkey: a time is offered, held and booked, by one
person only.
"""

import asyncio
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tests.web.appointments.test_desk import at
from tests.web.appointments.visitor import BOOKING, CHICAGO, appointments, book, hold, offered
from tests.web.site import FORM, Person, Site
from web.keys import DESK, ORGANISATIONS, REDIS
from web.organisations.settings import Area

IN_SUMMER = datetime(datetime.now(CHICAGO).year + 1, 6, 15, 12, tzinfo=CHICAGO)
"""A noon in a week in which no clocks are changed: no day has 23 or 25 hours, and no midnight is near."""


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


async def next_time(person: Person, query: str = "") -> int | None:
    """Return the next free time in ms that the clinic names; None if there is none."""
    found: int | None = (await (await person.get(f"/demo/appointments/next{query}")).json())["starts_ms"]
    return found


async def test_f18_the_next_free_time_is_the_first_of_the_calendar_or_of_the_areas_calendar(
    site: Site,
) -> None:
    await site.change(booking=msgspec.structs.replace(BOOKING, lead_h=24))
    ana = site.person()
    before, found, after = (await offered(ana))[0], await next_time(ana), (await offered(ana))[0]
    assert found is not None
    assert before <= found <= after
    await site.change(areas=(Area(id="mind", name="Mind", hours=((("10:00", "11:00"),),) * 7),))
    found = await next_time(ana, "?area=mind")
    assert found is not None
    assert datetime.fromtimestamp(found / 1000, CHICAGO).hour == 10
    assert (
        'action="/demo/appointments/hold?area=mind"'
        in await (await ana.get("/demo/appointments?area=mind")).text()
    )
    await site.change(booking=msgspec.structs.replace(BOOKING, enabled=False))
    assert await next_time(ana) is None


async def test_of_many_who_choose_one_time_at_once_one_gets_it_and_the_others_see_a_message(
    site: Site,
) -> None:
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


async def test_the_form_leads_to_the_booked_visit_if_its_answer_was_lost(site: Site) -> None:
    ana = site.person()
    await hold(ana, (await offered(ana))[0])
    booked = (await ana.post("/demo/appointments/new", FORM)).headers["Location"]
    assert (await ana.post("/demo/appointments/new", FORM)).headers["Location"] == booked
    assert (await ana.get("/demo/appointments/new")).headers["Location"] == booked
    await ana.post(f"{booked}/cancel")
    assert (await ana.get("/demo/appointments/new")).headers["Location"] == "/demo/appointments"


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


async def test_a_patient_whose_hold_ended_chooses_again_and_keeps_the_typed_values(site: Site) -> None:
    ana, ben = site.person(), site.person()
    first, second, *_ = await offered(ana)
    await hold(ana, first)
    redis: Any = site.app[REDIS]
    (name,) = await redis.zrange("{demo}:slots", 0, -1)
    ends, _ = (await redis.hget("{demo}:slots:spans", name)).split()
    # The hold is changed so that its ten minutes are over.
    await redis.hset("{demo}:slots:spans", name, b"%s 1" % ends)
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
    redis: Any = site.app[REDIS]
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


async def test_without_booking_no_page_shows_it(site: Site) -> None:
    ana = site.person()
    (first, *_) = await offered(ana)
    await site.change(booking=msgspec.structs.replace(BOOKING, enabled=False))
    assert "Or book a time" not in await (await ana.get("/demo")).text()
    assert (await ana.get("/demo/appointments")).headers["Location"] == "/demo"
    assert (await hold(ana, first)).status == 303
    assert await appointments(site) == []


async def test_where_a_week_is_full_the_first_one_with_a_time_left_is_shown(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await at(site, monkeypatch, round(IN_SUMMER.timestamp() * 1000))
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


async def test_a_record_that_cannot_be_read_does_not_hide_the_others(site: Site) -> None:
    ana, ben = site.person(), site.person()
    first, second, *_ = await offered(ana)
    await book(ana, first)
    await book(ben, second, name="Ben Lee")
    broken = (await appointments(site))[0]
    await site.app[REDIS].hset(f"{{demo}}:appointment:{broken.id}", "record", b"\x02")
    assert [kept.patient.name for kept in await appointments(site)] == ["Ben Lee"]


async def test_what_a_patient_wrote_is_nowhere_in_the_store_in_the_clear(site: Site) -> None:
    await book(
        site.person(), (await offered(site.person()))[0], reason="canary-reason", email="canary@example.org"
    )
    redis: Any = site.app[REDIS]
    for key in await redis.keys("{demo}*"):
        kind = await redis.type(key)
        held = await {b"hash": redis.hgetall, b"string": redis.get}.get(kind, redis.dump)(key)
        assert b"canary" not in repr(held).encode(), key
        assert b"Ana Ruiz" not in repr(held).encode(), key


async def test_an_administrator_says_which_hours_can_be_booked(site: Site) -> None:
    from tests.web.pages.setup.desk import desk

    admin = await desk(site)
    assert (await admin.change("calendar", bookable_from="10:00", bookable_to="12:00")).status == 303
    found = await offered(site.person())
    assert {datetime.fromtimestamp(at_ms / 1000, CHICAGO).hour for at_ms in found} == {10, 11}
    wrong = await admin.change("calendar", bookable_from="12:00", bookable_to="12:00")
    assert wrong.status == 422
    assert "are the same" in await wrong.text()


async def test_a_time_after_midnight_of_a_night_is_booked_under_its_own_date(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await at(site, monkeypatch, round(IN_SUMMER.timestamp() * 1000))
    nights = ((("22:00", "02:00"),),) * 7
    await site.change(hours=nights, booking=msgspec.structs.replace(BOOKING, slot_min=45))
    ana = site.person()
    assert "10:00\u202fPM – 2:00\u202fAM" in await (await ana.get("/demo")).text()
    local = {at_ms: datetime.fromtimestamp(at_ms / 1000, CHICAGO) for at_ms in await offered(ana)}
    assert {f"{when:%H:%M}" for when in local.values()} == {"22:00", "22:45", "23:30", "00:15", "01:00"}
    later = next(at_ms for at_ms, when in local.items() if when.hour == 0)
    page = await book(ana, later)
    when = local[later]
    words = f"{when:%A}, {when:%B} {when.day}, {when.year}, 12:15\u202fAM"
    assert words in await (await ana.get(page)).text()
    assert later not in await offered(site.person())
