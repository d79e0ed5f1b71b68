"""Tests that data leaves the store when its organisation no longer keeps it, and that all other data stays."""

import asyncio
import json
import os
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse
from redis.asyncio import Redis
from typer.testing import CliRunner

from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.jobs import new_job
from signalling.store.packed import unpacked
from signalling.store.packing import AFTER_MS
from signalling.visit import commands as c
from signalling.visit.record import Actor, Role
from signalling.visit.relations import Refusal
from tests.limits import WAIT_S
from tests.server import toml
from tests.signalling.waits import until
from tests.stored import contents, kind_of
from tests.web.api.client import PATIENT, program
from tests.web.appointments.visitor import BOOKING, book, offered
from tests.web.pages.setup.desk import desk
from tests.web.site import ADMIN, OSEI, Site
from web.commands.main import app
from web.emergency import grants, opening
from web.identity.visitors import patient
from web.keys import AUDIT_LOG, JOB_QUEUES, JOBS, ORGANISATIONS, SERVICE, SETTINGS, SUPERVISOR
from web.mail import outbox
from web.mail.carriers import Files
from web.retention import DAY_MS, Retention
from web.server.valkey import EmbeddedStore


def retention_of(site: Site, valkey: Redis) -> Retention:
    """Return the site's own object that erases data."""
    folder = Path(site.app[SETTINGS].data.folder)
    return Retention(valkey, site.app[SERVICE], site.app[ORGANISATIONS], folder, site.app[AUDIT_LOG], 2190)


async def withdrawn(site: Site, **fields: str) -> str:
    """Open a visit and let its patient withdraw it; return its id."""
    ana = site.person()
    await ana.ask_for_a_visit(**fields)
    service = site.app[SERVICE]
    (visit,) = (await service.mirrors.get("demo")).visits.values()
    answer = await service.command(patient("demo", visit.id, "Ana Ruiz"), visit.id, c.Withdraw())
    assert not isinstance(answer, Refusal)
    return visit.id


async def test_a_visit_is_erased_when_its_time_is_over_and_not_before(site: Site, valkey: Redis) -> None:
    admin = await desk(site)
    assert (await admin.change("policy", retention_days="30")).status == 303
    visit_id = await withdrawn(site)
    service = site.app[SERVICE]
    await valkey.hset(keys.CALLS("demo", visit_id), "part", "sealed")
    retention = retention_of(site, valkey)
    now_ms = service.store.clock_ms()
    assert await retention.erase("demo", now_ms + 29 * DAY_MS) == 0
    assert await service.visit("demo", visit_id) is not None
    assert await retention.erase("demo", now_ms + 31 * DAY_MS) == 1
    assert await service.visit("demo", visit_id) is None
    assert await service.store.history("demo", visit_id) == []
    assert await valkey.zcard(keys.ENDED("demo")) == 0
    assert await valkey.xlen(keys.EVENTS("demo")) == 0
    for key in await valkey.keys("*"):
        assert visit_id.encode() not in key
    assert await retention.erase("demo", now_ms + 31 * DAY_MS) == 0


async def test_a_visit_that_cannot_be_read_is_erased_and_does_not_keep_later_ones(
    site: Site, valkey: Redis
) -> None:
    visits, service = [await withdrawn(site) for _ in range(2)], site.app[SERVICE]
    await valkey.hset(keys.VISIT("demo", visits[0]), "record", b"bytes of a key that is gone")
    later_ms = service.store.clock_ms() + 2600 * DAY_MS
    assert await retention_of(site, valkey).erase("demo", later_ms) == 2
    assert await valkey.exists(*(keys.VISIT("demo", visit) for visit in visits)) == 0


async def test_r39_a_packed_visit_that_a_server_of_an_earlier_release_left_is_erased(
    site: Site, valkey: Redis
) -> None:
    left, kept = [await withdrawn(site) for _ in range(2)]
    packed, retention = site.app[SERVICE].store.packed, retention_of(site, valkey)
    for queued in await packed.due("demo", site.app[SERVICE].clock_ms() + 2 * AFTER_MS, 2):
        assert await packed.pack("demo", queued)
    # A server of an earlier release does not know packed (compressed) visits. It would erase this entry of the visit,
    # but leave the packed record.
    await valkey.zrem(keys.ENDED("demo"), left)
    assert await retention.erase_left("demo") == 1
    assert not await valkey.exists(keys.PAST("demo", left))
    assert await valkey.exists(keys.PAST("demo", kept), keys.ERASED()) == 2
    assert await retention.erase_left("demo") == 0


