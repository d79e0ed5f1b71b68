"""Tests that the numbers in a stream's packets continue after a reload, a pause and a move to another worker.

The numbers are the sequence numbers, timestamps, numbers of retransmissions and transport-wide numbers.
"""

import asyncio
import struct
import time

from media import Connected, Disconnected, OfferNeeded, Relay, RelaySettings
from media.events import REPLACED
from media.protocols import rtp
from media.protocols.codecs import H264, H264_RTX, OPUS, VP8, VP8_RTX
from tests.media.duo import Duo, Speaker, call, duo, until

AUDIO, VIDEO, RTX = OPUS.payload_type, VP8.payload_type, VP8_RTX.payload_type
H264_LAST = (VIDEO, RTX, H264.payload_type, H264_RTX.payload_type)
H264_FIRST = (H264.payload_type, H264_RTX.payload_type, VIDEO, RTX)
H264_KEYFRAME, H264_DELTA = b"\x78\x00\x02\x67\x42\x00\x02\x68\xce", b"\x41\x9a"


async def test_the_roll_over_of_sequence_numbers_behind_a_closed_gate_does_no_harm() -> None:
    async with call() as (peers, a, b):
        peers.room.set_gate(False)
        before, numbers = peers.relay.stats.received, range(1, 3 * 65536, 97)
        for number in numbers:
            a.audio(2 + number)
            if number % 2000 < 97:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        await peers.handled(before + len(numbers))
        peers.room.set_gate(True)
        heard = len(b.of(AUDIO))
        a.audio(2 + 3 * 65536 + 10)
        await until(lambda: len(b.of(AUDIO)) == heard + 1)
        assert peers.relay.stats.unauthentic == 0


async def test_a_reload_is_invisible_in_the_numbers_of_the_other_side() -> None:
    async with call() as (peers, a, b):
        began_s = time.monotonic()
        a.video(1000, timestamp=90_000)
        await until(lambda: len(b.of(VIDEO)) == 2)
        before = b.of(VIDEO)[-1]
        again = await peers.join("a")
        assert a.events == [Connected(), Disconnected(REPLACED)]
        again.video(30_000, key=True, timestamp=7)
        again.video(30_001, timestamp=7 + 3000)
        await until(lambda: len(b.of(VIDEO)) == 4)
        first, second = b.of(VIDEO)[-2:]
        assert first.ssrc == before.ssrc
        assert (first.sequence, second.sequence) == (
            (before.sequence + 1) & 0xFFFF,
            (before.sequence + 2) & 0xFFFF,
        )
        assert 0 < (first.timestamp - before.timestamp) / 90_000 < time.monotonic() - began_s + 0.1
        assert second.timestamp - first.timestamp == 3000


async def test_retransmissions_after_a_reload_name_the_packet_as_the_receiver_knows_it() -> None:
    async with call() as (peers, _a, b):
        again = await peers.join("a")
        again.video(500, key=True, timestamp=1)
        again.video(502, timestamp=2)
        await until(lambda: len(b.of(VIDEO)) == 3)
        key, delta = b.of(VIDEO)[-2:]
        again.rtx(9, 501, b"missing", timestamp=2)
        await until(lambda: len(b.of(RTX)) == 1)
        resent = b.of(RTX)[0]
        assert int.from_bytes(resent.payload[:2], "big") == (key.sequence + 1) & 0xFFFF
        assert resent.timestamp == delta.timestamp


async def test_missing_packets_are_requested_from_the_sender_by_the_senders_numbers() -> None:
    async with call() as (peers, _a, b):
        again = await peers.join("a")
        again.video(500, key=True)
        again.video(504)
        again.audio(70)
        again.audio(72)

        def requests() -> set[tuple[int, ...]]:
            return {struct.unpack_from("!IHH", packet, 8) for packet in again.rtcp(205, 1)}

        await until(lambda: {(again.video_ssrc, 501, 3), (again.audio_ssrc, 71, 0)} <= requests())
        again.audio(71, text=b"again")
        await until(lambda: b.of(AUDIO)[-1].payload == b"again")
        first, newest, late = (packet.sequence for packet in b.of(AUDIO)[-3:])
        assert ((late - first) & 0xFFFF, (newest - late) & 0xFFFF) == (1, 1)


