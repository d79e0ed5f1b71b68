"""Tests one TCP stream of packets on a socket in memory: its buffers, its limits, and when it waits for the kernel."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from media.protocols.ice import Candidate
from media.transport import tcp
from media.transport.tcp import Listener, Stream
from tests.signalling.rooms.apart import Noted

PEER = ("192.0.2.1", 1000)


class FakeSocket(Noted):
    """Replaces a connected socket. `chunks`: the data or errors to receive.

    `room`: how many bytes `send` accepts at most, or the error that it raises.
    """

    def __init__(self, *chunks: bytes | Exception, peer: tuple[str, int] = PEER) -> None:
        super().__init__()
        self.chunks = list(chunks)
        self.peer = peer
        self.room: int | Exception = 1 << 20
        self.written = b""

    def getpeername(self) -> Any:
        return self.peer

    def fileno(self) -> int:
        return 7

    def recv_into(self, view: memoryview) -> int:
        if not self.chunks:
            raise BlockingIOError
        chunk = self.chunks.pop(0)
        if isinstance(chunk, Exception):
            raise chunk
        view[: len(chunk)] = chunk
        return len(chunk)

    def send(self, data: bytearray) -> int:
        if isinstance(self.room, Exception):
            raise self.room
        sent = bytes(data[: self.room])
        self.written += sent
        return len(sent)


async def stream(*chunks: bytes | Exception) -> tuple[Stream, FakeSocket, Noted]:
    """Return (a stream, its socket, an event loop that only records calls)."""
    sock: Any = FakeSocket(*chunks)
    made = Stream(sock, lambda ended: None)
    loop: Any = Noted()
    made._loop = loop
    return made, sock, loop


def packets(made: Stream) -> list[bytes]:
    """Return the packets that can be read now."""
    found: list[bytes] = []
    buffer = bytearray(2000)
    while True:
        try:
            size, address = made.recvfrom_into(buffer)
        except BlockingIOError:
            return found
        assert address == (*PEER, "tcp")
        found.append(bytes(buffer[:size]))


def test_the_limits_of_streams_are_these() -> None:
    assert (tcp.INPUT_BYTES, tcp.OUTPUT_BYTES, tcp.UNSENT_BYTES) == (16_384, 65_536, 16_384)
    assert (tcp.PROOF_S, tcp.STREAMS_MAX, tcp.STREAMS_PER_HOST, tcp.ACCEPTS) == (10.0, 1024, 64, 32)


async def test_a_stream_sends_small_packets_at_once_and_keeps_little_in_the_kernel() -> None:
    _, sock, _ = await stream()
    options = sock.named("setsockopt")
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in options
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        assert (socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 16_384) in options
    assert sock.named("setblocking") == [(False,)]


@pytest.mark.parametrize(
    "chunks",
    [
        [b"\x00\x03one\x00\x03two"],
        [b"\x00\x03one", b"\x00\x03two"],
        [b"\x00", b"\x03", b"o", b"ne\x00", b"\x03two"],
        [b"\x00\x00\x00\x03one\x00\x00\x00\x03two\x00\x00"],
    ],
)
async def test_packets_are_read_however_their_bytes_are_split(chunks: list[bytes]) -> None:
    made, _, _ = await stream(*chunks)
    found: list[bytes] = []
    for _ in range(10):
        found += packets(made)
    assert found == [b"one", b"two"]
    assert not made._ended


@pytest.mark.parametrize("end", [b"", OSError()])
async def test_the_end_of_a_stream_is_noticed_and_nothing_is_read_after_it(end: Any) -> None:
    made, sock, _ = await stream(end, b"\x00\x03one")
    assert (packets(made), made._ended, made.broken) == ([], True, False)
    assert packets(made) == []
    assert sock.chunks == [b"\x00\x03one"]


@pytest.mark.parametrize(("size", "broken"), [(1600, False), (1601, True)])
async def test_a_packet_longer_than_1600_bytes_breaks_the_stream(size: int, broken: bool) -> None:
    made, _, _ = await stream(size.to_bytes(2, "big") + bytes(size))
    assert [len(packet) for packet in packets(made)] == ([] if broken else [1600])
    assert (made.broken, made._ended) == (broken, broken)


@pytest.mark.parametrize(
    ("held", "has"),
    [(b"", False), (b"\x00", False), (b"\x00\x02a", False), (b"\x00\x02ab", True), (b"\x00\x00", True)],
)
async def test_a_whole_packet_in_the_buffer_is_noticed(held: bytes, has: bool) -> None:
    made, _, _ = await stream()
    for start in (0, 5):
        made._input[start : start + len(held)] = held
        made._start, made._stop = start, start + len(held)
        assert made._has_packet() is has


@pytest.mark.parametrize("left", [True, False])
async def test_packets_that_a_turn_left_are_read_in_the_next_one(left: bool) -> None:
    made, _, loop = await stream(b"\x00\x03one\x00\x03two" if left else b"\x00\x03one")
    read: Any = lambda one: one.recvfrom_into(bytearray(2000))  # noqa: E731
    made.start(read)
    made._readable()
    assert loop.named("call_soon") == ([(made._readable,)] if left else [])
    assert loop.named("add_reader") == [(7, made._readable)]


async def test_the_end_is_reported_by_the_reader_once_and_not_after_a_close() -> None:
    ended: list[Stream] = []
    sock: Any = FakeSocket(b"")
    made = Stream(sock, ended.append)
    made._loop = Noted()  # type: ignore[assignment]
    reader: Any = packets
    made.start(reader)
    made._readable()
    made.close()
    made._readable()
    assert ended == [made]


# --- sending of packets


async def test_packets_of_one_turn_are_sent_together_with_their_lengths() -> None:
    made, sock, loop = await stream()
    assert [made.sendto(b"one", None), made.sendto(b"three", None)] == [3, 5]
    assert (loop.named("call_soon"), sock.written, made.unsent_bytes) == ([(made._flush,)], b"", 12)
    made._flush()
    assert (sock.written, made.unsent_bytes) == (b"\x00\x03one\x00\x05three", 0)
    made.sendto(b"x", None)
    assert len(loop.named("call_soon")) == 2


async def test_a_full_buffer_drops_packets() -> None:
    made, _, _ = await stream()
    assert made.sendto(bytes(65_534), None) == 65_534
    with pytest.raises(BlockingIOError):
        made.sendto(b"", None)
    made._output.clear()
    with pytest.raises(BlockingIOError):
        made.sendto(bytes(65_535), None)
    made.close()
    with pytest.raises(OSError, match="closed"):
        made.sendto(b"x", None)


@pytest.mark.parametrize("room", [2, BlockingIOError()])
async def test_a_stream_waits_for_the_kernel_once_and_until_all_is_sent(room: Any) -> None:
    made, sock, loop = await stream()
    made.sendto(b"one", None)
    sock.room = room
    for _ in range(2):
        made._flush()
    assert loop.named("add_writer") == [(7, made._flush)]
    assert loop.named("remove_writer") == []
    made.sendto(b"two", None)
    assert len(loop.named("call_soon")) == 1, "it is sent when the kernel has room"
    sock.room = 1 << 20
    for _ in range(2):
        made._flush()
    assert (sock.written, loop.named("remove_writer")) == (b"\x00\x03one\x00\x03two", [(7,)])


async def test_data_for_a_connection_that_has_ended_is_dropped() -> None:
    made, sock, loop = await stream()
    made.sendto(b"one", None)
    sock.room = OSError()
    made._flush()
    assert (made.unsent_bytes, loop.named("add_writer")) == (0, [])


async def test_a_close_sends_what_waits_and_happens_once() -> None:
    made, sock, loop = await stream()
    made.sendto(b"one", None)
    for _ in range(2):
        made.close()
    made._flush()
    assert (sock.written, sock.named("close")) == (b"\x00\x03one", [()])
    assert (loop.named("remove_reader"), loop.named("remove_writer")) == ([(7,)], [(7,)])


# --- all streams of a relay


async def listener(*sockets: Any) -> tuple[Listener, list[Any]]:
    """Return (a listener, the addresses of the streams that ended)."""
    ended: list[Any] = []
    reader: Any = packets
    made = Listener(list(sockets), reader, ended.append)
    made._loop = Noted()  # type: ignore[assignment]
    return made, ended


def connected(number: int = 1, host: str = "192.0.2.1") -> Any:
    """Return a fake socket that is connected to the port `number` of `host`."""
    return FakeSocket(peer=(host, number))


@pytest.fixture(autouse=True)
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces the event loop of the streams, because a real one cannot watch fake sockets."""
    monkeypatch.setattr(tcp, "asyncio", SimpleNamespace(get_running_loop=Noted))


