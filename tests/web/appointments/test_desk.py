"""Tests Check In over HTTP: a booked visit enters the queue at its time, once, and again if it was declined."""

import asyncio
from datetime import datetime

import pytest
from msgspec.structs import replace

from signalling.visit.record import Policy, Status, Visit
from signalling.visit.waiting_area import Area as VisitArea
from tests.web.appointments.visitor import CHICAGO, appointments, book, offered
from tests.web.site import FORM, Person, Site
from web.appointments.appointment import Appointment
from web.appointments.slots import HOUR_MS, MINUTE_MS
from web.keys import DESK, SERVICE
from web.organisations.settings import Area


async def at(site: Site, monkeypatch: pytest.MonkeyPatch, now_ms: int) -> None:
    """Set the clock of the desk, which checks patients in, to this time."""
    monkeypatch.setattr(site.app[DESK], "now_ms", lambda: now_ms)


async def at_their_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> tuple[Person, str, int]:
    """Return (a patient whose booked visit begins now, the path of the visit's page, the time of the visit in ms)."""
    ana = site.person()
    first = (await offered(ana))[0]
    path = await book(ana, first)
    await at(site, monkeypatch, first)
    return ana, path, first


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
    phone = site.person()  # the visit was booked in one browser, and its link is opened in another browser
    assert ">Check In</button>" in await (await phone.get(path)).text()
    answers = await asyncio.gather(*(phone.post(f"{path}/check-in") for _ in range(4)))
    assert {answer.headers["Location"] for answer in answers} == {"/demo/visit"}
    (visit,) = (await site.app[SERVICE].mirrors.get("demo")).visits.values()
    assert (visit.booked_ms, visit.patient.name, visit.status) == (first, "Ana Ruiz", Status.QUEUED)
    assert (await phone.get("/demo/visit")).status == 200
    assert "Return to your visit" in await (await phone.get(path)).text()
    assert (await phone.post(f"{path}/cancel")).status == 409


MIND = Area(id="mind", name="Mind", hours=((("10:00", "11:00"),),) * 7)


async def test_f39_a_booking_in_an_areas_calendar_keeps_to_its_hours_and_checks_in_there(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.change(areas=(MIND,))
    ana = site.person()
    times = await offered(ana, "/demo/mind")
    assert {datetime.fromtimestamp(at_ms / 1000, CHICAGO).hour for at_ms in times} == {10}
    elsewhere = next(at_ms for at_ms in await offered(ana) if at_ms not in times)
    chosen, later = times[:2]
    there = "/demo/appointments/hold?area=mind"
    assert (await ana.post(there, {"starts": str(elsewhere)})).status == 409
    assert (await ana.post(there, {"starts": str(chosen)})).status == 303
    assert 'href="/demo/mind"' in await (await ana.get("/demo/appointments/new")).text()
    path = (await ana.post("/demo/appointments/new", FORM)).headers["Location"]
    (booked,) = await appointments(site)
    assert booked.area == "mind"
    assert (await ana.post(f"{path}/move", {"starts": str(elsewhere)})).status == 409
    assert (await ana.post(f"{path}/move", {"starts": str(later)})).status == 303
    await at(site, monkeypatch, later)
    assert (await ana.post(f"{path}/check-in")).status == 303
    (visit,) = (await site.app[SERVICE].mirrors.get("demo")).visits.values()
    assert visit.area == VisitArea("mind", "Mind")


async def test_f39_a_booking_whose_area_was_removed_checks_in_to_none(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.change(areas=(MIND,))
    ana = site.person()
    chosen = (await offered(ana, "/demo/mind"))[0]
    await ana.post("/demo/appointments/hold?area=mind", {"starts": str(chosen)})
    path = (await ana.post("/demo/appointments/new", FORM)).headers["Location"]
    await site.change(areas=())
    await at(site, monkeypatch, chosen)
    assert (await ana.post(f"{path}/check-in")).status == 303
    (visit,) = (await site.app[SERVICE].mirrors.get("demo")).visits.values()
    assert visit.area is None


async def test_a_browser_that_checks_in_a_booked_visit_keeps_the_open_visit_of_another_child(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, path, _ = await at_their_time(site, monkeypatch)
    await ana.ask_for_a_visit(first_name="Ben")
    (ben,) = (await site.app[SERVICE].mirrors.get("demo")).visits
    where = (await ana.post(f"{path}/check-in")).headers["Location"]
    assert where.startswith("/demo/visit?visit=v_"), (
        "a tab that has shown Ben's visit would show it again otherwise"
    )
    for shown in ("/demo/visit", where):
        assert f"ws?visit={ben}" not in await (await ana.get(shown)).text()
    assert f"ws?visit={ben}" in await (await ana.get(f"/demo/visit?visit={ben}")).text()


async def test_a_booked_patient_comes_in_while_meet_now_is_closed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, path, _ = await at_their_time(site, monkeypatch)
    await site.change(policy=Policy(needs_on_call=True))
    assert (await ana.post(f"{path}/check-in")).headers["Location"] == "/demo/visit"


async def test_a_patient_who_withdrew_may_check_in_again_until_it_is_too_late(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from signalling.visit.commands import Withdraw
    from web.identity.visitors import patient

    ana, path, first = await at_their_time(site, monkeypatch)
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


async def test_a_link_does_not_open_visits_without_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from signalling.visit.commands import Withdraw
    from web.identity.visitors import patient

    ana, path, _ = await at_their_time(site, monkeypatch)
    service, statuses = site.app[SERVICE], []
    for _ in range(12):
        statuses.append((await ana.post(f"{path}/check-in")).status)
        for visit in list((await service.mirrors.get("demo")).visits.values()):
            await service.command(patient("demo", visit.id, "Ana Ruiz"), visit.id, Withdraw())
    assert statuses == [303] * 10 + [409] * 2


async def test_a_check_in_that_a_crash_cut_short_is_taken_up_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, path, first = await at_their_time(site, monkeypatch)

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


async def test_f25_a_booking_follows_the_rules_of_its_time_zone(site: Site) -> None:
    ana, desk = site.person(), site.app[DESK]
    first = (await offered(ana))[6]
    await book(ana, first)
    [booked] = await appointments(site)

    def by_old_rules(before: Appointment) -> Appointment:
        starts_ms = before.starts_ms + HOUR_MS
        return replace(before, version=before.version + 1, starts_ms=starts_ms, ends_ms=starts_ms + MINUTE_MS)

    await desk.book.change("demo", booked.id, by_old_rules, 1)
    assert await desk.follow_rules("demo") == 1
    [found] = await appointments(site)
    assert (found.starts_ms, found.wall) == (first, booked.wall)
    assert [one.starts_ms for one in await desk.book.taken("demo", 0, 10**15)] == [first]
    assert await desk.follow_rules("demo") == 0
