"""Decodes pictures of strangers within limits, and encodes them again, so that only the picture itself is left.

A new file is made from the pixels. Nothing that the sent file says about place, time, camera or person gets into it,
nor data that is hidden behind its end.
"""

import asyncio
import io
from collections.abc import Callable
from typing import NamedTuple

from PIL import Image, ImageOps, UnidentifiedImageError

from web.errors import BusyError, PictureError
from web.languages.i18n import N_

MOST_PIXELS = {"JPEG": 50_000_000, "MPO": 50_000_000, "PNG": 16_000_000, "WEBP": 16_000_000}
"""Format -> the greatest number of pixels. A file of another format is never decoded.

MPO is a JPEG file with further pictures after the first picture.

A JPEG whose sides are much longer than MOST_SIDE is decoded at half its size or less, which needs less
memory. The other formats need four bytes of memory for each pixel.
"""
FORMATS = ("JPEG", "PNG", "WEBP")
MOST_BYTES = 8 * 1024 * 1024
MOST_SIDE = 1600
MOST_KEPT_BYTES = 640 * 1024
STEPS = ((MOST_SIDE, 85), (MOST_SIDE, 70), (1200, 60), (800, 50))
"""Pairs (longest side in pixels, JPEG quality). A picture is encoded with one pair after another, until the file has at
most MOST_KEPT_BYTES. If no file is small enough, the last file is used."""
MOST_WAITING = 8
"""The greatest number of pictures in a worker, including the picture that is decoded; each may have MOST_BYTES."""


class Picture(NamedTuple):
    """A JPEG file without metadata, and its size in pixels."""

    data: bytes
    width: int
    height: int


def plain(data: bytes) -> Picture:
    """Return the picture in a file, encoded again as JPEG; this may take seconds.

    Raises `PictureError` if the file is not a picture that is accepted.
    """
    if data[4:8] == b"ftyp":
        raise PictureError(
            N_(
                "This kind of picture cannot be used. Please take a screenshot of it, or choose a JPEG or PNG."
            )
        )
    try:
        return _encoded(_decoded(data))
    except UnidentifiedImageError:
        raise PictureError(N_("This is no picture. Please choose a JPEG, PNG or WebP picture.")) from None
    except PictureError:
        raise
    except Exception:  # noqa: BLE001  (a file that was made to break a decoder may cause any error)
        raise PictureError(N_("The picture is damaged.")) from None


def _decoded(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        if image.width * image.height > MOST_PIXELS[image.format or ""]:
            raise PictureError(N_("The picture has too many pixels. Please choose a smaller one."))
        image.thumbnail((MOST_SIDE, MOST_SIDE))
        ImageOps.exif_transpose(image, in_place=True)
        clear = image.convert("RGBA")
    paper = Image.new("RGB", clear.size, "white")
    paper.paste(clear, mask=clear.getchannel("A"))
    return paper


def _encoded(image: Image.Image) -> Picture:
    for side, quality in STEPS:
        image.thumbnail((side, side))
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= MOST_KEPT_BYTES:
            break
    return Picture(out.getvalue(), image.width, image.height)


class Pictures:
    """Decodes one picture at a time in this worker, in a thread."""

    def __init__(self, decode: Callable[[bytes], Picture] = plain) -> None:
        self._decode = decode
        self._one = asyncio.Semaphore(1)
        self._waiting = 0

    async def plain(self, data: bytes) -> Picture:
        """Return the picture in a file, encoded again as JPEG, after waiting for its turn.

        Raises `PictureError` like the function `plain`, and `BusyError` if too many pictures are waiting.
        """
        if self._waiting >= MOST_WAITING:
            raise BusyError
        self._waiting += 1
        try:
            async with self._one:
                return await asyncio.to_thread(self._decode, data)
        finally:
            self._waiting -= 1
