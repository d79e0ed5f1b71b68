"""ICE over TCP, passive (RFC 6544), for networks that block UDP: listening sockets, and one stream per browser.

Handles the framing of RFC 4571 (two bytes of length before each packet), its limits, and the end of connections.
`Stream` has the methods of a UDP socket that the forwarder uses, so that the hot path is the same for both. A packet
that a stream cannot send soon is dropped, because late media is useless.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Any, Final, Protocol

from media.protocols.ice import Address, Candidate
from media.transport.srtp import PACKET_MAX

INPUT_BYTES: Final = 16_384
# The size of a send buffer in bytes. A keyframe fits into it. Packets that do not fit, on a slow connection, are
# dropped.
OUTPUT_BYTES: Final = 65_536
# The value in bytes of the socket option TCP_NOTSENT_LOWAT: the kernel accepts more data only while it has less unsent
# data than this.
UNSENT_BYTES: Final = 16_384
# the time in s after which a stream is closed if no ICE check with the right password came on it
PROOF_S: Final = 10.0
STREAMS_MAX: Final = 1_024
# The greatest number of streams from one IP address, which a whole clinic may share. Streams without a right
# ICE check end after PROOF_S.
STREAMS_PER_HOST: Final = 64
BACKLOG: Final = 256
# the time in s during which no connection is accepted after the system had no free file descriptor
PAUSE_S: Final = 1.0
ACCEPTS: Final = 32  # the number of connections that are accepted in one turn of the event loop
_SIZE = Struct("!H")


class PacketSocket(Protocol):
    """Those methods of a UDP socket that the relay uses; a `Stream` over TCP has them too."""

    def recvfrom_into(self, buffer: bytearray, /) -> tuple[int, Any]: ...
    def sendto(self, packet: bytes | memoryview, address: Any, /) -> int: ...


class Stream:
    """A stream of packets over one TCP connection, with the methods of a UDP socket.

    `on_end` is called at most once: when the other side has closed the connection, or has broken the rules of framing.
    """

    def __init__(self, sock: socket.socket, on_end: Callable[[Stream], None]) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._on_end = on_end
        self._input = bytearray(INPUT_BYTES)
        self._view = memoryview(self._input)
        self._start = self._stop = 0
        self._output = bytearray()
        # `_flushing` is True while packets wait to be sent, `_writing` while they wait because the kernel's send buffer
        # is full.
        self._flushing = self._writing = False
        self._drained = False
        self._ended = self._closed = False
        self.broken = False  # True if the other side has announced a packet that is longer than allowed
        self._on_readable: Callable[[Stream], None] | None = None
        peer = sock.getpeername()
        self.address: Address = (peer[0], peer[1], "tcp")
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # only Linux and macOS have this option
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    def start(self, on_readable: Callable[[Stream], None]) -> None:
        """Call `on_readable` when packets may have arrived. It must read them with `recvfrom_into`."""
        self._on_readable = on_readable
        self._loop.add_reader(self._sock.fileno(), self._readable)

    def recvfrom_into(self, buffer: bytearray, /) -> tuple[int, Address]:
        """Copy the next packet into `buffer`; return its length in bytes and the other side's address.

        Raises BlockingIOError if no whole packet has arrived, and after the end of the stream.
        """
        while not self._ended:
            held = self._stop - self._start
            if held >= 2:
                size = _SIZE.unpack_from(self._input, self._start)[0]
                if size > PACKET_MAX:
                    self.broken = True
                    break
                if held >= 2 + size:
                    at = self._start + 2
                    self._start = at + size
                    if size == 0:  # a packet of length 0, which RFC 4571 §2 allows
                        continue
                    buffer[:size] = self._view[at : self._start]
                    return size, self.address
            if self._start:
                self._input[:held] = self._view[self._start : self._stop]
                self._start, self._stop = 0, held
            if self._drained:  # all data was read; the event loop calls `_readable` when more arrives
                self._drained = False
                raise BlockingIOError
            room = self._view[self._stop :]
            try:
                received = self._sock.recv_into(room)
            except BlockingIOError:
                raise
            except OSError:
                break
            if not received:
                break
            self._stop += received
            self._drained = received < len(room)
        self._ended = True
        raise BlockingIOError

    def sendto(self, packet: bytes | memoryview, _address: object, /) -> int:
        """Send a packet at the end of this turn of the event loop, together with other packets; return its length in
        bytes.

        Raises BlockingIOError, and drops the packet, if too much data is waiting; OSError if the stream is closed.
        """
        if self._closed:
            raise OSError(errno.EBADF, "the stream is closed")
        if len(self._output) + len(packet) + 2 > OUTPUT_BYTES:
            raise BlockingIOError
        self._output += _SIZE.pack(len(packet))
        self._output += packet
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)
        return len(packet)

    @property
    def unsent_bytes(self) -> int:
        """Return the number of bytes that the kernel has not accepted yet, at most OUTPUT_BYTES."""
        return len(self._output)

    def fileno(self) -> int:
        """Return the file descriptor of the connection."""
        return self._sock.fileno()

    def getsockname(self) -> Any:
        """Return the server's address of the connection, as `socket.getsockname` does."""
        return self._sock.getsockname()

    def close(self) -> None:
        """Send the waiting data that the kernel accepts at once, and close the connection.

        A repeated call changes nothing.
        """
        if self._closed:
            return
        if self._output:
            self._flush()
        self._closed = self._ended = True
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        self._sock.close()

    def _readable(self) -> None:
        if self._closed:
            return
        assert self._on_readable is not None  # `start` has set it; it is always called before `_readable`
        self._on_readable(self)
        if self._ended and not self._closed:
            self._on_end(self)
        elif self._has_packet():
            # The reader stops after a batch, although more packets may be in the buffer: they are read in the next turn
            # of the loop.
            self._loop.call_soon(self._readable)

    def _has_packet(self) -> bool:
        held = self._stop - self._start
        return bool(held >= 2 and held >= 2 + _SIZE.unpack_from(self._input, self._start)[0])

    def _flush(self) -> None:
        if self._closed:
            return
        sent = 0
        try:
            sent = self._sock.send(self._output)
        except BlockingIOError:
            pass  # the kernel's send buffer is full, so no byte was sent
        except OSError:
            self._output.clear()  # the connection has ended: drop the data; the next read ends the stream
        del self._output[:sent]
        self._flushing = waits = bool(self._output)
        if waits and not self._writing:
            self._loop.add_writer(self._sock.fileno(), self._flush)
        elif self._writing and not waits:
            self._loop.remove_writer(self._sock.fileno())
        self._writing = waits


