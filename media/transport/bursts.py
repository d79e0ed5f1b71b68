"""Receives and sends several UDP packets by one system call each, which costs less CPU than a call for each packet.

Linux has such calls (recvmmsg, sendmmsg); Python has no functions for them, so ctypes calls them. Packets of one size
to one address are passed to the kernel as one (UDP_SEGMENT). All this is tested when a relay opens; if the test fails,
and on other systems, each packet is received and sent by a call of its own.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import socket
import sys
from collections.abc import Sequence
from struct import Struct
from typing import Any, Final

from media.protocols.ice import Address
from media.transport.srtp import BUFFER_BYTES, PacketBuffer, public_binding
from media.transport.tcp import PacketSocket

logger = logging.getLogger(__name__)

BURST: Final = 64  # the greatest number of packets of one call
SEGMENTS_MAX: Final = (
    40  # the greatest number of packets that are passed as one, which may have less than 64 KiB
)
ADDRESSES_MAX: Final = 4096  # the greatest number of addresses that are kept in both forms
NO_WAIT: Final = 0x40  # Linux's MSG_DONTWAIT
_NAME_BYTES: Final = 32  # the room for one address
_IPV4_BYTES, _IPV6_BYTES = 16, 28
_IPV4, _IPV6 = (
    Struct("!H4s"),
    Struct("!HI16s"),
)  # the fields of an address after its family: port, (flow,) host
_SEGMENT = Struct("=QiiH6x")  # the control message (cmsghdr) of UDP_SEGMENT: length, level, type, size
_SOL_UDP, _UDP_SEGMENT, _SEGMENT_BYTES = 17, 103, 18
# the fields of a `_Header` that are written for each message, by their index in units of 8 bytes
_NAME, _IOVEC, _IOVECS, _CONTROL_BYTES = 0, 2, 3, 5
_QUADS: Final = 8
_PROBES: Final = (b"greenroom 1", b"greenroom 2", b"greenroom")


class _Iovec(ctypes.Structure):
    """Linux's structure `iovec`: a buffer."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """Linux's structure `mmsghdr` on 64-bit machines: a message, which is one packet or several that leave as one."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_bytes", ctypes.c_uint),
        ("iovec", ctypes.c_void_p),
        ("iovecs", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_bytes", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("padding", ctypes.c_int),
        ("length", ctypes.c_uint),
    )


class _Addresses(dict[Any, Address]):
    """The kernel's form of an address (IPv4: its first 8 bytes as a number; IPv6: all 28 bytes) -> the address."""

    def __missing__(self, raw: int | bytes) -> Address:
        if len(self) >= ADDRESSES_MAX:
            self.clear()
        if isinstance(raw, int):
            port, host = _IPV4.unpack_from(raw.to_bytes(8, sys.byteorder), 2)
            address: Address = (socket.inet_ntop(socket.AF_INET, host), port)
        else:
            port, flow, host = _IPV6.unpack_from(raw, 2)
            scope = int.from_bytes(raw[24:], sys.byteorder)
            address = (socket.inet_ntop(socket.AF_INET6, host), port, flow, scope)
        self[raw] = address
        return address


class _Names(dict[Any, int]):
    """An address -> where its form for the kernel is in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._memory: list[Any] = []

    def __missing__(self, address: Any) -> int:
        if len(address) == 2:
            host, port = address
            raw = socket.AF_INET.to_bytes(2, sys.byteorder)
            raw += _IPV4.pack(port, socket.inet_pton(socket.AF_INET, host))
        else:
            host, port, flow, scope = address
            raw = socket.AF_INET6.to_bytes(2, sys.byteorder)
            raw += _IPV6.pack(port, flow, socket.inet_pton(socket.AF_INET6, host))
            raw += scope.to_bytes(4, sys.byteorder)
        memory = ctypes.create_string_buffer(raw, _NAME_BYTES)
        self._memory.append(memory)
        self[address] = ctypes.addressof(memory)
        return self[address]

    def limit(self) -> None:
        """Forget all addresses if there are too many. It must not be called while the kernel may read one."""
        if len(self) >= ADDRESSES_MAX:
            self.clear()
            self._memory.clear()


class _Ipv6Names:
    """The addresses of received packets in the kernel's form, by the number of the packet."""

    def __init__(self, memory: Any) -> None:
        self._memory = memoryview(memory).cast("B")

    def __getitem__(self, number: int) -> bytes:
        return bytes(self._memory[number * _NAME_BYTES :][:_IPV6_BYTES])


