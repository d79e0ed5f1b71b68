"""Tests the page of one patient's records against tampered forms, namesakes and two acts at once: row 45."""

import asyncio
import io
import json
import zipfile
from typing import Any, cast

import pytest
from aiohttp import ClientError
from msgspec.structs import replace

from signalling.errors import UnavailableError
from signalling.store import keys
from signalling.store.event_stream import decode_entry
from signalling.store.jobs import Jobs, new_job
from signalling.visit import commands as c
from signalling.visit.record import Policy, Visit
from signalling.visit.relations import Decided
from tests.web.appointments.visitor import BOOKING, book, offered
from tests.web.audit.test_noting import entries_of
from tests.web.pages.setup.desk import desk
from tests.web.pages.setup.test_patients import ANA, PATH, ended, found, named, opened
from tests.web.pages.staff.test_emergency import REASON, actor_of, of_a_colleague, path_of
from tests.web.pages.staff.test_emergency_attacked import texts_of_the_stream
from tests.web.site import FORM, LIND, OSEI, Site
from web.appointments import book as book_of
from web.appointments.book import Book
from web.emergency.grants import Grants
from web.emergency.opening import grants_of
from web.identity.visitors import patient
from web.keys import REDIS, SEAL, SERVICE
from web.pages.setup import patients as page_of
from web.patients import finding
from web.patients.erasing import Erasure
from web.patients.exporting import Archive


async def test_s45_an_erasure_leaves_the_jobs_of_a_person_whose_address_contains_the_patients(
    site: Site,
) -> None:
    await ended(site)
    jobs, admin = Jobs(site.app[REDIS], site.app[SEAL]), (await desk(site)).person
    later_ms = site.app[SERVICE].clock_ms() + 3600_000
    for address in ("joana@example.org", "ana@example.organic", "x.ana@example.org", "ana@example.org"):
        job = new_job("mail", {"to": address, "text": f"For {address}."}, later_ms)
        await jobs.add("demo", job, later_ms)
    fields = named(await found(admin))
    assert (await admin.post(PATH, [*fields, ("name", "Ana Ruiz"), ("do", "erase")])).status == 200
    kept = [job.payload.get("to") for _, job in await jobs.waiting("demo")]
    assert sorted(filter(None, kept)) == ["ana@example.organic", "joana@example.org", "x.ana@example.org"]


@pytest.mark.parametrize("odd", ["", "v_none", "x" * 300, "../v_1", "v_1:chat", "\x00", "é" * 99, "{demo}"])
async def test_s45_odd_ids_in_a_form_name_no_record(site: Site, odd: str) -> None:
    await ended(site)
    admin = (await desk(site)).person
    fields = [("visit", odd), ("booked", odd)]
    assert (await admin.post(f"{PATH}/export", fields)).status == 404
    assert (await admin.post(PATH, [*fields, ("name", "Ana Ruiz"), ("do", "erase")])).status == 409
    await found(admin, visit=odd)


async def test_s45_more_ids_than_a_form_may_have_are_refused(site: Site) -> None:
    visit, admin = await ended(site), (await desk(site)).person
    for path in (PATH, f"{PATH}/export"):
        answer = await admin.post(path, [("visit", visit)] * 5000 + [("do", "erase"), ("name", "Ana Ruiz")])
        assert answer.status == 400
    assert await site.app[SERVICE].visit("demo", visit) is not None
    many = [("visit", visit)] * 900
    answer = await admin.post(PATH, [*many, ("do", "erase"), ("name", "Ana Ruiz")])
    assert "1 visit · 0 booked visits" in await answer.text()


async def test_s45_two_administrators_erase_one_patient_at_the_same_time(site: Site) -> None:
    visit, admins = await ended(site), [(await desk(site)).person, (await desk(site)).person]
    fields = [*named(await found(admins[0])), ("name", "Ana Ruiz"), ("do", "erase")]
    answers = await asyncio.gather(*(one.post(PATH, fields) for one in (*admins, *admins)))
    assert {answer.status for answer in answers} <= {200, 409}
    assert 200 in {answer.status for answer in answers}
    assert await site.app[SERVICE].visit("demo", visit) is None


