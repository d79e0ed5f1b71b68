"""Decrypts, renumbers, encrypts and sends each datagram, in one buffer. This code runs for every packet (hot path).

In a room of two, a packet has at most one receiver; in larger rooms `GroupForwarder` sends the copies. At most ten
header bytes are changed, and a source is forwarded only if its `forward` flag is set. STUN and DTLS are passed to the
relay. No method raises into the event loop: a hostile packet is counted and dropped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from struct import Struct
from typing import Final, Protocol

from media.errors import RtcpError
from media.forwarding.control_forwarder import ControlForwarder
from media.forwarding.counters import Counters
from media.forwarding.endpoint import REPORTERS_MAX, SOURCES_MAX, Endpoint
from media.forwarding.group_forwarder import GroupForwarder
from media.forwarding.mending import OUTAGE_S, Mender
from media.forwarding.streams import KEPT, KEYFRAME_RETRY_S, Source
from media.protocols import rtcp
from media.protocols.ice import Address
from media.protocols.rtp import FIXED_HEADER, KEYFRAME_START, SSRC_AT
from media.transport.srtp import BUFFER_BYTES, PACKET_MAX, REPLAYED, Binding
from media.transport.tcp import PacketSocket

# The greatest number of packets from unknown addresses that are decrypted, to find their endpoint, between two ticks of
# the relay (50 ms).
STRAY_LOOKS: Final = 20
# the number of datagrams that are handled in one turn of the event loop, so that other work does not wait for long
BATCH: Final = 64
REPORTER_AT: Final = 4  # the offset of the sender's SSRC in an RTCP packet
_U32 = Struct("!I")
_OWN_NUMBERS = Struct("!HI")  # the sequence number and timestamp with which a packet arrived
_NUMBERS = Struct("!HII")  # the fields of a packet that are rewritten: sequence number, timestamp, SSRC
_NUMBERS_AT: Final = 2


class NonMediaHandler(Protocol):
    """Handles the datagrams that are neither RTP nor RTCP; `media.relay.Relay` is such a handler.

    `on_moved` is called when an authentic packet comes from a new address. `on_missing` is called when packets are
    missing; then `Mender.mend` must be called every MEND_S until it returns False.
    """

    def on_stun(self, datagram: bytes, address: Address, sock: PacketSocket) -> None: ...
    def on_dtls(self, endpoint: Endpoint, datagram: bytes) -> None: ...
    def on_moved(self, endpoint: Endpoint, address: Address, sock: PacketSocket) -> None: ...
    def on_missing(self) -> None: ...


class Forwarder:
    """Forwards the packets of a relay.

    `endpoints`: the address of a browser, proven by an ICE check with the right password -> its endpoint.
    """

    def __init__(
        self, binding: Binding, handler: NonMediaHandler, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.counters = Counters()
        self.endpoints: dict[Address, Endpoint] = {}
        # called in a room of two with the seconds between the opening of the gate and a party's first forwarded picture
        self.on_first_picture: Callable[[float], None] = lambda seconds: None
        # the number of packets from unknown addresses that may still be decrypted before the relay's next tick
        self.stray_looks = STRAY_LOOKS
        self._binding = binding
        self._handler = handler
        self._clock = clock
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._handle = binding.handle(self._buffer)
        self._length = binding.length()
        # The server's own packets have a separate buffer, because `_buffer` may still hold a received packet.
        self._own_buffer = bytearray(BUFFER_BYTES)
        self._own_view = memoryview(self._own_buffer)
        self._own_handle = binding.handle(self._own_buffer)
        self._own_length = binding.length()
        self.mender = Mender(binding, self.send_rtcp, self.ask_for_keyframe, handler.on_missing)
        self._group = GroupForwarder(binding, self.mender, self.ask_for_keyframe)
        self._control_forwarder = ControlForwarder(self.mender, self.send_rtcp, self.ask_for_keyframe)

    def read(self, sock: PacketSocket) -> None:
        """Handle the datagrams that wait on a socket, at most BATCH of them."""
        receive, buffer, view, endpoints = sock.recvfrom_into, self._buffer, self._view, self.endpoints
        handle, length = self._handle, self._length
        unprotect, protect = self._binding.unprotect, self._binding.protect
        ssrc_in, read_numbers, write_numbers = _U32.unpack_from, _OWN_NUMBERS.unpack_from, _NUMBERS.pack_into
        counters = self.counters
        received = forwarded = octets = withheld = dropped = 0
        now = self._clock()
        try:
            for _ in range(BATCH):
                size, address = receive(buffer)
                first = buffer[0]
                if size < FIXED_HEADER or size > PACKET_MAX:
                    dropped += 1
                    continue
                if not 127 < first < 192:  # RTP and RTCP begin with a byte from 128 to 191 (RFC 7983 §7)
                    self._demultiplex(first, size, address, sock)
                    continue
                endpoint = endpoints.get(address)
                if endpoint is None or endpoint.rx is None:
                    self._stray(size, address, sock)
                    continue
                second = buffer[1]
                if 191 < second < 224:
                    self._control(endpoint, size, now, address)
                    continue
                received += 1
                source = endpoint.sources.get(ssrc_in(buffer, SSRC_AT)[0])
                if source is None and len(endpoint.sources) >= SOURCES_MAX:
                    dropped += 1
                    continue
                length[0] = size
                # Packets are decrypted even while the gate is closed, because libsrtp must see each roll-over of the
                # sequence number.
                status = unprotect(endpoint.rx, handle, length)
                if status:
                    self._refused(status)
                    continue
                if source is None:
                    source = self._learn(endpoint)
                    if source is None:
                        dropped += 1
                        continue
                if endpoint.last_from is None:
                    self._heard(endpoint, now)
                endpoint.last_from = address
                source.packets += 1
                source.octets += size
                payload_type = second & 0x7F
                if (not source.forward or payload_type != source.payload_type) and not endpoint.follow(
                    source, payload_type
                ):
                    if endpoint.subscribers and payload_type == source.payload_type:
                        endpoint.budget -= size
                        if endpoint.budget < 0:
                            dropped += 1
                            continue
                        copies = self._group.send(endpoint, source, buffer, length[0], now)
                        forwarded += copies
                        octets += size * copies
                        withheld += not copies
                        continue
                    withheld += 1
                    endpoint.withhold(buffer, length[0])
                    continue
                sequence, timestamp = read_numbers(buffer, _NUMBERS_AT)
                if not source.settled and not self._settle(endpoint, source, sequence, timestamp, now):
                    withheld += 1
                    continue
                if source.special and not self._special(endpoint, source):
                    withheld += 1
                    continue
                endpoint.budget -= size
                if endpoint.budget < 0:
                    dropped += 1
                    continue
                sink = source.sink
                sequence = (sequence + source.sequence_shift) & 0xFFFF
                timestamp = (timestamp + source.timestamp_shift) & 0xFFFFFFFF
                # A source that is forwarded always has a sink (the receiver's stream)
                assert sink is not None
                write_numbers(buffer, _NUMBERS_AT, sequence, timestamp, sink.ssrc)
                ahead = (sequence - sink.sequence) & 0xFFFF
                if 0 < ahead < 0x8000:
                    if ahead > 1:
                        self.mender.miss(endpoint, source, sequence - source.sequence_shift, ahead - 1, now)
                    sink.sequence, sink.timestamp, sink.at_s = sequence, timestamp, now
                elif not source.takes_late(sequence):
                    withheld += 1
                    continue
                sink.kept[sequence % KEPT] = buffer[: length[0]]
                to = sink.endpoint
                if protect(to.tx, handle, length):
                    dropped += 1
                    continue
                try:
                    to.sendto(view[: length[0]], to.address)  # type: ignore[misc]
                except OSError:  # the packet is lost, because the send buffer is full or the network is down
                    dropped += 1
                    continue
                forwarded += 1
                octets += size
        except BlockingIOError:
            pass
        except OSError:
            counters.dropped += 1
        except Exception:  # noqa: BLE001 - `fault` logs it
            counters.fault()
        counters.received += received
        counters.forwarded += forwarded
        counters.forwarded_octets += octets
        counters.withheld += withheld
        counters.dropped += dropped

    def send_rtcp(self, endpoint: Endpoint, packet: bytes) -> None:
        """Encrypt an RTCP packet of the server and send it to an endpoint.

        Do nothing if the endpoint cannot be reached.
        """
        if (
            endpoint.tx is None
            or endpoint.address is None
            or endpoint.sendto is None
            or len(packet) > PACKET_MAX
        ):
            return
        self._own_buffer[: len(packet)] = packet
        self._own_length[0] = len(packet)
        if self._binding.protect_rtcp(endpoint.tx, self._own_handle, self._own_length):
            self.counters.dropped += 1
            return
        try:
            endpoint.sendto(self._own_view[: self._own_length[0]], endpoint.address)
        except OSError:
            self.counters.dropped += 1

    def ask_for_keyframe(self, endpoint: Endpoint, source: Source, now_s: float) -> None:
        """Send an endpoint a request for a keyframe of its video `source` (picture loss indication)."""
        source.keyframe_due_s = now_s + KEYFRAME_RETRY_S
        self.send_rtcp(endpoint, rtcp.picture_loss(endpoint.sinks["video"].ssrc, source.ssrc))

    def _demultiplex(self, first: int, size: int, address: Address, sock: PacketSocket) -> None:
        if first < 4:
            self.counters.stun += 1
            self._handler.on_stun(bytes(self._view[:size]), address, sock)
        elif 19 < first < 64:
            endpoint = self.endpoints.get(address)
            if endpoint is None:
                self.counters.strays += 1
                return
            self.counters.dtls += 1
            self._handler.on_dtls(endpoint, bytes(self._view[:size]))
        else:
            self.counters.dropped += 1

    def _stray(self, size: int, address: Address, sock: PacketSocket) -> None:
        """Handle a packet of `size` bytes from an unknown address: count it, and try to find its endpoint.

        If the packet is authentic, the address of the endpoint's browser has changed, and the handler's `on_moved` is
        called.
        """
        self.counters.strays += 1
        if self.stray_looks <= 0:
            return
        self.stray_looks -= 1
        control = 191 < self._buffer[1] < 224
        unprotect = self._binding.unprotect_rtcp if control else self._binding.unprotect
        ssrc = _U32.unpack_from(self._buffer, REPORTER_AT if control else SSRC_AT)[0]
        for endpoint in self.endpoints.values():
            if endpoint.rx is not None and ssrc in (endpoint.reporters if control else endpoint.sources):
                self._length[0] = size
                if not unprotect(endpoint.rx, self._handle, self._length):
                    self._handler.on_moved(endpoint, address, sock)
                    return
                # Decryption may have changed the packet in the buffer, so no other endpoint's key is tried.
                self.counters.unauthentic += 1
                return

    def _heard(self, endpoint: Endpoint, now_s: float) -> None:
        """Handle an endpoint's first authentic packet since the relay's last tick; the packet may end an outage."""
        silent_s, endpoint.received_s = now_s - endpoint.received_s, now_s
        if OUTAGE_S < silent_s < now_s:
            self.mender.back(endpoint, now_s)

    def _refused(self, status: int) -> None:
        if status in REPLAYED:
            self.counters.replayed += 1
        else:
            self.counters.unauthentic += 1

    def _learn(self, endpoint: Endpoint) -> Source | None:
        source = endpoint.learn_from_packet(
            _U32.unpack_from(self._buffer, SSRC_AT)[0], self._buffer[1] & 0x7F
        )
        if source is not None:
            self.reroute(endpoint)
        return source

    def reroute(self, endpoint: Endpoint) -> None:
        """Compute again which packets of an endpoint are forwarded, because it has a new source.

        No keyframe is requested: a new video source begins with a keyframe.
        """
        endpoint.route(endpoint.peer, endpoint.gate)
        for subscription in endpoint.subscribers.values():
            subscription.refresh()

    def _settle(self, endpoint: Endpoint, source: Source, sequence: int, timestamp: int, now: float) -> bool:
        """Set the shifts of a source at its first packet, so that its numbers continue those of the receiver's stream.

        `sequence`, `timestamp`: the packet's own. Return False for video if the picture cannot begin with this packet.
        """
        buffer, length = self._buffer, self._length[0]
        starts = KEYFRAME_START.get(source.payload_type)
        if starts is not None and not (
            starts(buffer, length) and source.worth_showing(bool(buffer[1] & 0x80), now)
        ):
            endpoint.withhold(buffer, length)
            if now >= source.keyframe_due_s:
                self.ask_for_keyframe(endpoint, source, now)
            return False
        source.settle(sequence, timestamp, now)
        endpoint.mark()
        if starts is not None and endpoint.opened_s:
            self.on_first_picture(now - endpoint.opened_s)
            endpoint.opened_s = 0.0
        return True

    def _special(self, endpoint: Endpoint, source: Source) -> bool:
        """Rewrite a packet of a `special` source after the fixed header. Return False if it must be dropped.

        The packet is dropped if it is malformed RED, or a retransmission that the receiver must not get. A
        retransmission for a receiver without RTX is dropped too, after the original packet was sent in its place.
        """
        buffer, length = self._buffer, self._length[0]
        if source.shapes_red:
            length = self._length[0] = source.shape_red(buffer, length)
            if not length:
                return False
            if not source.guarding:
                endpoint.mark()
        elif source.adds_red:
            length = self._length[0] = source.add_red(buffer, length)
        elif source.kind == "rtx":
            return self._retransmission(endpoint, source, length)
        endpoint.renumber(buffer, length)
        return True

    def _retransmission(self, endpoint: Endpoint, source: Source, length: int) -> bool:
        buffer, video, sink = self._buffer, endpoint.current.get("video"), source.sink
        assert sink is not None
        if video is None or (at := video.repeat(buffer, length)) < 0:
            endpoint.withhold(buffer, length)
            return False
        endpoint.renumber(buffer, length)
        mended = video.keep_repeated(buffer, length, at)
        if not sink.endpoint.takes_rtx:
            if mended is not None:
                self.mender.send(sink.endpoint, mended)
            return False
        # The sink (stream to the receiver) also carries retransmissions that the server itself sends, so this packet
        # gets the number after the newest number sent.
        source.sequence_shift = (sink.sequence + 1 - (buffer[2] << 8 | buffer[3])) & 0xFFFF
        source.timestamp_shift = video.timestamp_shift
        return True

    def _control(self, endpoint: Endpoint, size: int, now: float, address: Address) -> None:
        """Decrypt an RTCP packet of `size` bytes from `address`, and pass it to the `ControlForwarder`."""
        reporter = _U32.unpack_from(self._buffer, REPORTER_AT)[0]
        if reporter not in endpoint.reporters and len(endpoint.reporters) >= REPORTERS_MAX:
            self.counters.dropped += 1
            return
        self._length[0] = size
        status = self._binding.unprotect_rtcp(endpoint.rx, self._handle, self._length)
        if status:
            self._refused(status)
            return
        endpoint.reporters.add(reporter)
        if endpoint.last_from is None:
            self._heard(endpoint, now)
        endpoint.last_from = address
        self.counters.rtcp += 1
        endpoint.budget -= size
        if endpoint.budget < 0:
            return
        try:
            self._control_forwarder.take(endpoint, bytes(self._view[: self._length[0]]), now)
        except RtcpError:
            self.counters.dropped += 1
