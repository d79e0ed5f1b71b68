"""Repairs the loss of packets, separately on the way from a sender to the server and from there to a receiver.

Packets that are lost on the way to a receiver are sent again: each sink (stream to a receiver) keeps its newest
packets. Packets that are lost on the way to the server are requested at once, and again until they arrive or are given
up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from media.forwarding.endpoint import Endpoint
from media.forwarding.streams import GAP_MAX, KEYFRAME_RETRY_S, SEQUENCE_MASK, Sink, Source
from media.protocols import rtcp
from media.protocols.codecs import StreamKind
from media.protocols.rtp import Packet, retransmission
from media.transport.srtp import BUFFER_BYTES, Binding

# An outage: for more than this time in s, no packet has come from a browser, or no feedback from a receiver.
OUTAGE_S: Final = 0.8
# the time in s between two calls of `Mender.mend` while packets are missing
MEND_S: Final = 0.010
# In a room of more than two parties, the time in s between two keyframe requests to a sender.
KEYFRAME_PAUSE_S: Final = 0.5
# If a receiver requests a video packet that the server has not kept, the server requests the packet from the sender,
# but only if it is one of the FORWARDED_MAX newest packets of the video.
FORWARDED_MAX: Final = 500


class Mender:
    """Sends lost packets again, and requests packets that are missing. Uses a separate buffer for what it sends.

    `send_rtcp` and `ask_for_keyframe` are the methods of `Forwarder`. `on_missing` is called when packets are missing:
    then `mend` must be called every MEND_S seconds until it returns False.
    """

    def __init__(
        self,
        binding: Binding,
        send_rtcp: Callable[[Endpoint, bytes], None],
        ask_for_keyframe: Callable[[Endpoint, Source, float], None],
        on_missing: Callable[[], None],
    ) -> None:
        self._on_missing = on_missing
        self._lacking: set[Endpoint] = set()  # the senders from which packets are missing
        self._returned: set[Endpoint] = set()  # endpoints whose outage ended since the last `mend`
        self._protect = binding.protect
        self._send_rtcp = send_rtcp
        self._ask_for_keyframe = ask_for_keyframe
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._handle = binding.handle(self._buffer)
        self._length = binding.length()

    def miss(self, endpoint: Endpoint, source: Source, sequence: int, count: int, now_s: float) -> None:
        """Request from `endpoint` the `count` packets of its `source` that are missing before the number `sequence`.

        If too many are missing, a keyframe is requested instead. `now_s`: the monotonic time.
        """
        if source.kind in endpoint.mends:
            numbers = source.missing.add(source.kind, sequence, count, now_s)
            if numbers:
                self._ask(endpoint, source, numbers)
                self._look_again(self._lacking, endpoint)
            elif source.kind == "video" and now_s >= source.keyframe_due_s:
                self._ask_for_keyframe(endpoint, source, now_s)

    def mend(self, now_s: float) -> bool:
        """Request the missing packets whose next request is due. Return True if `mend` must be called again after
        MEND_S seconds.

        An endpoint whose outage has ended gets feedback at once, because a browser lowers its bit rate while it gets
        no feedback.
        """
        for endpoint in self._returned:
            feedback = endpoint.feedback(now_s)
            if feedback is not None:
                self._send_rtcp(endpoint, feedback)
        self._returned.clear()
        for endpoint in list(self._lacking):
            lacking = [source for source in endpoint.current.values() if source.missing]
            for source in lacking:
                numbers = source.missing.due(now_s, endpoint.meter.rtt_ms)
                if numbers:
                    self._ask(endpoint, source, numbers)
            if not lacking:
                self._lacking.discard(endpoint)
        return bool(self._lacking)

    def retry(self, endpoint: Endpoint, now_s: float) -> None:
        """Request a keyframe from `endpoint` if a receiver wants a keyframe and the pause between requests has ended.

        Called every 50 ms. `now_s`: the monotonic time.
        """
        video = endpoint.current.get("video")
        if video is not None and video.keyframe_wanted:
            self.want_keyframe(endpoint, now_s)

    def want_keyframe(self, sender: Endpoint, now_s: float) -> None:
        """Handle a receiver's request for a keyframe of `sender`, in a room of more than two parties.

        A keyframe has as many bits as several other pictures, and is sent to every receiver. So the sender gets one
        request for all receivers, and then a pause begins. If a receiver requests a keyframe during the pause, the
        sender gets the next request when the pause ends, unless a keyframe has come before that. `now_s`: the monotonic
        time.
        """
        video = sender.current.get("video")
        if video is None:
            return
        video.keyframe_wanted = now_s < video.keyframe_due_s - KEYFRAME_RETRY_S + KEYFRAME_PAUSE_S
        if not video.keyframe_wanted:
            self._ask_for_keyframe(sender, video, now_s)

    def answer(
        self,
        sender: Endpoint,
        source: Source,
        sinks: Mapping[StreamKind, Sink],
        numbers: Sequence[int],
        now_s: float,
    ) -> None:
        """Send again the packets of `source` that a receiver requests.

        A packet that the server has not stored is requested from `sender`. `numbers`: the sequence numbers that these
        packets have at the receiver. `sinks`: the streams in which the receiver gets this sender's media. If too much
        of a picture is missing, a keyframe is requested instead. Sound that was lost in an outage is not sent again.
        The bytes sent are taken from the receiver's budget.
        """
        if source.kind == "rtx":
            return  # a lost retransmission is requested again by the number of its original
        sink = sinks[source.kind]
        own = sender.sources.get(source.ssrc)
        if source.kind == "video" and len(numbers) > GAP_MAX["video"]:
            if own is not None and now_s >= own.keyframe_due_s:
                self._ask_for_keyframe(sender, own, now_s)
            return
        if source.kind == "audio":
            sink.forget_rows(numbers)
        unknown = []
        for number in numbers:
            packet = sink.find(number)
            if packet is None:
                unknown.append(source.own_number(number))
                continue
            sink.endpoint.budget -= len(packet)
            if sink.endpoint.budget < 0:
                return
            if source.kind == "video" and sink.endpoint.takes_rtx:
                rtx = sinks["rtx"]
                rtx.used, rtx.sequence = True, (rtx.sequence + 1) & SEQUENCE_MASK
                packet = retransmission(packet, rtx.sequence, rtx.ssrc)
            self.send(sink.endpoint, packet)
        if unknown and own is not None and source.kind in sender.mends:
            again = own.missing.due(now_s, sender.meter.rtt_ms, unknown)
            newest = source.own_number(sink.sequence)
            if source.kind == "video":
                again += [
                    number
                    for number in unknown
                    if number not in own.missing
                    and (newest - number) & SEQUENCE_MASK < FORWARDED_MAX
                    and not source.predates_settling(number)
                ]
            if again:
                self._ask(sender, own, again)

    def take_feedback(self, receiver: Endpoint, sender: Endpoint, now_s: float) -> None:
        """Record that `receiver` has sent feedback (RTCP) about the packets of `sender`. `now_s`: the monotonic time.

        If the receiver had sent no feedback for more than OUTAGE_S, request a keyframe from the sender at once, without
        waiting for the receiver's request.
        """
        silent_s, receiver.feedback_s = now_s - receiver.feedback_s, now_s
        if OUTAGE_S < silent_s < now_s:
            self._renew(sender, receiver.received.get(receiver.sinks["video"].ssrc), now_s)

    def back(self, endpoint: Endpoint, now_s: float) -> None:
        """Handle a browser's first packet after an outage: request keyframes from this browser and from the browsers
        whose video it gets.

        `endpoint`: the endpoint of this browser. `now_s`: the monotonic time.
        """
        endpoint.answer()
        self._look_again(self._returned, endpoint)
        if endpoint.peer is not None:
            self._renew(endpoint, endpoint.current.get("video"), now_s)
            self._renew(endpoint.peer, endpoint.received.get(endpoint.sinks["video"].ssrc), now_s)
        for subscription in endpoint.subscribers.values():
            if subscription.open:
                self.want_keyframe(endpoint, now_s)
                self.want_keyframe(subscription.to, now_s)

    def _look_again(self, among: set[Endpoint], endpoint: Endpoint) -> None:
        if not self._lacking and not self._returned:
            self._on_missing()
        among.add(endpoint)

    def _renew(self, sender: Endpoint, video: Source | None, now_s: float) -> None:
        if video is not None and video.forward and now_s >= video.keyframe_due_s:
            self._ask_for_keyframe(sender, video, now_s)

    def _ask(self, endpoint: Endpoint, source: Source, numbers: list[int]) -> None:
        self._send_rtcp(endpoint, rtcp.nack(endpoint.sinks[source.kind].ssrc, source.ssrc, numbers))

    def send(self, to: Endpoint, packet: Packet) -> None:
        """Encrypt an RTP packet and send it to the endpoint `to`.

        If a packet is sent again, its bytes must be the same, because AES-GCM is not safe if two different packets are
        encrypted with the same sequence number.
        """
        self._buffer[: len(packet)] = packet
        self._length[0] = len(packet)
        if to.tx is None or to.sendto is None or self._protect(to.tx, self._handle, self._length):
            return
        try:
            to.sendto(self._view[: self._length[0]], to.address)
        except OSError:
            # the send buffer is full or the network is down: this packet is lost, and the receiver will request it
            # again
            return
