"""Tests synthetic parties: a call of two aiortc peers, a call with a black picture, and a group."""

import math
import re
import struct
import time
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from media import Connected, OfferNeeded, Relay, RelaySettings, Speaking
from media.peers.aiortc_peer import (
    AUDIO_FRAME_S,
    PictureTrack,
    Switched,
    SyntheticParty,
    ToneTrack,
    _in_each_section,
)
from tests.limits import WAIT_S
from tests.media.duo import until


async def test_two_synthetic_parties_see_and_hear_each_other() -> None:
    relay = await Relay.open(RelaySettings())
    room = relay.room("room")
    events: dict[str, list[object]] = {"a": [], "b": []}
    peers = {name: SyntheticParty() for name in events}
    for name, peer in peers.items():
        party = room.join(name, events[name].append)
        answer = await peer.answer(party.offer())
        assert not peer.connected, "it has only just said where it is"
        assert len(set(re.findall("a=candidate:.*", answer))) == 1, "on this machine alone, as the relay is"
        party.accept(answer)
    for peer in peers.values():
        await peer.wait_connected(WAIT_S)
        peer.start()
    assert all(peer.frames_decoded == 0 for peer in peers.values())
    room.set_gate(True)
    for peer in peers.values():
        await peer.wait_for(
            lambda peer=peer: peer.pictures_decoded > 3 and peer.audio_energy > 0.5,  # type: ignore[misc]
            WAIT_S,
        )
        assert peer.first_frame_was_picture
    assert events == {"a": [Connected()], "b": [Connected()]}
    for peer in peers.values():
        await peer.close()
    await relay.close()


async def test_a_busy_machine_that_answers_every_check_too_late_does_not_end_a_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    relay = await Relay.open(RelaySettings())
    room = relay.room("room")
    monkeypatch.setattr("aioice.ice.CONSENT_INTERVAL", 0.01)
    peer = SyntheticParty()
    party = room.join("a", lambda event: None)
    party.accept(await peer.answer(party.offer()))
    await peer.wait_connected(WAIT_S)
    monkeypatch.setattr("aioice.stun.RETRY_RTO", 0.0)
    seen = relay.stats.stun
    await until(lambda: relay.stats.stun > seen + 20)
    assert peer.connected
    await peer.close()
    await relay.close()


async def test_a_track_hands_out_its_frames_when_they_are_due() -> None:
    track, began_s = ToneTrack(), time.monotonic()
    frames = [await track.recv() for _ in range(4)]
    assert time.monotonic() - began_s > 3 * AUDIO_FRAME_S
    samples = frames[0].samples
    assert [frame.pts for frame in frames] == [samples, 2 * samples, 3 * samples, 4 * samples]


async def test_a_synthetic_party_sends_black_and_silence_until_it_starts() -> None:
    relay = await Relay.open(RelaySettings())
    room = relay.room("room")
    room.set_gate(True)
    peers = [SyntheticParty(), SyntheticParty()]
    for name, peer in zip("ab", peers, strict=True):
        party = room.join(name, lambda event: None)
        party.accept(await peer.answer(party.offer()))
    await peers[0].wait_for(lambda: peers[0].frames_decoded > 5 and peers[0].audio_frames > 5, WAIT_S)
    assert peers[0].pictures_decoded == 0
    assert peers[0].audio_energy < 1e-3
    for peer in peers:
        await peer.close()
    await relay.close()


