"""Tests ICE over TCP: calls over streams, and strangers' bytes.

These bytes must not fill the memory, and must not block the event loop or another party.
"""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import Any

import pytest

from media import Connected, Disconnected, Relay, RelaySettings
from media.events import CONSENT_EXPIRED
from media.protocols.codecs import OPUS, VP8
from media.protocols.ice import Candidate, candidate_lines
from media.transport import tcp, udp
from tests.limits import WAIT_S
from tests.media.duo import Duo, Speaker, duo, until
from tests.ports import free_ports

AUDIO, VIDEO = OPUS.payload_type, VP8.payload_type


@asynccontextmanager
async def pair(first: str = "tcp", second: str = "udp") -> AsyncIterator[tuple[Duo, Speaker, Speaker]]:
    """Yield (the relay with its room, party a, party b), which are connected by the transports `first` and `second`.

    Media may pass.
    """
    async with duo() as peers:
        a = await peers.join("a", transport="tcp" if first == "tcp" else "udp")
        b = await peers.join("b", transport="tcp" if second == "tcp" else "udp")
        peers.room.set_gate(True)
        await peers.settle()
        yield peers, a, b


def port_of(relay: Relay) -> int:
    """Return the port of the first TCP candidate of a relay."""
    return next(found.port for found in relay.candidates() if found.transport == "tcp")


@pytest.mark.parametrize("transports", [("tcp", "udp"), ("udp", "tcp"), ("tcp", "tcp")])
async def test_sound_and_picture_cross_both_ways_where_a_party_comes_over_tcp(
    transports: Sequence[str],
) -> None:
    async with pair(*transports) as (peers, a, b):
        a.video(2, text=b"from a")
        b.audio(2, text=b"from b")
        await until(lambda: len(b.of(VIDEO)) == 2 and len(a.of(AUDIO)) == 2)
        assert b.of(VIDEO)[-1].payload.endswith(b"from a")
        assert a.of(AUDIO)[-1].payload == b"from b"
        assert a.events == b.events == [Connected()]
        assert peers.relay.stats.faults == 0


async def test_a_burst_of_many_packets_arrives_whole_and_in_order() -> None:
    async with pair() as (_peers, a, b):
        for number in range(2, 302):
            a.audio(number, text=bytes([number & 0xFF]) * 100)
            if number % 100 == 0:
                await asyncio.sleep(0)
        await until(lambda: len(b.of(AUDIO)) == 301)
        sequences = [packet.sequence for packet in b.of(AUDIO)]
        assert sequences == list(range(sequences[0], sequences[0] + 301))


async def test_any_port_is_one_that_no_other_program_has_for_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    bind_all, taken = udp._bind_all, ExitStack()

    def bind_and_take(*where: Any) -> list[socket.socket]:
        """Bind UDP ports. In the first three calls, also use the TCP port of the same number, as another
        program might.
        """
        bound = bind_all(*where)
        if len(refused) < 3:
            refused.extend(bound)
            with suppress(OSError):  # another program may use this port already
                taken.enter_context(socket.create_server(bound[0].getsockname()))
        return bound

    refused: list[socket.socket] = []
    monkeypatch.setattr(udp, "_bind_all", bind_and_take)
    with taken:
        relay = await Relay.open(RelaySettings())
        over_udp, over_tcp = relay.candidates()
        assert (over_udp.port, over_tcp.port) == (relay.ports[0], relay.ports[0])
        assert [sock.fileno() for sock in refused] == [-1] * 3, "they are closed"
        await relay.close()


async def test_udp_is_offered_first_and_tcp_on_the_same_port_after_it() -> None:
    relay = await Relay.open(RelaySettings())
    over_udp, over_tcp = relay.candidates()
    assert (over_udp.transport, over_tcp.transport) == ("udp", "tcp")
    assert over_udp.port == over_tcp.port
    lines = candidate_lines([over_tcp, over_udp, Candidate("::1", 9, "tcp")])
    priorities = [int(line.split()[3]) for line in lines]
    assert priorities[1] > priorities[0] > priorities[2]
    assert lines[0].endswith(f"{over_tcp.port} typ host tcptype passive")
    await relay.close()


async def test_without_tcp_none_is_offered_and_none_listens() -> None:
    relay = await Relay.open(RelaySettings(tcp=False, ports=tuple(free_ports(1))))
    (only,) = relay.candidates()
    assert only.transport == "udp"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", only.port), timeout=WAIT_S)
    await relay.close()


