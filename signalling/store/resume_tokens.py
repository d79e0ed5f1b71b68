"""Resume tokens: a connection keeps its identity after its socket closes (PROTOCOL.md#resume).

A connection has a public id, a private token, and a state in the store. The token is signed, so that an expired token
can be distinguished from a forged token. Each resume adds one to the connection's generation. This module and
`commit.lua` refuse writes of an older generation.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterable
from typing import Any

import msgspec

from signalling.errors import ResumeError, SupersededError
from signalling.store import keys
from signalling.store.records import Origin, Store
from signalling.store.unavailable import answering
from signalling.visit.record import Actor

# The time in ms for which a token is valid while its socket is open. It is long, because a worker that
# crashes cannot record that the socket is lost.
OPEN_MS = 24 * 3_600_000
LOST_MS = 60_000
_MAC = 16
# The script that resumes a connection. KEYS: the key of its resume token (`Tokens.key`). ARGV: its new state, the
# time in ms until the token expires. Returns {the connection's old state, its new generation}, or {} if there is no
# token.
_TAKE = """local before = redis.call('HGET', KEYS[1], 'held')
if not before then return {} end
redis.call('HSET', KEYS[1], 'held', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {before, redis.call('HINCRBY', KEYS[1], 'generation', 1)}"""
# The script that writes a connection's state. KEYS: the key of its resume token. ARGV: the writer's generation, the
# state ('' leaves it unchanged), the time in ms until the token expires. With an older generation, nothing is written.
_KEEP = """local generation = redis.call('HGET', KEYS[1], 'generation')
if generation and tonumber(generation) > tonumber(ARGV[1]) then return 0 end
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'held', ARGV[2], 'generation', ARGV[1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1"""


class StoredConnection(msgspec.Struct, frozen=True):
    """The stored state of a connection.

    `ended`: True after `bye`. `pages`: the visits whose page the person has open.
    """

    connection: str
    worker: str
    organisation: str
    person: str
    ended: bool = False
    pages: tuple[str, ...] = ()


class Tokens:
    """Issues and redeems the resume tokens of connections.

    `secret`: signs them; it is the same for all workers. `worker`: this worker's id.
    """

    def __init__(self, store: Store, secret: bytes, worker: str) -> None:
        self._store = store
        self._secret = secret
        self._worker = worker
        self._take: Any = store.redis.register_script(_TAKE)
        self._keep: Any = store.redis.register_script(_KEEP)

    async def issue(self, connection: str, actor: Actor) -> tuple[str, Origin]:
        """Return (a new resume token for a connection, the `Origin` of the connection's requests).

        `connection`: the connection's id. `actor`: the person at the connection. Raises `UnavailableError` if the store
        does not answer.
        """
        random = secrets.token_bytes(18)
        token = "r_" + base64.urlsafe_b64encode(random + self._mac(random)).decode().rstrip("=")
        origin = Origin(keys.RESUME(actor.organisation, keys.hashed(token)), 1)
        await self._write(
            origin, StoredConnection(connection, self._worker, actor.organisation, actor.id), OPEN_MS
        )
        return token, origin

    @staticmethod
    def key(organisation: str, token: str) -> str:
        """Return the name of the Redis key under which a token's state is kept.

        The token is not checked: for a forged token, the store has nothing under this name.
        """
        return keys.RESUME(organisation, keys.hashed(token))

    async def redeem(self, token: str, actor: Actor) -> tuple[StoredConnection, Origin]:
        """Record that the connection of a token is on this worker from now on; return (the connection's state before,
        the origin that its requests have from now on).

        The origin's `generation` is one higher than before, so that requests of the connection's older sockets are
        refused. Raises `ResumeError` if the token is forged, not this person's, expired, or ended by `bye`;
        `UnavailableError` if the store does not answer.
        """
        if not self._genuine(token):
            raise ResumeError("resume_invalid")
        key = keys.RESUME(actor.organisation, keys.hashed(token))
        async with answering():
            data = await self._store.redis.hget(key, "held")
        if data is None:
            raise ResumeError("resume_expired")
        held = msgspec.msgpack.decode(data, type=StoredConnection)
        if (held.organisation, held.person) != (actor.organisation, actor.id):
            raise ResumeError("resume_invalid")
        if held.ended:
            raise ResumeError("resume_ended")
        # If two sockets resume a connection at once, the second socket finds the state that the first has written, and
        # replaces the first socket.
        mine = msgspec.msgpack.encode(msgspec.structs.replace(held, worker=self._worker))
        async with answering():
            answer = await self._take(keys=[key], args=[mine, OPEN_MS])
        if not answer:
            raise ResumeError("resume_expired")
        return msgspec.msgpack.decode(answer[0], type=StoredConnection), Origin(key, int(answer[1]))

    async def holder(self, origin: Origin) -> str | None:
        """Return the id of the worker that has the connection `origin`; None if its token has expired.

        Raises `UnavailableError` if the store does not answer.
        """
        async with answering():
            data = await self._store.redis.hget(origin.key, "held")
        return None if data is None else msgspec.msgpack.decode(data, type=StoredConnection).worker

    async def on_pages(self, origin: Origin, connection: str, actor: Actor, visits: Iterable[str]) -> None:
        """Store the visits whose pages a connection has open, so that they are known if this worker crashes.

        `origin`: the resume token's key and the number of the socket. `connection`: its id. `actor`: the person.
        `visits`: the ids of these visits. Raises `UnavailableError` if the store does not answer, `SupersededError` if
        a newer socket uses the connection.
        """
        held = StoredConnection(connection, self._worker, actor.organisation, actor.id, pages=tuple(visits))
        if not await self._write(origin, held, OPEN_MS):
            raise SupersededError

    async def lost(self, origin: Origin) -> None:
        """Record that the socket of a connection is lost; the token then stays valid for LOST_MS.

        Raises `UnavailableError` if the store does not answer.
        """
        await self._write(origin, None, LOST_MS)

    async def ended(self, origin: Origin, connection: str, actor: Actor) -> None:
        """Record that the client of a connection has sent `bye`, so that its token is not accepted any more.

        `origin`: the resume token's key and the number of the socket. `connection`: its id. `actor`: the person. Raises
        `UnavailableError` if the store does not answer.
        """
        held = StoredConnection(connection, self._worker, actor.organisation, actor.id, ended=True)
        await self._write(origin, held, LOST_MS)

    async def _write(self, origin: Origin, held: StoredConnection | None, for_ms: int) -> bool:
        """Write the state `held` of a connection (None leaves it unchanged), valid for `for_ms` milliseconds.

        Return False, and write nothing, if the connection has a newer generation than `origin`.
        """
        data = b"" if held is None else msgspec.msgpack.encode(held)
        async with answering():
            return bool(await self._keep(keys=[origin.key], args=[origin.generation, data, for_ms]))

    def _mac(self, random: bytes) -> bytes:
        return hmac.digest(self._secret, b"resume" + random, "sha256")[:_MAC]

    def _genuine(self, token: str) -> bool:
        try:
            data = base64.b64decode(token[2:] + "=" * (-len(token[2:]) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return False
        return token.startswith("r_") and hmac.compare_digest(self._mac(data[:-_MAC]), data[-_MAC:])
