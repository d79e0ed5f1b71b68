"""Tests which content open pages show after their worker has missed more events than the store's stream keeps."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
from msgspec.structs import replace
from redis.asyncio import Redis

from signalling.clients.client import SignallingClient
from signalling.service import Accepted
from signalling.store import keys
from signalling.store.mirror import Change, Reset
from signalling.store.redis_connection import SharedRedis
from signalling.topics import rights
from signalling.visit import commands as c
from signalling.visit.record import Role
from signalling.worker import Worker
from tests.faults.conftest import Measured
from tests.faults.link import Link, link_to
from tests.limits import WAIT_S
from tests.signalling.clinic import ANA, ORG, Clinic, open_worker
from tests.signalling.waits import until

AGREED = {"agreed": True, "signature": "Ana Ruiz"}
Message = dict[str, Any]
# Kind of topic -> (the type of the message with the topic's whole state, a function that returns True if such a message
# shows the events that the page had missed).
SHOWN: dict[str, tuple[str, Callable[[Message, str], bool]]] = {
    "queue": ("queue.snapshot", lambda m, me: [row["name"] for row in m["rows"]] == ["Ana Ruiz", "Bo Late"]),
    "sessions": ("sessions.snapshot", lambda m, me: [row["name"] for row in m["rows"]] == ["Zoe First"]),
    "visit": ("visit.state", lambda m, me: m["visit"]["guide_done"]),
    "case": ("case.state", lambda m, me: m["case"]["answers"].get("allergies") == "nuts"),
    "place": ("place.state", lambda m, me: m["place"] == 1),
    "chat": ("chat.snapshot", lambda m, me: [line["text"] for line in m["lines"]] == ["before", "missed"]),
    "bell": ("bell.snapshot", lambda m, me: m["unread"] == 1 and [i["visit"] for i in m["items"]] == [me]),
}


@asynccontextmanager
async def two_workers(url: str) -> AsyncIterator[tuple[Clinic, Link]]:
    """Yield a clinic that two workers serve, and the link by which the second worker reaches the store."""
    async with AsyncExitStack() as stack:
        link = await stack.enter_async_context(link_to(url))
        workers, servers = [], []
        for index, where in enumerate((url, link.url)):
            redis = SharedRedis.from_url(where, socket_timeout=30)
            stack.push_async_callback(redis.aclose)
            worker, server = await stack.enter_async_context(open_worker(redis, index))
            workers.append(worker)
            servers.append(server)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Clinic(workers, servers, http), link


def newest(clients: list[SignallingClient], kept: dict[str, Message]) -> dict[str, Message]:
    """Add the newest message of each type that these clients have received to the map `kept`, by type;
    return `kept`.
    """
    for client in clients:
        while client.backlog:
            message = client.backlog.popleft()
            kept[message["type"]] = message
    return kept


def _seq(worker: Worker) -> int:
    mirror = worker.service.mirrors.known(ORG)
    return -1 if mirror is None else mirror.seq


async def test_r28_every_topic_shows_what_a_reset_mirror_missed(
    valkey: Redis, valkey_url: str, measured: Measured
) -> None:
    async with two_workers(valkey_url) as (two, link):
        near, far = two.workers
        assert set(SHOWN) == {*rights.OF_VISITS, *rights.OF_STAFF}, "each kind of topic has its story"
        colleague, mine = two.provider("Dr B. Lin"), two.provider("Dr M. Osei")
        first = await two.arrive(0, replace(ANA, name="Zoe First"))
        patient = await two.arrive(0)
        visit = f"{patient.visit}"
        await two.on_call(colleague, 0)
        admin = await two.connect(two.provider("R. Hale", Role.ADMIN), 0)
        provider, page = await two.on_call(mine, 1), await two.connect(patient, 1)
        await admin.request("chat.send", visit=visit, text="before")
        await until(lambda: _seq(near) == _seq(far))
        for topic in ("queue", "sessions", "bell"):
            await provider.request("subscribe", topic=topic)
        for room in ("visit", "case", "place", "chat"):
            await page.request("subscribe", topic=f"{room}/{visit}")
        before: dict[str, Message] = {}
        await until(lambda: {kind for kind, _ in SHOWN.values()} <= set(newest([provider, page], before)))
        assert not any(shows(before[kind], visit) for kind, shows in SHOWN.values())
        news: list[Change | Reset] = []
        far.service.mirrors.observers.append(news.append)

        link.cut()
        await admin.request("chat.send", visit=visit, text="missed")
        for step, answer in (("allergies", "nuts"), ("fever", False), ("consent", AGREED)):
            await near.service.command(patient, visit, c.Save(step, answer, left=True))
        done = await near.service.command(patient, visit, c.Finish())
        assert isinstance(done, Accepted), done
        await near.service.command(colleague, f"{first.visit}", c.Claim())
        await two.arrive(0, replace(ANA, name="Bo Late"))
        await admin.request("visit.assign", visit=visit, to=mine.id)
        await valkey.xtrim(keys.EVENTS(ORG), maxlen=1, approximate=False)
        link.heal()

        kept: dict[str, Message] = {}

        def missing() -> list[str]:
            newest([provider, page], kept)
            return [
                kind
                for kind, (name, shows) in SHOWN.items()
                if name not in kept or not shows(kept[name], visit)
            ]

        start = time.monotonic()
        with contextlib.suppress(AssertionError):
            await until(lambda: not missing(), WAIT_S)
        took = time.monotonic() - start
        assert missing() == []
        assert [type(n) for n in news if n.organisation == ORG][:1] == [Reset]
        await admin.request("chat.send", visit=visit, text="after")
        line = await page.expect("chat.line")
        assert line["line"]["text"] == "after"
        measured("R28", "all topics show what was missed after the store is back", took, "s", at_most=2.0)
