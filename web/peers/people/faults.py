"""Deliberate faults: a link that loses and delays packets between a synthetic person and the relay.

Knows datagrams and the candidate lines of an offer, which it rewrites to its own address. The faults of people (reload,
vanish, slow reader, early media) are methods of `Person` and `Room`. Reproducible by seed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from random import Random
from typing import Any

CANDIDATE = re.compile(
    r"^(a=candidate:\S+ \d+ udp \d+) (\S+) (\d+)( typ host.*)$", re.MULTILINE | re.IGNORECASE
)


class LossyLink:
    """A UDP proxy that drops a share of the packets (0.0 to 1.0) of each direction, and delays all by `delay_s`.

    `loss` may be changed while it runs. `passed` and `lost` count packets. Only media is dropped; with `everything`,
    also ICE checks and the DTLS handshake.
    """

    def __init__(
        self, loss: float = 0.0, delay_s: float = 0.0, *, seed: int = 1, everything: bool = False
    ) -> None:
        self.loss = loss
        self.delay_s = delay_s
        self.everything = everything
        self.passed = self.lost = 0
        self._random = Random(seed)  # noqa: S311 - reproducible
        self._front: asyncio.DatagramTransport | None = None
        self._back: asyncio.DatagramTransport | None = None
        self._peer: Any = None
        self._relay: tuple[str, int] = ("", 0)

    async def through(self, offer: str) -> str:
        """Return the server's offer with this link as the only candidate. Raises ValueError if it has no UDP one."""
        found = CANDIDATE.search(offer)
        if found is None:
            raise ValueError("the offer has no UDP candidate")
        self.close()
        loop = asyncio.get_running_loop()
        self._relay = (found[2], int(found[3]))
        here = "127.0.0.1"
        front, _ = await loop.create_datagram_endpoint(lambda: _End(self._up), local_addr=(here, 0))
        back, _ = await loop.create_datagram_endpoint(lambda: _End(self._down), remote_addr=self._relay)
        self._front, self._back = front, back
        port = front.get_extra_info("sockname")[1]
        mine = f"{found[1]} {here} {port}{found[4]}"
        return _only_once(CANDIDATE.sub("\0", offer), mine)

    def close(self) -> None:
        """Close both sockets; nothing passes any more."""
        for end in (self._front, self._back):
            if end is not None:
                end.close()
        self._front = self._back = None

    def _up(self, datagram: bytes, address: Any) -> None:
        self._peer = address
        if self._back is not None and self._passes(datagram):
            self._send(self._back, datagram, None)

    def _down(self, datagram: bytes, _: Any) -> None:
        if self._front is not None and self._peer is not None and self._passes(datagram):
            self._send(self._front, datagram, self._peer)

    def _passes(self, datagram: bytes) -> bool:
        is_media = bool(datagram) and 127 < datagram[0] < 192  # RFC 7983 §7
        if (is_media or self.everything) and self._random.random() < self.loss:
            self.lost += 1
            return False
        self.passed += 1
        return True

    def _send(self, end: asyncio.DatagramTransport, datagram: bytes, address: Any) -> None:
        if not self.delay_s:
            end.sendto(datagram, address)
            return

        def later() -> None:
            if not end.is_closing():
                end.sendto(datagram, address)

        asyncio.get_running_loop().call_later(self.delay_s, later)


class _End(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes, Any], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._take(data, addr)

    def error_received(self, exc: Exception) -> None:
        """Ignore that the relay's port is closed: the packet is lost."""


def _only_once(offer: str, candidate: str) -> str:
    """Replace the marks (NUL) in each section: the first by `candidate`, the others by nothing."""
    sections = re.split(r"(?=^m=)", offer, flags=re.MULTILINE)
    return "".join(re.sub(r"\0\r?\n", "", section.replace("\0", candidate, 1)) for section in sections)