async def kinds_in(valkey: Redis) -> set[str]:
    """Return the patterns of all keys in the store that the retention must erase.

    The table of keys (`signalling/store/keys.py`) defines which keys these are.
    """
    found = set()
    client: Any = valkey
    for name in (name.decode() for name in await client.keys("*")):
        kind = kind_of(name)
        assert kind is not None
        if kind.erasure is keys.Erasure.RETENTION and (kind is not keys.EVENTS or await valkey.xlen(name)):
            found.add(kind.pattern)
    return found


async def test_every_kind_of_key_that_is_left_to_the_retention_is_erased(site: Site, valkey: Redis) -> None:
    visit_id = await withdrawn(site)
    audit_log, now_ms = site.app[AUDIT_LOG], site.app[SERVICE].store.clock_ms()
    await audit_log.flush()
    await audit_log.bind_all("demo")
    await valkey.hset(keys.CALLS("demo", visit_id), "part", "sealed")
    await valkey.hset(keys.PHOTOS("demo", visit_id), "p_1", "sealed")
    await valkey.set(keys.PAST("demo", visit_id), "sealed")
    await valkey.zadd(keys.CHAT("demo", visit_id), {"l_1": 0})
    await valkey.hset(keys.LINE("demo", "l_1"), "record", "sealed")
    for kind in (keys.APPOINTMENTS, keys.DEAD_JOBS, keys.EMERGENCIES):
        await valkey.zadd(kind("demo"), {"a_1": now_ms})
    await valkey.hset(keys.APPOINTMENT("demo", "a_1"), "record", "sealed")
    client: Any = valkey
    (person, *_) = await client.hkeys(keys.ACCOUNTS("demo"))
    await valkey.zadd(keys.BELL("demo", person.decode()), {"sealed": now_ms})
    kinds = {kind for kind in keys.ALL if kind.erasure is keys.Erasure.RETENTION}
    assert await kinds_in(valkey) == {kind.pattern for kind in kinds}
    assert {
        kind.patient for kind in keys.ALL if kind.erasure in (keys.Erasure.EXPIRY, keys.Erasure.NONE)
    } == {False}, "data of patients is left to nothing else"
    retention, later_ms = retention_of(site, valkey), now_ms + 2600 * DAY_MS
    await retention.erase("demo", later_ms)
    await retention.erase_audit("demo", later_ms)
    assert await kinds_in(valkey) == set()


async def test_notifications_of_somebody_who_never_looks_are_erased_in_time(
    site: Site, valkey: Redis
) -> None:
    admin = await desk(site)
    now_ms, retention = site.app[SERVICE].store.clock_ms(), retention_of(site, valkey)
    client: Any = valkey
    (person, *_) = await client.hkeys(keys.ACCOUNTS("demo"))
    bell, jobs = keys.BELL("demo", person.decode()), keys.DEAD_JOBS("demo")
    for name in (bell, jobs):
        await valkey.zadd(name, {"old": now_ms, "new": now_ms + 100 * DAY_MS})
    await retention.erase("demo", now_ms + 89 * DAY_MS)
    assert (await valkey.zcard(bell), await valkey.zcard(jobs)) == (2, 1)
    await retention.erase("demo", now_ms + 91 * DAY_MS)
    assert await valkey.zrange(bell, 0, -1) == [b"new"]
    assert (await admin.change("policy", retention_days="7")).status == 303
    await retention.erase("demo", now_ms + 108 * DAY_MS)
    assert (await valkey.exists(bell), await valkey.exists(jobs)) == (0, 0)


async def test_an_open_visit_is_never_erased(site: Site, valkey: Redis) -> None:
    ana = site.person()
    await ana.ask_for_a_visit()
    service = site.app[SERVICE]
    retention = retention_of(site, valkey)
    assert await retention.erase("demo", service.store.clock_ms() + 40_000 * DAY_MS) == 0
    (visit,) = (await service.mirrors.get("demo")).visits.values()
    system = Actor(organisation="demo", id="system", name="", role=Role.SYSTEM)
    assert not isinstance(await service.command(system, visit.id, c.Due()), Refusal)
    assert (await ana.get("/demo/visit")).status == 200


async def test_mails_in_the_data_folder_are_erased_by_their_own_organisations_time(
    site: Site, valkey: Redis
) -> None:
    admin = await desk(site)
    assert (await admin.change("policy", retention_days="30")).status == 303
    folder = Path(site.app[SETTINGS].data.folder)
    await Files(folder).carry(EmailMessage(), outbox.named("2026-01-01", "booked", "j_1", "demo"))
    [mail] = (folder / outbox.OUTBOX).iterdir()
    retention, now_ms = retention_of(site, valkey), site.app[SERVICE].store.clock_ms()
    assert await retention.erase_mails(now_ms + 29 * DAY_MS) == 0
    assert mail.exists()
    assert await retention.erase_mails(now_ms + 31 * DAY_MS) == 1
    assert not mail.exists()
    assert await retention.erase_mails(now_ms + 31 * DAY_MS) == 0


