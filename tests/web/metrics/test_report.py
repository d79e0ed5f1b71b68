"""Tests the report of a worker about itself: its content, when it is written, and how long the store keeps it."""

import msgspec
import pytest

from signalling.store import keys
from tests.signalling.waits import until
from tests.web.conftest import OpenSite
from tests.web.site import Site
from web.keys import DRAINING, REDIS, SIGNALLING, SUPERVISOR
from web.metrics.report import KEPT_MS, Reporter, reports


async def test_a_worker_reports_itself_and_only_its_newest_report_is_read(site: Site) -> None:
    redis = site.app[REDIS]
    await until(lambda: redis.exists(keys.REPORTS()))
    (first,) = await reports(redis)
    assert first.worker == site.app[SIGNALLING].id
    assert (first.sockets, first.rooms, first.parties, first.draining) == (0, 0, 0, False)
    person = site.person()
    await person.ask_for_a_visit()
    await (await person.socket("patient")).receive_json()
    reporter = Reporter(site.app)
    await reporter._write(reporter.report())
    (newest,) = await reports(redis)
    assert newest.sockets == 1
    assert newest.at_ms >= first.at_ms


async def test_a_worker_registers_its_region_its_bound_and_the_addresses_of_its_media(
    open_site: OpenSite,
) -> None:
    site = await open_site(cluster={"region": "north"}, media={"rooms_max": 7})
    report = Reporter(site.app).report()
    assert (report.region, report.rooms_max) == ("north", 7)
    assert report.addresses == tuple(site.app[SIGNALLING].services.relay.addresses())
    assert report.addresses


async def test_a_change_is_reported_at_once_and_replaces_the_report_before(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis, worker = site.app[REDIS], site.app[SIGNALLING]
    monkeypatch.setattr("web.metrics.report.EVERY_S", 3600)
    site.app[SUPERVISOR].keep("another", Reporter(site.app).run)
    await until(lambda: redis.exists(keys.REPORTS()))

    async def draining() -> list[bool]:
        return [report.draining for report in await reports(redis)]

    assert await draining() == [False]
    site.app[DRAINING].set()
    worker.changed.set()

    async def reported() -> bool:
        return await draining() == [True]

    await until(reported)
    assert await redis.zcard(keys.REPORTS()) <= 2, "one for each of the two tasks"


async def test_a_report_is_removed_when_it_is_ten_seconds_old(site: Site) -> None:
    redis = site.app[REDIS]
    reporter = Reporter(site.app)
    now = reporter.report()
    old = msgspec.structs.replace(now, worker="w1-gone", at_ms=now.at_ms - KEPT_MS)
    await redis.zadd(keys.REPORTS(), {msgspec.msgpack.encode(old): old.at_ms})
    await reporter._write(reporter.report())
    assert "w1-gone" not in {report.worker for report in await reports(redis)}
    assert 0 < await redis.pttl(keys.REPORTS()) <= KEPT_MS
