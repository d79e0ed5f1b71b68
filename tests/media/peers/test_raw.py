"""Tests a raw peer's counters, and which packets it counts as media and which as control packets."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from media.errors import DtlsError
from media.peers.raw import RawPeer
from media.transport.dtls import Association, Identity
from media.transport.srtp import native_binding
from tests.limits import WAIT_S
from tests.media.duo import call


async def test_a_probe_counts_what_it_sends_and_receives() -> None:
    async with call() as (_, a, b):
        assert (a.sent, b.sent) == (2, 2)
        assert (a.received, a.unauthentic) == (2, 0)


@pytest.fixture
def probe() -> Iterator[RawPeer]:
    """A peer that receives its own packets, because it is connected to itself."""
    made = RawPeer(native_binding(), Identity(0.0))
    made.remote = made.udp.getsockname()
    yield made
    made.close()


def read(probe: RawPeer, done: Callable[[], bool]) -> None:
    """Let the probe read what it has sent to itself, until `done()` is True. The kernel may deliver it a bit later."""
    while not done():
        assert select.select([probe.udp], [], [], WAIT_S)[0], "nothing arrives"
        probe.readable()


def test_a_probe_has_room_for_more_datagrams_than_a_usual_socket(probe: RawPeer) -> None:
    buffer = socket.SOL_SOCKET, socket.SO_RCVBUF
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as usual:
        assert probe.udp.getsockopt(*buffer) > usual.getsockopt(*buffer)


@pytest.mark.parametrize(("kind", "control"), [(191, False), (192, True), (223, True), (224, False)])
def test_a_probe_takes_packets_of_types_192_to_223_for_control(
    probe: RawPeer, kind: int, control: bool
) -> None:
    probe.send(bytes((0x80, kind)) + bytes(10))
    read(probe, lambda: probe.received + probe.received_rtcp > 0)
    assert (probe.received, probe.received_rtcp) == (int(not control), int(control))


def test_a_probe_checks_its_path_often_until_it_is_connected_and_then_every_2_5_s(probe: RawPeer) -> None:
    checked_s = list[float]()
    for ready in (False, True):
        probe.tx = "keys" if ready else None
        for tenth in range(100):
            now_s = 100.0 + ready * 10 + tenth / 10
            probe.send = lambda _, now_s=now_s: checked_s.append(now_s)  # type: ignore[method-assign, misc]
            probe.tick(now_s)
    assert [now_s for now_s in checked_s if now_s >= 110] == [112.4, 114.9, 117.4, 119.9]
    assert len(checked_s) > 20


def test_a_probe_counts_the_checks_that_know_its_password(probe: RawPeer) -> None:
    for password in (probe.password, "another", probe.password):
        probe.check(password=password)
    read(probe, lambda: probe.received_checks > 1)
    assert probe.received_checks == 2


class Broken:
    """A DTLS association that fails."""

    established = None

    def retransmit(self) -> None:
        raise DtlsError

    def feed(self, datagram: bytes) -> None:
        raise DtlsError


def test_a_probe_whose_handshake_fails_has_failed(probe: RawPeer) -> None:
    probe.association = cast("Association", Broken())
    probe.tick(0.0)
    assert probe.failed
    probe.failed = False
    probe.send(bytes((22, 0)))
    read(probe, lambda: probe.failed)
    assert probe.failed
