"""Tests the set-up's page that finds the records of one patient, exports them and erases them: SECURITY.md row 45."""

import io
import json
import re
import zipfile
from html import unescape
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.async_api import Browser
from redis.asyncio import Redis

from signalling.errors import UnavailableError
from signalling.store import keys
from signalling.visit import commands as c
from signalling.visit.record import Visit
from signalling.visit.relations import Decided
from tests.web.appointments.visitor import BOOKING, book, offered
from tests.web.audit.test_noting import entries_of
from tests.web.browsing import sign_in
from tests.web.pages.setup.desk import Fields, Form, desk
from tests.web.pages.test_accessibility import LOOKS, is_accessible
from tests.web.site import FORM, OSEI, Person, Site
from tests.web.test_organisations_apart import PASSWORD, lakeside
from web.appointments.book import Book
from web.identity.visitors import patient
from web.keys import REDIS, SEAL, SERVICE
from web.pages.setup import patients as page_of
from web.patients import finding
from web.patients.erasing import Erasure
from web.patients.exporting import Export, Folder

PATH = "/demo/staff/setup/patients"
ANA = {"patient": "ana@example.org", "do": "find"}


async def opened(site: Site, **fields: str) -> str:
    """Open a visit with these values in the patient information; return its id."""
    before = set((await site.app[SERVICE].mirrors.get("demo")).visits)
    assert (await site.person().ask_for_a_visit(**fields)).status == 303
    (visit,) = set((await site.app[SERVICE].mirrors.get("demo")).visits) - before
    return visit


async def ended(site: Site, **fields: str) -> str:
    """Open a visit, add a photo to it, and let its patient withdraw it; return its id."""
    visit, service = await opened(site, **fields), site.app[SERVICE]
    ana = patient("demo", visit, FORM["name"])
    assert isinstance(await service.command(ana, visit, c.AddPhoto("p_1", 8, 6, "My arm")), Decided)
    await service.photos.keep("demo", visit, "p_1", b"a JPEG")
    assert isinstance(await service.command(ana, visit, c.Withdraw()), Decided)
    return visit


async def found(admin: Person, **fields: str) -> str:
    """Search with these values in the form; return the page of the result."""
    answer = await admin.post(PATH, {**ANA, **fields})
    assert answer.status == 200, answer
    return await answer.text()


def named(html: str) -> Fields:
    """Return the hidden fields of the first patient of a result."""
    return Form(html, f"{PATH}/export").fields