async def test_a_port_that_another_program_has_leaves_calls_over_udp() -> None:
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        relay = await Relay.open(RelaySettings(ports=(port,)))
        assert [(found.port, found.transport) for found in relay.candidates()] == [(port, "udp")]
        await relay.close()


async def test_a_party_whose_stream_ended_is_reached_on_the_next_one() -> None:
    async with pair() as (peers, a, b):
        a.connect_tcp()
        await until(lambda: peers.parties["a"].endpoint.address is None)
        b.audio(2)
        await peers.quiet()
        a.check()
        await until(lambda: peers.parties["a"].endpoint.address is not None)
        b.audio(3)
        a.audio(2)
        await until(lambda: len(a.of(AUDIO)) == 2 and len(b.of(AUDIO)) == 2)
        assert a.events == b.events == [Connected()]
        assert peers.relay.stats.faults == 0


async def test_a_party_whose_stream_ended_and_that_stays_away_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with pair() as (peers, a, _b):
        a.sock.close()
        await until(lambda: peers.parties["a"].endpoint.address is None)
        monkeypatch.setattr("media.protocols.ice.CONSENT_S", 0.0)
        await until(lambda: a.events == [Connected(), Disconnected(CONSENT_EXPIRED)])
        assert not peers.parties["a"].connected


async def test_a_party_that_leaves_has_its_stream_closed() -> None:
    async with pair() as (peers, a, _b):
        peers.parties["a"].leave()
        await until(lambda: a.ended)
        assert len(peers.relay.streams) == 0
        assert not peers.relay.streams._hosts, "an address without streams takes no memory"


async def test_a_call_moves_from_udp_to_tcp_when_its_party_nominates_it() -> None:
    async with pair("udp", "udp") as (peers, a, b):
        a.remote = ("127.0.0.1", port_of(peers.relay))
        a.connect_tcp()
        a.check()
        await until(
            lambda: peers.parties["a"].endpoint.address == ("127.0.0.1", a.sock.getsockname()[1], "tcp")
        )
        b.audio(2)
        a.audio(2)
        await until(lambda: len(a.of(AUDIO)) == 2 and len(b.of(AUDIO)) == 2)
        assert a.events == b.events == [Connected()]


# --- bytes that strangers send


