"""Forwards packets in rooms of more than two: one decryption, and one renumbered, encrypted copy per receiver.

Knows an endpoint's subscriptions and the numbers in an RTP packet. Knows no party, and not why a subscription is open.
The server itself answers the sender's transport-cc, and gives the packets to each receiver new numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from media.forwarding.endpoint import Endpoint
from media.forwarding.mending import Mender
from media.forwarding.streams import KEPT, KEYFRAME_RETRY_S, SEQUENCE_MASK, TIMESTAMP_MASK, Source
from media.forwarding.subscriptions import Subscription
from media.protocols.rtp import KEYFRAME_START, original_sequence_at, transport_cc_at
from media.transport.srtp import BUFFER_BYTES, Binding

_NUMBERS = Struct("!HII")  # sequence number, timestamp, SSRC
_NUMBERS_AT: Final = 2
_U16 = Struct("!H")


class GroupForwarder:
    """Makes and sends the copies, in its own buffer. `ask_for_keyframe` is the method of the forwarder."""

    def __init__(
        self,
        binding: Binding,
        mender: Mender,
        ask_for_keyframe: Callable[[Endpoint, Source, float], None],
    ) -> None:
        self._mender = mender
        self._protect = binding.protect
        self._ask_for_keyframe = ask_for_keyframe
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._handle = binding.handle(self._buffer)
        self._length = binding.length()

    def send(self, endpoint: Endpoint, source: Source, packet: bytearray, length: int, now_s: float) -> int:
        """Send a decrypted packet of an endpoint to all its receivers; return their number."""
        endpoint.withhold(packet, length)
        sequence, timestamp, _ = _NUMBERS.unpack_from(packet, _NUMBERS_AT)
        number_at = transport_cc_at(packet, length)
        lost = source.advance(sequence)
        if source.kind == "rtx":
            _arrived(endpoint, packet, length)
        sent = 0
        for subscription in endpoint.subscribers.values():
            copy = subscription.sources.get(source.ssrc)
            if copy is None:
                continue
            copy.packets += 1
            copy.payload_type = source.payload_type
            if not copy.forward:
                continue
            if not copy.settled and not self._settle(source, copy, packet, length, now_s):
                if now_s >= source.keyframe_due_s:
                    source.keyframe_due_s = now_s + KEYFRAME_RETRY_S
                    self._ask_for_keyframe(endpoint, source, now_s)
                continue
            sent += self._send(subscription, copy, sequence, timestamp, packet, length, number_at, now_s)
        if lost and sent:
            self._mender.miss(endpoint, source, sequence, lost, now_s)
        return sent

    @staticmethod
    def _settle(source: Source, copy: Source, packet: bytearray, length: int, now_s: float) -> bool:
        starts = KEYFRAME_START.get(source.payload_type)
        if starts is not None and not (
            starts(packet, length) and copy.worth_showing(bool(packet[1] & 0x80), now_s)
        ):
            return False
        sequence, timestamp, _ = _NUMBERS.unpack_from(packet, _NUMBERS_AT)
        copy.settle(sequence, timestamp, now_s)
        return True

    def _send(
        self,
        subscription: Subscription,
        copy: Source,
        sequence: int,
        timestamp: int,
        packet: bytearray,
        length: int,
        number_at: int,
        now_s: float,
    ) -> int:
        buffer, sink, to = self._buffer, copy.sink, subscription.to
        assert sink is not None  # a subscription's sources have one
        buffer[:length] = packet[:length]
        if copy.kind == "rtx" and not self._retransmission(subscription, copy, length):
            return 0
        sequence = (sequence + copy.sequence_shift) & SEQUENCE_MASK
        newer = (sequence - sink.sequence) & 0x8000 == 0
        if not newer and not copy.takes_late(sequence):
            return 0
        if copy.shapes_red:
            length = copy.shape_red(buffer, length)
            if not length:
                return 0
        if number_at:
            _U16.pack_into(buffer, number_at, to.cc_next)
            to.cc_next = (to.cc_next + 1) & SEQUENCE_MASK
        timestamp = (timestamp + copy.timestamp_shift) & TIMESTAMP_MASK
        _NUMBERS.pack_into(buffer, _NUMBERS_AT, sequence, timestamp, sink.ssrc)
        if newer:
            sink.sequence, sink.timestamp, sink.at_s = sequence, timestamp, now_s
        sink.kept[sequence % KEPT] = buffer[:length]
        self._length[0] = length
        if to.tx is None or to.sendto is None or self._protect(to.tx, self._handle, self._length):
            return 0
        try:
            to.sendto(self._view[: self._length[0]], to.address)
        except OSError:  # the packet is lost
            return 0
        return 1

    def _retransmission(self, subscription: Subscription, copy: Source, length: int) -> bool:
        """Rewrite the original's number (RFC 4588 §4); return False if the receiver was not sent the original."""
        video, sink, buffer = subscription.current.get("video"), copy.sink, self._buffer
        assert sink is not None
        at = video.repeat(buffer, length) if video is not None else -1
        if video is None or at < 0:
            return False
        mended = video.keep_repeated(buffer, length, at)
        if not subscription.to.takes_rtx:
            if mended is not None:
                self._mender.send(subscription.to, mended)
            return False
        copy.sequence_shift = (sink.sequence + 1 - (buffer[2] << 8 | buffer[3])) & SEQUENCE_MASK
        copy.timestamp_shift = video.timestamp_shift
        return True


def _arrived(endpoint: Endpoint, packet: bytearray, length: int) -> None:
    """Take the original of a retransmission off the list of what is missing."""
    video, at = endpoint.current.get("video"), original_sequence_at(packet, length)
    if video is not None and at:
        video.missing.arrived(_U16.unpack_from(packet, at)[0])
