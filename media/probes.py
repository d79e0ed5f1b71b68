"""Answers browsers that test their network before a visit. Such a test (probe) has its own ICE credentials.

A probe's STUN requests are answered, and nothing else: it has no endpoint, so none of its packets are forwarded. The
address of a probe does not count as the address of a party. So a TCP connection that is used only for a probe is closed
after some seconds, like each TCP connection on which no party's ICE check came.
"""

from __future__ import annotations

import contextlib
from typing import Final

from media.protocols import ice
from media.protocols.ice import Address, Credentials
from media.transport.tcp import PacketSocket

LASTS_S: Final = 30.0
PROBES_MAX: Final = 512


class Probes:
    """The probes (network tests of browsers) of a relay, the oldest first."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[Credentials, float]] = {}

    def add(self, credentials: Credentials, now_s: float) -> bool:
        """Add a probe, and return True; if there are PROBES_MAX probes already, return False.

        During the next LASTS_S seconds, STUN requests with these `credentials` are answered. `now_s`: the monotonic
        time.
        """
        self._expire(now_s)
        if len(self._open) >= PROBES_MAX:
            return False
        self._open[credentials.ufrag] = (credentials, now_s + LASTS_S)
        return True

    def on_stun(
        self, ufrag: str, datagram: bytes, address: Address, sock: PacketSocket, now_s: float
    ) -> None:
        """Answer the STUN request in `datagram` to the user name `ufrag`, if it is signed with the password of a probe.

        `address`: the sender of the request. `sock`: the socket that received it; the answer is sent on it
        too. `now_s`: the monotonic time.
        """
        self._expire(now_s)
        if ufrag not in self._open:
            return
        credentials, _ = self._open[ufrag]
        request = ice.check(datagram, credentials.password)
        if request is not None:
            with contextlib.suppress(OSError):
                sock.sendto(ice.response(request, address, credentials.password), address)

    def _expire(self, now_s: float) -> None:
        for ufrag, (_, expires_s) in list(self._open.items()):
            if expires_s > now_s:
                return
            del self._open[ufrag]