async def test_streams_are_limited_in_all_and_for_each_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "STREAMS_MAX", 3)
    monkeypatch.setattr(tcp, "STREAMS_PER_HOST", 2)
    made, _ = await listener()
    assert (made.accepted, made.refused, made.broken, len(made)) == (0, 0, 0, 0)
    sockets = [connected(1), connected(2), connected(3), connected(4, "192.0.2.2"), connected(5, "192.0.2.3")]
    for sock in sockets:
        made.take(sock)
    assert (made.accepted, made.refused, len(made), len(list(made))) == (3, 2, 3, 3)
    assert [len(sock.named("close")) for sock in sockets] == [0, 0, 1, 0, 1]
    made.close_stream(("192.0.2.1", 1, "tcp"))
    made.close_stream(("192.0.2.1", 1, "tcp"))
    assert made._hosts == {"192.0.2.1": 1, "192.0.2.2": 1}
    made.close_stream(("192.0.2.1", 2, "tcp"))
    assert "192.0.2.1" not in made._hosts
    made.close()
    assert len(made) == 0


async def test_a_port_with_a_stream_gets_no_second_one_to_another_address_of_the_server() -> None:
    made, _ = await listener()
    for sock in (first := connected(1), second := connected(1)):
        made.take(sock)
    assert (made.accepted, made.refused, made._hosts) == (1, 1, {"192.0.2.1": 1})
    assert (first.named("close"), second.named("close")) == ([], [()])
    made.close_stream(("192.0.2.1", 1, "tcp"))
    assert (first.named("close"), len(made), made._hosts) == ([()], 0, {})


