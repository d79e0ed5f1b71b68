"""Checks and stores an organisation's logo.

The first bytes of a file show whether it is PNG, JPEG or WebP. A logo is served with the content type that its bytes
show, never with the content type that a browser sent. SVG is refused, because it can contain scripts.
"""

import hashlib
import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.unavailable import answering
from web.errors import LogoError
from web.languages.i18n import N_

MOST_BYTES = 256 * 1024
SIDES = range(16, 2049)


class Logo(NamedTuple):
    """A logo: the bytes of its file, and its content type."""

    kind: str
    data: bytes


Size = tuple[int, int]


def _png(data: bytes) -> Size:
    """Return the width and height of a PNG (ISO/IEC 15948 §11.2.1), which are at the beginning of its first chunk."""
    if data[12:16] != b"IHDR":
        raise ValueError
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _jpeg(data: bytes) -> Size:
    """Return the width and height of a JPEG (ITU-T T.81 §B.2.2), which are in the frame header."""
    at = 2
    while True:
        marker, length = struct.unpack(">HH", data[at : at + 4])
        if marker < 0xFFC0 or length < 2:
            raise ValueError
        if 0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length


def _webp(data: bytes) -> Size:
    """Return the width and height of a WebP (RFC 9649 §2.5 to §2.7): simple, lossless or extended."""
    form = data[12:16]
    if form == b"VP8X":
        return (
            1 + int.from_bytes(data[24:27], "little"),
            1 + int.from_bytes(data[27:30], "little"),
        )
    if form == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError


KINDS: Mapping[str, tuple[Callable[[bytes], bool], Callable[[bytes], Size]]] = {
    "image/png": (lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"), _png),
    "image/jpeg": (lambda data: data.startswith(b"\xff\xd8\xff"), _jpeg),
    "image/webp": (lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _webp),
}
"""Content type -> a function that checks the first bytes, and a function that returns the size."""


def checked(data: bytes) -> Logo:
    """Return the bytes as a logo.

    Raises LogoError if the file is too large, damaged, or no picture of an accepted kind.
    """
    if not data:
        raise LogoError(N_("Choose a picture first."))
    if len(data) > MOST_BYTES:
        raise LogoError(N_("The picture is larger than 256 KB."))
    kind = next((kind for kind, (begins, _) in KINDS.items() if begins(data)), None)
    if kind is None:
        raise LogoError(N_("A logo is a PNG, JPEG or WebP picture."))
    try:
        sides = KINDS[kind][1](data)
    except (ValueError, IndexError, struct.error):
        raise LogoError(N_("The picture is damaged.")) from None
    if not all(side in SIDES for side in sides):
        raise LogoError(N_("Each side of the picture must have 16 to 2048 pixels."))
    return Logo(kind, data)


class Logos:
    """Reads and writes the logos of all organisations.

    All methods raise `UnavailableError` if the store does not answer.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def keep(self, organisation: str, logo: Logo) -> str:
        """Store a logo and return its name, a hash of its bytes. Earlier logos stay, because open pages show them."""
        name = hashlib.sha256(logo.data).hexdigest()[:16]
        async with answering():
            await self._redis.hset(keys.LOGOS(organisation), name, logo.kind.encode() + b"\0" + logo.data)
        return name

    async def get(self, organisation: str, name: str) -> Logo | None:
        """Return the logo with this name, or None."""
        async with answering():
            kept = cast(bytes | None, await self._redis.hget(keys.LOGOS(organisation), name))
        if kept is None:
            return None
        kind, _, data = kept.partition(b"\0")
        return Logo(kind.decode(), data)

    async def keep_only(self, organisation: str, names: set[str]) -> None:
        """Delete all logos of the organisation except those with these names."""
        async with answering():
            kept = cast(list[bytes], await self._redis.hkeys(keys.LOGOS(organisation)))
            if gone := [name for name in kept if name.decode() not in names]:
                await self._redis.hdel(keys.LOGOS(organisation), *gone)
