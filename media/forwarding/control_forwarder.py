"""Handles the RTCP packets (reports and requests) that the endpoints of a room send.

Replaces the SSRCs, sequence numbers and timestamps in a packet by those that the receiving browser knows. Some
packets are not forwarded: the server itself answers them.
"""

from __future__ import annotations

from collections.abc import Callable

from media.forwarding.endpoint import Endpoint
from media.forwarding.mending import Mender
from media.forwarding.rtcp_translation import translate
from media.forwarding.streams import Source


class ControlForwarder:
    """Handles decrypted RTCP compound packets.

    `send_rtcp` and `ask_for_keyframe` are the methods of `Forwarder` with these names.
    """

    def __init__(
        self,
        mender: Mender,
        send_rtcp: Callable[[Endpoint, bytes], None],
        ask_for_keyframe: Callable[[Endpoint, Source, float], None],
    ) -> None:
        self._mender = mender
        self._send_rtcp = send_rtcp
        self._ask_for_keyframe = ask_for_keyframe

    def take(self, endpoint: Endpoint, data: bytes, now_s: float) -> None:
        """Handle `data`, a decrypted RTCP packet that the browser of `endpoint` has sent.

        Raises RtcpError if the packet is malformed. `now_s`: the monotonic time.
        """
        if endpoint.subscribers:
            self._group(endpoint, data, now_s)
        elif endpoint.peer is not None:
            self._pair(endpoint, endpoint.peer, data, now_s)

    def _pair(self, endpoint: Endpoint, peer: Endpoint, data: bytes, now_s: float) -> None:
        translation = translate(
            data,
            endpoint.sources,
            endpoint.received,
            sender_ssrc=peer.sinks["video"].ssrc,
            transport_cc_shift=peer.cc_shift,
            answered_here=peer.answering,
            arrivals=peer.arrivals,
        )
        if translation.transport_cc_last is not None:
            endpoint.cc_last = translation.transport_cc_last
            self._mender.take_feedback(endpoint, peer, now_s)
        endpoint.meter.observe(translation, now_s)
        if not endpoint.gate:
            return
        if translation.payload:
            self._send_rtcp(peer, translation.payload)
        for source in translation.keyframes:
            self._ask_for_keyframe(peer, source, now_s)
        for source, numbers in translation.requested:
            self._mender.answer(peer, source, endpoint.sinks, numbers, now_s)

    def _group(self, endpoint: Endpoint, data: bytes, now_s: float) -> None:
        """In a room of more than two, send each other party the parts of an RTCP packet that concern this other party.

        These parts are about the streams between the packet's sender and this other party, in both directions.
        `endpoint`: the endpoint of the packet's sender. `data`: the packet. `now_s`: the monotonic time.
        """
        for subscription in endpoint.subscribers.values():
            back = subscription.to.subscribers.get(endpoint)
            translation = translate(
                data,
                subscription.sources,
                back.received if back is not None else {},
                sender_ssrc=subscription.sinks["video"].ssrc,
                transport_cc_shift=0,
                answered_here=True,
                arrivals=subscription.to.arrivals,
            )
            endpoint.meter.observe(translation, now_s)
            if back is not None:
                for source, numbers in translation.requested:
                    self._mender.answer(subscription.to, source, back.sinks, numbers, now_s)
                for block in translation.blocks:
                    if block.source.kind == "video":
                        back.observe_loss(block.loss)
            if subscription.open and translation.keyframes:
                self._mender.want_keyframe(subscription.to, now_s)
            if translation.payload and subscription.open:
                self._send_rtcp(subscription.to, translation.payload)