async def test_s45_the_page_exports_the_same_files_as_the_command(site: Site, tmp_path: Path) -> None:
    await site.change(booking=BOOKING)
    visits = {await ended(site), await ended(site)}
    other = await ended(site, name="Jon Bell", email="jon@example.org")
    booked = site.person()
    await book(booked, (await offered(booked))[20])
    admin = (await desk(site)).person
    html = await found(admin)
    assert {value for _, value in named(html)} > visits
    assert other not in html
    answer = await admin.post(f"{PATH}/export", named(html))
    assert answer.status == 200
    assert answer.content_type == "application/zip"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="records-demo.zip"'
    with zipfile.ZipFile(io.BytesIO(await answer.read())) as file:
        assert file.testzip() is None
        files = {name: file.read(name) for name in file.namelist()}
    store, folder = site.app[SERVICE].store, tmp_path / "export"
    wanted = finding.Wanted(patient="ana@example.org")
    appointments = await finding.booked(Book(site.app[REDIS], site.app[SEAL]), "demo", wanted, visits)
    written = await Export(Folder(folder), store, "demo").write(
        finding.visits(store, "demo", wanted), appointments
    )
    assert written == (2, 1, 2, 0)
    assert files == {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    records = [json.loads(line) for line in files["visits.jsonl"].splitlines()]
    assert {record["visit"]["id"] for record in records} == visits
    assert all(record["events"] for record in records)


async def test_an_export_says_how_much_cannot_be_read_and_has_everything_else(
    site: Site, valkey: Redis, tmp_path: Path
) -> None:
    visit, client, store = await ended(site), cast(Any, valkey), site.app[SERVICE].store
    events = await store.history("demo", visit)
    await client.lset(keys.HISTORY("demo", visit), 0, b"bytes of a key that is gone")
    await client.hset(keys.PHOTOS("demo", visit), "p_1", b"bytes of a key that is gone")
    folder = tmp_path / "export"
    read = finding.visits(store, "demo", finding.Wanted(patient="ana@example.org"))
    assert await Export(Folder(folder), store, "demo").write(read, []) == (1, 0, 0, 2)
    (record,) = map(json.loads, (folder / "visits.jsonl").read_text("utf-8").splitlines())
    assert record["unreadable_events"] == 1
    assert [event["kind"] for event in record["events"]] == [event.kind for event in events[1:]]


async def test_s45_an_erasure_needs_the_patients_name_and_erases_the_records_permanently(
    site: Site, valkey: Redis
) -> None:
    visits = [await ended(site), await ended(site)]
    other = await ended(site, name="Jon Bell", email="jon@example.org")
    admin = (await desk(site)).person
    fields = named(await found(admin))
    for wrong in ("", "Ana", "Jon Bell"):
        answer = await admin.post(PATH, [*fields, ("name", wrong), ("do", "erase")])
        assert answer.status == 422
        assert "This is not the name of the patient" in await answer.text()
    service = site.app[SERVICE]
    assert all([await service.visit("demo", visit) for visit in visits])
    answer = await admin.post(PATH, [*fields, ("name", " ana RUIZ"), ("do", "erase")])
    assert answer.status == 200
    html = await answer.text()
    assert "2 visits · 0 booked visits" in html
    assert "Ana Ruiz" not in html
    assert [await service.visit("demo", visit) for visit in visits] == [None, None]
    assert await service.visit("demo", other) is not None
    client: Any = valkey
    assert [key for key in await client.keys("*") if any(visit.encode() in key for visit in visits)] == []
    assert await client.exists("greenroom:erased")
    assert "There are no records of this patient." in await found(admin)
    again = await admin.post(PATH, [*fields, ("name", "Ana Ruiz"), ("do", "erase")])
    assert again.status == 409
    assert (await admin.post(f"{PATH}/export", fields)).status == 404
    what = [entry[1:] for entry in await entries_of(site) if entry[1].startswith("record.")]
    assert what == [("record.searched", ""), ("record.erased", ""), ("record.searched", "")]


async def test_s45_the_records_of_an_interrupted_erasure_are_found_and_erased_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, admin = await ended(site), (await desk(site)).person
    fields = [*named(await found(admin)), ("name", "Ana Ruiz"), ("do", "erase")]

    async def fails(*_: object) -> None:
        raise UnavailableError("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr(Erasure, "_jobs", fails)
        assert (await admin.post(PATH, fields)).status == 503
    assert ("visit", visit) in named(await found(admin))
    assert (await admin.post(PATH, fields)).status == 200
    assert await site.app[SERVICE].visit("demo", visit) is None


async def test_s45_the_file_of_one_visit_leaves_an_entry_with_its_id(site: Site) -> None:
    visit, admin = await ended(site), (await desk(site)).person
    await admin.post(f"{PATH}/export", named(await found(admin)))
    assert [entry[1:] for entry in await entries_of(site)][-1] == ("record.exported", visit)


async def test_s45_a_patient_with_an_open_visit_is_exported_but_not_erased(site: Site) -> None:
    visit, admin = await opened(site), (await desk(site)).person
    html = await found(admin)
    assert "A visit of this patient has not ended." in html
    assert "To erase the records permanently" not in html
    assert (await admin.post(f"{PATH}/export", named(html))).status == 200
    answer = await admin.post(PATH, [*named(html), ("name", "Ana Ruiz"), ("do", "erase")])
    assert answer.status == 409
    assert await site.app[SERVICE].visit("demo", visit) is not None


async def test_s45_two_people_with_one_phone_number_are_two_patients(site: Site) -> None:
    await ended(site), await ended(site, name="Leo Ruiz", birth_date="2019-05-06")
    admin = (await desk(site)).person
    html = await found(admin, patient="512 555 0142")
    assert re.findall(r"<h2 id=\"patient-\d\"><bdi>([^<]*)", html) == ["Ana Ruiz", "Leo Ruiz"]
    both = re.findall(r'name="visit" value="(v_[^"]*)"', html)
    answer = await admin.post(
        PATH, [*(("visit", visit) for visit in both), ("name", "Ana Ruiz"), ("do", "erase")]
    )
    assert answer.status == 400, "one form erases one patient"
    assert "Leo Ruiz" not in await found(admin, patient="512 555 0142", born="1990-04-02")


async def test_s45_a_long_search_shows_how_far_it_is_and_continues(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    visits = [await ended(site, name=name) for name in ("Ana Ruiz", "Jon Bell", "Ana Ruiz")]
    monkeypatch.setattr(page_of, "SECONDS", 0)
    monkeypatch.setattr(finding, "AT_ONCE", 1)
    admin = (await desk(site)).person
    shown, html = [], await found(admin, patient="ana ruiz")
    while "The search goes on" in html:
        shown.append(re.findall(r"<progress value=\"(\d+)\" max=\"(\d+)\"", html)[0])
        fields = [*Form(html, PATH).fields, ("do", "find")]
        html = await (await admin.post(PATH, fields)).text()
    assert shown == [("1", "3"), ("2", "3"), ("3", "3")]
    assert [value for name, value in named(html) if name == "visit"] == [visits[0], visits[2]]
    assert [entry[1] for entry in await entries_of(site)].count("record.searched") == 2
    monkeypatch.setattr(page_of, "MOST", 1)
    monkeypatch.setattr(page_of, "SECONDS", 9)
    answer = await admin.post(PATH, {**ANA, "patient": "Ana Ruiz"})
    assert answer.status == 422
    assert "More than 1 visits fit." in unescape(await answer.text())


async def test_s45_a_search_needs_a_whole_value(site: Site) -> None:
    await ended(site)
    admin = (await desk(site)).person
    for wrong in (
        {"patient": ""},
        {"patient": " \n "},
        {"patient": "x" * 300},
        {"born": "yesterday"},
        {"born": "1990-13-01"},
    ):
        assert (await admin.post(PATH, {**ANA, **wrong})).status == 422, wrong
    assert "There are no records" in await found(admin, patient="Ana")
    assert (await admin.post(PATH, {**ANA, "do": "nothing"})).status == 400
    await found(admin, at_ms="x" * 30, at="v_1", read="-1")


async def test_s45_only_administrators_reach_the_page_and_only_records_of_their_own_clinic(
    site: Site,
) -> None:
    visit, osei = await ended(site), (await desk(site, OSEI)).person
    for person, status in ((osei, 403), (site.person(), 303)):
        assert (await person.get(PATH)).status == status
        assert (await person.post(PATH, ANA)).status == status
        assert (await person.post(f"{PATH}/export", {"visit": visit})).status == status
    await lakeside(site)
    ida = site.person()
    await ida.post("/lakeside/staff/sign-in", {"email": "ida@lakeside.example", "password": PASSWORD})
    home = "/lakeside/staff/setup/patients"
    assert "There are no records" in await (await ida.post(home, ANA)).text()
    assert (await ida.post(f"{home}/export", {"visit": visit})).status == 404
    assert (await ida.post(home, {"visit": visit, "name": "Ana Ruiz", "do": "erase"})).status == 409
    assert (await site.app[SERVICE].store.load("demo", Visit, visit))[0] is not None


@pytest.mark.parametrize(("width", "dark"), LOOKS)
async def test_s45_in_a_browser_an_administrator_finds_downloads_and_erases(
    site: Site, browser: Browser, width: int, dark: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Ana Ruiz", "Jon Bell", "Ana Ruiz"):
        await ended(site, name=name)
    context = await browser.new_context(
        viewport={"width": width, "height": 860},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        locale="en-US",
    )
    page = await context.new_page()
    await sign_in(page, site)
    addresses: list[str] = []
    page.on("framenavigated", lambda frame: addresses.append(frame.url))
    await page.goto(str(site.server.make_url(PATH)))
    await page.get_by_role("heading", name="Records of a patient").wait_for()
    await is_accessible(page)
    monkeypatch.setattr(page_of, "SECONDS", 0)  # the search is continued by the page itself
    monkeypatch.setattr(finding, "AT_ONCE", 1)
    await page.get_by_label("Patient", exact=True).fill("Ana Ruiz")
    await page.get_by_role("button", name="Search").click()
    await page.get_by_role("heading", name="Ana Ruiz").wait_for()
    await is_accessible(page)
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Download the records").click()
    with zipfile.ZipFile(await (await download.value).path()) as file:
        assert file.read("visits.jsonl").count(b"\n") == 2
    await page.get_by_role("button", name="Erase permanently").click()
    await page.get_by_text("This is not the name of the patient").first.wait_for()
    await is_accessible(page)
    await page.get_by_label("To erase the records permanently").fill("Ana Ruiz")
    await page.get_by_role("button", name="Erase permanently").click()
    await page.get_by_role("heading", name="Erased").wait_for()
    await is_accessible(page)
    assert not [address for address in addresses if "Ana" in address or "?" in address]
    await context.close()
