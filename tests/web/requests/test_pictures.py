"""Tests pictures from strangers: each is encoded again from its pixels, within limits, and one at a time."""

import asyncio
import io
import struct
import zlib

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from web.errors import BusyError, PictureError
from web.requests.pictures import MOST_KEPT_BYTES, MOST_WAITING, Picture, Pictures, plain

CANARY = "canary 30.2672 N 97.7431 W"


def camera(kind: str = "JPEG", size: tuple[int, int] = (64, 48), turned: int = 1) -> bytes:
    """Return a picture as a camera makes it: its metadata has the camera's name, the place and a comment.

    `turned`: the number of the orientation in EXIF.
    """
    image, out = Image.new("RGB", size, "white"), io.BytesIO()
    image.paste("red", (0, 0, size[0] // 2, size[1]))
    exif = Image.Exif()
    exif[0x0110], exif[0x0112] = CANARY, turned
    exif.get_ifd(0x8825)[29] = CANARY
    how = {"comment": CANARY.encode()} if kind == "JPEG" else {}
    info = PngInfo()
    info.add_text("Comment", CANARY, zip=False)
    if kind == "PNG":
        image.save(out, kind, exif=exif, pnginfo=info)
    else:
        image.save(out, kind, exif=exif, xmp=CANARY.encode(), icc_profile=CANARY.encode(), **how)
    return out.getvalue() + CANARY.encode()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_s49_nothing_but_the_picture_is_left_of_a_file(kind: str) -> None:
    sent = camera(kind)
    assert sent.count(b"canary") >= 3
    picture = plain(sent)
    assert b"canary" not in picture.data
    with Image.open(io.BytesIO(picture.data)) as image:
        assert (image.format, image.size) == ("JPEG", (64, 48))
        assert not image.getexif()
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        red, green, _ = image.convert("RGB").getpixel((5, 5))  # type: ignore[misc]
    assert red > 200 > 60 > green


def test_a_photo_is_turned_as_its_camera_says_and_made_small() -> None:
    picture = plain(camera(size=(3000, 1500), turned=6))
    assert (picture.width, picture.height) == (800, 1600)
    with Image.open(io.BytesIO(picture.data)) as image:
        red, green, _ = image.convert("RGB").getpixel((400, 100))  # type: ignore[misc]
    assert red > 200 > 60 > green, "the red half is on top"


def test_a_picture_full_of_noise_is_kept_within_the_limit() -> None:
    noise = Image.effect_noise((1600, 1600), 200)
    out = io.BytesIO()
    Image.merge("RGB", (noise, noise.rotate(90), noise.rotate(180))).save(out, "JPEG", quality=95)
    assert len(plain(out.getvalue()).data) <= MOST_KEPT_BYTES < len(out.getvalue())


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_kind_of_pixels_is_taken_and_what_is_clear_becomes_white(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (20, 20)).save(out, "PNG")
    with Image.open(io.BytesIO(plain(out.getvalue()).data)) as image:
        assert image.getpixel((3, 3)) == ((255, 255, 255) if mode in ("LA", "RGBA") else (0, 0, 0))


def test_the_colours_of_a_printer_are_taken() -> None:
    out = io.BytesIO()
    Image.new("CMYK", (20, 20)).save(out, "JPEG")
    assert plain(out.getvalue()).width == 20


def bomb(side: int) -> bytes:
    """Return a PNG of a few bytes that claims to be `side` pixels wide and high."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


GIF = io.BytesIO()
Image.new("P", (9, 9)).save(GIF, "GIF")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is no picture"),
        (b"%PDF-1.7", "is no picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no picture"),
        (GIF.getvalue(), "is no picture"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "kind of picture"),
        (camera()[:400], "damaged"),
        (bomb(4001), "too many pixels"),
        (bomb(65_000), "pixels|damaged"),
        (bomb(100), "damaged"),
    ],
)
def test_s49_what_is_no_picture_or_too_much_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(PictureError, match=words):
        plain(data)


async def test_s49_one_picture_is_decoded_at_a_time_and_few_wait() -> None:
    loop, running, most, go = asyncio.get_running_loop(), 0, 0, asyncio.Event()

    async def counted(change: int) -> None:
        nonlocal running, most
        running += change
        most = max(most, running)
        await go.wait()

    def slow(data: bytes) -> Picture:
        asyncio.run_coroutine_threadsafe(counted(1), loop).result()
        asyncio.run_coroutine_threadsafe(counted(-1), loop).result()
        return Picture(data, 1, 1)

    pictures = Pictures(slow)
    waiting = [asyncio.create_task(pictures.plain(b"one")) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(BusyError):
        await pictures.plain(b"one too many")
    go.set()
    assert len(await asyncio.gather(*waiting)) == MOST_WAITING
    assert most == 1
    assert (await pictures.plain(b"later")).data == b"later"