class Listener:
    """The listening TCP sockets of a relay, and the streams that were accepted.

    `on_readable` is called with a stream when packets may have arrived on it. `on_end` is called with the address of a
    stream that the other side ended.
    """

    def __init__(
        self,
        sockets: list[socket.socket],
        on_readable: Callable[[Stream], None],
        on_end: Callable[[Address], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sockets = sockets
        self._on_readable = on_readable
        self._on_end = on_end
        self._streams: dict[Address, Stream] = {}
        self._deadlines: dict[Address, asyncio.TimerHandle] = {}
        self._hosts: Counter[str] = Counter()
        self.accepted = 0
        # the number of connections closed because there were too many, or because no right ICE check came in
        # time
        self.refused = 0
        self.broken = 0  # the number of connections closed because their framing was wrong (RFC 4571)
        for sock in sockets:
            self._listen(sock)

    def __len__(self) -> int:
        """Return the number of open streams."""
        return len(self._streams)

    def __iter__(self) -> Iterator[Stream]:
        """Iterate over the open streams."""
        return iter(list(self._streams.values()))

    def candidates(self, hosts: list[Candidate]) -> list[Candidate]:
        """Return a passive TCP candidate for each UDP candidate in `hosts` whose address family has a
        listening socket.
        """
        ports = {sock.family: sock.getsockname()[1] for sock in self._sockets}
        found = []
        for candidate in hosts:
            family = socket.AF_INET6 if ":" in candidate.host else socket.AF_INET
            if family in ports:
                found.append(Candidate(candidate.host, ports[family], "tcp"))
        return found

    def proven(self, address: Address) -> None:
        """Keep the stream of `address` open after PROOF_S: an ICE check with the right password came on this stream."""
        deadline = self._deadlines.pop(address, None)
        if deadline is not None:
            deadline.cancel()

    def close_stream(self, address: Address) -> None:
        """Close the stream of an address, if there is one."""
        stream = self._streams.pop(address, None)
        if stream is None:
            return
        self.proven(address)
        self._hosts[address[0]] -= 1
        if not self._hosts[address[0]]:
            del self._hosts[address[0]]
        stream.close()

    def close(self) -> None:
        """Close every stream and the listening sockets."""
        for sock in self._sockets:
            self._loop.remove_reader(sock.fileno())
            sock.close()
        for address in list(self._streams):
            self.close_stream(address)

    def _listen(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:  # the socket may have been closed in the pause of `_accept`
            self._loop.add_reader(listening.fileno(), self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, _address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return  # no connection waits, or its client has left
            except OSError:
                # No file descriptor is free. The connection still waits, so the event loop would call this at once.
                self._loop.remove_reader(listening.fileno())
                self._loop.call_later(PAUSE_S, self._listen, listening)
                return
            try:
                self.take(sock)
            except OSError:
                sock.close()

    def take(self, sock: socket.socket) -> None:
        """Use a connected socket as a stream, or close it if there are too many streams.

        It is also closed if its client has another stream from the same port, to another address of the server: all
        packets from this port would belong to one stream. Raises OSError if the socket is no longer connected.
        """
        stream = Stream(sock, self._ended)
        host, taken = stream.address[0], stream.address in self._streams
        if taken or len(self._streams) >= STREAMS_MAX or self._hosts[host] >= STREAMS_PER_HOST:
            self.refused += 1
            stream.close()
            return
        self.accepted += 1
        self._streams[stream.address] = stream
        self._hosts[host] += 1
        self._deadlines[stream.address] = self._loop.call_later(PROOF_S, self._unproven, stream.address)
        stream.start(self._on_readable)

    def _unproven(self, address: Address) -> None:
        self.refused += 1
        self.close_stream(address)

    def _ended(self, stream: Stream) -> None:
        self.broken += stream.broken
        self.close_stream(stream.address)
        self._on_end(stream.address)


def listen(addresses: list[tuple[socket.AddressFamily, str, int]]) -> list[socket.socket]:
    """Return listening sockets for those of the (family, host, port) `addresses` whose port no other program uses for
    TCP.

    Raises OSError if a socket cannot be bound for another reason.
    """
    found = []
    for family, host, port in addresses:
        try:
            found.append(_listen(family, host, port))
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE:
                raise
    return found


def _listen(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        # Old connections in TIME_WAIT must not block the port, so that the next worker can use it.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
