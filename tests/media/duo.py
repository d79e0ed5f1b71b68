"""Runs two peers in one room of a real relay, over real UDP, on the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from media import Party, PartyEvent, Relay, RelaySettings, Room
from media.peers.raw import VP8_DELTA, VP8_KEYFRAME, RawPeer, ReceivedPacket
from media.protocols import rtp
from media.protocols.codecs import OPUS, VP8, VP8_RTX
from media.protocols.ice import Transport
from media.transport.dtls import Identity
from media.transport.srtp import Binding, native_binding
from tests.limits import WAIT_S

IDENTITY = Identity(0.0)
QUIET_S = 0.15  # in s; if no packet comes within QUIET_S, a test assumes that none will come
DRAINED_S = 0.02  # in s; if the relay has read nothing for DRAINED_S, nothing waits in its sockets


async def until(condition: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    """Return as soon as the condition holds. Raises TimeoutError after `timeout_s`."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - a test asks about plain counters
            await asyncio.sleep(0.002)


class StillClock:
    """A clock that stands still until a test moves it. It replaces the module `time` in a module under test."""

    def __init__(self) -> None:
        self.now_s = time.monotonic()

    def monotonic(self) -> float:
        """Return the time in s of this clock."""
        return self.now_s


class Speaker(RawPeer):
    """A peer on the test's event loop that records the packets it receives."""

    def __init__(
        self, host: str = "127.0.0.1", identity: Identity = IDENTITY, transport: Transport = "udp"
    ) -> None:
        super().__init__(native_binding(), identity, host, transport)
        self.heard: list[ReceivedPacket] = []
        self.control: list[tuple[int, int, bytes]] = []
        self.on_rtp = self.heard.append
        self.on_rtcp = lambda count, kind, packet: self.control.append((count, kind, packet))
        self.events: list[PartyEvent] = []
        if isinstance(self.sock, socket.socket):
            asyncio.get_running_loop().add_reader(self.sock.fileno(), self.readable)

    def close(self) -> None:
        """Stop reading from the socket, and close it."""
        if isinstance(self.sock, socket.socket):
            asyncio.get_running_loop().remove_reader(self.sock.fileno())
        super().close()

    def rebind(self) -> None:
        """Send and receive at another port from now on, as after a router (NAT) has forgotten the connection."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self.sock.fileno())
        self.sock.close()
        self.sock = self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setblocking(False)
        self.udp.bind(("127.0.0.1", 0))
        loop.add_reader(self.udp.fileno(), self.readable)

    def connect_tcp(self) -> None:
        """Connect over TCP, and read no more from the present socket."""
        asyncio.get_running_loop().remove_reader(self.sock.fileno())
        super().connect_tcp()

    async def connect(self, timeout_s: float = WAIT_S) -> None:
        """Send ICE checks and do the DTLS handshake until SRTP packets can be sent. Raises TimeoutError after
        `timeout_s`.
        """
        async with asyncio.timeout(timeout_s):
            while not self.ready:
                self.tick(time.monotonic())
                await asyncio.sleep(0.005)

    def video(
        self,
        sequence: int,
        *,
        key: bool = False,
        timestamp: int = 0,
        text: bytes = b"",
        cc: int | None = None,
        marker: bool = False,
    ) -> None:
        """Send one video packet, whose payload ends with `text`. `sequence`, `timestamp`: its numbers in RTP.

        `key`: True if it belongs to a keyframe. `cc`: its transport-wide sequence number (transport-cc), None
        for none. `marker`: True for the last packet of its picture.
        """
        payload = (VP8_KEYFRAME if key else VP8_DELTA) + text
        self.send_rtp(
            rtp.build(
                VP8.payload_type,
                sequence,
                timestamp,
                self.video_ssrc,
                payload,
                transport_cc=cc,
                marker=marker,
            )
        )

    def rtx(self, sequence: int, original: int, text: bytes = b"", timestamp: int = 0) -> None:
        """Send a retransmission, numbered `sequence`, of the video packet numbered `original`.

        `text`: the end of the payload. `timestamp`: in RTP clock ticks.
        """
        payload = original.to_bytes(2, "big") + VP8_DELTA + text
        self.send_rtp(rtp.build(VP8_RTX.payload_type, sequence, timestamp, self.rtx_ssrc, payload))

    def audio(self, sequence: int, timestamp: int = 0, text: bytes = b"", cc: int | None = None) -> None:
        """Send one audio packet with these numbers of RTP and the payload `text`.

        `cc`: its transport-wide sequence number (transport-cc), None for none.
        """
        self.send_rtp(
            rtp.build(OPUS.payload_type, sequence, timestamp, self.audio_ssrc, text, transport_cc=cc)
        )

    def of(self, payload_type: int) -> list[ReceivedPacket]:
        """Return the received packets of this payload type."""
        return [packet for packet in self.heard if packet.payload_type == payload_type]

    def rtcp(self, packet_type: int, count: int) -> list[bytes]:
        """Return the received RTCP packets of this type whose count or format field has the value `count`."""
        return [packet for got, kind, packet in self.control if kind == packet_type and got == count]


class Duo:
    """A relay with one room, and the peers that a test adds.

    `parties`: name -> party of the room. `people`: name -> peer.
    """

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.room: Room = relay.room("room")
        self.parties: dict[str, Party] = {}
        self.speakers: list[Speaker] = []
        self.people: dict[str, Speaker] = {}

    async def join(
        self,
        name: str,
        *,
        sources: bool = True,
        host: str = "127.0.0.1",
        transport: Transport = "udp",
        video_types: tuple[int, ...] = (VP8.payload_type, VP8_RTX.payload_type),
    ) -> Speaker:
        """Add a party with the name `name` to the room; return its peer when it is connected.

        `sources`: True if the peer sends media. `host`: the peer's address. `transport`: "udp" or "tcp".
        `video_types`: the payload types of video that the peer accepts.
        """
        speaker = Speaker(host, transport=transport)
        speaker.video_types = video_types
        self.speakers.append(speaker)
        party = self.parties[name] = self.room.join(name, speaker.events.append)
        party.accept(speaker.answer(party.offer(), sources=sources))
        await speaker.connect()
        await until(lambda: party.connected)
        return speaker

    async def settle(self) -> None:
        """Wait until each peer has received a keyframe and a sound packet of the other peer."""
        for speaker in self.speakers:
            speaker.video(1, key=True)
            speaker.audio(1)
        await until(
            lambda: all(
                speaker.of(VP8.payload_type) and speaker.of(OPUS.payload_type) for speaker in self.speakers
            )
        )

    async def handled(self, count: int) -> None:
        """Wait until the relay has handled this number of RTP packets."""
        await until(lambda: self.relay.stats.received >= count)

    async def quiet(self) -> None:
        """Wait QUIET_S, in which a packet that is forwarded by mistake would arrive, and until the relay has read all
        that was sent to it.
        """
        await asyncio.sleep(QUIET_S)
        before = None
        while before != (now := self.relay.stats):
            before = now
            await asyncio.sleep(DRAINED_S)


@asynccontextmanager
async def duo(settings: RelaySettings | None = None, binding: Binding | None = None) -> AsyncIterator[Duo]:
    """Yield a relay with an empty room; close everything at the end.

    `binding`: the SRTP functions; None: the usual functions.
    """
    relay = await Relay.open(settings or RelaySettings(), binding)
    peers = Duo(relay)
    try:
        yield peers
    finally:
        for speaker in peers.speakers:
            speaker.close()
        await relay.close()


@asynccontextmanager
async def call(binding: Binding | None = None) -> AsyncIterator[tuple[Duo, Speaker, Speaker]]:
    """Yield (the relay with its room, speaker a, speaker b): both are connected, the gate is open (media may pass), and
    media has arrived.
    """
    async with duo(binding=binding) as peers:
        a, b = await peers.join("a"), await peers.join("b")
        peers.room.set_gate(True)
        await peers.settle()
        yield peers, a, b
