"""Stores facilities (a ward, a pharmacy, a school), whose staff add patients to the queue with the facility's link.

The secret part of a link, its token, is derived from the data key. So an administrator can see the link and
its QR code again, although the store keeps only a hash. All methods of `Facilities` raise `UnavailableError`
if the store does not answer.
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from typing import Any

import msgspec
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.unavailable import answering
from web.errors import FacilityError
from web.languages.i18n import N_
from web.server.data_key import derived

TOKEN = re.compile(r"([0-9a-f]{12})-[A-Za-z0-9_-]{43}")
NAME = range(1, 101)
MOST = 200

ADD = """
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return 'full' end
if redis.call('HSETNX', KEYS[2], ARGV[3], ARGV[1]) == 0 then return 'taken' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 'added'
"""

MOVE = """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
"""
"""A Lua script that changes a facility, unless the facility was revoked since it was read."""


class Facility(msgspec.Struct, frozen=True, kw_only=True):
    """A facility. Staff see its name in the queue, in the rows of the patients that it added.

    `area`: the id of the waiting area to which all its patients go; "" if its page asks for the area.
    """

    id: str
    name: str
    hash: str
    made_ms: int
    made_by: str
    area: str = ""


class Facilities:
    """Reads and changes the facilities of all organisations."""

    def __init__(self, redis: Redis, key: bytes) -> None:
        self._redis: Any = redis
        self._data_key = key
        self._add: Any = redis.register_script(ADD)
        self._move: Any = redis.register_script(MOVE)

    async def add(self, organisation: str, name: str, by: str, area: str = "") -> Facility:
        """Add a facility and return it. `by`: the name of the person who adds it.

        `area`: the waiting area of all the facility's patients, "" if the facility's page asks for the area. Raises
        `FacilityError` if the name is too long or taken, or if there are too many facilities.
        """
        name = " ".join(name.split())
        if len(name) not in NAME:
            raise FacilityError(N_("Write a name of 1 to 100 characters."))
        facility_id = secrets.token_hex(6)
        async with answering():
            seconds, micros = await self._redis.time()
            facility = Facility(
                id=facility_id,
                name=name,
                hash=_hash(self._drawn(organisation, facility_id)),
                made_ms=seconds * 1000 + micros // 1000,
                made_by=by,
                area=area,
            )
            args = [facility_id, msgspec.json.encode(facility), name.casefold(), MOST]
            answer = await self._add(
                keys=[keys.FACILITIES(organisation), keys.FACILITY_NAMES(organisation)], args=args
            )
        if answer == b"taken":
            raise FacilityError(N_("There is a facility of this name already."))
        if answer == b"full":
            raise FacilityError(N_("There are as many facilities as there can be; revoke one first."))
        return facility

    async def move(self, organisation: str, facility_id: str, area: str) -> bool:
        """Send a facility's future patients to another waiting area; return False if nothing changed.

        `area`: "" if the facility's page asks for the area. Patients who wait already stay in their area.
        """
        facility = await self.get(organisation, facility_id)
        if facility is None or facility.area == area:
            return False
        changed = msgspec.json.encode(msgspec.structs.replace(facility, area=area))
        async with answering():
            return bool(await self._move(keys=[keys.FACILITIES(organisation)], args=[facility_id, changed]))

    async def revoke(self, organisation: str, facility_id: str) -> bool:
        """Make the facility's link invalid; return False if there is no such facility."""
        async with answering():
            kept = await self._redis.hget(keys.FACILITIES(organisation), facility_id)
            if kept is None:
                return False
            facility = msgspec.json.decode(kept, type=Facility)
            pipe = self._redis.pipeline(transaction=True)
            pipe.hdel(keys.FACILITIES(organisation), facility_id)
            pipe.hdel(keys.FACILITY_NAMES(organisation), facility.name.casefold())
            await pipe.execute()
        return True

    async def get(self, organisation: str, facility_id: str) -> Facility | None:
        """Return the facility with this id, or None."""
        async with answering():
            kept = await self._redis.hget(keys.FACILITIES(organisation), facility_id)
        return None if kept is None else msgspec.json.decode(kept, type=Facility)

    async def of(self, organisation: str) -> list[Facility]:
        """Return the organisation's facilities, sorted by name."""
        async with answering():
            kept = await self._redis.hvals(keys.FACILITIES(organisation))
        found = (msgspec.json.decode(data, type=Facility) for data in kept)
        return sorted(found, key=lambda facility: facility.name.casefold())

    async def find(self, organisation: str, token: str) -> Facility | None:
        """Return the facility whose link has this token; None if the link was revoked or the token is forged."""
        facility = await self.named(organisation, token)
        return facility if facility is not None and self.opens(facility, token) else None

    async def named(self, organisation: str, token: str) -> Facility | None:
        """Return the facility whose id the token contains, or None. The rest of the token is not checked."""
        named = TOKEN.fullmatch(token)
        return None if named is None else await self.get(organisation, named[1])

    @staticmethod
    def opens(facility: Facility, token: str) -> bool:
        """Return whether this is the token of the facility's link."""
        return hmac.compare_digest(facility.hash, _hash(token))

    def token(self, organisation: str, facility: Facility) -> str:
        """Return the token of a facility's link, the secret last part of its address."""
        return self._drawn(organisation, facility.id)

    def _drawn(self, organisation: str, facility_id: str) -> str:
        drawn = derived(self._data_key, f"facility {organisation} {facility_id}")
        return f"{facility_id}-{urlsafe_b64encode(drawn).decode().rstrip('=')}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
