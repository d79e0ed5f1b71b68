"""Tests rooms of three to six parties.

Everyone receives everyone else, each in a stream of its own. Guests take part only while they are admitted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from media import OfferNeeded, Party, RoomFullError
from media.errors import SdpError
from media.protocols import rtcp, rtp
from media.protocols.codecs import OPUS, VP8, VP8_RTX
from tests.media.duo import Duo, Speaker, duo, until

VIDEO, AUDIO, RTX = VP8.payload_type, OPUS.payload_type, VP8_RTX.payload_type
OPPOSITES = {"patient": "provider", "provider": "patient"}


async def come(peers: Duo, name: str, *, admitted: bool = True) -> Speaker:
    """Add a person to the room as in a visit; return the person's peer when it is connected.

    Every party that needs a new offer because of this gets the offer and answers it. `admitted`: True if the person
    takes part in the call already.
    """
    speaker = Speaker()
    peers.speakers.append(speaker)
    party = peers.room.join(
        name, speaker.events.append, opposite=OPPOSITES.get(name, "patient"), admitted=admitted
    )
    peers.parties[name] = party
    peers.people[name] = speaker
    party.accept(speaker.answer(party.offer()))
    for other, known in peers.people.items():
        if OfferNeeded() in known.events:
            known.events.remove(OfferNeeded())
            peers.parties[other].accept(known.answer(peers.parties[other].offer()))
    await speaker.connect()
    await until(lambda: party.connected)
    return speaker


@asynccontextmanager
async def group(*names: str, admitted: bool = True) -> AsyncIterator[tuple[Duo, dict[str, Speaker]]]:
    """Yield (the relay with the room, name -> peer) in a room in which media may pass.

    `admitted`: True if guests take part in the call.
    """
    async with duo() as peers:
        for name in names:
            await come(peers, name, admitted=admitted or not name.startswith("guest-"))
        peers.room.set_gate(True)
        yield peers, peers.people


def heard_from(speaker: Speaker, payload_type: int) -> dict[str, list[bytes]]:
    """Return id of a stream -> the last byte of each packet of this payload type that the peer has received in that
    stream.
    """
    found: dict[str, list[bytes]] = {}
    for packet in speaker.of(payload_type):
        found.setdefault(speaker.streams[packet.ssrc], []).append(packet.payload[-1:])
    return found


def send_all(people: dict[str, Speaker], sequence: int = 1) -> None:
    """Make each peer send one packet of sound, and the first packet of a keyframe.

    `people`: name -> peer. `sequence`: the sequence number of these packets. The last byte of each packet is
    the position of its sender in `people`, from 0.
    """
    for number, speaker in enumerate(people.values()):
        speaker.audio(sequence, text=bytes([number]))
        speaker.video(sequence, key=True, text=bytes([number]))


@pytest.mark.parametrize("size", [3, 4, 6])
async def test_each_party_receives_the_audio_of_each_other_party_under_its_name(size: int) -> None:
    names = ["patient", "provider", *(f"guest-{n}" for n in range(size - 2))]
    async with group(*names) as (_, people):
        send_all(people)
        for name, speaker in people.items():
            wanted = {other: [bytes([names.index(other)])] for other in names if other != name}
            await until(lambda s=speaker, w=wanted: heard_from(s, VIDEO) == w and heard_from(s, AUDIO) == w)  # type: ignore[misc]


async def test_a_call_of_two_goes_on_without_a_gap_when_a_third_comes() -> None:
    async with group("patient", "provider") as (peers, people):
        patient, provider = people["patient"], people["provider"]
        send_all(people)
        await until(lambda: bool(provider.of(VIDEO)) and bool(provider.of(AUDIO)))
        before = provider.of(VIDEO)[-1]
        await come(peers, "guest-a")
        patient.video(2, timestamp=3000)  # a picture that is not a keyframe
        await until(lambda: len(provider.of(VIDEO)) == 2)
        after = provider.of(VIDEO)[-1]
        assert (after.ssrc, after.sequence, after.timestamp) == (
            before.ssrc,
            before.sequence + 1,
            before.timestamp + 3000,
        )
        assert not people["guest-a"].of(VIDEO), "a newcomer's picture begins with a keyframe"
        patient.video(3, key=True)
        await until(lambda: bool(people["guest-a"].of(VIDEO)))


async def test_the_offer_of_a_call_of_two_names_the_other_and_nobody_needs_a_second_one() -> None:
    async with group("patient", "provider") as (peers, people):
        assert not any(isinstance(event, OfferNeeded) for s in people.values() for event in s.events)
        offer = peers.parties["patient"].offer()
        assert offer.count("m=") == 2
        assert offer.count("a=msid:provider ") == 2


async def test_a_party_that_comes_back_uses_the_same_m_lines_again() -> None:
    async with group("patient", "provider", "guest-a") as (peers, people):
        send_all(people)
        await until(lambda: "guest-a" in heard_from(people["patient"], VIDEO))
        offered = peers.parties["patient"].offer().count("m=")
        peers.parties["guest-a"].leave()
        again = await come(peers, "guest-a")
        assert not people["patient"].events or OfferNeeded() not in people["patient"].events
        again.video(7, key=True, text=b"!")
        await until(lambda: b"!" in heard_from(people["patient"], VIDEO).get("guest-a", []))
        assert peers.parties["patient"].offer().count("m=") == offered


async def test_a_new_guest_gets_the_m_lines_of_one_who_left_under_the_new_guests_id() -> None:
    async with group("patient", "provider", "guest-a") as (peers, people):
        offered = peers.parties["patient"].offer().count("m=")
        peers.parties["guest-a"].leave()
        del people["guest-a"]
        newcomer = await come(peers, "guest-b")
        newcomer.video(1, key=True, text=b"b")
        await until(lambda: heard_from(people["patient"], VIDEO) == {"guest-b": [b"b"]})
        assert peers.parties["patient"].offer().count("m=") == offered


async def test_a_seventh_party_is_refused() -> None:
    async with group("patient", "provider", *(f"guest-{n}" for n in range(4))) as (peers, _):
        with pytest.raises(RoomFullError):
            peers.room.join("guest-late", lambda event: None)


# --- which party receives the media of which other party


async def test_nothing_crosses_to_or_from_a_guest_who_is_not_admitted() -> None:
    async with group("patient", "provider", "guest-a", admitted=False) as (peers, people):
        send_all(people)
        await until(
            lambda: bool(people["patient"].of(VIDEO)) and bool(people["provider"].of(AUDIO))
        )  # the patient and the provider do receive each other
        for sequence in range(2, 20):
            people["guest-a"].video(sequence, key=True)
            people["guest-a"].audio(sequence)
            people["guest-a"].rtx(sequence, sequence)
        send_all(people, 30)
        await peers.quiet()
        assert not people["guest-a"].heard
        assert "guest-a" not in {
            **heard_from(people["patient"], VIDEO),
            **heard_from(people["patient"], AUDIO),
        }
        assert "guest-a" not in {
            **heard_from(people["provider"], VIDEO),
            **heard_from(people["provider"], RTX),
        }
        peers.parties["guest-a"].set_admitted(True)
        send_all(people, 40)
        await until(lambda: "guest-a" in heard_from(people["patient"], VIDEO))
        await until(lambda: set(heard_from(people["guest-a"], AUDIO)) == {"patient", "provider"})


async def test_unannounced_ssrcs_of_a_guest_who_is_not_admitted_are_not_forwarded() -> None:
    async with group("patient", "provider", "guest-a", admitted=False) as (peers, people):
        for sequence in range(1, 20):
            for ssrc in range(70, 80):
                people["guest-a"].send_rtp(rtp.build(VIDEO, sequence, 0, ssrc, b"\x10\x00picture"))
        await peers.handled(190)
        await peers.quiet()
        assert not any(speaker.heard for speaker in people.values())


async def test_admitting_a_guest_does_not_open_the_gate() -> None:
    async with group("patient", "provider", "guest-a") as (peers, people):
        peers.room.set_gate(False)
        for sequence in range(1, 10):
            send_all(people, sequence)
        await peers.handled(2 * 3 * 9)
        await peers.quiet()
        assert not any(speaker.heard for speaker in people.values())


async def test_no_media_is_forwarded_between_guest_and_patient_before_the_gate_opens() -> None:
    async with group("patient", "guest-a") as (peers, people):
        peers.room.set_gate(False)
        send_all(people)
        await peers.handled(4)
        await peers.quiet()
        assert not any(speaker.heard for speaker in people.values())


async def test_no_media_is_forwarded_to_or_from_a_dismissed_guest() -> None:
    async with group("patient", "provider", "guest-a") as (peers, people):
        send_all(people)
        await until(lambda: "guest-a" in heard_from(people["patient"], VIDEO))
        peers.parties["guest-a"].leave()
        heard = {name: len(speaker.heard) for name, speaker in people.items()}
        for sequence in range(2, 10):
            people["guest-a"].video(sequence, key=True)
            people["guest-a"].audio(sequence)
        await peers.quiet()
        assert {name: len(speaker.heard) for name, speaker in people.items()} == heard
        people["patient"].video(2, key=True)
        await until(lambda: len(people["provider"].heard) > heard["provider"])
        assert len(people["guest-a"].heard) == heard["guest-a"]


async def test_a_kind_that_is_switched_off_reaches_no_receiver() -> None:
    async with group("patient", "provider", "guest-a") as (peers, people):
        peers.parties["patient"].set_receiving("audio", False)
        send_all(people)
        for other in ("provider", "guest-a"):
            await until(lambda o=other: "patient" in heard_from(people[o], VIDEO))  # type: ignore[misc]
            assert "patient" not in heard_from(people[other], AUDIO)


async def test_a_guests_answer_cannot_claim_the_m_lines_of_others_to_send_on() -> None:
    async with group("patient", "provider", "guest-a") as (peers, people):
        party, guest = peers.parties["guest-a"], people["guest-a"]
        answer = guest.answer(party.offer())
        party.accept(answer.replace("a=mid:2\r\na=recvonly", "a=mid:2\r\na=sendrecv\r\na=ssrc:99 cname:x"))
        assert 99 not in party.endpoint.sources
        with pytest.raises(SdpError):
            party.accept(answer.rsplit("m=", 1)[0])


async def test_no_packet_of_a_group_reaches_another_room() -> None:
    async with group("patient", "provider", "guest-a") as (peers, people):
        other = peers.relay.room("other")
        stranger = Speaker()
        peers.speakers.append(stranger)
        party: Party = other.join("patient", stranger.events.append)
        party.accept(stranger.answer(party.offer()))
        await stranger.connect()
        other.set_gate(True)
        send_all(people)
        await until(lambda: bool(people["guest-a"].of(VIDEO)))
        await peers.quiet()
        assert not stranger.heard


# --- reports and requests (RTCP)


async def test_a_packet_that_one_receiver_lost_is_sent_again_only_to_it_and_not_requested() -> None:
    async with group("patient", "provider", "guest-a") as (_, people):
        patient, guest = people["patient"], people["guest-a"]
        patient.video(500, key=True)
        await until(lambda: bool(guest.of(VIDEO)))
        for sequence in (501, 502):
            patient.video(sequence)
        await until(lambda: len(guest.of(VIDEO)) == 3)
        lost = guest.of(VIDEO)[1]
        guest.send_rtcp(
            bytes([0x81, 205, 0, 3])
            + guest.video_ssrc.to_bytes(4, "big")
            + lost.ssrc.to_bytes(4, "big")
            + lost.sequence.to_bytes(2, "big")
            + bytes(2)
        )
        await until(lambda: bool(guest.of(RTX)))
        assert guest.of(RTX)[0].payload == lost.sequence.to_bytes(2, "big") + lost.payload
        assert not patient.rtcp(205, 1)
        assert not people["provider"].of(RTX)


async def test_a_packet_that_the_server_lost_is_requested_once_and_sent_to_all_receivers() -> None:
    async with group("patient", "provider", "guest-a") as (_, people):
        patient, others = people["patient"], (people["provider"], people["guest-a"])
        patient.video(500, key=True)
        patient.video(502)
        await until(lambda: bool(patient.rtcp(205, 1)))
        nack = patient.rtcp(205, 1)[0]
        assert nack[8:] == patient.video_ssrc.to_bytes(4, "big") + (501).to_bytes(2, "big") + bytes(2)
        patient.rtx(1, 501, text=b"again")
        await until(lambda: all(len(other.of(VIDEO)) == 3 for other in others))
        for other in others:
            key, _, again = other.of(VIDEO)
            assert (again.sequence, again.payload[-5:]) == ((key.sequence + 1) & 0xFFFF, b"again")


async def test_a_request_for_a_keyframe_goes_only_to_the_sender_of_that_video() -> None:
    async with group("patient", "provider", "guest-a") as (_, people):
        send_all(people)
        await until(lambda: len(heard_from(people["guest-a"], VIDEO)) == 2)
        for speaker in people.values():
            speaker.control.clear()
        ssrc = next(
            p.ssrc for p in people["guest-a"].of(VIDEO) if people["guest-a"].streams[p.ssrc] == "provider"
        )
        people["guest-a"].send_rtcp(rtcp.picture_loss(people["guest-a"].video_ssrc, ssrc))
        await until(lambda: bool(people["provider"].rtcp(206, 1)))
        assert people["provider"].rtcp(206, 1)[0][8:12] == people["provider"].video_ssrc.to_bytes(4, "big")
        assert not people["patient"].rtcp(206, 1)


async def test_each_downlink_has_transport_wide_numbers_of_its_own_and_each_uplink_is_answered() -> None:
    async with group("patient", "provider", "guest-a") as (_, people):
        for sequence in range(1, 6):
            for name, first in (("patient", 100), ("provider", 9000)):
                people[name].audio(sequence, cc=first + sequence)
        guest = people["guest-a"]
        await until(lambda: len(guest.of(AUDIO)) == 10)
        numbers = [
            int.from_bytes(p.packet[at : at + 2], "big")
            for p in guest.of(AUDIO)
            if (at := rtp.transport_cc_at(p.packet, len(p.packet)))
        ]
        assert numbers == list(range(numbers[0], numbers[0] + 10))
        await until(lambda: bool(people["patient"].rtcp(205, 15)) and bool(people["provider"].rtcp(205, 15)))


async def test_the_weakest_receiver_bounds_what_a_sender_sends() -> None:
    async with group("patient", "provider", "guest-a") as (peers, people):
        send_all(people)
        await until(lambda: len(heard_from(people["guest-a"], VIDEO)) == 2)
        await until(lambda: bool(people["patient"].rtcp(206, 15)))
        before = limit(people["patient"].rtcp(206, 15)[-1])
        ssrc = next(
            p.ssrc for p in people["guest-a"].of(VIDEO) if people["guest-a"].streams[p.ssrc] == "patient"
        )
        report = bytes([0x81, 201, 0, 7]) + people["guest-a"].video_ssrc.to_bytes(4, "big")
        # According to the report, half of the video packets were lost.
        report += ssrc.to_bytes(4, "big") + bytes([128, 0, 0, 9]) + bytes(16)
        for _ in range(6):
            people["guest-a"].send_rtcp(report)
        await until(lambda: limit(people["patient"].rtcp(206, 15)[-1]) < before / 2)
        await until(lambda: bool(people["provider"].rtcp(206, 15)))
        assert limit(people["provider"].rtcp(206, 15)[-1]) == before, "what the provider sends arrives well"
        assert peers.relay.stats.faults == 0


def limit(packet: bytes) -> int:
    """Return the bit rate that a REMB packet allows, in bit/s."""
    assert packet[12:16] == b"REMB"
    word = int.from_bytes(packet[16:20], "big")
    return (word & 0x3FFFF) << (word >> 18 & 0x3F)
