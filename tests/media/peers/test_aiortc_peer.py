"""Tests synthetic parties: a call of two aiortc peers, a call with a black picture, and a group."""

import re
import time

import pytest

from media import Connected, OfferNeeded, Relay, RelaySettings, Speaking
from media.peers.aiortc_peer import AUDIO_FRAME_S, PictureTrack, SyntheticParty, ToneTrack
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
        await peer.wait_connected()
        peer.start()
    assert all(peer.frames_decoded == 0 for peer in peers.values())
    room.set_gate(True)
    for peer in peers.values():
        await peer.wait_for(lambda peer=peer: peer.pictures_decoded > 3 and peer.audio_energy > 0.5)  # type: ignore[misc]
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
    await peer.wait_connected()
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
    await peers[0].wait_for(lambda: peers[0].frames_decoded > 5 and peers[0].audio_frames > 5)
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
        await peer.wait_connected()
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
            )
        )
    heard = [[event for event in events[name] if not isinstance(event, Speaking)] for name in peers]
    for peer in peers.values():
        await peer.close()
    await relay.close()
    assert heard == [[Connected()]] * 3, "nobody had to connect anew"


async def test_the_synthetic_picture_is_grey() -> None:
    frame = await PictureTrack().recv()
    assert [set(bytes(plane)) for plane in frame.planes[1:]] == [{128}, {128}]


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
