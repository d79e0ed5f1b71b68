"""Tests how the forwarder handles reports and requests (RTCP): which are forwarded, and what is counted."""

from __future__ import annotations

from struct import pack

import pytest

from tests.media.forwarding.test_forwarder import LOSS
from tests.media.forwarding.unencrypted import A, B, pair


def test_a_request_for_a_keyframe_crosses_to_the_sender() -> None:
    room, a, b = pair()
    b.learn(9, "audio")
    b.route(a, True)
    room.reads((pack("!BBHII", 0x81, 206, 2, 9, 21), B))
    assert room.sent[A] == [LOSS]
    assert room.counted() == {"rtcp": 1}
    assert b.reporters == {9}


@pytest.mark.parametrize("kind", [192, 200, 223])
def test_control_packets_are_recognised_by_their_second_byte(kind: int) -> None:
    room, _, _ = pair()
    room.reads((bytes((0x80, kind, 0, 2)) + bytes(8), B))
    counted = room.counted()
    assert counted.pop("rtcp") == 1
    assert "received" not in counted


@pytest.mark.parametrize("kind", [191, 224])
def test_packets_of_other_types_are_media(kind: int) -> None:
    room, _, _ = pair()
    room.reads((bytes((0x80, kind, 0, 2)) + bytes(8), B))
    assert room.forwarder.counters.received == 1


def test_nothing_of_a_control_packet_crosses_a_closed_gate_or_an_empty_budget() -> None:
    room, a, b = pair()
    request = (pack("!BBHII", 0x81, 206, 2, 9, 21), B)
    b.budget = 11
    room.reads(request)
    assert (room.sent[A], b.budget) == ([], -1)
    b.budget = 12
    room.reads(request)
    assert len(room.sent[A]) == 1
    b.budget = 100
    b.route(a, False)
    room.reads(request)
    b.route(None, False)
    room.reads(request)
    assert len(room.sent[A]) == 1
    assert room.counted() == {"rtcp": 4}


def test_a_malformed_control_packet_is_dropped() -> None:
    room, _, _ = pair()
    room.reads((pack("!BBHII", 0x81, 201, 2, 9, 21), B))
    assert room.counted() == {"rtcp": 1, "dropped": 1}


def test_a_browser_reports_under_at_most_32_names() -> None:
    room, _, b = pair()
    reports = [(pack("!BBHII", 0x80, 201, 2, number, 0), B) for number in range(33)]
    room.reads(*reports, reports[0])
    assert len(b.reporters) == 32
    assert room.counted() == {"rtcp": 33, "dropped": 1}


def test_what_the_receiver_has_reported_is_remembered_for_the_next_pause() -> None:
    room, _, b = pair()
    room.reads((pack("!BBHIIHH", 0x8F, 205, 4, 9, 21, 40, 3) + bytes(4), B))
    assert b.cc_last == 43
