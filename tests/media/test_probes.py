"""Tests probes: before a visit, a browser tests its network paths to the relay.

The relay answers the STUN checks of a probe, and forwards none of its packets.
"""

from __future__ import annotations

import pytest

from media import probes
from media.probes import LASTS_S, PROBES_MAX, Probes
from media.protocols import stun
from media.protocols.ice import Credentials, Transport
from tests.media.duo import Speaker, StillClock, duo, until
from tests.signalling.rooms.apart import Noted


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_probe_is_answered_on_each_path_and_connects_to_nothing(transport: Transport) -> None:
    async with duo() as peers:
        await peers.join("a")
        speaker = Speaker(transport=transport)
        peers.speakers.append(speaker)
        offer = peers.relay.probe()
        assert offer is not None
        speaker.answer(offer)
        speaker.check()
        await until(lambda: speaker.answered_checks == 1)
        for number in range(3):
            speaker.send(b"\x80" + bytes([number] * 40))
            speaker.check(password="wrong")
        await until(lambda: peers.relay.stats.strays >= 3)
        assert speaker.answered_checks == 1
        assert not speaker.ready, "DTLS is for parties"
        assert len(peers.relay.forwarder.endpoints) == 1


async def test_a_probe_ends_by_itself_and_their_number_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "PROBES_MAX", 2)
    clock = StillClock()
    monkeypatch.setattr("media.relay.time", clock)
    async with duo() as peers:
        speaker = Speaker()
        peers.speakers.append(speaker)
        offer = peers.relay.probe()
        assert offer is not None
        assert peers.relay.probe() is not None
        assert peers.relay.probe() is None
        clock.now_s += LASTS_S
        assert peers.relay.probe() is not None
        speaker.answer(offer)
        speaker.check()
        await peers.quiet()
        assert speaker.answered_checks == 0


def named(number: int) -> Credentials:
    """Return the credentials of a probe with this number."""
    return Credentials(f"probe{number}", f"password {number}")


def answered(probes: Probes, asked: Credentials, password: str, now_s: float) -> bool:
    """Return True if `probes` answers a STUN request at the time `now_s`.

    The request has the user name of `asked`, and is signed with `password`.
    """
    sock, address = Noted(), ("192.0.2.1", 9)
    request = stun.build(
        stun.Kind.REQUEST, bytes(12), [(stun.USERNAME, f"{asked.ufrag}:b".encode())], password
    )
    probes.on_stun(asked.ufrag, request, address, sock, now_s)
    for answer, to in sock.named("sendto"):
        message = stun.parse(answer)
        assert message is not None
        assert (message.kind, message.is_signed_with(password), to) == (stun.Kind.RESPONSE, True, address)
    return bool(sock.calls)


def test_a_probe_is_answered_under_its_own_name_and_password_until_it_ends() -> None:
    probes = Probes()
    assert probes.add(named(1), 10.0)
    assert probes.add(named(2), 11.0)
    assert answered(probes, named(1), "password 1", 10.0 + LASTS_S - 0.1)
    assert not answered(probes, named(1), "password 2", 12.0)
    assert not answered(probes, named(3), "password 1", 12.0)
    assert not answered(probes, named(1), "password 1", 10.0 + LASTS_S)
    assert answered(probes, named(2), "password 2", 10.0 + LASTS_S)


def test_a_probe_more_than_the_limit_waits_until_the_oldest_has_ended() -> None:
    probes = Probes()
    added = [probes.add(named(number), float(number > 0)) for number in range(PROBES_MAX + 1)]
    assert added == [True] * PROBES_MAX + [False]
    assert not probes.add(named(9_999), LASTS_S - 0.1)
    assert probes.add(named(9_999), LASTS_S)
    assert not probes.add(named(9_998), LASTS_S)
