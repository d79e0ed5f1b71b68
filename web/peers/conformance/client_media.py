"""Checks the media that a client under test sends to a media relay, which runs in this process.

The client is one party of a call in this relay, and joins it again with each new offer. Another party, the
observer, receives the client's media and sends nothing.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from media import Connected, Kind, Party, PartyEvent, PartyGoneError, Relay, SdpError
from media.peers.raw import RawPeer, ReceivedPacket
from media.protocols.codecs import KINDS, RED
from media.protocols.red import blocks
from web.peers.conformance.judge import Judge

CONNECT_S: Final = 10.0
# The time in s for which a client may send without a new consent of the receiver (RFC 7675 §5.1).
CONSENT_S: Final = 30.0
# ICE checks that arrive less than this time in s after ICE has connected are not counted as consent checks: they may
# repeat the checks that made the connection.
REPEATED_S: Final = 1.0
# The time in s within which the client must send a requested packet again.
AGAIN_S: Final = 3.0


class ClientMedia:
    """A media relay for one client under test, with the checks of the client's media.

    Call the methods in this order: `offer`, `accept`, `settled` until it returns True, `decide`, `close`.
    """

    def __init__(self, judge: Judge, relay: Relay) -> None:
        self.answered = False
        self.awaits_answer = False  # whether the newest offer has no answer yet
        self._judge, self._relay = judge, relay
        self._party: Party | None = None
        self._answered_s = 0.0
        self._connected_s: float | None = None
        # The number of ICE checks that had arrived at the first call of `settled` after REPEATED_S; only later checks
        # are counted as consent checks. None before that call.
        self._checks: int | None = None
        self._consents = False
        self._observer: RawPeer | None = None
        # kind of media -> (time of the request in s, number of packets that had been sent again before the request)
        self._asked: dict[Kind, tuple[float, int]] = {}

    def offer(self) -> str:
        """Return an SDP offer for a new media connection of the client."""
        self._connected_s = None
        self._asked.clear()
        room = self._relay.room("conformance")
        self._party = room.join("client", self._take)
        if self._observer is None:
            self._observer = RawPeer(self._relay.binding)
            self._observer.takes_red = True
            self._observer.on_rtp = self._receive
            asyncio.get_running_loop().add_reader(self._observer.udp.fileno(), self._observer.readable)
            observer = room.join("observer", lambda _: None)
            observer.accept(self._observer.answer(observer.offer()))
            room.set_gate(True)
        self.awaits_answer = True
        return self._party.offer()

    def close(self) -> None:
        """Close the socket of the observer, the second party of the call."""
        if self._observer is not None:
            asyncio.get_running_loop().remove_reader(self._observer.udp.fileno())
            self._observer.close()

    def accept(self, sdp: str) -> None:
        """Apply the client's SDP answer to the newest offer; record whether it can be used."""
        if self._party is None:
            # The client has received no offer, so its answer is ignored.
            return
        self.awaits_answer = False
        try:
            self._party.accept(sdp)
        except PartyGoneError:
            # The SDP answer is ignored: the media connection that it was meant for has already failed.
            return
        except SdpError as problem:
            wanted = f"an answer that can be used ({problem.code}: {problem.detail})"
            self._judge.wrong("media", wanted, sdp, "media.offer")
        else:
            self._judge.kept("media")
            self.answered, self._answered_s = True, time.monotonic()

    def settled(self) -> bool:
        """Return True if `decide` can be called: enough was observed, or the time for observations has passed."""
        now_s = time.monotonic()
        if self._observer is not None:
            self._observer.tick(now_s)
        if self._connected_s is None or self._party is None:
            return now_s - self._answered_s > CONNECT_S
        checks = self._party.endpoint.path.checks
        if now_s - self._connected_s >= REPEATED_S:
            if self._checks is None:
                self._checks = checks
            self._ask(now_s)
        self._consents = self._checks is not None and checks > self._checks
        waits = any(
            now_s - at_s < AGAIN_S and not self._came(kind) for kind, (at_s, _) in self._asked.items()
        )
        return (self._consents and not waits) or now_s - self._connected_s > CONSENT_S

    def decide(self) -> None:
        """Decide which rules the client has followed since its answer, and report them to the judge."""
        connected = self._connected_s is not None
        self._judge.holds(
            "connects",
            connected,
            f"ICE and DTLS connected within {CONNECT_S:g} s",
            "no connection",
            "media.offer",
        )
        if connected:
            wanted = f"a further ICE check within {CONSENT_S:g} s"
            self._judge.holds("consent", self._consents, wanted, "none", "media.offer")
        if self._relay.streams.accepted:
            wanted = "packets of at most 1600 bytes, each after its length"
            self._judge.holds(
                "framing", not self._relay.streams.broken, wanted, "a longer one", "media.offer"
            )
        for kind in self._asked:
            wanted = f"the requested packet of its {kind} again within {AGAIN_S:g} s"
            self._judge.holds("nack", self._came(kind), wanted, "none", "a generic NACK (RFC 4585)")

    def _ask(self, now_s: float) -> None:
        """Send a NACK for the newest packet of sound and of video, once each, if the client's answer offers NACK."""
        if self._party is None:
            return
        endpoint = self._party.endpoint
        for kind in KINDS:
            source = endpoint.current.get(kind)
            if kind not in endpoint.mends or kind in self._asked or source is None or not source.settled:
                continue
            # The sink is never None here, because each source has a sink while the observer is connected.
            assert source.sink is not None
            self._asked[kind] = now_s, self._repeated(kind)
            newest = source.own_number(source.sink.sequence)
            self._relay.forwarder.mender.miss(endpoint, source, newest + 1, 1, now_s)

    def _came(self, kind: Kind) -> bool:
        return self._repeated(kind) > self._asked[kind][1]

    def _repeated(self, kind: Kind) -> int:
        """Return how many packets of this kind the client has sent again, in an RTX stream or with the same bytes."""
        rtx = self._party.endpoint.current.get("rtx") if self._party is not None else None
        return self._relay.stats.replayed + (rtx.packets if rtx is not None and kind == "video" else 0)

    def _receive(self, packet: ReceivedPacket) -> None:
        if packet.payload_type == RED.payload_type:
            found = blocks(packet.packet, len(packet.packet))
            self._judge.holds("red", bool(found), "RED of RFC 2198", packet.payload.hex(), "media.offer")

    def _take(self, event: PartyEvent) -> None:
        if isinstance(event, Connected):
            self._connected_s, self._checks = time.monotonic(), None