async def test_a_stream_without_a_proof_is_closed_and_counted() -> None:
    made, _ = await listener()
    deadlines: list[Any] = []

    def call_later(*how: Any) -> Any:
        deadlines.append(how)
        return Noted()

    made._loop.call_later = call_later  # type: ignore[method-assign, assignment]
    made.take(connected(1))
    made.take(connected(2))
    first, second = (("192.0.2.1", number, "tcp") for number in (1, 2))
    assert deadlines == [(10.0, made._unproven, first), (10.0, made._unproven, second)]
    timer: Any = made._deadlines[first]
    made.proven(first)
    made.proven(first)
    assert timer.named("cancel") == [()]
    made._unproven(second)
    assert (made.refused, [one.address for one in made], made._deadlines) == (1, [first], {})


@pytest.mark.parametrize("broken", [False, True])
async def test_a_stream_that_ended_is_closed_and_reported(broken: bool) -> None:
    made, ended = await listener()
    made.take(connected(1))
    (one,) = made
    one.broken = broken
    made._ended(one)
    assert (len(made), made.broken, ended) == (0, broken, [("192.0.2.1", 1, "tcp")])


async def test_a_connection_that_ended_before_it_was_taken_is_closed() -> None:
    class Gone(FakeSocket):
        def getpeername(self) -> Any:
            raise OSError

    waiting: list[Any] = [Gone(), connected(1)]

    def accept() -> Any:
        if not waiting:
            raise BlockingIOError
        return waiting.pop(0), None

    gone = waiting[0]
    listening: Any = SimpleNamespace(accept=accept, fileno=lambda: 8)
    made, _ = await listener()
    made._accept(listening)
    assert (gone.named("close"), len(made)) == ([()], 1)
    waiting += [connected(number) for number in range(100, 140)]
    made._accept(listening)
    assert len(waiting) == 8, "32 in one turn"


