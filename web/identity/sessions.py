"""Keeps browser sessions: the cookie holds an id, the store holds the content.

This module also defines when a staff sign-in ends, by the store's clock. Each value of a session is a
separate field in the store, so that two simultaneous requests of one browser do not overwrite each other; a
deleted session is never written again.
"""

import json
import secrets
from collections.abc import Sequence
from typing import Any

import aiohttp_session
from aiohttp import web
from redis.asyncio import Redis

from signalling.store import keys
from web.config import Sessions, Settings
from web.requests import frames

KEEP_MS = 7 * 24 * 3600_000
"""A session is deleted after this time in ms without requests. The visit of a patient who sends no request ends
much earlier.
"""

HOLD_MS = 60_000
"""How long a call of `Storage.hold` keeps a staff sign-in valid, in ms from the call."""

# An id has 24 random bytes, which is 192 bits.
ID_BYTES = 24

# Field names of a stored session: "k:<key>" holds the value of <key> as JSON; the other fields are times in
# ms.
LOAD = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local at, seen, hold = unpack(redis.call('HMGET', KEYS[1], 'at', 'seen', 'hold'))
if redis.call('EXISTS', KEYS[1]) == 0 then return {now, 0, {}} end
local ends = 0
if at then
  ends = math.max(math.min(seen + ARGV[1], at + ARGV[2]), tonumber(hold or '0'))
  if ends > now and ARGV[4] == '1' then
    redis.call('HSET', KEYS[1], 'seen', now)
    ends = math.max(math.min(now + ARGV[1], at + ARGV[2]), tonumber(hold or '0'))
  end
end
if ARGV[4] == '1' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return {now, ends, redis.call('HGETALL', KEYS[1])}
"""

SAVE = """
local exists = redis.call('EXISTS', KEYS[1])
if ARGV[1] == 'new' and exists == 1 then return 0 end
if ARGV[1] == 'old' and exists == 0 then return 0 end
for i = 3, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[i])
  else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
  if ARGV[i] == 'k:staff' then
    if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[1], 'at', 'seen', 'hold')
    else
      local t = redis.call('TIME')
      local now = t[1] * 1000 + math.floor(t[2] / 1000)
      redis.call('HSET', KEYS[1], 'at', now, 'seen', now)
    end
  end
