"""Tests that the retention erases whole visits only, also if one changes meanwhile, and their emergency accesses."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from typer.testing import CliRunner

from signalling.errors import UnavailableError
from signalling.store import keys
from signalling.store.notices import Notices
from signalling.store.packing import AFTER_MS
from signalling.store.visit_erasure import StoredVisit, VisitErasure
from signalling.visit import commands as c
from signalling.visit.record import ChatMessage, Visit
from signalling.visit.relations import Decided
from tests.server import toml
from tests.web.audit.test_noting import entries_of
from tests.web.pages.setup.desk import desk
from tests.web.pages.staff.test_emergency import REASON, actor_of, of_a_colleague, path_of
from tests.web.site import FORM, LIND, OSEI, Site
from tests.web.test_retention import retention_of, withdrawn
from web.commands.main import app
from web.emergency.opening import grants_of
from web.errors import CommandError
from web.keys import SERVICE, SETTINGS
from web.patients.erasing import Erasure
from web.retention import DAY_MS
from web.server.valkey import EmbeddedStore


async def test_r39_a_packed_visit_that_is_unpacked_while_it_is_erased_leaves_no_chat_message(
    site: Site, valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, service = await withdrawn(site), site.app[SERVICE]
    now_ms, packed = service.clock_ms(), service.store.packed
    message = ChatMessage(id="m_1", visit=visit, at_ms=now_ms, party="patient", name="Ana", text="Hello")
    await service.write("demo", message, None)
    (queued,) = await packed.due("demo", now_ms + 2 * AFTER_MS, 1)
    assert await packed.pack("demo", queued)
    read = VisitErasure.read

    async def unpacked_after(self: VisitErasure, organisation: str, visit_id: str) -> StoredVisit:
        found = await read(self, organisation, visit_id)
        await packed.unpack(organisation, visit_id, now_ms)
        return found

    monkeypatch.setattr(VisitErasure, "read", unpacked_after)
    assert await retention_of(site, valkey).erase("demo", now_ms + 2600 * DAY_MS) == 1
    client: Any = valkey
    assert await client.keys(keys.LINE("demo", "*")) == []


async def test_s34_the_retention_does_not_erase_a_visit_that_is_reopened_after_its_check(
    site: Site, valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, service, read = await of_a_colleague(site), site.app[SERVICE], VisitErasure.read
    lind = await actor_of(site, LIND)

    async def reopened_after(self: VisitErasure, organisation: str, visit_id: str) -> StoredVisit:
        found = await read(self, organisation, visit_id)
        if not found.is_open:
            assert isinstance(await service.command(lind, visit, c.Reopen()), Decided)
        return found

    monkeypatch.setattr(VisitErasure, "read", reopened_after)
    later_ms = service.clock_ms() + 2600 * DAY_MS
    assert await retention_of(site, valkey).erase("demo", later_ms) == 0
    held, _ = await service.store.load("demo", Visit, visit)
    assert held is not None
    assert held.is_open
    assert [line.text for line in await service.store.lines("demo", visit)] == ["It itches"]


async def test_s45_the_retention_erases_an_emergency_access_and_its_notifications_with_the_visit(
    site: Site, valkey: Redis
) -> None:
    admin = await desk(site)
    assert (await admin.change("policy", retention_days="30")).status == 303
    visit, osei = await of_a_colleague(site), (await desk(site, OSEI)).person
    other, now_ms = await withdrawn(site), site.app[SERVICE].clock_ms()
    kept = {"reason": "Another patient is in danger, too"}
    for read, reason in ((visit, REASON), (other, kept)):
        assert (await osei.post(path_of(read), reason)).status == 303
    # The visit ended a month before it was read.
    await valkey.zadd(keys.ENDED("demo"), {visit: now_ms - 31 * DAY_MS})
    assert await retention_of(site, valkey).erase("demo", now_ms) == 1
    assert [grant.reason for grant in await grants_of(site.app).newest("demo", 9)] == [kept["reason"]]
    notes = [note async for note in notifications(site, valkey)]
    assert kept["reason"] in notes
    assert REASON["reason"] not in notes


async def notifications(site: Site, client: Any) -> AsyncIterator[str | None]:
    """Yield the notes of all notifications in the demo's bells."""
    notices = Notices(site.app[SERVICE].store)
    for person in await client.hkeys(keys.ACCOUNTS("demo")):
        for sealed in await client.zrange(keys.BELL("demo", person.decode()), 0, -1):
            yield notices.opened("demo", person.decode(), sealed).note


async def test_s45_a_grant_that_an_erasure_missed_is_erased_once_a_day(site: Site, valkey: Redis) -> None:
    visit, osei = await of_a_colleague(site), (await desk(site, OSEI)).person
    await osei.post(path_of(visit), REASON)
    client: Any = valkey
    await client.delete(keys.VISIT("demo", visit))
    await client.delete(keys.SWEPT("demo"))
    await retention_of(site, valkey)._erase_all("demo")
    assert await grants_of(site.app).newest("demo", 9) == []


@pytest.mark.parametrize(
    "problem",
    [
        UnavailableError("the store is away"),
        CommandError("a visit was reopened"),
        KeyboardInterrupt(),
    ],
)
async def test_s45_a_command_to_erase_that_fails_in_the_middle_leaves_an_entry_in_the_audit_log(
    site: Site,
    embedded_store: EmbeddedStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    problem: BaseException,
) -> None:
    visit, config = await withdrawn(site), tmp_path / "config.toml"
    data = str(site.app[SETTINGS].data.folder)
    config.write_text(toml({"redis": {"url": embedded_store.url}, "data": {"folder": data}}))

    async def command(*words: str) -> int:
        call = ["erase", *words, "--yes", "--config", str(config)]
        return (await asyncio.to_thread(CliRunner().invoke, app, call)).exit_code

    async def fails(*_: object) -> None:
        raise problem

    assert await command("--patient", FORM["name"], "--born", "in April") == 2
    await site.person().ask_for_a_visit()
    assert await command("--patient", FORM["name"]) == 1, "a visit is open"
    monkeypatch.setattr(Erasure, "_visits", fails)
    assert await command("--visit", visit) != 0
    assert [entry[1] for entry in await entries_of(site)].count("record.erased") == 1
