"""Tests RED (packets that repeat earlier sound), byte by byte: the payloads of a packet, and a packet from which some
were removed.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.protocols import red
from media.protocols.codecs import OPUS
from media.protocols.red import Block, blocks, build, keep_newer, unwrap
from media.protocols.rtp import build as rtp

TWO = build(b"own", [(1920, b"older"), (960, b"old")])


def packet(payload: bytes, padding: int = 0, transport_cc: int | None = None) -> bytearray:
    """Return a RED packet with this payload, `padding` bytes of padding, and this transport-wide number."""
    made = bytearray(rtp(63, 7, 48_000, 5, payload, transport_cc=transport_cc))
    if padding:
        made[0] |= 0x20
        made += bytes(padding - 1) + bytes((padding,))
    return made


def test_a_payload_is_these_bytes() -> None:
    assert TWO == b"\xef\x1e\x00\x05" + b"\xef\x0f\x00\x03" + b"\x6f" + b"older" + b"old" + b"own"
    assert build(b"own", []) == b"\x6fown"


@pytest.mark.parametrize("padding", [0, 4])
def test_the_blocks_of_a_packet_are_found_oldest_first(padding: int) -> None:
    data = packet(TWO, padding=padding)
    assert blocks(data, len(data)) == [Block(111, 1920, 21, 5), Block(111, 960, 26, 3), Block(111, 0, 29, 3)]
    assert blocks(data + b"behind", len(data)) == blocks(data, len(data))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xef",
        b"\xef\x1e\x00",
        b"\xef\x1e\x00\x05",  # the header announces a payload, but nothing follows
        b"\xef\x1e\x00\x05\x6fold",  # the payload is shorter than the header announces
        build(b"own", [(960, b"")] * (red.BLOCKS_MAX + 1)),
    ],
)
def test_what_is_malformed_has_no_blocks_and_is_not_kept(payload: bytes) -> None:
    data = packet(payload)
    assert blocks(data, len(data)) == []
    assert keep_newer(bytearray(data), len(data), red.AGE_MAX) == unwrap(data, len(data)) == 0
    assert blocks(b"\x80", 1) == blocks(bytes(11), 11) == []


def test_a_packet_may_carry_eight_earlier_payloads() -> None:
    data = packet(build(b"own", [(960, b"")] * red.BLOCKS_MAX))
    assert len(blocks(data, len(data))) == 8 + 1


@pytest.mark.parametrize(
    ("age_max", "left"),
    [
        (1920, TWO),
        (1919, build(b"own", [(960, b"old")])),
        (960, build(b"own", [(960, b"old")])),
        (959, build(b"own", [])),
        (0, build(b"own", [])),
    ],
)
@pytest.mark.parametrize("transport_cc", [None, 3])
def test_older_payloads_are_removed(age_max: int, left: bytes, transport_cc: int | None) -> None:
    data = packet(TWO, 2, transport_cc)
    size = keep_newer(data, len(data), age_max)
    assert bytes(data[:size]) == bytes(packet(left, 0, transport_cc))


def test_only_opus_is_kept_and_a_payload_of_no_age_is_not_an_earlier_one() -> None:
    other = bytearray(TWO)
    other[0] = 0x80 | 8
    data = packet(bytes(other))
    assert bytes(data[: keep_newer(data, len(data), 9999)]) == bytes(packet(build(b"own", [(960, b"old")])))
    data = packet(build(b"own", [(0, b"twin")]))
    assert bytes(data[: keep_newer(data, len(data), 9999)]) == bytes(packet(build(b"own", [])))
    data = packet(b"\x08own")
    assert keep_newer(bytearray(data), len(data), 9999) == unwrap(data, len(data)) == 0


def test_a_plain_packet_has_the_payload_of_its_own_moment() -> None:
    data = packet(TWO, padding=3, transport_cc=9)
    data[1] |= 0x80
    size = unwrap(data, len(data))
    assert bytes(data[:size]) == rtp(111, 7, 48_000, 5, b"own", transport_cc=9, marker=True)


@pytest.mark.parametrize("inputs", [300, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_any_bytes_are_blocks_inside_the_packet_or_none(inputs: int) -> None:
    chance = random.Random(inputs)
    sound = bytes(packet(TWO, transport_cc=9))
    for _ in range(inputs):
        data = bytearray(sound if chance.random() < 0.5 else chance.randbytes(chance.randrange(80)))
        for _ in range(chance.randrange(1, 6)):
            if data:
                data[chance.randrange(len(data))] = chance.randrange(256)
        size = chance.randrange(len(data) + 1)
        found = blocks(data, size)
        assert all(0 < at <= at + length <= size for _, _, at, length in found)
        for change in (lambda copy, size: keep_newer(copy, size, 1000), unwrap):
            copy = bytearray(data)
            assert 0 <= change(copy, size) <= size
            assert len(copy) == len(data)
            assert copy[size:] == data[size:]


@given(
    st.binary(max_size=40),
    st.lists(st.tuples(st.integers(1, red.AGE_MAX), st.binary(max_size=red.SIZE_MAX)), max_size=3),
)
def test_what_is_built_is_read_again(own: bytes, earlier: list[tuple[int, bytes]]) -> None:
    data = packet(build(own, earlier))
    *older, newest = blocks(data, len(data))
    assert [(block.age, bytes(data[block.at :][: block.size])) for block in older] == earlier
    assert bytes(data[newest.at :][: newest.size]) == own


# --- RED packets made from plain Opus packets


def test_a_plain_packet_carries_the_payload_before_it() -> None:
    buffer = bytearray(2048)
    plain = rtp(OPUS.payload_type, 7, 9600, 1, b"own", transport_cc=5, marker=True)
    buffer[: len(plain)] = plain
    length = red.wrap(buffer, len(plain), 960, b"earlier")
    wanted = rtp(63, 7, 9600, 1, build(b"own", [(960, b"earlier")]), transport_cc=5, marker=True)
    assert bytes(buffer[:length]) == wanted
    assert len(buffer) == 2048
    assert unwrap(buffer, length) == len(plain)
    assert bytes(buffer[: len(plain)]) == plain


def test_padding_is_not_carried() -> None:
    buffer = bytearray(rtp(OPUS.payload_type, 7, 9600, 1, b"own\x00\x02") + bytes(100))
    buffer[0] |= 0x20
    assert red.payload(buffer, 17) == b"own"
    length = red.wrap(buffer, 17, 960, b"earlier")
    assert bytes(buffer[:length]) == rtp(63, 7, 9600, 1, build(b"own", [(960, b"earlier")]))


@pytest.mark.parametrize(
    ("own", "age", "earlier"),
    [
        (b"own", 0, b"same moment"),
        (b"own", red.AGE_MAX + 1, b"too old"),
        (b"own", 960, bytes(red.SIZE_MAX + 1)),
        (bytes(red.WRAPPED_MAX - 12 - 5), 960, b"x"),
    ],
)
def test_what_cannot_be_carried_leaves_the_packet_plain(own: bytes, age: int, earlier: bytes) -> None:
    buffer = bytearray(2048)
    plain = rtp(OPUS.payload_type, 7, 9600, 1, own)
    buffer[: len(plain)] = plain
    assert red.wrap(buffer, len(plain), age, earlier) == len(plain)
    assert bytes(buffer[: len(plain)]) == plain


def test_the_longest_packet_that_fits_is_made_red() -> None:
    buffer = bytearray(2048)
    plain = rtp(OPUS.payload_type, 7, 9600, 1, bytes(red.WRAPPED_MAX - 12 - 5 - 1))
    buffer[: len(plain)] = plain
    assert red.wrap(buffer, len(plain), red.AGE_MAX, b"x") == red.WRAPPED_MAX


@pytest.mark.parametrize(("age", "size"), [(1, 1), (red.AGE_MAX, 1), (1, red.SIZE_MAX)])
def test_an_earlier_payload_of_the_greatest_age_or_size_is_carried(age: int, size: int) -> None:
    buffer = bytearray(2048)
    plain = rtp(OPUS.payload_type, 7, 9600, 1, b"own")
    buffer[: len(plain)] = plain
    length = red.wrap(buffer, len(plain), age, bytes(size))
    assert bytes(buffer[:length]) == rtp(63, 7, 9600, 1, build(b"own", [(age, bytes(size))]))


@given(st.binary(max_size=1600), st.integers(0, 20_000), st.binary(max_size=1200))
def test_any_packet_stays_or_becomes_one_that_fits(data: bytes, age: int, earlier: bytes) -> None:
    buffer = bytearray(2048)
    buffer[: len(data)] = data
    length = red.wrap(buffer, len(data), age, earlier)
    assert length == len(data) or length <= red.WRAPPED_MAX
    assert len(buffer) == 2048
