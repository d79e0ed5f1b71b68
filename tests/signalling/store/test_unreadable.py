"""Tests that a stored value that cannot be read is left out, logged and counted, and hides no other value."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from signalling.errors import SealError
from signalling.store import keys
from signalling.store.notices import Notices
from signalling.store.unreadable import leaving_out, readable
from signalling.visit.record import Notice
from tests.signalling.store.test_records import commit, store_of, visit
from tests.signalling.visits import ORG

PERSON = "u_osei"


@pytest.mark.parametrize(
    "problem", [SealError("forged"), msgspec.DecodeError("cut"), msgspec.ValidationError("?")]
)
def test_a_value_that_cannot_be_read_is_left_out_logged_and_counted(problem: Exception) -> None:
    missed = Counter[str]()
    with capture_logs() as logs:
        for counter in (missed, missed, None):
            with leaving_out(ORG, "calls", counter):
                raise problem
    line = {"event": "store.unreadable_record", "organisation": ORG, "what": "calls", "log_level": "error"}
    assert (logs, missed) == ([line] * 3, {"calls": 2})


def test_any_other_error_is_raised() -> None:
    missed = Counter[str]()
    with capture_logs() as logs, pytest.raises(KeyError), leaving_out(ORG, "calls", missed):
        raise KeyError
    with leaving_out(ORG, "calls", missed):
        pass
    assert (logs, missed) == ([], {})


@pytest.mark.parametrize("content", [b"forged", None])
async def test_an_event_of_a_visit_that_cannot_be_read_hides_no_other_event(
    valkey: Redis, content: bytes | None
) -> None:
    client: Any = valkey
    store, history = store_of(valkey), keys.HISTORY(ORG, "v_1")
    for version in range(1, 4):
        await commit(store, visit(version=version))
    events = await store.history(ORG, "v_1")
    await client.lset(history, 1, content or store.seal.close(b"\xff", f"{ORG}/history/v_1"))
    missed = Counter[str]()
    with capture_logs() as logs:
        assert await store.history(ORG, "v_1", missed) == [events[0], events[2]]
    assert [(line["event"], line["what"]) for line in logs] == [("store.unreadable_record", "history")]
    assert missed == {"history": 1}


def test_stored_bytes_that_are_missing_or_cannot_be_read_are_none() -> None:
    with capture_logs() as logs:
        found = [readable(ORG, "account", data, msgspec.json.decode) for data in (b"1", None, b"{")]
    assert (found, [line["what"] for line in logs]) == ([1, None, None], ["account"])


async def test_a_notification_that_cannot_be_read_hides_no_other_and_is_not_counted(valkey: Redis) -> None:
    store = store_of(valkey)
    notices, now_ms = Notices(store), (await valkey.time())[0] * 1000
    kept = [Notice(id=f"n_{number}", kind="assigned", at_ms=now_ms + number) for number in range(3)]
    for notice in kept:
        sealed = store.seal.close(msgspec.msgpack.encode(notice), f"{ORG}/bell/{PERSON}")
        await valkey.zadd(
            keys.BELL(ORG, PERSON), {sealed if notice is not kept[1] else b"forged": notice.at_ms}
        )
    assert await notices.newest(ORG, PERSON) == ([kept[2], kept[0]], 2)
    assert await notices.place(ORG, PERSON, now_ms + 1) == now_ms
