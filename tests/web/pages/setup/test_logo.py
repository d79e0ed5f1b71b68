"""Tests the clinic's logo: the accepted pictures, how they are served, and the sentences about refused pictures."""

import struct
import zlib

import pytest
from aiohttp import ClientResponse, FormData

from tests.web.pages.setup.desk import Desk, desk
from tests.web.pages.setup.test_frame import stored
from tests.web.site import Site
from web.errors import LogoError
from web.organisations.logos import MOST_BYTES, checked


def png(width: int = 32, height: int = 32) -> bytes:
    """Return a grey PNG of this size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compress(b"".join(b"\0" + b"\x80" * width for _ in range(min(height, 64))))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\0" + b"\0" * 9 + b"\xff\xc0\x00\x11\x08\x00\x20\x00\x40" + b"\0" * 12
WEBP = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f" + ((63) | (31 << 14)).to_bytes(4, "little") + b"\0" * 8


async def send(admin: Desk, data: bytes, seen: str = "", do: str = "upload") -> ClientResponse:
    form = FormData({"seen": seen, "do": do})
    form.add_field("logo", data, filename="logo.svg", content_type="image/svg+xml")
    return await admin.person.post(f"{admin.home}/logo", form)


async def test_a_logo_stands_beside_the_name_on_every_page_until_it_is_removed(site: Site) -> None:
    admin = await desk(site)
    assert (await send(admin, png())).status == 303
    name = (await stored(site)).logo
    assert name
    assert f'src="/demo/logo/{name}"' in await (await admin.person.get("/demo/staff/setup/calendar")).text()
    served = await site.person().get(f"/demo/logo/{name}")
    assert served.headers["Content-Type"] == "image/png", "as its bytes say, not as it was named"
    assert served.headers["X-Content-Type-Options"] == "nosniff"
    assert "immutable" in served.headers["Cache-Control"]
    assert await served.read() == png()
    assert (await site.person().get("/demo/logo/0000000000000000")).status == 404
    assert (await send(admin, png(), seen="", do="remove")).status == 409
    assert (await send(admin, b"", seen=name, do="remove")).status == 303
    assert (await stored(site)).logo is None


@pytest.mark.parametrize("data", [png(), JPEG, WEBP])
def test_png_jpeg_and_webp_are_taken(data: bytes) -> None:
    assert checked(data).data == data


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "Choose a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "PNG, JPEG or WebP"),
        (b"GIF89a" + b"\0" * 40, "PNG, JPEG or WebP"),
        (png()[:20], "damaged"),
        (JPEG[:14], "damaged"),
        (WEBP[:16], "damaged"),
        (png(4096, 32), "16 to 2048"),
        (png(1, 1), "16 to 2048"),
        (png() + b"\0" * MOST_BYTES, "larger than 256 KB"),
    ],
)
async def test_a_file_that_is_no_logo_is_refused_with_a_sentence(site: Site, data: bytes, said: str) -> None:
    with pytest.raises(LogoError, match=said):
        checked(data)
    answer = await send(await desk(site), data)
    assert answer.status == 422
    assert said in await answer.text()
    assert (await stored(site)).logo is None


async def test_a_flood_of_bytes_is_not_read(site: Site) -> None:
    answer = await send(await desk(site), png() + b"\0" * (2 * MOST_BYTES))
    assert answer.status == 422
    assert "larger than 256 KB" in await answer.text()
