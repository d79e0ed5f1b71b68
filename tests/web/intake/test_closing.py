"""Tests what happens at closing time to visits that still wait."""

import asyncio
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from signalling.visit.commands import Assign
from signalling.visit.record import Actor, Outcome, PatientInformation, Policy, Role, Status, Visit
from tests.signalling.waits import until
from tests.web.site import Site
from web.identity.visitors import patient
from web.intake import closing
from web.intake.closing import close_lines, closes_ms, ends, is_closing
from web.keys import ORGANISATIONS, SERVICE
from web.organisations import demo
from web.organisations.settings import Area

SHUT = ((),) * 7
CLOSES = Policy(closes_line=True)
NINE_TO_FIVE = replace(demo.ORGANISATION, hours=((("09:00", "17:00"),),) * 7, timezone="UTC", policy=CLOSES)


@pytest.fixture(autouse=True)
def _only_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops the regular check for clinics that have closed, because the tests carry it out themselves."""
    monkeypatch.setattr(closing, "run", lambda *_: asyncio.Event().wait())


def at(clock: str) -> datetime:
    """Return this time of day, on the day of the tests."""
    return datetime.fromisoformat(f"2026-11-28T{clock}").replace(tzinfo=UTC)


def test_f18_the_line_ends_a_minute_after_closing_time_if_the_clinics_rule_says_so() -> None:
    assert [is_closing(NINE_TO_FIVE, at(clock)) for clock in ("16:59", "17:00", "17:01", "08:59")] == [
        False,
        False,
        True,
        True,
    ]
    assert not is_closing(replace(NINE_TO_FIVE, policy=Policy()), at("17:01"))


def test_f18_closing_time_is_that_of_the_area() -> None:
    late = Area(id="late", name="Late", hours=((("09:00", "20:00"),),) * 7)
    organisation = replace(NINE_TO_FIVE, areas=(late, Area(id="same", name="Same")))
    noon_ms = round(at("12:00").timestamp() * 1000)
    hours = [closes_ms(organisation, noon_ms, area) for area in ("", "late", "same")]
    assert hours == [noon_ms + hour * 3_600_000 for hour in (5, 8, 5)]
    always = replace(NINE_TO_FIVE, hours=((("00:00", "24:00"),),) * 7)
    assert closes_ms(always, noon_ms, "") is None


async def the_visit(site: Site) -> Visit:
    """Return the only open visit of the site."""
    service = site.app[SERVICE]
    (found,) = (await service.mirrors.get("demo")).visits.values()
    return found


async def test_f18_a_visit_left_unclaimed_at_closing_time_ends_and_its_patient_is_informed(
    site: Site,
) -> None:
    service, organisations = site.app[SERVICE], site.app[ORGANISATIONS]
    ana = site.person()
    await ana.ask_for_a_visit()
    visit = await the_visit(site)
    await site.change(hours=SHUT)
    assert await close_lines(service, organisations) == 0, "the clinic keeps the line"
    await site.change(hours=SHUT, policy=CLOSES)
    assert await close_lines(service, organisations) == 1
    assert await close_lines(service, organisations) == 0
    after = await service.visit("demo", visit.id)
    assert after is not None
    assert (after.status, after.outcome) == (Status.ENDED, Outcome.CLOSED)


async def test_f18_a_visit_that_was_booked_or_is_assigned_stays(site: Site) -> None:
    await site.person().ask_for_a_visit()
    visit = await the_visit(site)
    assert ends(visit)
    assert not ends(replace(visit, booked_ms=1))
    admin = Actor(organisation="demo", id="u_hale", name="Robin Hale", role=Role.ADMIN)
    await site.app[SERVICE].set_on_call(admin, on=True)
    await site.app[SERVICE].command(admin, visit.id, Assign("u_hale"))
    assert not ends(await the_visit(site))


async def test_f18_staff_are_asked_if_a_patient_still_waits_at_closing_time(site: Site) -> None:
    service = site.app[SERVICE]
    await site.person().ask_for_a_visit()
    today = datetime.now(UTC).weekday()
    # The clinic is closed now, and stays closed if a new day begins during the test.
    open_days = {(today - 2) % 7, (today - 3) % 7}
    hours = tuple((("00:00", "24:00"),) if day in open_days else () for day in range(7))
    await site.change(hours=hours, timezone="UTC", policy=Policy(asks_closing=True))
    mirror = await service.mirrors.get("demo")
    await service.watch_queue(mirror)
    await until(lambda: mirror.watch.alerts == ("queue_closed",))
    closed = mirror.watch.rules.closing[""]
    assert (closed.over, closed.rule) == (True, "ask")


async def test_f39_the_line_of_an_area_ends_by_the_hours_of_that_area(site: Site) -> None:
    service, organisations = site.app[SERVICE], site.app[ORGANISATIONS]
    open_area = Area(id="mind", name="Mind", hours=((("00:00", "24:00"),),) * 7)
    await site.change(areas=(open_area,), hours=SHUT, policy=CLOSES)
    ana = patient("demo", "v_mind", "Ana Ruiz")
    information = PatientInformation(
        name="Ana", birth_date="1990-04-02", phone="", email="", state="", reason="", language="en"
    )
    await service.open(ana, information, "v_mind", area="mind")
    assert await close_lines(service, organisations) == 0
    await site.change(areas=(replace(open_area, hours=None),))
    assert await close_lines(service, organisations) == 1
