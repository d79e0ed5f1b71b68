"""Stores the webhooks of an organisation: their addresses, their events, and the results of the newest deliveries.

The records are encrypted, because they hold the secret for signatures. `Known` is this worker's copy of all webhooks,
so that an event finds its webhooks without a request to the store; the copy is refreshed every second. All methods of
`Webhooks` raise `UnavailableError` if the store does not answer.
"""

import contextlib
import secrets
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import structlog
from aiohttp import web
from msgspec.structs import replace
from redis.asyncio import Redis

from signalling.errors import SealError, UnavailableError
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.unavailable import answering
from signalling.ticks import tick
from web.keys import KNOWN_WEBHOOKS, SUPERVISOR
from web.programs.types import Delivery

MOST = 20
LOG_KEPT, LOG_MS = 100, 30 * 86_400_000
REFRESH_S = 1.0
"""A worker reads all webhooks from the store again after this time in s."""

ADD = """
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
"""

REPLACE = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""

log = structlog.get_logger("web.webhooks")


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook of an organisation: a URL to which events are sent.

    `events`: the names of the events that are sent to it; empty for all events. `secret`: the key with which the
    messages are signed.
    """

    id: str
    url: str
    secret: str
    made_ms: int
    events: tuple[str, ...] = ()
    enabled: bool = True

    def receives(self, event: str) -> bool:
        """Return whether the webhook receives events of this name."""
        return self.enabled and (not self.events or event in self.events)


class Webhooks:
    """Reads and changes the webhooks of all organisations."""

    def __init__(self, redis: Redis, seal: Seal) -> None:
        self._redis: Any = redis
        self._seal = seal
        self._add: Any = redis.register_script(ADD)
        self._replace: Any = redis.register_script(REPLACE)

    async def add(self, organisation: str, url: str, events: tuple[str, ...]) -> Webhook | None:
        """Make a webhook for these events and return it; None if there are too many webhooks."""
        async with answering():
            seconds, micros = await self._redis.time()
            webhook = Webhook(
                id=f"h_{secrets.token_urlsafe(12)}",
                url=url,
                secret=f"grwh_{secrets.token_urlsafe(32)}",
                made_ms=seconds * 1000 + micros // 1000,
                events=events,
            )
            await self._redis.sadd(keys.WEBHOOK_OWNERS(), organisation)
            args = [webhook.id, self._sealed(organisation, webhook), MOST]
            added = await self._add(keys=[keys.WEBHOOKS(organisation)], args=args)
        return webhook if added else None

    async def change(self, organisation: str, webhook_id: str, **changes: Any) -> Webhook | None:
        """Store the webhook with these changed fields and return it; None if there is no such webhook.

        Its other fields stay as they are in the store, also if another request changes them at the same time.
        """
        key, done = keys.WEBHOOKS(organisation), 0
        async with answering():
            while not done:
                kept = await self._redis.hget(key, webhook_id)
                if kept is None:
                    return None
                after = replace(self._opened(organisation, kept), **changes)
                done = await self._replace(
                    keys=[key], args=[webhook_id, kept, self._sealed(organisation, after)]
                )
            # This sets the number of the receiver's failures to 0, so a pause ends and the next event is sent at once.
            await self._redis.delete(keys.BREAKER(organisation, webhook_id))
        return after

    async def drop(self, organisation: str, webhook_id: str) -> bool:
        """Delete the webhook; return False if it does not exist."""
        async with answering():
            gone = await self._redis.hdel(keys.WEBHOOKS(organisation), webhook_id)
            await self._redis.delete(keys.WEBHOOK_LOG(organisation, webhook_id))
            await self._redis.delete(keys.BREAKER(organisation, webhook_id))
        return bool(gone)

    async def get(self, organisation: str, webhook_id: str) -> Webhook | None:
        """Return the webhook with this id; None if there is none."""
        async with answering():
            sealed = await self._redis.hget(keys.WEBHOOKS(organisation), webhook_id)
        return None if sealed is None else self._opened(organisation, sealed)

    async def of(self, organisation: str) -> list[Webhook]:
        """Return the organisation's webhooks, the oldest first."""
        async with answering():
            found = await self._redis.hvals(keys.WEBHOOKS(organisation))
        return sorted((self._opened(organisation, data) for data in found), key=lambda w: (w.made_ms, w.id))

    async def everything(self) -> dict[str, list[Webhook]]:
        """Return all webhooks by organisation, except those that cannot be read."""
        async with answering():
            names = sorted(name.decode() for name in await self._redis.smembers(keys.WEBHOOK_OWNERS()))
        return {name: await self._readable(name) for name in names}

    async def _readable(self, organisation: str) -> list[Webhook]:
        async with answering():
            sealed = await self._redis.hvals(keys.WEBHOOKS(organisation))
        found = []
        for data in sealed:
            try:
                found.append(self._opened(organisation, data))
            except (SealError, msgspec.DecodeError):
                # The webhook whose record cannot be read is left out, so that the others are still read.
                log.exception("webhook.unreadable", organisation=organisation)
        return sorted(found, key=lambda webhook: (webhook.made_ms, webhook.id))

    async def attempted(self, organisation: str, webhook_id: str, delivery: Delivery) -> None:
        """Add an attempt to deliver an event to the webhook's log. `delivery`: the attempt and its result."""
        key = keys.WEBHOOK_LOG(organisation, webhook_id)
        async with answering():
            pipe = self._redis.pipeline(transaction=False)
            pipe.lpush(key, msgspec.msgpack.encode(delivery))
            pipe.ltrim(key, 0, LOG_KEPT - 1)
            pipe.pexpire(key, LOG_MS)
            await pipe.execute()

    async def log(self, organisation: str, webhook_id: str) -> list[Delivery]:
        """Return the newest attempts to deliver events to a webhook, the newest first."""
        async with answering():
            found = await self._redis.lrange(keys.WEBHOOK_LOG(organisation, webhook_id), 0, -1)
        return [msgspec.msgpack.decode(data, type=Delivery) for data in found]

    def _sealed(self, organisation: str, webhook: Webhook) -> bytes:
        return self._seal.close(msgspec.msgpack.encode(webhook), _place(organisation))

    def _opened(self, organisation: str, sealed: bytes) -> Webhook:
        return msgspec.msgpack.decode(self._seal.open(sealed, _place(organisation)), type=Webhook)


class Known:
    """Holds this worker's copy of all webhooks, so that an event needs no request to the store."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks
        self._known: dict[str, list[Webhook]] = {}

    def of(self, organisation: str, event: str) -> list[Webhook]:
        """Return the organisation's webhooks that receive events of the name `event`."""
        return [webhook for webhook in self._known.get(organisation, ()) if webhook.receives(event)]

    async def refresh(self) -> None:
        """Read all webhooks from the store. Raises `UnavailableError` if the store does not answer."""
        self._known = await self._webhooks.everything()

    async def run(self) -> None:
        """Read all webhooks into this worker's copy every REFRESH_S seconds, until cancelled."""
        while True:
            # An error of the store is already in the log; the webhooks are read again a second later.
            with contextlib.suppress(UnavailableError):
                await self.refresh()
            await tick(REFRESH_S)


async def knowing(app: web.Application) -> AsyncIterator[None]:
    """Keep this worker's copy of the webhooks up to date, from the start of the app to its end."""
    app[SUPERVISOR].keep("web.webhooks", app[KNOWN_WEBHOOKS].run)
    yield
    await app[SUPERVISOR].stop("web.webhooks")


def _place(organisation: str) -> str:
    return f"{organisation}/webhook"
