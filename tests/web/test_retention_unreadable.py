"""Tests that a value that cannot be read, or an error in one step of the erasure, keeps no other data past its days."""

from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
from redis.asyncio import Redis

from signalling.store import keys
from tests.web.site import Site
from tests.web.test_retention import retention_of, withdrawn
from web.keys import ORGANISATIONS, SERVICE, SETTINGS
from web.mail import outbox
from web.mail.carriers import Files
from web.retention import DAY_MS


async def test_s34_an_event_that_cannot_be_read_is_erased_and_keeps_no_other_data_past_its_days(
    site: Site, valkey: Redis
) -> None:
    await withdrawn(site)
    client: Any = valkey
    now_ms, retention = site.app[SERVICE].store.clock_ms(), retention_of(site, valkey)
    (person, *_) = await client.hkeys(keys.ACCOUNTS("demo"))
    bell, events = keys.BELL("demo", person.decode()), keys.EVENTS("demo")
    await valkey.zadd(bell, {"sealed": now_ms})
    newest = int((await client.xrevrange(events, count=1))[0][0].split(b"-")[0])
    for number, fields in enumerate(({"e": b"cut"}, {"other": b"field"}), 1):
        await client.xadd(events, fields, id=f"{newest + number}-0")
    await retention.erase("demo", now_ms)
    kept = await client.xrange(events)
    assert [int(name.split(b"-")[0]) for name, _ in kept] == list(range(1, newest + 1))
    await retention.erase("demo", now_ms + 2600 * DAY_MS)
    assert (await valkey.xlen(events), await valkey.exists(bell)) == (0, 0)


@pytest.mark.parametrize("step", ["_visits", "_booked", "_events", "_by_score", "erase_left", "erase_audit"])
async def test_s34_an_error_in_one_step_of_the_erasure_does_not_skip_the_other_steps(
    site: Site, valkey: Redis, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, retention = list[str](), retention_of(site, valkey)

    def noted(name: str) -> Any:
        async def work(*_: object) -> int:
            done.append(name)
            if name == step:
                raise ValueError
            return 0

        return work

    steps = ["_visits", "_booked", "_events", "_by_score", "erase_left", "erase_audit"]
    for name in steps:
        monkeypatch.setattr(retention, name, noted(name))
    with structlog.testing.capture_logs() as logged:
        await retention._erase_all("demo")
    assert done == steps
    assert [line["event"] for line in logged if line["log_level"] == "error"] == ["retention.failed"]


async def test_s34_settings_that_cannot_be_read_keep_no_data_of_other_organisations(
    site: Site, valkey: Redis
) -> None:
    await site.change(id="lakeside", name="Lakeside Clinic", retention_days=30)
    folder = Path(site.app[SETTINGS].data.folder)
    await Files(folder).carry(EmailMessage(), outbox.named("2026-01-01", "booked", "j_1", "lakeside"))
    await valkey.set(keys.ORGANISATION("demo"), b"{}")
    site.app[ORGANISATIONS]._forget("demo")
    now_ms = site.app[SERVICE].store.clock_ms()
    assert await retention_of(site, valkey).erase_mails(now_ms + 31 * DAY_MS) == 1
