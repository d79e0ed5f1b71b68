"""Numbers that go on: sequence, timestamp, retransmission and transport-wide numbers over a reload, a pause,
another worker."""

import asyncio
import struct

from media import Connected, Disconnected, Relay, RelaySettings
from media.party import REPLACED
from media.protocols.codecs import OPUS, VP8, VP8_RTX
from tests.media.duo import Speaker, call, duo, until

AUDIO, VIDEO, RTX = OPUS.payload_type, VP8.payload_type, VP8_RTX.payload_type


async def test_the_roll_over_of_sequence_numbers_behind_a_closed_gate_does_no_harm() -> None:
    async with call() as (stage, a, b):
        stage.room.set_gate(False)
        for number in range(1, 3 * 65536, 97):
            a.audio(2 + number)
            if number % 2000 < 97:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        stage.room.set_gate(True)
        heard = len(b.of(AUDIO))
        a.audio(2 + 3 * 65536 + 10)
        await until(lambda: len(b.of(AUDIO)) == heard + 1)
        assert stage.relay.stats.unauthentic == 0


async def test_a_reload_is_invisible_in_the_numbers_of_the_other_side() -> None:
    async with call() as (stage, a, b):
        a.video(1000, timestamp=90_000)
        await until(lambda: len(b.of(VIDEO)) == 2)
        before = b.of(VIDEO)[-1]
        again = await stage.join("a")
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
        passed_s = (first.timestamp - before.timestamp) / 90_000
        assert 0 < passed_s < 5
        assert second.timestamp - first.timestamp == 3000


async def test_retransmissions_after_a_reload_name_the_packet_as_the_receiver_knows_it() -> None:
    async with call() as (stage, _a, b):
        again = await stage.join("a")
        again.video(500, key=True, timestamp=1)
        again.video(502, timestamp=2)
        await until(lambda: len(b.of(VIDEO)) == 3)
        key, delta = b.of(VIDEO)[-2:]
        again.rtx(9, 501, b"missing", timestamp=2)
        await until(lambda: len(b.of(RTX)) == 1)
        resent = b.of(RTX)[0]
        assert int.from_bytes(resent.payload[:2], "big") == (key.sequence + 1) & 0xFFFF
        assert resent.timestamp == delta.timestamp


async def test_what_the_server_misses_it_asks_of_the_sender_in_the_senders_numbers() -> None:
    async with call() as (stage, _a, b):
        again = await stage.join("a")
        again.video(500, key=True)
        again.video(504)
        again.audio(70)
        again.audio(72)
        await until(lambda: len(again.rtcp(205, 1)) >= 2)
        requests = [struct.unpack_from("!IHH", packet, 8) for packet in again.rtcp(205, 1)]
        assert {(again.video_ssrc, 501, 3), (again.audio_ssrc, 71, 0)} <= set(requests)
        again.audio(71, text=b"again")
        await until(lambda: b.of(AUDIO)[-1].payload == b"again")
        first, newest, late = (packet.sequence for packet in b.of(AUDIO)[-3:])
        assert ((late - first) & 0xFFFF, (newest - late) & 0xFFFF) == (1, 1)


async def test_transport_wide_numbers_go_on_after_a_reload_and_their_feedback_comes_back() -> None:
    async with call() as (stage, a, b):
        b.send_rtcp(struct.pack("!BBHIIHH", 0x8F, 205, 5, 1, b.of(VIDEO)[0].ssrc, 4_000, 10) + bytes(8))
        await until(lambda: bool(a.rtcp(205, 15)))
        again = await stage.join("a")
        again.audio(1, cc=77)
        await until(lambda: len(b.of(AUDIO)) == 2)
        packet = b.of(AUDIO)[-1].packet
        shown = int.from_bytes(packet[17:19], "big")
        assert 4_010 < shown < 4_200
        sender = stage.parties["a"].endpoint
        await until(lambda: not sender.answering)  # some ticks after the last packet that was not forwarded
        b.send_rtcp(struct.pack("!BBHIIHH", 0x8F, 205, 5, 1, b.of(AUDIO)[-1].ssrc, shown, 1) + bytes(8))
        await until(lambda: any(feedback[12:14] == bytes((0, 77)) for feedback in again.rtcp(205, 15)))


async def test_the_server_answers_transport_cc_while_the_gate_is_closed() -> None:
    async with duo() as stage:
        a = await stage.join("a")
        for number in range(10):
            a.audio(number + 1, cc=(65_530 + number) & 0xFFFF)
        await until(lambda: bool(a.rtcp(205, 15)))
        base, statuses = struct.unpack_from("!HH", a.rtcp(205, 15)[0], 12)
        assert (base, statuses) == (65_530, 10)


async def test_sound_keeps_its_timestamps_when_it_is_switched_on_again() -> None:
    async with call() as (stage, a, b):
        stage.parties["a"].set_receiving("audio", False)
        stage.parties["a"].set_receiving("audio", True)
        a.audio(50, timestamp=96_000)
        await until(lambda: len(b.of(AUDIO)) == 2)
        assert b.of(AUDIO)[-1].timestamp - b.of(AUDIO)[0].timestamp == 96_000


async def test_an_ssrc_nobody_announced_is_learned_from_its_packets() -> None:
    async with duo() as stage:
        a, b = await stage.join("a", sources=False), await stage.join("b", sources=False)
        stage.room.set_gate(True)
        a.audio(1)
        a.video(1, key=True)
        await until(lambda: bool(b.of(AUDIO) and b.of(VIDEO)))


async def test_learning_the_same_source_again_changes_nothing() -> None:
    async with call() as (stage, a, b):
        offer = stage.parties["a"].restart_ice()
        stage.parties["a"].accept(a.answer(offer))
        a.video(2)
        await until(lambda: len(b.of(VIDEO)) == 2)


async def test_another_worker_takes_the_room_over_with_fresh_offers() -> None:
    async with call() as (stage, _a, _b):
        relay = await Relay.open(RelaySettings())
        room = relay.room("room")
        room.set_gate(True)
        fresh = []
        for name in "ab":
            speaker = Speaker()
            stage.speakers.append(speaker)
            party = room.join(name, speaker.events.append)
            party.accept(speaker.answer(party.offer()))
            await speaker.connect()
            fresh.append(speaker)
        await until(lambda: all(speaker.events for speaker in fresh))
        fresh[0].video(1, key=True)
        await until(lambda: bool(fresh[1].of(VIDEO)))
        await relay.close()
