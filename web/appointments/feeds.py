"""Makes, shows, renews and revokes the link to a member of staff's calendar feed, which lists their booked visits.

The store has one record per person. The secret part of the link, its token, is derived from the data key and a random
part of the record. So the person can see the link again, although the store keeps only a hash of it. All methods of
`Feeds` raise `UnavailableError` if the store does not answer.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from typing import Any

import msgspec
from msgspec.structs import replace
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.unavailable import answering
from web.server.data_key import derived

PATH = "/{organisation}/feed/{token}/visits.ics"
SHOW = """
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
"""
"""A Lua script that replaces a record only if it is unchanged since it was read. So a link that was revoked in the
meantime is not stored again.
"""


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A person's link to their calendar feed.

    `part`: the random part from which the token is derived; `hash`: the hash of the token. `etag`: the hash of the
    feed's last content (RFC 9110 §8.8.3), "" before the first request; `changed_ms`: the time since which the content
    is the same.
    """

    person: str
    part: str
    hash: str
    made_ms: int
    etag: str = ""
    changed_ms: int = 0


class Feeds:
    """The secret links to calendars of booked visits, of all organisations; each member of staff has one
    link or none.
    """

    def __init__(self, redis: Redis, key: bytes) -> None:
        self._redis: Any = redis
        self._data_key = key
        self._show: Any = redis.register_script(SHOW)

    async def make(self, organisation: str, person: str, now_ms: int) -> Feed:
        """Make a new link and return it; the person's earlier link is no longer valid."""
        part = secrets.token_hex(6)
        token = self._drawn(organisation, person, part)
        feed = Feed(person=person, part=part, hash=keys.hashed(token), made_ms=now_ms)
        async with answering():
            await self._redis.hset(keys.FEEDS(organisation), person, msgspec.json.encode(feed))
        return feed

    async def revoke(self, organisation: str, person: str) -> bool:
        """Make the person's link invalid; return False if there is none."""
        async with answering():
            return bool(await self._redis.hdel(keys.FEEDS(organisation), person))

    async def of(self, organisation: str, person: str) -> Feed | None:
        """Return the person's link to the feed of the calendar, or None."""
        async with answering():
            kept = await self._redis.hget(keys.FEEDS(organisation), person)
        return None if kept is None else msgspec.json.decode(kept, type=Feed)

    async def named(self, organisation: str, token: str) -> Feed | None:
        """Return the link of the person whom a token names; None if the person has none.

        The secret part of the token is not checked by this method, but by `opens`.
        """
        person = token.rpartition("~")[0][:64]
        return await self.of(organisation, person) if person else None

    @staticmethod
    def opens(feed: Feed, token: str) -> bool:
        """Return whether `token` is the token of the link `feed`, by comparing its hash."""
        return hmac.compare_digest(feed.hash, keys.hashed(token))

    def token(self, organisation: str, feed: Feed) -> str:
        """Return the token of a feed's link: the part of its path that is secret."""
        return self._drawn(organisation, feed.person, feed.part)

    async def shown(self, organisation: str, feed: Feed, etag: str, now_ms: int) -> int:
        """Store the hash of a feed's content if it is new; return the time in ms since which the content is the same.

        `etag`: the hash of the present content. `now_ms`: the time now, which is stored with a new hash.
        """
        if etag == feed.etag:
            return feed.changed_ms
        after = replace(feed, etag=etag, changed_ms=now_ms)
        args = [feed.person, msgspec.json.encode(feed), msgspec.json.encode(after)]
        async with answering():
            await self._show(keys=[keys.FEEDS(organisation)], args=args)
        return now_ms

    def _drawn(self, organisation: str, person: str, part: str) -> str:
        drawn = derived(self._data_key, f"feed {organisation} {person} {part}")
        return f"{person}~{urlsafe_b64encode(drawn).decode().rstrip('=')}"
