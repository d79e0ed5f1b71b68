"""Tests RTCP compounds, byte by byte: how they are split, what is refused, and which packets the server
itself sends.
"""

from __future__ import annotations

import re

import pytest

from media.errors import RtcpError
from media.protocols.rtcp import bitrate_limit, nack, picture_loss, requested, split

REPORT = bytes.fromhex("81c90001 0a0b0c0d")  # a receiver report whose report block is missing, eight bytes
EMPTY = bytes.fromhex("80cb0000")  # a BYE that names no source, four bytes


def test_a_compound_is_split_into_its_packets() -> None:
    assert list(split(REPORT)) == [(1, 201, REPORT)]
    assert list(split(REPORT + EMPTY + REPORT)) == [(1, 201, REPORT), (1, 201, REPORT)]
    most = bytes.fromhex("9fcd0001") + bytes(4)
    assert list(split(most)) == [(31, 205, most)]
    long = bytes.fromhex("80cc0100") + bytes(1024)
    assert list(split(long + REPORT)) == [(0, 204, long), (1, 201, REPORT)]


def test_padding_is_removed_with_its_own_length() -> None:
    padded = bytes.fromhex("a1c90002 0a0b0c0d 00000004")
    assert list(split(padded)) == [(1, 201, padded[:8])]
    assert list(split(bytes.fromhex("a1c90001 00000004"))) == [], "nothing is left but its header"
    assert list(split(padded[:-1] + b"\x01")) == [(1, 201, padded[:11])]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "shorter"),
        (REPORT[:7], "shorter"),
        (REPORT + EMPTY[:3], "no header"),
        (b"\x41" + REPORT[1:], "no header"),
        (b"\xc1" + REPORT[1:], "no header"),
        (REPORT + b"\x00" + EMPTY[1:], "no header"),
        (bytes.fromhex("81c90002 0a0b0c0d"), "longer"),
        (bytes.fromhex("81c90102 0a0b0c0d"), "longer"),
        (bytes.fromhex("a1c90001 0a0b0c00"), "bad padding"),
        (bytes.fromhex("a1c90001 0a0b0c05"), "bad padding"),
    ],
)
def test_what_is_no_compound_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(RtcpError, match=re.escape(why)):
        list(split(data))


@pytest.mark.parametrize(
    ("kbps", "limit"),
    [
        (0, "01000000"),
        (262.1435, "0103ffff"),  # the largest number that has eighteen bits
        (262.144, "01060000"),
        (1000, "010bd090"),
        (100_000, "0126faf0"),
    ],
)
def test_the_most_that_a_sender_may_send_is_a_remb(kbps: float, limit: str) -> None:
    packet = bitrate_limit(0x01020304, 0x05060708, kbps)
    assert packet.hex() == "8fce00050102030400000000" + b"REMB".hex() + limit + "05060708"


def test_a_keyframe_is_requested_by_a_picture_loss_indication() -> None:
    assert picture_loss(0x01020304, 0x05060708).hex() == "81ce00020102030405060708"


def test_the_numbers_of_missing_packets_continue_after_65535() -> None:
    numbers = [0xFFFE, 0xFFFF, 0, 13, 14, 300]
    assert requested(nack(1, 2, numbers)) == numbers
