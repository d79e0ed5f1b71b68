"""Tests how the forwarder notices that a browser sends from a new address, or sends again after an outage."""

from __future__ import annotations

import dataclasses
from struct import pack

from media.forwarding.forwarder import STRAY_LOOKS
from media.protocols import rtcp
from media.protocols.rtp import build
from tests.media.forwarding.test_mending import mended
from tests.media.forwarding.unencrypted import AUDIO, A, C, Keys, pair, sound


def test_packets_from_unknown_addresses_are_decrypted_only_a_few_times_between_two_ticks() -> None:
    room, a, _ = pair()
    a.rx = Keys()
    a.rx.unprotect = 7
    packet, _ = sound(1)
    room.reads(*[(packet, C)] * (STRAY_LOOKS + 5))
    assert room.counted() == {"strays": STRAY_LOOKS + 5, "unauthentic": STRAY_LOOKS}
    room.forwarder.stray_looks = 1  # the relay would set `stray_looks` at each tick; here the test sets it
    room.reads((packet, C), (packet, C))
    assert room.counted()["unauthentic"] == STRAY_LOOKS + 1


def test_a_packet_from_a_new_address_is_decrypted_in_its_own_length() -> None:
    room, _, _ = pair()
    lengths: list[int] = []

    def unprotect(_keys: object, _handle: object, length: list[int]) -> int:
        lengths.append(length[0])
        return 0

    room.forwarder._binding = dataclasses.replace(room.forwarder._binding, unprotect=unprotect)
    short, long = sound(1)[0], build(AUDIO, 2, 1920, 1, b"longer than the other")
    room.reads((short, C), (long, C))
    assert lengths == [len(short), len(long)]


def test_after_an_outage_a_control_packet_alone_brings_a_keyframe() -> None:
    room, a, _ = mended()
    a.sources[2].keyframe_due_s = 0.0
    report = pack("!BBHI", 0x80, 201, 1, 2) * 2, A

    def asked(now_s: float) -> bool:
        a.last_from = None  # the relay would clear `last_from` at each tick; here the test clears it
        room.now_s = now_s
        room.sent[A].clear()
        room.reads(report)
        return rtcp.picture_loss(10 + 1, 2) in room.sent[A]

    assert [asked(now_s) for now_s in (100.5, 102.0, 102.1)] == [False, True, False]


def test_only_the_first_packet_of_a_browser_after_a_tick_is_looked_at_for_an_outage() -> None:
    room, a, _ = pair()
    received_s = []
    for now_s, ticked in ((100.0, False), (100.04, False), (100.04, True), (100.06, False)):
        room.now_s = now_s
        if ticked:
            a.last_from = None
        room.reads(sound(7))
        received_s.append((a.received_s, a.last_from))
    assert received_s == [(100.0, A), (100.0, A), (100.04, A), (100.04, A)]


def test_a_known_stream_and_a_known_reporter_from_a_new_address_are_both_passed_on() -> None:
    room, a, _ = pair()
    a.reporters.add(2)
    report = pack("!BBHI", 0x80, 201, 1, 2) * 2
    room.reads((sound(1)[0], C), (report, C), (pack("!BBHI", 0x80, 201, 1, 9) * 2, C))
    assert room.others.moved == [(a, C)] * 2
    assert room.counted() == {"strays": 3}
