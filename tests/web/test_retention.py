"""What an organisation keeps no longer is gone from the store, whole; what it keeps stays."""

import os
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from signalling.store import keys
from signalling.visit import commands as c
from signalling.visit.record import Actor, Role
from signalling.visit.relations import Refusal
from tests.stored import kind_of
from tests.web.setup.desk import desk
from tests.web.site import Site
from web.identity.visitors import patient
from web.keys import AUDIT_TRAIL, ORGANISATIONS, SERVICE, SETTINGS
from web.mail import outbox
from web.mail.carriers import Files
from web.retention import DAY_MS, Retention


def retention_of(site: Site, valkey: Redis) -> Retention:
    """What the site's own runner would erase with."""
    folder = Path(site.app[SETTINGS].data.folder)
    return Retention(valkey, site.app[SERVICE], site.app[ORGANISATIONS], folder, site.app[AUDIT_TRAIL], 2190)


async def withdrawn(site: Site) -> str:
    """A visit that is over: its id."""
    ana = site.person()
    await ana.ask_for_a_visit()
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


async def kinds_in(valkey: Redis) -> set[str]:
    """The patterns of the keys in the store that hold something and that the table leaves to the retention."""
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
    trail, now_ms = site.app[AUDIT_TRAIL], site.app[SERVICE].store.clock_ms()
    await trail.flush()
    await trail.settle("demo")
    await valkey.hset(keys.CALLS("demo", visit_id), "part", "sealed")
    await valkey.zadd(keys.CHAT("demo", visit_id), {"l_1": 0})
    await valkey.hset(keys.LINE("demo", "l_1"), "record", "sealed")
    await valkey.zadd(keys.APPOINTMENTS("demo"), {"a_1": now_ms})
    await valkey.hset(keys.APPOINTMENT("demo", "a_1"), "record", "sealed")
    await valkey.zadd(keys.DEAD_JOBS("demo"), {"sealed": now_ms})
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


def test_what_belongs_to_no_organisation_goes_when_all_of_them_would_have_let_go_of_it(
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
