"""What an organisation keeps no longer is gone from the store, whole; what it keeps stays."""

from redis.asyncio import Redis

from signalling import commands as c
from signalling.record import Actor, Role
from signalling.store import Keys
from signalling.visit import Refusal
from tests.web.setup.desk import desk
from tests.web.site import Site
from web.pages.public import ORGANISATIONS, SERVICE, patient
from web.retention import DAY_MS, Retention


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
    retention = Retention(valkey, service, site.app[ORGANISATIONS])
    now_ms = service.store.clock_ms()
    assert await retention.erase("demo", now_ms + 29 * DAY_MS) == 0
    assert await service.visit("demo", visit_id) is not None
    assert await retention.erase("demo", now_ms + 31 * DAY_MS) == 1
    assert await service.visit("demo", visit_id) is None
    assert await service.store.history("demo", visit_id) == []
    keys = Keys("demo")
    assert await valkey.zcard(keys.ended) == 0
    assert await valkey.xlen(keys.stream) == 0
    for key in await valkey.keys("*"):
        assert visit_id.encode() not in key
    assert await retention.erase("demo", now_ms + 31 * DAY_MS) == 0


async def test_an_open_visit_is_never_erased(site: Site, valkey: Redis) -> None:
    ana = site.person()
    await ana.ask_for_a_visit()
    service = site.app[SERVICE]
    retention = Retention(valkey, service, site.app[ORGANISATIONS])
    assert await retention.erase("demo", service.store.clock_ms() + 40_000 * DAY_MS) == 0
    (visit,) = (await service.mirrors.get("demo")).visits.values()
    system = Actor(organisation="demo", id="system", name="", role=Role.SYSTEM)
    assert not isinstance(await service.command(system, visit.id, c.Due()), Refusal)
    assert (await ana.get("/demo/visit")).status == 200
