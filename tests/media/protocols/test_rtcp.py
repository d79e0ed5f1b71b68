"""Tests RTCP compounds, byte by byte: how they are split, what is refused, and which packets the server
itself sends.
"""

from __future__ import annotations

import re

import pytest

from media.errors import RtcpError
from media.protocols import rtcp
from media.protocols.rtcp import bitrate_limit, nack, picture_loss, requested, split

REPORT = bytes.fromhex("81c90001 0a0b0c0d")  # a receiver report whose report block is missing, eight bytes
EMPTY = bytes.fromhex("80cb0000")  # a BYE that names no source, four bytes


def test_a_compound_is_split_into_its_packets() -> None:
    assert list(split(REPORT)) == [(1, 201, REPORT)]
    assert list(split(REPORT + EMPTY + REPORT)) == [(1, 201, REPORT), (1, 201, REPORT)]
    assert list(split(REPORT + EMPTY)) == [(1, 201, REPORT)]
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


def test_packet_types_and_report_blocks_are_those_of_rfc_3550_and_rfc_4585() -> None:
    assert (rtcp.SENDER_REPORT, rtcp.RECEIVER_REPORT) == (200, 201)
    assert (rtcp.TRANSPORT_FEEDBACK, rtcp.PAYLOAD_FEEDBACK) == (205, 206)
    assert (rtcp.GENERIC_NACK, rtcp.TRANSPORT_CC) == (1, 15)
    assert (rtcp.PICTURE_LOSS, rtcp.FULL_INTRA_REQUEST, rtcp.APPLICATION_LAYER) == (1, 4, 15)
    assert (rtcp.SENDER_INFO.size, rtcp.REPORT_BLOCK.size, rtcp.BLOCK) == (20, 24, 24)


def test_a_keyframe_is_requested_by_a_picture_loss_indication() -> None:
    assert picture_loss(0x01020304, 0x05060708).hex() == "81ce00020102030405060708"


def test_the_numbers_of_missing_packets_continue_after_65535() -> None:
    numbers = [0xFFFE, 0xFFFF, 0, 13, 14, 300]
    assert requested(nack(1, 2, numbers)) == numbers


@pytest.mark.parametrize(
    ("numbers", "entries"),
    [
        ([7], "00070000"),
        ([7, 8], "00070001"),
        ([7, 23], "00078000"),  # 23 is the last number that fits into the mask of sixteen bits
        ([7, 24], "00070000 00180000"),
        ([0xFFFF, 1], "ffff0002"),
    ],
)
def test_lost_packets_are_requested_by_a_generic_nack(numbers: list[int], entries: str) -> None:
    lost = bytes.fromhex(entries)
    head = bytes((0x81, 205, 0, 2 + len(lost) // 4)) + bytes.fromhex("01020304 05060708")
    assert nack(0x01020304, 0x05060708, numbers) == head + lost
    assert requested(head + lost) == numbers


def test_of_a_longer_request_only_the_first_256_numbers_are_read() -> None:
    numbers = list(range(0, 16 * 300, 16))
    assert requested(nack(1, 2, numbers)) == numbers[:256]
