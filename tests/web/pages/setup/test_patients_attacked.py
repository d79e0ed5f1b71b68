"""Tests the page of one patient's records against tampered forms, namesakes and two acts at once: row 45."""

import asyncio
from typing import Any

import pytest

from signalling.store.jobs import Jobs, new_job
from signalling.visit import commands as c
from signalling.visit.record import Actor, Role, Visit
from signalling.visit.relations import Decided
from tests.web.audit.test_noting import entries_of
from tests.web.pages.setup.desk import desk
from tests.web.pages.setup.test_patients import ANA, PATH, ended, found, named
from tests.web.pages.setup.test_people import account
from tests.web.pages.staff.test_emergency import of_a_colleague
from tests.web.site import LIND, Site
from web.keys import REDIS, SEAL, SERVICE
from web.pages.setup import patients as page_of
from web.patients.erasing import Erasure


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
    who = await account(site, LIND)
    lind = Actor(organisation="demo", id=who.id, name=who.name, role=Role.PROVIDER)

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
