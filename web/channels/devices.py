"""Stores the devices that get notifications: the browsers of a visit's patient, and of each member of staff.

The records in the store are encrypted, because they hold the keys of the browsers. All methods of `Devices`
raise `UnavailableError` if the store does not answer.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis
from yarl import URL

from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.unavailable import answering

MOST = 10
"""The greatest number of devices of a visit, or of a member of staff."""
VISIT_MS = 2 * 86_400_000
"""The time in ms for which the push subscriptions of a visit's patient are kept. It is longer than a day, the longest
time after which a visit expires because its waiting patient is away."""

ADD = """
local known = redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1
if not known and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if tonumber(ARGV[4]) > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return 1
"""


class Device(msgspec.Struct, frozen=True, array_like=True):
    """A browser's subscription at its push service (RFC 8291 §2).

    `endpoint`: the address to which messages are sent; `p256dh` and `auth`: two keys in base64url; `name`: the device's
    name for its owner.
    """

    endpoint: str
    p256dh: str
    auth: str
    name: str
    added_ms: int

    @property
    def id(self) -> str:
        """The id of the device in the list of the person's devices. A page on the device can calculate the id from the
        URL (endpoint) of the device's push subscription.
        """
        return hashlib.sha256(self.endpoint.encode()).hexdigest()[:16]

    @property
    def service(self) -> str:
        """The origin of the device's push service, such as "https://push.example.org"."""
        return str(URL(self.endpoint).origin())


class Devices:
    """Stores the devices of all owners of one kind (visits, or staff).

    `kind`: defines the names of the store's keys for these owners; `kept_ms`: the time in ms for which devices are
    kept, 0 for ever.
    """

    def __init__(self, redis: Redis, seal: Seal, kind: keys.Key, kept_ms: int = 0) -> None:
        self._redis: Any = redis
        self._seal = seal
        self._kind = kind
        self._kept_ms = kept_ms
        self._add: Any = redis.register_script(ADD)

    async def of(self, organisation: str, owner: str) -> list[Device]:
        """Return the owner's devices, the oldest first."""
        async with answering():
            found = await self._redis.hvals(self._kind(organisation, owner))
        place = _place(organisation, owner)
        devices = [msgspec.msgpack.decode(self._seal.open(data, place), type=Device) for data in found]
        return sorted(devices, key=lambda device: (device.added_ms, device.id))

    async def owners(self, organisation: str, owners: Sequence[str]) -> list[str]:
        """Return the ids of those owners who have at least one device. `owners`: the ids to look up."""
        async with answering(), self._redis.pipeline(transaction=False) as pipeline:
            for owner in owners:
                pipeline.exists(self._kind(organisation, owner))
            found = await pipeline.execute()
        return [owner for owner, has_one in zip(owners, found, strict=True) if has_one]

    async def add(self, organisation: str, owner: str, device: Device) -> bool:
        """Store a device, in place of the same device if it is stored already.

        Returns False, and stores nothing, if the owner has too many devices.
        """
        sealed = self._seal.close(msgspec.msgpack.encode(device), _place(organisation, owner))
        async with answering():
            args = [device.id, sealed, MOST, self._kept_ms]
            return bool(await self._add(keys=[self._kind(organisation, owner)], args=args))

    async def drop(self, organisation: str, owner: str, *ids: str) -> int:
        """Remove the owner's devices with these ids; return the number of those that were stored."""
        async with answering():
            return int(await self._redis.hdel(self._kind(organisation, owner), *ids))


def _place(organisation: str, owner: str) -> str:
    return f"{organisation}/{owner}/device"


BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
"""Pairs of a text in a browser's User-Agent and the browser's name. The first text that is found decides, because most
browsers also name other browsers there.
"""
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def device_name(user_agent: str) -> str:
    """Return a name by which a person recognizes a device, such as "Chrome, Android"; "?" if nothing is known."""
    parts = [next((name for word, name in table if word in user_agent), "") for table in (BROWSERS, SYSTEMS)]
    return ", ".join(filter(None, parts)) or "?"
