"""Tests the fields of RTP packets, byte by byte: where they are, and that no length reaches beyond the packet."""

from __future__ import annotations

import pytest

from media.protocols.codecs import TRANSPORT_CC_ID, VP8, VP8_RTX
from media.protocols.rtp import (
    KEYFRAME_START,
    audio_level,
    build,
    empty,
    is_h264_keyframe_start,
    is_vp8_keyframe_start,
    original,
    original_sequence_at,
    payload_start,
    retransmission,
    shift_picture,
    transport_cc_at,
    vp8_layer,
)

# The bytes of a header after the first byte; their values do not matter in these tests.
FIXED = bytes(range(1, 12))
PLAIN = b"\x80" + FIXED
SOURCES = b"\x82" + FIXED + bytes(8)  # a header with two contributing sources
EXTENDED = b"\x90" + FIXED  # a header that an extension follows


def one_byte(elements: bytes) -> bytes:
    """Return a packet whose payload is "p". Its header extension has these elements, each with a header of one byte."""
    padded = elements + bytes(-len(elements) % 4)
    return EXTENDED + b"\xbe\xde" + (len(padded) // 4).to_bytes(2, "big") + padded + b"p"


@pytest.mark.parametrize(
    ("packet", "start"),
    [
        (PLAIN, 12),
        (PLAIN + b"p", 12),
        (PLAIN[:11], 0),
        (SOURCES, 20),
        (SOURCES[:19], 0),
        (b"\x8f" + FIXED + bytes(60), 72),
        (EXTENDED + bytes(4), 16),
        (EXTENDED + bytes(3), 0),
        (EXTENDED + b"\0\0\0\x02" + bytes(8), 24),
        (EXTENDED + b"\0\0\0\x02" + bytes(7), 0),
        (EXTENDED + b"\0\0\x01\x00" + bytes(1024), 12 + 4 + 1024),
        (b"\x92" + FIXED + bytes(8) + b"\0\0\0\x01" + bytes(4), 28),
    ],
)
def test_the_payload_begins_after_sources_and_extension_if_they_fit(packet: bytes, start: int) -> None:
    assert payload_start(packet, len(packet)) == start


@pytest.mark.parametrize(
    ("packet", "at"),
    [
        (one_byte(b"\x31\xab\xcd"), 17),
        (one_byte(b"\x22abc\x31\xab\xcd"), 21),
        (one_byte(b"\0\x31\xab\xcd"), 18),
        (one_byte(b"\0\0\x10a\x31\xab\xcd"), 21),
        (one_byte(b"\x30\xab"), 0),  # an element of one byte, which is too short
        (one_byte(b"\x32abc"), 0),  # an element of three bytes, which is too long
        (one_byte(b"\xf0\0\x31\xab\xcd"), 0),  # the id 15 ends the list
        (one_byte(b"\xe0\0\x31\xab\xcd"), 19),
        (one_byte(b"\x22abc\x22abc"), 0),
        (one_byte(b"\x22abc" + b"\0\0\x31\xab"), 0),  # an element that is cut off by the end of the extension
        (one_byte(b"\x22abc" + b"\0\x31\xab\xcd"), 22),  # an element that ends together with the extension
        (EXTENDED + b"\xbe\xdf\0\x01\x31\xab\xcd\0", 0),  # an extension of another kind than RFC 8285 defines
        (EXTENDED + b"\xbf\xde\0\x01\x31\xab\xcd\0", 0),
        (PLAIN + b"\xbe\xde\0\x01\x31\xab\xcd\0", 0),  # the header does not announce the extension
        (b"\x81" + FIXED + bytes(4) + b"\xbe\xde\0\x01\x31\xab\xcd\0", 0),
        (EXTENDED + b"\xbe\xde\0\x01\x31\xab\xcd", 0),  # the packet ends within the extension
        (EXTENDED + b"\xbe\xde\0\x01\x31\xab\xcd\0", 17),
        (EXTENDED + b"\xbe\xde\0\0", 0),
        (EXTENDED + b"\xbe\xde\0", 0),
        (b"\x91" + FIXED + b"\xbe\xde\0\x01", 0),
        (b"\x91" + FIXED + bytes(4) + b"\xbe\xde\0\x01\x31\xab\xcd\0", 21),
        (EXTENDED + b"\xbe\xde\x01\0" + bytes(1020) + b"\x31\xab\xcd\0", 1037),
    ],
)
def test_the_transport_wide_number_is_found_only_in_a_whole_one_byte_extension(
    packet: bytes, at: int
) -> None:
    assert transport_cc_at(packet, len(packet)) == at


@pytest.mark.parametrize(
    ("packet", "at"),
    [
        (PLAIN + b"\x01\x02", 12),
        (PLAIN + b"\x01", 0),
        (b"\xa0" + FIXED + b"\x01\x02\x01", 12),
        (b"\xa0" + FIXED + b"\x01\x02\x00\x02", 12),
        (b"\xa0" + FIXED + b"\x01\x02\x03", 0),  # the packet has padding and nothing else
        (b"\xa0" + FIXED + b"\x01\xff", 0),
        (SOURCES + b"\x01\x02", 20),
        (b"\x81" + FIXED + b"\0\0\0\0" + b"\x01\x02\x03", 16),
        (PLAIN[:5], 0),
    ],
)
def test_a_retransmission_has_its_number_before_the_padding_or_none(packet: bytes, at: int) -> None:
    assert original_sequence_at(packet, len(packet)) == at


@pytest.mark.parametrize(
    ("payload", "starts"),
    [
        (b"\x10\x00", True),
        (b"\x10\x01", False),  # an interframe, not a keyframe
        (b"\x10\xfe", True),
        (b"\x00\x00", False),  # not the start of a partition of the picture
        (b"\x11\x00", False),  # the start of a partition that is not the first
        (b"\x14\x00", False),
        (b"\x18\x00", True),
        (b"\x10", False),
        (b"\x90", False),
        (b"", False),
        (b"\x90\x00\x00", True),
        (b"\x90\x00\x01", False),
        (b"\x90\x00", False),
        (b"\x90\x80\x7f\x00", True),  # a picture id of seven bits
        (b"\x90\x80\x7f\x01", False),
        (b"\x90\x80\xff\x01\x00", True),  # a picture id of fifteen bits
        (b"\x90\x80\xff\x00\x01", False),
        (b"\x90\x80", False),
        (b"\x90\x40\x01\x00", True),  # the descriptor has the field TL0PICIDX (RFC 7741)
        (b"\x90\x40\x00\x01", False),
        (b"\x90\x20\x01\x00", True),  # The descriptor has the field TID (RFC 7741).
        (b"\x90\x10\x01\x00", True),  # The descriptor has the field KEYIDX (RFC 7741).
        (b"\x90\x30\x01\x00", True),  # The fields TID and KEYIDX are in the same byte.
        (b"\x90\x0f\x00", True),
        (b"\x90\xf0\xff\x01\x01\x01\x00", True),
        (b"\x90\xf0\xff\x00\x00\x00\x01", False),
        (b"\x90\xf0\xff\x01\x01\x01", False),
    ],
)
def test_a_keyframe_begins_where_the_vp8_descriptor_says_so(payload: bytes, starts: bool) -> None:
    packet = PLAIN + payload
    assert is_vp8_keyframe_start(packet, len(packet)) is starts
    assert KEYFRAME_START[VP8.payload_type](packet + b"\0", len(packet)) is starts, (
        "what lies behind is not read"
    )


@pytest.mark.parametrize(
    ("payload", "starts"),
    [
        (b"\x67\x42", True),  # the parameters of the sequence (SPS)
        (b"\x65\x88", True),  # a slice of a keyframe
        (b"\x41\x9a", False),  # a slice of another picture
        (b"\x68\xce", False),  # the parameters of the picture (PPS)
        (b"", False),
        (b"\x7c\x85\x88", True),  # FU-A: the first part of a keyframe's slice
        (b"\x7c\x87\x42", True),
        (b"\x7c\x85", True),
        (b"\x7c\x05\x88", False),  # a later part of the slice, not the first
        (b"\x7c\x81\x9a", False),
        (b"\x7c", False),
        (b"\x78\x00\x02\x67\x42", True),  # STAP-A: several units in one packet
        # The parameter set comes after an access unit delimiter.
        (b"\x78\x00\x02\x09\xf0\x00\x02\x67\x42", True),
        (b"\x78\x00\x02\x09\xf0\x00\x01\x41", False),
        (b"\x78\x01\x02\x09" + bytes(257) + b"\x00\x02\x67\x42", True),  # the SPS comes after 258 bytes
        (b"\x78\x00\x09\x09\xf0\x00\x01\x67", False),  # the unit's size points beyond the end of the packet
        (b"\x78\x00\x00", False),
        (b"\x78", False),
    ],
)
def test_a_keyframe_of_h264_begins_with_parameters_or_its_first_slice(payload: bytes, starts: bool) -> None:
    packet = PLAIN + payload
    assert is_h264_keyframe_start(packet, len(packet)) is starts
    assert is_h264_keyframe_start(packet + b"\x67", len(packet)) is starts, "what lies behind is not read"


@pytest.mark.parametrize(
    ("payload", "layer"),
    [
        (b"\x90\xe0\x81\x02\x07\x60\x01", (1, True, 14)),
        (b"\x90\xe0\x01\x07\x80\x01", (2, False, 14)),  # a picture number of seven bits
        (b"\x90\x60\x07\xe0\x01", (3, True, 0)),  # a header without a picture number
        (b"\x90\x30\x41\x01", (1, False, 0)),  # The fields TID and KEYIDX are in the same byte.
        (b"\x90\x21\x41\xff", (1, False, 0)),  # Reserved bits (RFC 7741: ignored by the receiver) are set.
        (b"\x90\x11\xff\x01", (0, False, 0)),
        (b"\x11\x20\xff\x01", (0, False, 0)),  # Only the first byte belongs to the descriptor.
        (b"\x90\x80\x81\x02\x01", (0, False, 14)),  # a header that names no layers
        (b"\x90\x10\xff\x01", (0, False, 0)),  # The descriptor has only the field KEYIDX.
        (b"\x10\x01", (0, False, 0)),
        (b"\x90", (0, False, 0)),
        (b"\x90\xe0", (0, False, 0)),
        (b"\x90\x80\x81", (0, False, 0)),  # The packet ends within the picture number.
        (b"\x90\xa0\x81\x02", (0, False, 14)),  # The packet ends before the layer.
    ],
)
def test_the_temporal_layer_is_read_where_the_vp8_descriptor_has_it(
    payload: bytes, layer: tuple[int, bool, int]
) -> None:
    packet = PLAIN + payload
    assert vp8_layer(packet, len(packet)) == layer
    assert vp8_layer(packet + b"\xff\xff", len(packet)) == layer, "what lies behind is not read"


def test_a_picture_number_is_changed_in_its_own_width() -> None:
    packet = bytearray(PLAIN + b"\x80\x01\x7f")
    shift_picture(packet, 12, -2)
    shift_picture(packet, 14, 2)
    assert packet[12:] == b"\xff\xff\x01"
    long = bytearray(PLAIN + b"\x92\xfe")
    shift_picture(long, 12, 3)
    assert long[12:] == b"\x93\x01"


def test_an_empty_packet_is_padding_alone() -> None:
    packet = bytearray(build(96, 1, 2, 3, b"picture", marker=True, transport_cc=1))
    length = empty(packet)
    assert packet[:length] == build(96, 1, 2, 3, b"\x01", marker=True).replace(b"\x80", b"\xa0", 1)


def test_a_packet_is_built_byte_by_byte() -> None:
    assert (
        build(111, 0x1_0203, 0x1_0405_0607, 0x08090A0B, b"sound")
        == bytes.fromhex("806f02030405060708090a0b") + b"sound"
    )
    marked = build(96, 1, 2, 3, b"picture", marker=True, transport_cc=0x1ABCD)
    assert (
        marked == bytes.fromhex("90e0000100000002000000 03 bede0001 31abcd00".replace(" ", "")) + b"picture"
    )
    assert TRANSPORT_CC_ID == 3


@pytest.mark.parametrize("marker", [False, True])
def test_the_original_of_a_retransmission_is_the_packet_that_it_repeats(marker: bool) -> None:
    packet = build(VP8.payload_type, 0x0102, 3000, 5, b"\x10\x00picture", transport_cc=9, marker=marker)
    again = retransmission(packet, 1, 6)
    payload = b"\x01\x02\x10\x00picture"
    assert again == build(VP8_RTX.payload_type, 1, 3000, 6, payload, transport_cc=9, marker=marker)
    assert original(again, len(again), original_sequence_at(again, len(again)), 3000, 5) == packet


@pytest.mark.parametrize("first", [0x80, 0x85, 0x90])
def test_a_packet_that_ends_within_its_header_shows_no_picture(first: int) -> None:
    packet = bytes((first, 0x80 | VP8.payload_type)) + FIXED[1 : 11 if first > 0x80 else 10]
    assert not any(starts(packet, len(packet)) for starts in KEYFRAME_START.values())
    assert vp8_layer(packet, len(packet)) == (0, False, 0)


@pytest.mark.parametrize(
    ("packet", "level"),
    [
        (one_byte(b"\x10\x9e"), 30),  # The first bit is set, because the sender has detected speech.
        (one_byte(b"\x10\x7f\0\0"), 127),
        (one_byte(b"\x31\xab\xcd\x10\x00"), 0),
        (one_byte(b"\x31\xab\xcd"), None),
        (one_byte(b"\x11\x9e\x9e"), None),  # an element of two bytes is not a level of sound
        (one_byte(b"\x31\xab\xcd\x10"), None),  # the packet ends before the element's value
        (PLAIN + b"sound", None),
    ],
)
def test_the_level_of_sound_is_read_from_its_extension(packet: bytes, level: int | None) -> None:
    assert audio_level(packet, len(packet)) == level