async def test_three_synthetic_parties_see_and_hear_each_other_in_any_order_of_arrival() -> None:
    relay = await Relay.open(RelaySettings())
    room = relay.room("room")
    events: dict[str, list[object]] = {name: [] for name in ("patient", "provider", "guest")}
    peers = {name: SyntheticParty() for name in events}
    parties = {}
    for name, peer in peers.items():
        opposite = "provider" if name == "patient" else "patient"
        party = parties[name] = room.join(name, events[name].append, opposite=opposite)
        party.accept(await peer.answer(party.offer()))
        await peer.wait_connected(WAIT_S)
        for other, heard in events.items():
            if OfferNeeded() in heard:
                heard.remove(OfferNeeded())
                parties[other].accept(await peers[other].answer(parties[other].offer()))
        peer.start()
    room.set_gate(True)
    for name, peer in peers.items():
        others = peers.keys() - {name}
        await peer.wait_for(
            lambda peer=peer, others=others: (  # type: ignore[misc]
                all(peer.pictures_from[other] > 3 for other in others) and peer.audio_energy > 0.5
            ),
            WAIT_S,
        )
    heard = [[event for event in events[name] if not isinstance(event, Speaking)] for name in peers]
    for peer in peers.values():
        await peer.close()
    await relay.close()
    assert heard == [[Connected()]] * 3, "nobody had to connect anew"


async def test_the_synthetic_picture_is_grey() -> None:
    frame = await PictureTrack().recv()
    assert [set(bytes(plane)) for plane in frame.planes[1:]] == [{128}, {128}]


async def test_the_synthetic_picture_is_black_or_a_white_bar_that_moves_over_tiles_of_grey() -> None:
    track = PictureTrack()
    black = await track.recv()
    assert set(bytes(black.planes[0])) == {16}
    assert (black.format.name, black.width, black.height) == ("yuv420p", 320, 240)
    track.enabled = True
    frame = await track.recv()
    assert black.time_base == frame.time_base == Fraction(1, 90_000)
    assert (black.pts, frame.pts) == (6_000, 12_000), "15 frames per second"
    line = frame.planes[0].line_size
    rows = [bytes(frame.planes[0])[at : at + 320] for at in range(0, 240 * line, line)]
    assert {row[16:48] for row in rows} == {bytes([235]) * 32}, "eight pixels further in each frame"
    greys = {row[:16] + row[48:] for row in rows}
    assert len(greys) == 30
    assert all(rows[at : at + 8] == [rows[at]] * 8 for at in range(0, 240, 8))
    assert all(row[at : at + 8] == row[at : at + 1] * 8 for row in greys for at in range(0, 304, 8))
    assert {min(b"".join(greys)), max(b"".join(greys))} == {60, 169}


