"""Tests a provider's calendar feed over HTTP: its secret link is made, renewed and revoked."""

import re
from typing import Any

import icalendar
import pytest
from aiohttp import ClientResponse

from signalling.visit import commands as c
from signalling.visit.record import Actor, Role
from tests.web.appointments.test_desk import at
from tests.web.appointments.visitor import BOOKING, appointments, book, offered
from tests.web.audit.test_noting import entries_of
from tests.web.site import LIND, OSEI, Person, Site
from web.appointments import desk
from web.keys import ACCOUNTS, DESK, SERVICE
from web.pages.appointments import feed
from web.requests.security import Rule

SETTINGS = "/demo/staff/preferences"


async def shown(person: Person) -> str:
    """Return the path of the feed's link on the page My settings; "" if the page shows none."""
    found = re.search(r'class="secret">https?://[^/]+(/[^<]+)<', await (await person.get(SETTINGS)).text())
    return found[1] if found else ""


async def made(site: Site, email: str = OSEI) -> tuple[Person, str]:
    """Let a member of staff make a link of the feed; return (the person, the path of the link)."""
    person = site.person()
    await person.sign_in(email)
    assert (await person.post(f"{SETTINGS}/feed", {"do": "make"})).status == 303
    return person, await shown(person)


async def read(site: Site, path: str, **headers: str) -> ClientResponse:
    """Request `path` as a calendar program does, without cookies; return the answer."""
    return await site.person(**headers).get(path)


async def events(answer: ClientResponse) -> list[Any]:
    """Return the events of the calendar that an answer contains."""
    assert answer.status == 200
    calendar: Any = icalendar.Calendar.from_ical(await answer.read())
    return list(calendar.walk("VEVENT"))


async def test_a_calendar_program_reads_booked_visits_without_a_word_about_the_patient(site: Site) -> None:
    ana = site.person()
    first, second, *_ = await offered(ana)
    patient_path = await book(ana, first)
    (booked,) = await appointments(site)
    _, path = await made(site)
    answer = await read(site, path)
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    (event,) = await events(answer)
    assert (str(event["uid"]), str(event["summary"])) == (booked.uid, "Video visit")
    assert (str(event["status"]), int(event["sequence"])) == ("CONFIRMED", 0)
    assert event["dtstart"].to_ical().endswith(b"Z"), "in UTC"
    assert [round(event[name].dt.timestamp() * 1000) for name in ("dtstart", "dtend")] == [
        booked.starts_ms,
        booked.ends_ms,
    ]
    assert "/demo/staff/calendar?day=" in str(event["url"])
    text = await answer.text()
    for private in ("Ana", "Ruiz", "A. R.", "ana@", "Rash", patient_path.rsplit("/", 1)[1]):
        assert private not in text
    await ana.post(f"{patient_path}/move", {"starts": str(second)})
    await ana.post(f"{patient_path}/cancel")
    (event,) = await events(await read(site, path))
    assert (str(event["uid"]), str(event["status"]), int(event["sequence"])) == (booked.uid, "CANCELLED", 2)
    assert round(event["dtstart"].dt.timestamp() * 1000) == second


async def test_initials_are_shown_if_the_clinic_allows_them(site: Site) -> None:
    ana = site.person()
    await book(ana, (await offered(ana))[0])
    _, path = await made(site)
    await site.change(booking=BOOKING.__class__(enabled=True, feed_initials=True))
    (event,) = await events(await read(site, path))
    assert str(event["summary"]) == "Video visit (A. R.)"
    assert "Ana" not in event.to_ical().decode()


async def test_an_answer_that_has_not_changed_is_not_sent_again(site: Site) -> None:
    ana = site.person()
    path_of_ana = await book(ana, (await offered(ana))[0])
    _, path = await made(site)
    first = await read(site, path)
    known = {"If-None-Match": first.headers["ETag"]}, {"If-Modified-Since": first.headers["Last-Modified"]}
    for headers in known:
        again = await read(site, path, **headers)
        assert (again.status, await again.read()) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
        assert again.headers["Last-Modified"] == first.headers["Last-Modified"]
    assert (await read(site, path, **known[1], **{"If-None-Match": '"another"'})).status == 200
    await ana.post(f"{path_of_ana}/cancel")
    changed = await read(site, path, **known[0])
    assert (changed.status, changed.headers["ETag"] == first.headers["ETag"]) == (200, False)


async def test_a_link_opens_nothing_after_it_was_renewed_or_revoked_or_its_owner_has_left(site: Site) -> None:
    osei, old = await made(site)
    await site.change(id="lakeside")
    assert (await read(site, old.replace("/demo/", "/lakeside/"))).status == 404
    await osei.post(f"{SETTINGS}/feed", {"do": "make"})
    new = await shown(osei)
    assert [(await read(site, path)).status for path in (old, new)] == [404, 200]
    await osei.post(f"{SETTINGS}/feed", {"do": "revoke"})
    assert ((await read(site, new)).status, await shown(osei)) == (404, "")
    _, path = await made(site, LIND)
    await site.app[ACCOUNTS].disable("demo", LIND)
    assert (await read(site, path)).status == 404
    assert [what for who, what, about in await entries_of(site) if who == about == "u_osei"] == [
        *("feed.made", "feed.made", "feed.revoked")
    ]


async def test_a_visit_that_a_colleague_has_claimed_leaves_the_calendar(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = site.person()
    starts_ms = (await offered(ana))[0]
    path = await book(ana, starts_ms)
    await at(site, monkeypatch, starts_ms)
    await ana.post(f"{path}/check-in")
    (visit,) = (await site.app[SERVICE].mirrors.get("demo")).visits
    before = [one.id for one in await site.app[DESK].of_provider("demo", "u_lind")]
    osei = Actor(organisation="demo", id="u_osei", name="Dr Osei", role=Role.ADMIN)
    await site.app[SERVICE].command(osei, visit, c.Claim())
    found = {
        person: [one.id for one in await site.app[DESK].of_provider("demo", person)]
        for person in ("u_osei", "u_lind")
    }
    assert (len(before), found) == (1, {"u_osei": before, "u_lind": []})


async def test_a_calendar_is_bounded_and_begins_with_what_comes_next(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = site.person()
    times = (await offered(ana))[:4]
    for starts_ms in times:
        await book(ana, starts_ms)
    await at(site, monkeypatch, times[2])

    async def starts(most: int) -> list[int]:
        monkeypatch.setattr(desk, "FEED_MOST", most)
        return [one.starts_ms for one in await site.app[DESK].of_provider("demo", "u_osei")]

    assert await starts(3) == times[1:], "the next ones, then the latest that have begun"
    assert await starts(1) == [times[2]]


async def test_a_link_is_read_only_so_often(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "READS", Rule("feed", 2, 3_600_000, first_delay_ms=0))
    _, path = await made(site)
    answers = [await read(site, path) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["Retry-After"]) > 60
    _, another = await made(site, LIND)
    assert (await read(site, another)).status == 200, "nobody else waits"