async def test_s45_a_visit_that_is_reopened_while_it_is_being_erased_is_not_erased(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, admin = await of_a_colleague(site), (await desk(site)).person
    service, jobs = site.app[SERVICE], Erasure._jobs
    lind = await actor_of(site, LIND)

    async def meanwhile(self: Erasure, names: Any) -> None:
        await jobs(self, names)
        assert isinstance(await service.command(lind, visit, c.Reopen()), Decided)

    monkeypatch.setattr(Erasure, "_jobs", meanwhile)
    fields = [*named(await found(admin)), ("name", "Ana Ruiz"), ("do", "erase")]
    answer = await admin.post(PATH, fields)
    assert answer.status == 409
    assert "A visit of this patient has not ended." in await answer.text()
    held, _ = await service.store.load("demo", Visit, visit)
    assert held is not None
    assert held.is_open


async def test_s45_a_search_that_finds_too_much_or_is_stopped_leaves_an_entry_too(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ended(site), await ended(site)
    admin = (await desk(site)).person
    monkeypatch.setattr(page_of, "MOST", 1)
    assert (await admin.post(PATH, ANA)).status == 422
    monkeypatch.setattr(page_of, "MOST", 9)
    monkeypatch.setattr(page_of, "SECONDS", 0)
    assert "The search goes on" in await found(admin)
    assert [entry[1] for entry in await entries_of(site)].count("record.searched") == 2


async def test_s45_a_visit_that_is_reopened_between_the_last_check_and_the_deletion_loses_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, admin, lind = await of_a_colleague(site), (await desk(site)).person, await actor_of(site, LIND)
    service, erase = site.app[SERVICE], Erasure._visits

    async def reopened_before(*args: Any) -> Any:
        assert isinstance(await service.command(lind, visit, c.Reopen()), Decided)
        return await erase(*args)

    monkeypatch.setattr(Erasure, "_visits", reopened_before)
    fields = [*named(await found(admin)), ("name", "Ana Ruiz"), ("do", "erase")]
    assert (await admin.post(PATH, fields)).status == 409
    held, _ = await service.store.load("demo", Visit, visit)
    assert held is not None
    assert held.is_open
    assert [line.text for line in await service.store.lines("demo", visit)] == ["It itches"]
    assert await service.photos.get("demo", visit, "p_1") is not None
    assert [event.kind for event in await service.store.history("demo", visit)][-1] == "reopened"


async def test_s45_a_change_of_an_ended_visit_during_its_erasure_leaves_no_copy_of_the_record(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.change(policy=Policy(tags=("Follow-up",)))
    visit, admin, lind = await of_a_colleague(site), (await desk(site)).person, await actor_of(site, LIND)
    service, erase, commands = site.app[SERVICE], Erasure._visits, [c.SetTags(("Follow-up",))]

    async def changed_before(*args: Any) -> Any:
        if commands:
            assert isinstance(await service.command(lind, visit, commands.pop()), Decided)
        return await erase(*args)

    monkeypatch.setattr(Erasure, "_visits", changed_before)
    fields = [*named(await found(admin)), ("name", "Ana Ruiz"), ("do", "erase")]
    assert (await admin.post(PATH, fields)).status == 200
    assert await service.visit("demo", visit) is None
    client: Any = site.app[REDIS]
    stream = await client.xrange(keys.EVENTS("demo"))
    assert visit not in {decode_entry(entry[b"e"]).member for _, entry in stream}


async def test_s45_an_emergency_access_that_begins_during_an_erasure_leaves_no_reason_and_no_name(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, admin, osei = (
        await of_a_colleague(site),
        (await desk(site)).person,
        (await desk(site, OSEI)).person,
    )
    service, erase, reasons = site.app[SERVICE], Erasure._visits, [REASON]

    async def opened_before(*args: Any) -> Any:
        if reasons:
            assert (await osei.post(path_of(visit), reasons.pop())).status == 303
        return await erase(*args)

    monkeypatch.setattr(Erasure, "_visits", opened_before)
    fields = [*named(await found(admin)), ("name", "Ana Ruiz"), ("do", "erase")]
    assert (await admin.post(PATH, fields)).status == 200
    assert await service.visit("demo", visit) is None
    assert await grants_of(site.app).newest("demo", 9) == []
    texts = await texts_of_the_stream(service.store, site.app[REDIS])
    assert REASON["reason"].encode() not in texts
    assert FORM["name"].encode() not in texts
    assert (await osei.get(path_of(visit))).status == 404


async def test_s45_an_emergency_access_to_a_visit_that_was_just_erased_is_erased_at_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, admin, osei = (
        await of_a_colleague(site),
        (await desk(site)).person,
        (await desk(site, OSEI)).person,
    )
    fields, add = [*named(await found(admin)), ("name", "Ana Ruiz"), ("do", "erase")], Grants.add

    async def erased_before(self: Grants, *args: Any) -> None:
        assert (await admin.post(PATH, fields)).status == 200
        await add(self, *args)

    monkeypatch.setattr(Grants, "add", erased_before)
    assert (await osei.post(path_of(visit), REASON)).status == 303
    assert await grants_of(site.app).newest("demo", 9) == []
    assert (await osei.get(path_of(visit))).status == 404


async def test_s45_an_erasure_that_fails_in_the_middle_leaves_an_entry_in_the_audit_log(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ended(site)
    admin = (await desk(site)).person
    fields = [*named(await found(admin)), ("name", "Ana Ruiz"), ("do", "erase")]

    async def fails(*_: object) -> None:
        raise UnavailableError("the store is away")

    monkeypatch.setattr(Erasure, "_visits", fails)
    assert (await admin.post(PATH, fields)).status == 503
    assert [entry[1] for entry in await entries_of(site)].count("record.erased") == 1


@pytest.mark.parametrize("born", ["1990-04-02", "19900402", " 1990-04-02", "1990-W14-1"])
async def test_s45_a_date_of_birth_may_be_written_in_any_form_of_the_norm(site: Site, born: str) -> None:
    visit, admin = await ended(site), (await desk(site)).person
    assert ("visit", visit) in named(await found(admin, born=born))


async def test_s45_a_visit_that_is_reopened_during_a_search_is_found_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, admin, lind = await of_a_colleague(site), (await desk(site)).person, await actor_of(site, LIND)
    service, still_open = site.app[SERVICE], finding.still_open

    async def reopened_before(*args: Any) -> list[Visit]:
        assert isinstance(await service.command(lind, visit, c.Reopen()), Decided)
        return await still_open(*args)

    with monkeypatch.context() as patch:
        patch.setattr(finding, "still_open", reopened_before)
        html = await found(admin)
    assert [value for name, value in named(html) if name == "visit"] == [visit]
    assert "A visit of this patient has not ended." in html


@pytest.mark.parametrize("by", ["page", "command"])
async def test_s45_a_visit_that_ends_during_a_search_is_found(
    site: Site, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    visit, admin, service = await opened(site), (await desk(site)).person, site.app[SERVICE]
    still_open = finding.still_open

    async def ended_before(*args: Any) -> list[Visit]:
        ana = patient("demo", visit, FORM["name"])
        assert isinstance(await service.command(ana, visit, c.Withdraw()), Decided)
        return await still_open(*args)

    monkeypatch.setattr(finding, "still_open", ended_before)
    if by == "page":
        ids = [value for name, value in named(await found(admin)) if name == "visit"]
    else:
        wanted = finding.Wanted(patient="ana@example.org")
        ids = [one.id async for one in finding.visits(service.store, "demo", wanted)]
    assert ids == [visit]


async def test_s45_booked_visits_count_for_what_one_form_can_name(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.change(booking=BOOKING)
    await ended(site)
    ana, admin = site.person(), (await desk(site)).person
    await book(ana, (await offered(ana))[20])
    monkeypatch.setattr(page_of, "MOST", 1)
    answer = await admin.post(PATH, ANA)
    assert answer.status == 422
    assert "greenroom erase" in await answer.text()


async def test_s45_a_booked_visit_that_is_moved_during_its_erasure_is_erased_with_the_mail_about_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.change(booking=BOOKING)
    ana, admin = site.person(), (await desk(site)).person
    await book(ana, (await offered(ana))[20])
    redis, seal, later_ms = site.app[REDIS], site.app[SEAL], site.app[SERVICE].clock_ms() + 3600_000
    jobs, moves, erase = Jobs(redis, seal), [True], Erasure._booked

    async def moved_before(self: Erasure, booked: str, *args: Any) -> bool:
        if moves:
            mail = new_job("mail", {"to": FORM["email"]}, later_ms)
            await Book(redis, seal).change(
                "demo", booked, lambda one: replace(one, version=one.version + 1, moved=moves.pop()), 9,
                jobs=lambda *_: [jobs.entry("demo", mail, later_ms)[1:]],
            )  # fmt: skip
        return await erase(self, booked, *args)

    monkeypatch.setattr(Erasure, "_booked", moved_before)
    fields = [*named(await found(admin)), ("name", "Ana Ruiz"), ("do", "erase")]
    assert "0 visits · 1 booked visit" in await (await admin.post(PATH, fields)).text()
    assert await Book(redis, seal).between("demo", 0, finding.EVER_MS) == []
    assert FORM["email"] not in [job.payload.get("to") for _, job in await jobs.waiting("demo")]


async def test_s45_booked_visits_are_read_in_parts_so_that_a_worker_does_not_stop_for_thousands(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_of, "AT_ONCE", 2)
    monkeypatch.setattr(finding, "AT_ONCE", 2)
    await site.change(booking=BOOKING)
    for number in range(3):
        ana = site.person()
        await book(ana, (await offered(ana))[20 + number])
    read, opened_at_once = Book._open, list[int]()

    async def another() -> None:
        while True:
            opened_at_once.append(0)
            await asyncio.sleep(0)

    def counted(self: Book, *args: Any) -> Any:
        opened_at_once[-1] += 1
        return read(self, *args)

    task = asyncio.create_task(another())
    await asyncio.sleep(0)
    monkeypatch.setattr(Book, "_open", counted)
    book_, wanted = Book(site.app[REDIS], site.app[SEAL]), finding.Wanted(patient="ana@example.org")
    booked = await finding.booked(book_, "demo", wanted, ())
    task.cancel()
    assert len(booked) == 3
    assert max(opened_at_once) == 2


async def test_s45_a_photo_and_events_that_cannot_be_read_do_not_keep_the_rest_out_of_the_file(
    site: Site,
) -> None:
    visits, admin = [await ended(site), await ended(site)], (await desk(site)).person
    client: Any = site.app[REDIS]
    await client.lset(keys.HISTORY("demo", visits[0]), 0, b"bytes of a key that is gone")
    await client.hset(keys.PHOTOS("demo", visits[0]), "p_1", b"bytes of a key that is gone")
    answer = await admin.post(f"{PATH}/export", named(await found(admin)))
    with zipfile.ZipFile(io.BytesIO(await answer.read())) as file:
        assert file.testzip() is None
        records = [json.loads(line) for line in file.read("visits.jsonl").splitlines()]
        photos = [name for name in file.namelist() if name.endswith(".jpg")]
    assert [record["visit"]["id"] for record in records] == visits
    assert [record["unreadable_events"] for record in records] == [1, 0]
    assert photos == [f"photos/{visits[1]}-p_1.jpg"]


async def test_s45_an_event_that_cannot_be_read_does_not_prevent_an_erasure_and_is_erased(site: Site) -> None:
    visit, admin, client = await ended(site), (await desk(site)).person, cast(Any, site.app[REDIS])
    newest = int((await client.xrevrange(keys.EVENTS("demo"), count=1))[0][0].split(b"-")[0])
    for number, content in enumerate(({"e": b"cut"}, {"other": b"field"}), 1):
        await client.xadd(keys.EVENTS("demo"), content, id=f"{newest + number}-0")
    fields = named(await found(admin))
    assert (await admin.post(PATH, [*fields, ("name", "Ana Ruiz"), ("do", "erase")])).status == 200
    assert await site.app[SERVICE].visit("demo", visit) is None
    assert not await client.xrange(keys.EVENTS("demo"), min=f"{newest + 1}-0")


async def test_s45_a_download_that_a_fault_of_the_server_ends_fails_at_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ended(site)
    admin = (await desk(site)).person
    fields = named(await found(admin))

    async def fails(_: Archive) -> None:
        raise RuntimeError("a fault")

    async def downloaded() -> None:
        async with asyncio.timeout(20):
            await (await admin.post(f"{PATH}/export", fields)).read()

    monkeypatch.setattr(Archive, "end", fails)
    with pytest.raises(ClientError):
        await downloaded()
