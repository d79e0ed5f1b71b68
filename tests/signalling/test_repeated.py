"""Tests that events which clients can cause as often as they want are logged once a minute, with a count."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse
from redis.asyncio import Redis
from structlog.testing import capture_logs

from signalling import repeated
from signalling.clients.client import JSON
from signalling.repeated import Repeated
from signalling.worker import Limits
from tests.limits import WAIT_S
from tests.signalling.clinic import Clinic, clinic, headers
from tests.signalling.test_clinic_side import refused

CAUSED = ("websocket.flooded", "websocket.too_many", "visit.limit_reached")


def test_an_event_is_logged_at_once_and_then_once_a_minute_with_its_count() -> None:
    repeated = Repeated()
    times_s = (5.0, 5.1, 64.9, 65.0, 70.0, 125.0)
    assert [repeated.count("flooded", now_s) for now_s in times_s] == [1, 0, 0, 3, 0, 2]


def test_another_event_is_logged_at_once() -> None:
    repeated = Repeated()
    assert (repeated.count("flooded", 5.0), repeated.count("crowded", 5.1)) == (1, 1)


async def upgrade(one: Clinic) -> ClientWebSocketResponse:
    """Open a socket of a provider, and send no hello on it; return the socket."""
    return await one.http.ws_connect(one.url(0), protocols=(JSON,), headers=headers(one.provider()))


async def flood(one: Clinic) -> None:
    """Send frames on a new socket until the server closes it."""
    ws = await upgrade(one)
    with contextlib.suppress(ConnectionError):
        for _ in range(1000):
            await ws.ping()
    await ws.receive(timeout=WAIT_S)
    assert ws.closed


async def crowd(one: Clinic) -> None:
    """Send hello on one more socket than a person may have."""
    ws = await upgrade(one)
    await ws.send_json({"type": "hello", "id": 1, "role": "staff"})
    assert (await ws.receive_json(timeout=WAIT_S))["code"] == "too_many_sockets"


async def test_s48_what_clients_cause_at_will_is_one_line_for_each_kind(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeated, "_repeated", Repeated())
    monkeypatch.setattr("signalling.topics.chat.MOST_MESSAGES", 0)
    events: list[Any]
    with capture_logs() as events:
        async with clinic(valkey, 1, Limits(sockets_per_person=1)) as one:
            provider = await one.on_call(one.provider())
            patient = await one.arrive()
            theirs = await one.connect(patient)
            await provider.request("visit.claim", visit=patient.visit)
            for _ in range(3):
                await flood(one)
                await crowd(one)
                assert await refused(theirs, "chat.send", visit=patient.visit, text="hi") == "limit_reached"
    told = [event["event"] for event in events if event["event"] in CAUSED]
    assert sorted(told) == sorted(CAUSED)
    assert {event["count"] for event in events if event["event"] in CAUSED} == {1}
