"""Defines what connects the forwarder to its relay: the handler of all that is not media, and the packet counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from media.forwarding.endpoint import Endpoint
from media.protocols.ice import Address
from media.transport.tcp import PacketSocket


@dataclass(slots=True)
class Counters:
    """Counts the packets of a relay since it opened.

    `forwarded_octets`: the bytes of forwarded packets, as received.
    """

    received: int = 0
    forwarded: int = 0
    forwarded_octets: int = 0
    # packets not forwarded: the gate was closed, the kind of media was not allowed, or no keyframe had come yet
    withheld: int = 0
    # packets that exceeded the endpoint's budget, were unknown or malformed, or were refused by the kernel
    dropped: int = 0
    strays: int = 0  # packets from an address that has not proven the ICE password
    unauthentic: int = 0  # packets that failed SRTP's check of their sender
    replayed: int = 0
    rtcp: int = 0
    stun: int = 0
    dtls: int = 0
    faults: int = 0  # unexpected errors of the server's own code; each one is logged


class NonMediaHandler(Protocol):
    """Handles the datagrams that are neither RTP nor RTCP; `media.relay.Relay` is such a handler.

    `on_moved` is called when an authentic packet comes from a new address. `on_missing` is called when packets are
    missing; then `Mender.mend` must be called every MEND_S until it returns False.
    """

    def on_stun(self, datagram: bytes, address: Address, sock: PacketSocket) -> None: ...
    def on_dtls(self, endpoint: Endpoint, datagram: bytes) -> None: ...
    def on_moved(self, endpoint: Endpoint, address: Address, sock: PacketSocket) -> None: ...
    def on_missing(self) -> None: ...