end
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
"""

HOLD = """
if redis.call('HEXISTS', KEYS[1], 'at') == 0 then return 0 end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[1], 'seen', now, 'hold', now + ARGV[1])
return 1
"""


class Session(aiohttp_session.Session):
    """The session of a browser, with the content that was read from the store.

    `ends_in_ms`: the time in ms until the staff sign-in ends, 0 if there is none.
    """

    def __init__(self, identity: str | None, kept: dict[str, Any], *, ends_in_ms: int = 0) -> None:
        super().__init__(identity, data={"session": dict(kept)} if kept else None, new=identity is None)
        self.read = {key: _json(value) for key, value in kept.items()}
        self.replaces: str | None = None
        self.ends_in_ms = ends_in_ms
        # The content of a staff sign-in that has ended; None if no sign-in has ended.
        self.lapsed: dict[str, Any] | None = None

    @property
    def key(self) -> str | None:
        """The session's key in the store; None for a new session.

        The key may be sent to other workers, the cookie's value may not.
        """
        return _key(self.identity) if self.identity else None

    def changes(self) -> dict[str, str]:
        """Return the changes since the session was read: key -> JSON, or "" for a removed key."""
        now = {key: _json(value) for key, value in self.items()}
        gone = {key: "" for key in self.read if key not in now}
        return gone | {key: value for key, value in now.items() if self.read.get(key) != value}


class Storage(aiohttp_session.AbstractStorage):
    """Reads and writes sessions for aiohttp-session; they are in the store, shared by all workers."""

    def __init__(self, redis: "Redis", limits: Sessions, *, secure: bool, prefix: str = "") -> None:
        # A cookie whose name begins with `__Host-` must have the path "/".
        self.path = prefix or "/"
        kind = ("__Secure-" if prefix else "__Host-") if secure else ""
        super().__init__(
            cookie_name=f"{kind}greenroom",
            max_age=KEEP_MS // 1000,
            secure=secure,
            httponly=True,
            samesite="Lax",
        )
        self.redis = redis
        self.limits = limits
        self._load = redis.register_script(LOAD)
        self._save = redis.register_script(SAVE)
        self._hold = redis.register_script(HOLD)

    def load_cookie(self, request: web.Request) -> str | None:
        """Return the session's id; None if the browser has no session."""
        return frames.cookie_of(request, self.cookie_name) or None

    async def new_session(self) -> Session:
        """Return an empty session without an id."""
        return Session(None, {})

    async def load_session(self, request: web.Request) -> Session:
        """Return the session of the request's cookie; an empty session if there is none or it has ended.

        A staff sign-in that has ended is left out; the browser's visits are kept. Reading counts as activity.
        """
        return await self._read(self.load_cookie(request), touch=True)

    async def look(self, request: web.Request) -> Session:
        """Return the session of the request's cookie, without counting the read as activity of the person.

        Return an empty session if there is none or it has ended.
        """
        return await self._read(self.load_cookie(request), touch=False)

    async def ends_in_ms(self, key: str) -> int:
        """Return the time in ms until the staff sign-in of a session ends; 0 if it has ended.

        `key`: the `Session.key` of the session.
        """
        return (await self.many_end_in_ms([key]))[0]

    async def many_end_in_ms(self, keys: Sequence[str]) -> list[int]:
        """Return the time in ms until the sign-in of each session ends, in the same order; 0 if it has ended.

        `keys`: the `Session.key` of each session. One request to the store reads all of them, which is faster
        than one run of the script LOAD for each session.
        """
        pipe = self.redis.pipeline(transaction=False)
        pipe.time()
        for key in keys:
            pipe.hmget(key, ["at", "seen", "hold"])
        (seconds, micros), *found = await pipe.execute()
        now_ms = seconds * 1000 + micros // 1000
        idle_ms, absolute_ms, _ = self._limits
        return [
            max(0, min(int(seen) + idle_ms, int(at) + absolute_ms) - now_ms, int(hold or 0) - now_ms)
            if at
            else 0
            for at, seen, hold in found
        ]

    @property
    def _limits(self) -> list[int]:
        return [int(self.limits.idle_s * 1000), int(self.limits.absolute_s * 1000), KEEP_MS]

    async def _read(self, identity: str | None, *, touch: bool) -> Session:
        if not identity or not 16 <= len(identity) <= 64:
            return await self.new_session()
        now, ends, flat = await self._load(keys=[_key(identity)], args=[*self._limits, int(touch)])
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        kept = {name[2:].decode(): json.loads(value) for name, value in fields.items() if name[:2] == b"k:"}
        if not fields:
            return await self.new_session()
        left = max(0, ends - now)
        lapsed = None if left else kept.pop("staff", None)
        session = Session(identity, kept, ends_in_ms=left)
        session.lapsed = lapsed
        return session

    async def hold(self, key: str) -> None:
        """Keep the staff sign-in of a session valid for the next minute, because its person is in a live video call.

        The limits on the length of a sign-in do not apply to this minute. `key`: the `Session.key` of the
        session.
        """
        await self._hold(keys=[key], args=[HOLD_MS])

    async def delete(self, identity: str) -> None:
        """Delete the session with the id `identity`.

        A request that runs now and has read this session cannot write it again.
        """
        await self.redis.delete(_key(identity))

    async def save_session(
        self, request: web.Request, response: web.StreamResponse, session: aiohttp_session.Session
    ) -> None:
        """Write the changes of a session to the store.

        A new session gets an id, and the response sets the cookie with this id. An empty session is deleted.
        """
        assert isinstance(session, Session)
        changes = session.changes()
        if session.identity is None:
            if not session.empty:
                identity = secrets.token_urlsafe(ID_BYTES)
                await self._write("new", identity, changes)
                self.save_cookie(response, identity, max_age=self.max_age)
            if session.replaces is not None:
                await self.redis.delete(_key(session.replaces))
                if session.empty:
                    self.save_cookie(response, "")
        elif session.empty:
            await self.redis.delete(_key(session.identity))
            self.save_cookie(response, "")
        elif changes:
            await self._write("old", session.identity, changes)
            # The store extends a session that is used. The cookie is sent again, so that the browser keeps it
            # as long as the store keeps the session.
            self.save_cookie(response, session.identity, max_age=self.max_age)

    async def _write(self, kind: str, identity: str, changes: dict[str, str]) -> None:
        pairs = [part for key, value in changes.items() for part in (f"k:{key}", value)]
        await self._save(keys=[_key(identity)], args=[kind, KEEP_MS, *pairs])

    def save_cookie(
        self, response: web.StreamResponse, cookie_data: str, *, max_age: int | None = None
    ) -> None:
        """Set the cookie, or remove it if `cookie_data` is empty.

        A browser removes a `__Host-` cookie only if the response repeats the cookie's attributes.
        """
        params = self.cookie_params
        response.set_cookie(
            self.cookie_name,
            cookie_data,
            max_age=max_age if cookie_data else 0,
            path=self.path,
            secure=params["secure"],
            httponly=True,
            samesite="Lax",
        )


def storage(redis: "Redis", settings: Settings) -> Storage:
    """Return the session storage for a server with these settings."""
    return Storage(redis, settings.sessions, secure=settings.secure, prefix=settings.path_prefix)


async def get(request: web.Request) -> Session:
    """Return the browser session of this request. It is read from the store at the first call for a request."""
    session = await aiohttp_session.get_session(request)
    assert isinstance(session, Session)
    return session


async def renew(request: web.Request) -> Session:
    """Move the request's session to a new id, which the response sets as the cookie; return the session.

    The old id is deleted.
    """
    old = await get(request)
    new = await aiohttp_session.new_session(request)
    assert isinstance(new, Session)
    new.update(old)
    new.replaces = old.identity
    new.changed()
    return new


def _key(identity: str) -> str:
    return keys.SESSION(keys.hashed(identity))


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)
