"""A connection's identity outlives its socket: a public id, a private token, and what became of it
(PROTOCOL.md#resume).

The token is signed, so that an old but genuine one can be told from one that somebody made up.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

import msgspec

from signalling.record import Actor
from signalling.store import Store, answering

OPEN_MS = 24 * 3_600_000  # a worker that dies says no goodbye, so an open connection's token lasts
LOST_MS = 60_000
_MAC = 16


class Held(msgspec.Struct, frozen=True):
    """What the store knows of a connection. `ended` after a bye; `pages`: the visits whose page it is on."""

    connection: str
    worker: str
    organisation: str
    person: str
    ended: bool = False
    pages: tuple[str, ...] = ()


class Refused(Exception):
    """`code` is one of resume_expired, resume_ended, resume_invalid."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Tokens:
    """Issues and redeems resume tokens. `secret` is the same for all workers."""

    def __init__(self, store: Store, secret: bytes, worker: str) -> None:
        self._store = store
        self._secret = secret
        self._worker = worker

    async def issue(self, connection: str, actor: Actor) -> str:
        """Return a fresh token for a connection. Raises `Unavailable`."""
        random = secrets.token_bytes(18)
        token = "r_" + base64.urlsafe_b64encode(random + self._mac(random)).decode().rstrip("=")
        await self._write(token, Held(connection, self._worker, actor.organisation, actor.id), OPEN_MS)
        return token

    async def redeem(self, token: str, actor: Actor) -> Held:
        """Return the connection that a token belongs to, now held by this worker. Raises `Refused`, `Unavailable`."""
        if not self._genuine(token):
            raise Refused("resume_invalid")
        async with answering():
            data = await self._store.redis.get(_key(token))
        if data is None:
            raise Refused("resume_expired")
        held = msgspec.msgpack.decode(data, type=Held)
        if (held.organisation, held.person) != (actor.organisation, actor.id):
            raise Refused("resume_invalid")
        if held.ended:
            raise Refused("resume_ended")
        # Where two sockets resume at once, the second finds the first here, and takes over from that one.
        mine = msgspec.msgpack.encode(msgspec.structs.replace(held, worker=self._worker))
        async with answering():
            before = await self._store.redis.set(_key(token), mine, px=OPEN_MS, get=True)
        return held if before is None else msgspec.msgpack.decode(before, type=Held)

    async def holder(self, token: str) -> str | None:
        """Return the worker that holds the token's connection, None where the token is over. Raises `Unavailable`."""
        async with answering():
            data = await self._store.redis.get(_key(token))
        return None if data is None else msgspec.msgpack.decode(data, type=Held).worker

    async def on_pages(self, token: str, connection: str, actor: Actor, visits: Iterable[str]) -> None:
        """Keep on which visits' pages a connection is, for the worker that may die with it. Raises `Unavailable`."""
        held = Held(connection, self._worker, actor.organisation, actor.id, pages=tuple(visits))
        await self._write(token, held, OPEN_MS)

    async def lost(self, token: str) -> None:
        """The socket is gone: the token lasts another minute. Raises `Unavailable`."""
        async with answering():
            await self._store.redis.pexpire(_key(token), LOST_MS)

    async def ended(self, token: str, connection: str, actor: Actor) -> None:
        """The client said bye. Raises `Unavailable`."""
        held = Held(connection, self._worker, actor.organisation, actor.id, ended=True)
        await self._write(token, held, LOST_MS)

    async def _write(self, token: str, held: Held, for_ms: int) -> None:
        async with answering():
            await self._store.redis.set(_key(token), msgspec.msgpack.encode(held), px=for_ms)

    def _mac(self, random: bytes) -> bytes:
        return hmac.digest(self._secret, b"resume" + random, "sha256")[:_MAC]

    def _genuine(self, token: str) -> bool:
        try:
            data = base64.b64decode(token[2:] + "=" * (-len(token[2:]) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return False
        return token.startswith("r_") and hmac.compare_digest(self._mac(data[:-_MAC]), data[-_MAC:])


def _key(token: str) -> str:
    return f"resume:{hashlib.sha256(token.encode()).hexdigest()}"