async def test_no_connection_is_accepted_for_a_second_after_the_system_had_no_free_descriptor() -> None:
    listening: Any = SimpleNamespace(fileno=lambda: 8, accept=lambda: os.close(-1))  # raises an OSError
    made, _ = await listener()
    loop: Any = made._loop
    made._accept(listening)
    made._listen(listening)
    listening.fileno = lambda: -1  # it is closed
    made._listen(listening)
    assert [call[:2] for call in loop.calls] == [("remove_reader", 8), ("call_later", 1.0), ("add_reader", 8)]


async def test_a_candidate_has_the_port_of_its_address_family() -> None:
    four: Any = SimpleNamespace(family=socket.AF_INET, getsockname=lambda: ("0.0.0.0", 40), fileno=lambda: 8)
    six: Any = SimpleNamespace(family=socket.AF_INET6, getsockname=lambda: ("::", 60), fileno=lambda: 9)
    hosts = [Candidate("192.0.2.1", 1), Candidate("2001:db8::1", 1)]
    both, _ = await listener(four, six)
    assert both.candidates(hosts) == [
        Candidate("192.0.2.1", 40, "tcp"),
        Candidate("2001:db8::1", 60, "tcp"),
    ]
    only, _ = await listener(six)
    assert only.candidates(hosts) == [Candidate("2001:db8::1", 60, "tcp")]


async def test_a_listener_reads_its_sockets_until_it_is_closed() -> None:
    class Listening(Noted):
        family = socket.AF_INET

        def fileno(self) -> int:
            return 8

    sock: Any = Listening()
    loop: Any = Noted()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tcp, "asyncio", SimpleNamespace(get_running_loop=lambda: loop))
        made, _ = await listener(sock)
    made._loop = loop
    assert loop.named("add_reader") == [(8, made._accept, sock)]
    made.close()
    assert (loop.named("remove_reader"), sock.named("close")) == ([(8,)], [()])


@pytest.mark.parametrize(("problem", "skipped"), [(errno.EADDRINUSE, True), (errno.EACCES, False)])
def test_a_port_that_another_program_uses_is_left_out_and_another_error_is_raised(
    problem: int, skipped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_address: object) -> None:
        raise OSError(problem, "")

    refused: Any = Noted()
    refused.bind = refuse
    good: Any = Noted()
    sockets = iter((refused, good))
    monkeypatch.setattr(socket, "socket", lambda *_: next(sockets))
    wanted = [(socket.AF_INET, "host", port) for port in (40, 41)]
    with nullcontext() if skipped else pytest.raises(OSError, match=str(problem)):
        assert tcp.listen(wanted) == [good]
    assert refused.named("close") == [()]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_listening_socket_can_be_bound_again_and_one_of_ipv6_takes_no_ipv4(
    family: socket.AddressFamily, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Any = Noted()
    monkeypatch.setattr(socket, "socket", lambda *_: made)
    assert tcp.listen([(family, "host", 40)]) == [made]
    options = made.named("setsockopt")
    assert (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1) in options
    only_ipv6 = (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    assert (only_ipv6 in options) is (family is socket.AF_INET6)
    assert (made.named("setblocking"), made.named("bind")) == ([(False,)], [(("host", 40),)])
    assert len(made.named("listen")) == 1
