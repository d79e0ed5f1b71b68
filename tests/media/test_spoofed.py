"""Tests packets that a stranger sends as if a party had sent them.

They come over the port that also serves the web pages, or through a TURN server. The relay refuses them,
limits their number and counts them.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import pytest
from aioice import turn

from media.forwarding.forwarder import STRAY_LOOKS
from media.protocols import ice, rtp
from media.protocols.codecs import OPUS, VP8
from media.protocols.turn import ice_server
from media.transport import tcp
from tests.journeys.turn import SECRET, coturn
from tests.media.duo import Duo, Speaker, call, until
from tests.media.test_hostile import Relayed

Way = Literal["pages", "turn"]
FLOOD, BUFFERED = 300, 60


class Thief:
    """A stranger who can send any packets to the relay from another address.

    `got`: the bytes that the relay has sent back.
    """

    def __init__(self, send: Callable[[bytes], object]) -> None:
        self.send = send
        self.got: list[bytes] = []


@asynccontextmanager
async def over_the_pages_port(stage: Duo, _folder: Path) -> AsyncIterator[Thief]:
    """Yield a stranger who connects to the web pages' port, which passes the connection to the relay."""
    with socket.create_server(("127.0.0.1", 0)) as pages:
        reader, writer = await asyncio.open_connection(*pages.getsockname())
        stage.relay.streams.take(pages.accept()[0])
    thief = Thief(lambda packet: writer.write(struct.pack("!H", len(packet)) + packet))

    async def read() -> None:
        while data := await reader.read(4096):
            thief.got.append(data)

    reading = asyncio.create_task(read())
    try:
        yield thief
    finally:
        reading.cancel()
        writer.close()


@asynccontextmanager
async def through_turn(stage: Duo, folder: Path) -> AsyncIterator[Thief]:
    """Yield a stranger who sends through a TURN server."""
    async with coturn(folder) as port:
        made = ice_server((), SECRET, "thief", time.time())
        transport, relayed = await turn.create_turn_endpoint(
            Relayed, server_addr=("127.0.0.1", port), username=made.username, password=made.credential
        )
        address = ("127.0.0.1", stage.relay.ports[0])
        thief = Thief(lambda packet: transport.sendto(packet, address))
        relayed.readable = lambda: thief.got.append(relayed.packets.popleft())
        try:
            yield thief
        finally:
            transport.close()


WAYS = {"pages": over_the_pages_port, "turn": through_turn}


def overheard(a: Speaker) -> tuple[bytes, bytes]:
    """Return (an encrypted packet of A that the relay has received, one that it has not received)."""
    sent: list[bytes] = []
    send = a.send
    a.send = lambda datagram: sent.append(bytes(datagram))  # type: ignore[method-assign]
    a.audio(2, text=b"received")
    a.audio(3, text=b"kept back")
    a.send = send  # type: ignore[method-assign]
    a.send(sent[0])
    return sent[0], sent[1]


@pytest.mark.parametrize("way", get_args(Way))
async def test_spoofed_sources_over_the_pages_port_and_turn_are_refused_bounded_and_counted(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "PROOF_S", 3.0)  # long enough for the flood on a busy machine
    async with call() as (stage, a, b), WAYS[way](stage, tmp_path) as thief:
        endpoint, stats = stage.parties["a"].endpoint, stage.relay.forwarder.counters
        replayed, fresh = overheard(a)
        await until(lambda: b.of(OPUS.payload_type)[-1].payload == b"received")

        def counted(number: int) -> bool:
            return stats.strays + stats.stun >= number

        address, heard = endpoint.address, b.received
        stage.relay.forwarder.stray_looks = STRAY_LOOKS
        wrong = ice.request(a.remote_ufrag, a.ufrag, "0" * 32, b"\0" * 12)
        plain = rtp.build(VP8.payload_type, 9, 0, a.video_ssrc, b"\x10\x00")
        before = stats.strays + stats.stun
        packets = [fresh, *(kind for _ in range(FLOOD // 3) for kind in (replayed, plain, wrong))]
        for sent, packet in enumerate(packets):
            if sent % BUFFERED == 0:  # a busy TURN server would lose more than its kernel's buffer holds
                await until(partial(counted, before + sent))
            thief.send(packet)
        await until(lambda: stats.strays >= FLOOD * 2 // 3 + 1 and stats.stun >= FLOOD // 3)
        assert stats.unauthentic >= STRAY_LOOKS - 1, "the others were not even looked at"
        assert b.received == heard, "nothing of it crosses"
        assert endpoint.address == address, "and nothing is sent to the thief"
        assert sum(map(len, thief.got)) <= 10 * (2 + ice.REQUEST_MAX), (
            "but some checks, which it cannot answer"
        )
        assert all(b"\x21\x12\xa4\x42" in data for data in thief.got)
        a.audio(4, text=b"goes on")
        b.audio(2)
        await until(
            lambda: b.of(OPUS.payload_type)[-1].payload == b"goes on" and len(a.of(OPUS.payload_type)) == 2
        )
        if way == "pages":
            await until(lambda: stage.relay.streams.refused == 1 and len(stage.relay.streams) == 0)
        assert stats.faults == 0