async def test_transport_wide_numbers_go_on_after_a_reload_and_their_feedback_comes_back() -> None:
    async with call() as (peers, a, b):
        b.send_rtcp(struct.pack("!BBHIIHH", 0x8F, 205, 5, 1, b.of(VIDEO)[0].ssrc, 4_000, 10) + bytes(8))
        await until(lambda: bool(a.rtcp(205, 15)))
        again = await peers.join("a")
        again.audio(1, cc=77)
        await until(lambda: len(b.of(AUDIO)) == 2)
        packet = b.of(AUDIO)[-1].packet
        shown = int.from_bytes(packet[17:19], "big")
        assert 4_010 < shown < 4_200
        sender = peers.parties["a"].endpoint
        # While packets are not forwarded, the relay itself sends transport-cc feedback to their sender (`answering`).
        # It stops that some ticks after the last packet that was not forwarded, and from then on passes on the
        # receiver's feedback.
        await until(lambda: not sender.answering)
        b.send_rtcp(struct.pack("!BBHIIHH", 0x8F, 205, 5, 1, b.of(AUDIO)[-1].ssrc, shown, 1) + bytes(8))
        await until(lambda: any(feedback[12:14] == bytes((0, 77)) for feedback in again.rtcp(205, 15)))


async def test_the_server_answers_transport_cc_while_the_gate_is_closed() -> None:
    async with duo() as peers:
        a = await peers.join("a")
        for number in range(10):
            a.audio(number + 1, cc=(65_530 + number) & 0xFFFF)
        await until(lambda: bool(a.rtcp(205, 15)))
        base, statuses = struct.unpack_from("!HH", a.rtcp(205, 15)[0], 12)
        assert (base, statuses) == (65_530, 10)


async def test_sound_keeps_its_timestamps_when_it_is_switched_on_again() -> None:
    async with call() as (peers, a, b):
        peers.parties["a"].set_receiving("audio", False)
        peers.parties["a"].set_receiving("audio", True)
        a.audio(50, timestamp=96_000)
        await until(lambda: len(b.of(AUDIO)) == 2)
        assert b.of(AUDIO)[-1].timestamp - b.of(AUDIO)[0].timestamp == 96_000


async def test_an_ssrc_nobody_announced_is_learned_from_its_packets() -> None:
    async with duo() as peers:
        a, b = await peers.join("a", sources=False), await peers.join("b", sources=False)
        peers.room.set_gate(True)
        a.audio(1)
        a.video(1, key=True)
        await until(lambda: bool(b.of(AUDIO) and b.of(VIDEO)))


async def test_learning_the_same_source_again_changes_nothing() -> None:
    async with call() as (peers, a, b):
        offer = peers.parties["a"].restart_ice()
        peers.parties["a"].accept(a.answer(offer))
        a.video(2)
        await until(lambda: len(b.of(VIDEO)) == 2)


async def test_another_worker_takes_the_room_over_with_fresh_offers() -> None:
    async with call() as (peers, _a, _b):
        relay = await Relay.open(RelaySettings())
        room = relay.room("room")
        room.set_gate(True)
        fresh = []
        for name in "ab":
            speaker = Speaker()
            peers.speakers.append(speaker)
            party = room.join(name, speaker.events.append)
            party.accept(speaker.answer(party.offer()))
            await speaker.connect()
            fresh.append(speaker)
        await until(lambda: all(speaker.events for speaker in fresh))
        fresh[0].video(1, key=True)
        await until(lambda: bool(fresh[1].of(VIDEO)))
        await relay.close()


def first_video_type(offer: str) -> int:
    """Return the payload type that an offer lists first for video; browsers send this one."""
    return int(offer.partition("m=video 9 UDP/TLS/RTP/SAVPF ")[2].split()[0])


def negotiate(peers: Duo, name: str, speaker: Speaker) -> int:
    """Let `speaker` answer the one new offer that the party `name` needs.

    Return the payload type that the offer lists first for video.
    """
    assert [event for event in speaker.events if event == OfferNeeded()] == [OfferNeeded()]
    speaker.events.remove(OfferNeeded())
    offer = peers.parties[name].offer()
    peers.parties[name].accept(speaker.answer(offer))
    return first_video_type(offer)


def h264(speaker: Speaker, sequence: int, payload: bytes) -> None:
    """Send a packet of H.264 video with this sequence number and payload from `speaker`."""
    speaker.send_rtp(rtp.build(H264.payload_type, sequence, 5000, speaker.video_ssrc, payload))


async def test_two_browsers_with_h264_use_it_if_one_prefers_it_and_vp8_with_one_without_h264() -> None:
    async with duo() as peers:
        a = await peers.join("a", video_types=H264_LAST)
        assert first_video_type(peers.parties["a"].offer()) == VIDEO
        b = await peers.join("b", video_types=H264_FIRST)
        assert negotiate(peers, "a", a) == negotiate(peers, "b", b) == H264.payload_type
        again = await peers.join("b", video_types=H264_FIRST)
        assert OfferNeeded() not in a.events + again.events, "a reload changes nothing"
        await peers.join("b")
        assert negotiate(peers, "a", a) == VIDEO