async def _closed_by(relay: Relay, *sent: bytes) -> bool:
    """Return True if the relay closes a stranger's connection after it has sent these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(relay))
    try:
        for piece in sent:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)
        async with asyncio.timeout(WAIT_S):
            return await reader.read(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    finally:
        writer.close()


def framed(packet: bytes) -> bytes:
    """Return a packet with its length in front of it (RFC 4571)."""
    return struct.pack("!H", len(packet)) + packet


@pytest.mark.parametrize(
    "sent",
    [
        [framed(b"\x80" * 1601)],
        [b"\xff\xff"],
        [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
        [b"\x16\x03\x01\x02\x00\x01"],
    ],
    ids=["too long", "length alone", "http", "tls"],
)
async def test_a_stream_with_a_frame_that_is_too_long_is_closed_at_once(sent: list[bytes]) -> None:
    async with duo() as peers:
        assert await _closed_by(peers.relay, *sent)
        assert len(peers.relay.streams) == 0
        assert peers.relay.stats.faults == 0


async def test_a_frame_in_single_bytes_is_read_whole() -> None:
    async with duo() as peers:
        speaker = Speaker(transport="tcp")
        peers.speakers.append(speaker)
        party = peers.room.join("a", speaker.events.append)
        speaker.answer(party.offer())
        pieces: list[bytes] = []
        speaker.send = lambda datagram: pieces.append(framed(bytes(datagram)))  # type: ignore[method-assign]
        speaker.check()
        speaker.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(peers.relay))
        for byte in b"\0\0" + pieces[0]:  # the first frame has no content
            writer.write(bytes([byte]))
            await writer.drain()
        async with asyncio.timeout(WAIT_S):
            size = struct.unpack("!H", await reader.readexactly(2))[0]
        assert (await reader.readexactly(size))[:2] == b"\x01\x01"
        writer.close()


async def test_a_stream_that_proves_no_password_is_closed_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with pair() as (peers, a, b):
        monkeypatch.setattr(tcp, "PROOF_S", 0.5)
        assert await _closed_by(peers.relay, framed(b"\x80" + bytes(40)), framed(bytes(30)))
        assert peers.relay.streams.refused == 1
        a.audio(2)
        await until(lambda: len(b.of(AUDIO)) == 2)
        assert peers.relay.stats.strays >= 1


async def test_one_address_has_a_limit_of_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "STREAMS_PER_HOST", 3)
    async with pair() as (peers, a, b):
        strangers = [
            socket.create_connection(("127.0.0.1", port_of(peers.relay)), timeout=WAIT_S) for _ in range(10)
        ]
        await until(lambda: peers.relay.streams.refused == 8)
        assert len(peers.relay.streams) == 3
        a.audio(2)
        await until(lambda: len(b.of(AUDIO)) == 2)
        for stranger in strangers:
            stranger.close()
        await until(lambda: len(peers.relay.streams) == 1)


async def test_a_party_that_reads_nothing_loses_packets_and_holds_no_memory_or_other_party() -> None:
    async with pair("tcp", "udp") as (peers, a, b):
        loop = asyncio.get_running_loop()
        loop.remove_reader(a.sock.fileno())
        dropped = peers.relay.stats.dropped
        for number in range(2, 6_000):
            b.audio(number, text=bytes(1000))
            if number % 20 == 0:
                await asyncio.sleep(0)
        await until(lambda: peers.relay.stats.dropped > dropped + 100)
        (stream,) = peers.relay.streams
        assert stream.unsent_bytes <= tcp.OUTPUT_BYTES
        a.audio(2)
        await until(lambda: len(b.of(AUDIO)) == 2)
        assert peers.relay.stats.faults == 0


async def test_a_stream_cannot_take_the_address_of_another_party() -> None:
    async with pair() as (peers, a, b):
        party = peers.parties["b"]
        b_speaker = Speaker(transport="udp")
        peers.speakers.append(b_speaker)
        # Party a sends the ICE credentials of b over its own stream. The stream still belongs to a.
        a.remote_ufrag, a.remote_password = party.credentials.ufrag, party.credentials.password
        answered = a.answered_checks
        a.check()
        await peers.quiet()
        assert a.answered_checks == answered
        b.audio(2)
        await until(lambda: len(a.of(AUDIO)) == 2)


class Counted:
    """A socket that counts how often the stream reads from it."""

    def __init__(self, sock: socket.socket) -> None:
        self.reads = 0
        self._sock = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv_into(self, buffer: memoryview) -> int:
        self.reads += 1
        return self._sock.recv_into(buffer)


async def test_a_stream_asks_the_kernel_for_no_more_than_it_has_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        far = socket.create_connection(listening.getsockname())
        sock = Counted(listening.accept()[0])
    stream = tcp.Stream(sock, lambda _: None)  # type: ignore[arg-type]
    buffer = bytearray(2048)

    def send(data: bytes) -> None:
        far.sendall(data)
        select.select([sock.fileno()], [], [], WAIT_S)

    send(struct.pack("!H", 5) + b"first" + struct.pack("!H", 6) + b"second" + b"\0")
    assert stream.recvfrom_into(buffer)[0] == 5
    assert stream.recvfrom_into(buffer)[0] == 6
    with pytest.raises(BlockingIOError):
        stream.recvfrom_into(buffer)
    assert sock.reads == 1, "a read that found room left has taken all"
    send(b"\x05third")
    assert stream.recvfrom_into(buffer)[0] == 5, "the loop says that there is more"
    stream.close()
    far.close()


async def test_a_stream_that_was_full_sends_what_waits_and_new_packets_once_the_other_side_reads() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        far = socket.create_connection(listening.getsockname())
        stream = tcp.Stream(listening.accept()[0], lambda _: None)
    packet, count = bytes(1000), 0
    with suppress(BlockingIOError):
        while True:
            stream.sendto(packet, None)
            count += 1
            await asyncio.sleep(0)
    assert stream.unsent_bytes
    reader, writer = await asyncio.open_connection(sock=far)
    async with asyncio.timeout(WAIT_S):
        await reader.readexactly(count * (2 + len(packet)))
        assert stream.unsent_bytes == 0
        stream.sendto(b"later", None)
        assert await reader.readexactly(7) == b"\0\5later"
    stream.close()
    writer.close()


async def test_a_closed_listener_accepts_no_more_connections() -> None:
    (port,) = free_ports(1)
    listener = tcp.Listener(tcp.listen([(socket.AF_INET, "127.0.0.1", port)]), print, print)
    (found,) = listener.candidates([Candidate("127.0.0.1", 9)])
    socket.create_connection(("127.0.0.1", found.port)).close()
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", found.port))
