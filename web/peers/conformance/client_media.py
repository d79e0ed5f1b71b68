"""The media of a client under test: a relay to connect to, and what the client does there.

Knows one party, which joins again with each offer. Nobody else is in the room, so nothing is forwarded.
"""

from __future__ import annotations

import time
from typing import Final

from media import Connected, Party, PartyEvent, PartyGoneError, Relay, SdpError
from web.peers.conformance.judge import Judge

CONNECT_S: Final = 10.0
CONSENT_S: Final = 30.0  # RFC 7675 §5.1
REPEATED_S: Final = 1.0  # in s; a check so soon after the connection may only repeat an earlier one


class ClientMedia:
    """See the module. Used in this order: `offer`, `accept`, `settled` until it is true, `decide`."""

    def __init__(self, judge: Judge, relay: Relay) -> None:
        self.answered = False
        self._judge, self._relay = judge, relay
        self._party: Party | None = None
        self._answered_s = 0.0
        self._connected_s: float | None = None
        self._checks = 0  # those before consent counts
        self._consents = False

    def offer(self) -> str:
        """Return an offer for a new connection of the client."""
        self._connected_s = None
        self._party = self._relay.room("conformance").join("client", self._take)
        return self._party.offer()

    def accept(self, sdp: str) -> None:
        """Take the client's answer to the newest offer."""
        if self._party is None:
            return  # there was no offer
        try:
            self._party.accept(sdp)
        except PartyGoneError:
            return  # the connection of this answer has failed
        except SdpError as problem:
            wanted = f"an answer that can be used ({problem.code}: {problem.detail})"
            self._judge.wrong("media", wanted, sdp, "media.offer")
        else:
            self._judge.kept("media")
            self.answered, self._answered_s = True, time.monotonic()

    def settled(self) -> bool:
        """Return True if there is nothing more to wait for."""
        now_s = time.monotonic()
        if self._connected_s is None:
            return now_s - self._answered_s > CONNECT_S
        if now_s - self._connected_s < REPEATED_S:
            self._checks = self._relay.stats.stun
        self._consents = self._relay.stats.stun > self._checks
        return self._consents or now_s - self._connected_s > CONSENT_S

    def decide(self) -> None:
        """Judge what the client has done since its answer."""
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

    def _take(self, event: PartyEvent) -> None:
        if isinstance(event, Connected):
            self._connected_s = time.monotonic()