async def test_two_browsers_with_h264_use_vp8_if_neither_prefers_h264() -> None:
    async with duo() as peers:
        a, b = [await peers.join(name, video_types=H264_LAST) for name in ("a", "b")]
        assert OfferNeeded() not in a.events + b.events


async def test_a_third_party_makes_a_room_of_h264_one_of_vp8() -> None:
    async with duo() as peers:
        a = await peers.join("a", video_types=H264_LAST)
        b = await peers.join("b", video_types=H264_FIRST)
        assert negotiate(peers, "a", a) == negotiate(peers, "b", b) == H264.payload_type
        peers.room.set_gate(True)
        h264(a, 1, H264_KEYFRAME)
        await until(lambda: len(b.of(H264.payload_type)) == 1)
        c = await peers.join("c", video_types=H264_FIRST)
        assert negotiate(peers, "a", a) == negotiate(peers, "b", b) == VIDEO
        h264(a, 2, H264_KEYFRAME)
        a.video(3, key=True)
        await until(lambda: len(b.of(VIDEO)) == len(c.of(VIDEO)) == 1)
        assert len(b.of(H264.payload_type)) == 1
        assert not c.of(H264.payload_type)


async def test_a_sender_changes_its_codec_without_a_gap_and_from_a_keyframe_on() -> None:
    async with duo() as peers:
        a, b = [await peers.join(name, video_types=H264_LAST) for name in ("a", "b")]
        peers.room.set_gate(True)
        await peers.settle()
        h264(a, 2, H264_DELTA)
        await until(lambda: bool(a.rtcp(206, 1)))
        h264(a, 3, H264_KEYFRAME)
        h264(a, 4, H264_DELTA)
        h264(a, 6, H264_DELTA)
        await until(lambda: len(b.of(H264.payload_type)) == 3)
        vp8, key, delta, last = (packet.sequence for packet in b.heard if packet.payload_type != AUDIO)
        assert [(number - vp8) & 0xFFFF for number in (key, delta, last)] == [1, 2, 4]
        missing = (5).to_bytes(2, "big") + H264_DELTA
        a.send_rtp(rtp.build(H264_RTX.payload_type, 9, 5000, a.rtx_ssrc, missing))
        await until(lambda: len(b.of(H264_RTX.payload_type)) == 1)
        assert int.from_bytes(b.of(H264_RTX.payload_type)[0].payload[:2], "big") == (vp8 + 3) & 0xFFFF


async def test_a_party_that_does_not_take_h264_is_never_sent_it() -> None:
    async with duo() as peers:
        a = await peers.join("a", video_types=H264_FIRST)
        b = await peers.join("b")
        peers.room.set_gate(True)
        h264(a, 1, H264_KEYFRAME)
        a.video(2, key=True)
        await until(lambda: len(b.of(VIDEO)) == 1)
        assert not b.of(H264.payload_type)


async def test_a_receivers_reports_reach_the_sender_in_its_own_numbers_and_show_the_server_the_path() -> None:
    async with call() as (stage, _a, b):
        # after joining again, party A sends other sequence numbers than B receives
        again = await stage.join("a")
        again.video(500, key=True)
        await until(lambda: len(b.of(VIDEO)) == 2)
        shown = b.of(VIDEO)[-1]
        assert shown.sequence != 500
        again.send_rtcp(struct.pack("!BBHIIIIII", 0x80, 200, 6, again.video_ssrc, 7, 9 << 16, 0, 1, 1))
        await until(lambda: bool(b.rtcp(200, 0)))
        last_report = 7 << 16 | 9
        block = (shown.ssrc, 64 << 24 | 3, 2 << 16 | shown.sequence, 900, last_report, 0)
        b.send_rtcp(struct.pack("!BBHI6I", 0x81, 201, 7, b.video_ssrc, *block))
        await until(lambda: bool(again.rtcp(201, 1)))
        reported = struct.unpack("!6I", again.rtcp(201, 1)[0][8:])
        assert reported[:2] == (again.video_ssrc, 64 << 24 | 3)
        assert reported[2] & 0xFFFF == 500
        assert reported[3:] == (900, last_report, 0)
        quality = stage.parties["b"].quality()
        assert quality.received["video"].loss == 0.25
        assert quality.received["video"].jitter_ms == 10.0
        assert quality.rtt_ms is not None
        assert stage.parties["a"].quality().sent["video"].jitter_ms == 10.0
