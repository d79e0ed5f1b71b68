"""Tests what a worker reports about itself, and how long the store keeps the report."""

import msgspec

from signalling.store import keys
from tests.signalling.waits import until
from tests.web.site import Site
from web.keys import REDIS, SIGNALLING
from web.metrics.report import KEPT_MS, Reporter, reports


async def test_a_worker_reports_itself_and_only_its_newest_report_is_read(site: Site) -> None:
    redis = site.app[REDIS]
    await until(lambda: redis.exists(keys.REPORTS()), within_s=30)
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


async def test_a_report_is_removed_when_it_is_ten_seconds_old(site: Site) -> None:
    redis = site.app[REDIS]
    reporter = Reporter(site.app)
    now = reporter.report()
    old = msgspec.structs.replace(now, worker="w1-gone", at_ms=now.at_ms - KEPT_MS)
    await redis.zadd(keys.REPORTS(), {msgspec.msgpack.encode(old): old.at_ms})
    await reporter._write(reporter.report())
    assert "w1-gone" not in {report.worker for report in await reports(redis)}
    assert 0 < await redis.pttl(keys.REPORTS()) <= KEPT_MS
