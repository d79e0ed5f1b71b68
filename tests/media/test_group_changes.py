"""Tests rooms of three while people speak, join and reload: which events are sent, and that pictures continue."""

from __future__ import annotations

import asyncio
import itertools
import time

from media import Connected, Speaking
from media.protocols import rtcp, rtp
from media.protocols.codecs import AUDIO_LEVEL_ID, OPUS, VP8
from tests.limits import WAIT_S
from tests.media.duo import Speaker, duo, until
from tests.media.test_groups import come, group, heard_from, limit, send_all

VIDEO, AUDIO = VP8.payload_type, OPUS.payload_type


_numbers = itertools.count(1000)


def speak(speaker: Speaker) -> None:
    """Send a packet of loud sound, with the level in the header extension that a browser writes."""
    sequence = next(_numbers)
    level = b"\xbe\xde\0\x01" + bytes((AUDIO_LEVEL_ID << 4, 0x80 | 25, 0, 0))
    packet = bytearray(rtp.build(AUDIO, sequence, 960 * sequence, speaker.audio_ssrc, level + b"speech"))
    packet[0] |= 0x10
    speaker.send_rtp(bytes(packet))


async def spoken(speaker: Speaker, *listeners: Speaker, wanted: str) -> None:
    """Send loud sound of a person until, for each listener, the newest event about the active speaker
    names `wanted`.
    """
    while not all(Speaking(wanted) in listener.events[-1:] for listener in listeners):
        speak(speaker)
        await asyncio.sleep(0.02)


async def test_everybody_who_takes_part_learns_who_speaks_also_after_a_reload() -> None:
    async with duo() as peers, asyncio.timeout(WAIT_S):
        for name in ("patient", "provider", "guest-a", "guest-b"):
            await come(peers, name, admitted=name != "guest-b")
        peers.room.set_gate(True)
        people = peers.people
        patient, provider = people["patient"], people["provider"]
        assert "ssrc-audio-level" in peers.parties["patient"].offer()
        await spoken(patient, patient, provider, people["guest-a"], wanted="patient")
        assert Speaking("patient") not in people["guest-b"].events, "who waits learns nothing"
        again = await come(peers, "provider")
        await spoken(patient, again, wanted="patient")
        peers.parties["patient"].set_receiving("audio", False)
        while patient.events[-1] != Speaking(None):
            speak(patient)  # the microphone is muted, so these packets do not count
            await asyncio.sleep(0.02)


async def test_no_speaker_is_sent_in_a_call_of_two() -> None:
    async with group("patient", "provider") as (peers, people):
        assert "ssrc-audio-level" not in peers.parties["patient"].offer()
        for _ in range(40):
            speak(people["patient"])
            await asyncio.sleep(0.02)
        assert people["provider"].events == [Connected()]


async def test_a_reload_in_a_group_begins_with_one_keyframe_and_leaves_the_others_alone() -> None:
    async with group("patient", "provider", "guest-a") as (peers, people):
        send_all(people)
        for speaker in people.values():
            await until(lambda s=speaker: len(heard_from(s, VIDEO)) == 2)  # type: ignore[misc]
        patient, provider = people["patient"], people["provider"]
        for speaker in people.values():
            speaker.control.clear()
            speaker.events.clear()
        before = {p.ssrc: p.sequence for p in provider.of(VIDEO)}
        again = await come(peers, "guest-a")
        assert patient.events == provider.events == [], "no new offer"
        patient.video(2, timestamp=3000)
        await until(lambda: len(provider.of(VIDEO)) == 3)
        latest = provider.of(VIDEO)[-1]
        assert latest.sequence == before[latest.ssrc] + 1, "the picture of the other two goes on"
        assert not again.of(VIDEO)
        await until(lambda: bool(patient.rtcp(206, 1)))
        patient.video(3, key=True)
        again.video(1, key=True, text=b"again")
        await until(lambda: "patient" in heard_from(again, VIDEO))
        await until(lambda: any(p.payload.endswith(b"again") for p in provider.of(VIDEO)))
        last = next(p for p in provider.of(VIDEO) if p.payload.endswith(b"again"))
        assert last.sequence == before[last.ssrc] + 1, "and the reloaded page's numbers go on"
        ssrc = next(p.ssrc for p in again.of(VIDEO) if again.streams[p.ssrc] == "patient")
        patient.control.clear()
        for _ in range(5):
            again.send_rtcp(rtcp.picture_loss(again.video_ssrc, ssrc))
        await until(lambda: bool(patient.rtcp(206, 1)))
        assert len(patient.rtcp(206, 1)) < 5, "the requests of a moment are one"


async def test_a_newcomer_with_a_bad_network_does_not_set_the_picture_of_the_others() -> None:
    async with group("patient", "provider", "guest-a") as (peers, people):
        patient, guest = people["patient"], people["guest-a"]
        sequence = 0

        def send(layer: int, *, key: bool = False) -> None:
            nonlocal sequence
            sequence += 1
            head = b"\x90\xe0" + bytes((0x80, sequence & 0xFF, 1, layer << 6 | 0x20))
            payload = head + (b"\x00" if key else b"\x01") + bytes(900)
            patient.send_rtp(rtp.build(VIDEO, sequence, 3000 * sequence, patient.video_ssrc, payload))

        send(0, key=True)
        await until(lambda: bool(guest.of(VIDEO)))
        ssrc = guest.of(VIDEO)[0].ssrc
        report = bytes([0x81, 201, 0, 7]) + guest.video_ssrc.to_bytes(4, "big")
        # According to the report, half of the video packets were lost.
        report += ssrc.to_bytes(4, "big") + bytes([128, 0, 0, 9]) + bytes(16)
        subscription = peers.parties["patient"].endpoint.subscribers[peers.parties["guest-a"].endpoint]
        layers = subscription.current["video"].layers
        assert layers is not None
        async with asyncio.timeout(WAIT_S):
            sent_s = time.monotonic()
            while layers.level != 0:
                # On a busy machine too, more bits are sent in a second than the guest can get in the middle layer.
                turns = min(25, max(1, round((time.monotonic() - sent_s) / 0.02)))
                sent_s = time.monotonic()
                for layer in (0, 2, 1, 2) * turns:
                    send(layer)
                guest.send_rtcp(report)
                await asyncio.sleep(0.02)
        before = sequence
        for layer in (0, 2, 1, 2, 0):
            send(layer)
        await until(lambda: people["provider"].of(VIDEO)[-1].timestamp == 3000 * sequence)
        await until(lambda: guest.of(VIDEO)[-1].timestamp == 3000 * sequence)
        taken = [packet.timestamp // 3000 - before for packet in guest.of(VIDEO)]
        assert [picture for picture in taken if picture > 0] == [1, 5]
        numbers = [packet.sequence for packet in guest.of(VIDEO)]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        # The guest can get only 150,000 bit/s, but the limit for the sender is higher.
        await until(lambda: 300_000 < limit(patient.rtcp(206, 15)[-1]) < 1_000_000)
        assert peers.relay.stats.faults == 0