class BurstSocket:
    """A UDP socket that receives into `buffers` and sends from them.

    The code that runs for every packet reads the fields: `receive(descriptor, headers[first], at most, NO_WAIT, None)`
    fills the buffers from the number `first` on, and returns their number, 0 or less if there is none. `lengths`: the
    length of each packet in bytes. `addresses[raws[number]]`: its sender. `sendto`, `recvfrom_into`: the socket's.
    """

    def __init__(self, sock: socket.socket, buffers: Sequence[PacketBuffer]) -> None:
        self.sendto, self.recvfrom_into, self.descriptor = sock.sendto, sock.recvfrom_into, sock.fileno()
        library = ctypes.PyDLL(None, use_errno=True)  # it keeps Python's lock (GIL), because no call waits
        self.receive, self._send = library.recvmmsg, library.sendmmsg
        self.addresses, self._names = _Addresses(), _Names()
        self._buffers = buffers
        self._joins = True  # False if the network card cannot send several packets as one
        self._pinned = [(ctypes.c_char * BUFFER_BYTES).from_buffer(one.buffer) for one in buffers]
        self._senders = (ctypes.c_char * (_NAME_BYTES * BURST))()
        segment = _SEGMENT.pack(_SEGMENT_BYTES, _SOL_UDP, _UDP_SEGMENT, 0)
        self._segments = ctypes.create_string_buffer(segment * BURST, len(segment) * BURST)
        self._in, self._in_iovecs = (_Header * BURST)(), (_Iovec * BURST)()
        self._out, self._out_iovecs = (_Header * BURST)(), (_Iovec * BURST)()
        ipv6 = sock.family == socket.AF_INET6
        for number, pinned in enumerate(self._pinned):
            self._in_iovecs[number] = _Iovec(ctypes.addressof(pinned), BUFFER_BYTES)
            self._out_iovecs[number].base = ctypes.addressof(pinned)
            received, sent = self._in[number], self._out[number]
            received.name = ctypes.addressof(self._senders) + number * _NAME_BYTES
            received.iovec, received.iovecs = ctypes.addressof(self._in_iovecs[number]), 1
            received.name_bytes = sent.name_bytes = _IPV6_BYTES if ipv6 else _IPV4_BYTES
            sent.control = ctypes.addressof(self._segments) + number * len(segment)
        size = ctypes.sizeof(_Header)
        self.headers: Any = [ctypes.byref(self._in, number * size) for number in range(BURST)]
        self._sent_at = [ctypes.byref(self._out, number * size) for number in range(BURST)]
        self._iovec_at = [ctypes.addressof(one) for one in self._out_iovecs]
        self.lengths: Any = memoryview(self._in).cast("B").cast("I")[14::16]
        self.raws: Any = memoryview(self._senders).cast("B").cast("Q")[:: _NAME_BYTES // 8]
        if ipv6:
            self.raws = _Ipv6Names(self._senders)
        self._words = memoryview(self._out).cast("B").cast("Q")
        self._lengths = memoryview(self._out_iovecs).cast("B").cast("Q")[1::2]
        self._sizes = memoryview(self._segments).cast("B").cast("H")[8 :: len(segment) // 2]

    def send(self, queue: Sequence[tuple[int, int, Any]]) -> int:
        """Send packets, at most BURST: (number of the buffer, length in bytes, address) of each, by rising numbers.

        Returns how many the kernel refused; they are lost.
        """
        names, words, lengths, iovecs = self._names, self._words, self._lengths, self._iovec_at
        names.limit()
        starts: list[int] = []  # for each message, the index in the queue of its first packet
        last: Any = None
        at, size, following, joined = -_QUADS, 0, 0, 0
        for number, length, address in queue:
            lengths[number] = length
            if address is last and length == size and number == following and joined < SEGMENTS_MAX:
                joined += 1
                words[at + _IOVECS] = joined
                if joined == 2:
                    words[at + _CONTROL_BYTES] = _SEGMENT.size
                    self._sizes[at // _QUADS] = length
            else:
                at += _QUADS
                words[at + _NAME], words[at + _IOVEC], words[at + _IOVECS] = names[address], iovecs[number], 1
                words[at + _CONTROL_BYTES], joined, size = 0, 1, length
                last = address if self._joins else None
                starts.append(number)
            following = number + 1
        return self._send_all(queue, starts)

    def _send_all(self, queue: Sequence[tuple[int, int, Any]], starts: list[int]) -> int:
        """Pass the messages to the kernel; send the packets of one that it refuses one by one.

        `starts`: for each message, the number of its first buffer. Returns how many packets the kernel refused.
        """
        done = refused = 0
        while done < len(starts):
            sent = self._send(self.descriptor, self._sent_at[done], len(starts) - done, NO_WAIT)
            if sent > 0:
                done += sent
                continue
            if ctypes.get_errno() == errno.EIO:
                self._joins = False
            end = starts[done + 1] if done + 1 < len(starts) else BURST
            for number, length, address in queue:
                if starts[done] <= number < end:
                    try:
                        self.sendto(self._buffers[number].view[:length], address)
                    except (
                        OSError
                    ):  # the packet is lost, because the send buffer is full or the network is down
                        refused += 1
            done += 1
        return refused


class SingleSocket:
    """Any other socket, with the fields and the method `receive` of a `BurstSocket`, which receives one packet.

    `sock`: the socket that is read; it may be replaced.
    """

    def __init__(self, buffers: Sequence[PacketBuffer]) -> None:
        self.sock: PacketSocket | None = None
        self.descriptor, self.headers, self.lengths = 0, range(BURST), [0] * BURST
        self.raws, self.addresses = range(BURST), dict[int, Any]()
        self._buffers = buffers

    def receive(self, _descriptor: int, first: int, _most: int, _flags: int, _timeout: None) -> int:
        """Receive one packet into the buffer with the number `first`; return 1, or 0 if no packet waits.

        Raises OSError if the socket has an error.
        """
        assert self.sock is not None
        try:
            self.lengths[first], self.addresses[first] = self.sock.recvfrom_into(self._buffers[first].buffer)
        except BlockingIOError:
            return 0
        return 1


def works() -> bool:
    """Return True if this machine sends and receives the right packets, over two sockets on 127.0.0.1."""
    if sys.platform != "linux" or ctypes.sizeof(_Header) != 8 * _QUADS:
        return False
    buffers = [PacketBuffer(public_binding()) for _ in range(BURST)]
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
    ):
        for sock in (here, there):
            sock.bind(("127.0.0.1", 0))
        sender, address = BurstSocket(here, buffers), there.getsockname()
        for number, probe in enumerate(_PROBES):
            buffers[number].fill(probe)
        if sender.send([(number, len(probe), address) for number, probe in enumerate(_PROBES)]):
            return False
        for one in buffers:
            one.fill(bytes(BUFFER_BYTES))
        received = BurstSocket(there, buffers)
        count = received.receive(received.descriptor, received.headers[0], BURST, NO_WAIT, None)
        found = [bytes(buffers[number].view[: received.lengths[number]]) for number in range(count)]
        senders = {received.addresses[received.raws[number]] for number in range(count)}
        return tuple(found) == _PROBES and senders == {here.getsockname()}


def available() -> bool:
    """Return True if bursts work on this machine; log a warning if they do not, although it is Linux."""
    try:
        if works():
            return True
        reason = "wrong bytes"
    except (OSError, AttributeError) as error:
        reason = type(error).__name__
    if sys.platform == "linux":
        logger.warning("media.bursts_unavailable", extra={"reason": reason})
    return False