@pytest.mark.parametrize(("number", "left"), [(35, 280), (36, 0), (37, 8)])
async def test_the_bar_begins_again_at_the_left_before_it_would_leave_the_picture(
    number: int, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def next_count() -> int:
        return number

    track = PictureTrack()
    track.enabled = True
    monkeypatch.setattr(track, "next_count", next_count)
    row = bytes((await track.recv()).planes[0])[:320]
    assert row.find(bytes([235]) * 32) == left


async def test_a_track_gives_no_frame_after_its_end() -> None:
    track = ToneTrack()
    track.stop()
    with pytest.raises(MediaStreamError):
        await track.recv()
    assert not Switched.enabled, "a track of a caller begins switched off"


async def test_a_synthetic_tone_has_440_hertz_and_a_switched_off_one_is_silent() -> None:
    track = ToneTrack()
    silent = await track.recv()
    assert not any(bytes(silent.planes[0]))
    track.enabled = True
    frame = await track.recv()
    assert (frame.samples, frame.sample_rate, frame.time_base) == (960, 48_000, Fraction(1, 48_000))
    wave = [int(9000 * math.sin(2 * math.pi * 440 * at / 48_000)) for at in range(960)]
    assert struct.unpack("<960h", bytes(frame.planes[0])[:1920]) == tuple(wave)


async def test_a_picture_is_sent_as_video_and_a_tone_as_audio() -> None:
    tracks = PictureTrack(), ToneTrack()
    assert [track.kind for track in tracks] == ["video", "audio"]
    peer = SyntheticParty(*tracks)
    relay = await Relay.open(RelaySettings(tcp=False))
    answer = await peer.answer(relay.room("room").join("a", lambda event: None).offer())
    assert re.findall(r"^m=(\w+)", answer, re.MULTILINE) == ["audio", "video"]
    await peer.close()
    await relay.close()
    assert {track.readyState for track in tracks} == {"ended"}


def picture(luma: int) -> VideoFrame:
    """Return a picture of one brightness."""
    frame = VideoFrame(320, 240, "yuv420p")
    frame.planes[0].update(bytes([luma]) * frame.planes[0].buffer_size)
    return frame


async def test_only_pictures_brighter_than_coded_black_count_by_their_sender() -> None:
    peer = SyntheticParty()
    frames = iter([picture(40), picture(41), picture(235), picture(16)])

    async def recv() -> VideoFrame:
        frame = next(frames, None)
        if frame is None:
            raise MediaStreamError
        return frame

    await peer._consume(cast(Any, SimpleNamespace(id="patient-video", recv=recv)))
    assert (peer.frames_decoded, peer.pictures_decoded, peer.pictures_from) == (4, 2, {"patient": 2})
    assert peer.first_frame_was_picture is False
    bright = SyntheticParty()
    bright._count_picture(picture(41))
    bright._count_picture(picture(16))
    assert bright.first_frame_was_picture is True


def test_the_energy_of_a_sound_is_that_of_each_61st_sample() -> None:
    peer = SyntheticParty()
    assert (peer.audio_frames, peer.audio_energy, peer.frames_decoded) == (0, 0.0, 0)
    frame = AudioFrame(format="s16", layout="mono", samples=960)
    frame.planes[0].update(
        struct.pack("<960h", *([16384] + [0] * 60 + [-32768] + [9] * 853 + [16384] + [9] * 44))
    )
    peer._count_sound(frame)
    assert peer.audio_frames == 1
    assert peer.audio_energy == pytest.approx(0.25 + 1 + 0.25 + 13 * (9 / 32768) ** 2)


async def test_a_party_that_is_closed_closes_its_connection() -> None:
    peer, closed = SyntheticParty(), list[str]()

    async def close() -> None:
        closed.append("connection")

    peer._connection = SimpleNamespace(close=close)  # type: ignore[assignment]
    await peer.close()
    assert closed == ["connection"]


def test_a_party_sends_its_picture_and_tone_from_start_to_stop() -> None:
    tracks = PictureTrack(), ToneTrack()
    peer = SyntheticParty(*tracks)
    assert [track.enabled for track in tracks] == [False, False]
    for change, enabled in ((peer.start, True), (peer.stop, False)):
        change()
        assert [track.enabled for track in tracks] == [enabled, enabled]


async def test_an_offer_with_another_ufrag_begins_a_new_connection_and_the_same_continues() -> None:
    relay = await Relay.open(RelaySettings(tcp=False))
    peer = SyntheticParty()
    offer = relay.room("room").join("a", lambda event: None).offer()
    connections = []
    for ufrag in ("same", "same", "another"):
        answer = await peer.answer(re.sub("a=ice-ufrag:.*", f"a=ice-ufrag:{ufrag}", offer))
        connections.append(peer._connection)
        assert re.findall("a=(sendrecv|recvonly|inactive)", answer) == ["sendrecv", "sendrecv"]
    assert connections[0] is connections[1] is not connections[2]
    await peer.close()
    await relay.close()


def test_the_candidates_of_an_offer_are_in_each_of_its_sections() -> None:
    candidate = "a=candidate:1 1 udp 9 192.0.2.7 4000 typ host\r\n"
    offer = "v=0\r\nm=audio 9\r\na=mid:0\r\n" + candidate + "m=video 9\r\na=mid:1\r\nm=audio 9\r\n"
    first, second, third = offer.split("m=")[1:]
    session, *sections = _in_each_section(offer).split("m=")
    assert (session, sections) == ("v=0\r\n", [first, second + candidate, third + candidate])
