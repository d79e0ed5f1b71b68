"""Forwards packets in rooms of more than two parties: sends each receiver its own renumbered, encrypted copy.

A packet is decrypted once. The server itself sends transport-cc feedback to the sender. Each copy gets a new
transport-wide sequence number, because each receiver needs numbers without gaps.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from media.forwarding.endpoint import Endpoint
from media.forwarding.layers import LayerShares
from media.forwarding.mending import Mender
from media.forwarding.streams import KEPT, KEYFRAME_RETRY_S, SEQUENCE_MASK, TIMESTAMP_MASK, Source
from media.protocols.codecs import VP8
from media.protocols.rtp import (
    KEYFRAME_START,
    audio_level,
    empty,
    original,
    original_sequence_at,
    shift_picture,
    transport_cc_at,
    vp8_layer,
)
from media.transport.srtp import BUFFER_BYTES, Binding

_NUMBERS = Struct("!HII")  # the fields of a copy that are rewritten: sequence number, timestamp, SSRC
_NUMBERS_AT: Final = 2
_U16 = Struct("!H")
_SOUND: Final = (0, False, 0)  # the result of `vp8_layer` for a packet without a layer; also used for sound


class GroupForwarder:
    """Sends every receiver its own copy of a packet. The copies are made in a separate buffer, one after the other.

    `ask_for_keyframe`: `Forwarder.ask_for_keyframe`.
    """

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
        """Send a decrypted packet of an endpoint to all its receivers; return the number of copies sent.

        `source`: the stream to which the packet belongs. `length`: its length in bytes. `now_s`: the monotonic time.
        """
        endpoint.withhold(packet, length)
        repeated = source.kind == "rtx"
        if repeated:
            video = endpoint.current.get("video")
            length = _restore(video, packet, length)
            if video is None or not length:
                return 0
            source = video
        sequence, timestamp, _ = _NUMBERS.unpack_from(packet, _NUMBERS_AT)
        layer = _SOUND
        if source.payload_type == VP8.payload_type:
            layer = vp8_layer(packet, length)
            if source.shares is None:
                source.shares = LayerShares()
            source.shares.octets[layer[0]] += length
            if source.keyframe_wanted and KEYFRAME_START[source.payload_type](packet, length):
                source.keyframe_wanted = False
        number_at = transport_cc_at(packet, length)
        lost = source.advance(sequence)
        sent, wanted = 0, False
        for subscription in endpoint.subscribers.values():
            copy = subscription.sources.get(source.ssrc)
            if copy is None:
                continue
            copy.packets += 1
            copy.payload_type = source.payload_type
            if not copy.forward:
                continue
            # A retransmission cannot begin a stream: it may repeat a packet from the time before the gate opened.
            if not copy.settled and (repeated or not self._settle(source, copy, packet, length, now_s)):
                if now_s >= source.keyframe_due_s:
                    source.keyframe_due_s = now_s + KEYFRAME_RETRY_S
                    self._ask_for_keyframe(endpoint, source, now_s)
                continue
            wanted = True
            sent += self._send(
                subscription.to, copy, sequence, timestamp, packet, length, number_at, layer, now_s
            )
        if wanted and source.kind == "audio":
            level = audio_level(packet, length)
            if level is not None:
                endpoint.voice.add(level)
        if lost and wanted:
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
        to: Endpoint,
        copy: Source,
        sequence: int,
        timestamp: int,
        packet: bytearray,
        length: int,
        number_at: int,
        layer: tuple[int, bool, int],
        now_s: float,
    ) -> int:
        buffer, sink = self._buffer, copy.sink
        assert sink is not None  # the sources of a subscription always have a sink (the receiver's stream)
        span = None
        if copy.layers is not None:
            span = copy.layers.take(sequence, timestamp, layer[0], layer[1])
            copy.sequence_shift = copy.layers.sequence_shift
            if span is None:
                return 0
        shift = copy.sequence_shift if span is None else span.sequence_shift
        sequence = (sequence + shift) & SEQUENCE_MASK
        newer = 0 < (sequence - sink.sequence) & SEQUENCE_MASK < 0x8000
        if not newer and not copy.takes_late(sequence):
            return 0
        buffer[:length] = packet[:length]
        if span is not None and layer[0] > span.level:
            # This late packet belongs to a layer that the receiver must not get. While the packet was
            # missing, its layer was not known, so a number was kept free for it. The receiver waits for this
            # number; therefore a packet with the number and only padding is sent.
            length, number_at = empty(buffer), 0
        elif span is not None and span.picture_shift and layer[2]:
            shift_picture(buffer, layer[2], span.picture_shift)
        if copy.shapes_red:
            length = copy.shape_red(buffer, length)
            if not length:
                return 0
        elif copy.adds_red:
            length = copy.add_red(buffer, length)
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
        except OSError:
            # the copy is lost: the send buffer is full or the network is down
            return 0
        return 1


def _restore(video: Source | None, packet: bytearray, length: int) -> int:
    """Turn a retransmission (RFC 4588 §4) of `video` in place into the packet that it repeats.

    Returns the new length; 0 if the retransmission is only padding or `video` is None.
    """
    at = original_sequence_at(packet, length)
    if video is None or not at:
        return 0
    packet[: length - 2] = original(packet, length, at, int.from_bytes(packet[4:8]), video.ssrc)
    return length - 2