def test_data_of_no_organisation_is_erased_after_the_longest_retention_of_all(
    tmp_path: Path,
) -> None:
    (tmp_path / outbox.OUTBOX).mkdir()
    for name in (
        "2026-01-01-booked-j_1.gone.eml",
        ".2026-01-01-booked-j_2.short.77",
        "a.short.eml",
        "b.long.eml",
    ):
        path = tmp_path / outbox.OUTBOX / name
        path.touch()
        os.utime(path, (1000, 1000))
    assert outbox.erase(tmp_path, {"short": 1_000_001, "long": 1_000_000}) == 1, (
        "a second kept is a second kept"
    )
    assert outbox.erase(tmp_path, {"short": 1_000_001, "long": 1_000_001}) == 3
    assert outbox.erase(tmp_path / "nowhere", {"short": 1_000_001}) == 0


NAME, MAIL, PHONE = "Quetzal Zorrilla", "quetzal.z@example.org", "(512) 555-0142"
CANARIES = (b"quetzal", b"555-0142", b"5550142", b"5125550142")


@pytest.fixture
def unsealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes encryption do nothing, so that a search of the store finds every text."""
    monkeypatch.setattr(Seal, "close", lambda _, data, place: os.urandom(32) + data)
    monkeypatch.setattr(Seal, "open", lambda _, sealed, place: sealed[32:])


async def naming(client: Any) -> dict[str, bool]:
    """Return the pattern of each key that names the patient -> True if such a key never expires."""
    found: dict[str, bool] = {}
    for name in await client.keys("*"):
        kind, value = kind_of(name.decode()), await content(client, name)
        assert kind is not None
        if kind is keys.PAST:
            value = unpacked(value[32:])  # a record of this kind is compressed
        dump = repr([name, value]).lower().encode()
        if any(canary in dump for canary in CANARIES):
            found[kind.pattern] = found.get(kind.pattern, False) or await client.ttl(name) == -1
    return found


async def content(client: Any, name: bytes) -> Any:
    """Return everything that is stored under a key."""
    kind = (await client.type(name)).decode()
    if kind == "string":
        return await client.get(name)
    if kind == "hash":
        return await client.hgetall(name)
    if kind == "stream":
        return await client.xrange(name)
    if kind == "set":
        return await client.smembers(name)
    return await {"list": client.lrange, "zset": client.zrange}[kind](name, 0, -1)


async def ask(ws: ClientWebSocketResponse, kind: str, **fields: Any) -> None:
    """Send a request on a socket, and wait until the server has carried it out."""
    await ws.send_json({"type": kind, "id": 99, **fields})
    while (answer := await ws.receive_json(timeout=WAIT_S)).get("reply_to") != 99:
        pass
    assert answer["type"] != "error", answer


async def leave_traces(site: Site) -> list[str]:
    """Let a patient book, open visits, and be named in everything that the store keeps.

    Return the ids of the ended visits.
    """
    await site.change(booking=BOOKING)
    patient_, osei, admin = site.person(), site.person(), site.person()
    who = {"name": NAME, "email": MAIL, "phone": PHONE}
    await book(patient_, (await offered(patient_))[-1], **who)
    await patient_.ask_for_a_visit(**who)
    office = await program(site)
    opened = {"patient": {**PATIENT, **who}}
    await office.call("POST", "/visits", opened, headers={"Idempotency-Key": "one"})
    service = site.app[SERVICE]
    visits = [visit.id for visit in (await service.mirrors.get("demo")).visits.values()]
    for visit in visits:
        await service.photos.keep("demo", visit, "p_1", NAME.encode())
        assert not isinstance(
            await service.command(patient("demo", visit, NAME), visit, c.AddPhoto("p_1", 8, 6, NAME)), Refusal
        )
    sockets = []
    for person, email in ((osei, OSEI), (admin, ADMIN)):
        assert (await person.sign_in(email)).status == 303
        sockets.append(await person.socket("staff"))
        await ask(sockets[-1], "on_call", on=True)
        await ask(sockets[-1], "subscribe", topic="bell")
    theirs, chief = sockets
    me = next(
        staff.id for staff in (await service.mirrors.get("demo")).staff.values() if "Osei" in staff.name
    )
    for visit in visits:
        await ask(chief, "visit.assign", visit=visit, to=me)
        await ask(theirs, "chat.send", visit=visit, text=f"Hello {NAME}, {PHONE}")
        await ask(theirs, "visit.claim", visit=visit)
        await ask(theirs, "visit.invite", visit=visit, name=f"Daughter of {NAME}", relation="family")
        await ask(theirs, "visit.release", visit=visit)
        await ask(chief, "visit.decline", visit=visit, reason=f"{NAME}, please call.")
    now_ms = service.store.clock_ms()
    await opening.grants_of(site.app).add("demo", grants.new_grant(visits[0], me, "O", NAME, now_ms, 30))
    queued, *_ = await service.store.packed.due("demo", now_ms + 2 * AFTER_MS, 1)
    assert await service.store.packed.pack("demo", queued)
    await site.app[JOBS].add("demo", new_job("nobody's", {"to": MAIL, "name": NAME}, now_ms))
    await until(lambda: site.app[JOBS].dead("demo"))
    return visits


@pytest.mark.usefixtures("unsealed")
async def test_s34_no_key_of_the_store_names_a_patient_when_the_time_of_the_visit_is_over(
    site: Site, valkey: Redis
) -> None:
    await leave_traces(site)
    now_ms = site.app[SERVICE].store.clock_ms()
    named = await naming(valkey)
    patients = {kind.pattern for kind in keys.ALL if kind.patient}
    assert patients <= named.keys() | {keys.CALLS.pattern, keys.JOBS.pattern}, (
        "the visit has left something in each"
    )
    assert named.keys() <= patients, "and the table of keys knows all"
    retention, later_ms = retention_of(site, valkey), now_ms + 2600 * DAY_MS
    await retention.erase("demo", later_ms)
    await retention.erase_audit("demo", later_ms)
    assert await naming(valkey) == {}


@pytest.mark.usefixtures("unsealed")
async def test_s34_an_exported_and_erased_patient_is_in_no_file_and_the_audit_log_verifies(
    site: Site, valkey: Redis, embedded_store: EmbeddedStore, tmp_path: Path
) -> None:
    visits, other = await leave_traces(site), await withdrawn(site, phone="(512) 555-0199")
    for queue in site.app[JOB_QUEUES]:  # no job runs, so no mail is written during the erasure
        await site.app[SUPERVISOR].stop(f"web.jobs.{queue}")
    config, data = tmp_path / "config.toml", Path(site.app[SETTINGS].data.folder)
    config.write_text(toml({"redis": {"url": embedded_store.url}, "data": {"folder": str(data)}}))
    folders = [data, embedded_store.address_file.parent]

    async def command(*arguments: str, code: int = 0) -> str:
        call = [*arguments, "--config", str(config)]
        done = await asyncio.to_thread(CliRunner().invoke, app, call)
        assert done.exit_code == code, done.output
        return done.output

    def on_disk() -> set[bytes]:
        texts = [content.lower() for one in folders for content in contents(one)]
        return {canary for canary in CANARIES if any(canary in text for text in texts)}

    assert on_disk() >= {b"quetzal"}
    folder = tmp_path / "export"
    assert json.loads(await command("export", str(folder), "--patient", MAIL, "--json"))["visits"] == len(
        visits
    )
    records = [json.loads(line) for line in (folder / "visits.jsonl").read_text("utf-8").splitlines()]
    assert {record["visit"]["id"] for record in records} == set(visits)
    assert all(record["events"] and record["messages"] for record in records)
    assert len((folder / "booked.jsonl").read_text("utf-8").splitlines()) == 1
    assert {path.read_bytes() for path in (folder / "photos").iterdir()} == {NAME.encode()}
    assert "File exists" in await command("export", str(folder), "--all", code=1)
    await command("export", str(tmp_path / "all"), "--all")
    assert other in (tmp_path / "all" / "visits.jsonl").read_text("utf-8")

    assert "no such visit" in await command("erase", "--visit", "v_1", "--yes", code=1)
    assert "no such visit" in await command(
        "erase", "--patient", NAME, "--born", "1900-01-01", "--yes", code=1
    )
    await command("erase", "--born", "1900-01-01", code=2)
    # The command asks a question, which gets no answer here.
    await command("erase", "--patient", NAME, code=1)
    assert "nothing of it" in await command("erase", "--patient", NAME.upper(), "--yes")
    assert await naming(valkey) == {}
    await until(lambda: on_disk() == set())  # the store removes its old files in the background
    assert await site.app[SERVICE].visit("demo", other) is not None
    assert "unbroken" in await command("audit", "verify")
    entries = [json.loads(line) for line in (await command("audit", "export")).splitlines() if line]
    assert [(e["what"], e.get("about")) for e in entries if e["what"] == "record.erased"] == [
        ("record.erased", None)
    ]
    waiting = site.person()
    await waiting.ask_for_a_visit()
    (visit,) = (await site.app[SERVICE].mirrors.get("demo")).visits
    assert "has not ended" in await command("erase", "--visit", visit, "--yes", code=1)
