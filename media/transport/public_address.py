"""Requests this machine's public address from a STUN server.

Browsers need this address if a router translates addresses. Sends the same request again until an answer comes (RFC
8489). The public port is not requested: the router must forward the relay's port without changing its number.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

from media.protocols import ice, stun

RETRY_S: Final = 0.5
TRIES: Final = 4


class _Question(asyncio.DatagramProtocol):
    """A request to a STUN server for this machine's address. `answer`: a future of the address in the response."""

    def __init__(self, transaction_id: bytes) -> None:
        self._transaction_id = transaction_id
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, address: tuple[str | object, int]) -> None:
        """Handle the response in `data`. asyncio calls this. A response with another transaction id is ignored."""
        message = stun.parse(data)
        if message is None or message.kind != stun.Kind.RESPONSE or self.answer.done():
            return
        host = stun.mapped_host(message) if message.transaction_id == self._transaction_id else None
        if host is not None and ice.usable(host):
            self.answer.set_result(host)


async def public_address(host: str, port: int) -> str | None:
    """Ask a STUN server from which address it receives this machine's packets; return this address.

    `host`, `port`: those of the STUN server. Returns None if no answer comes within 2 s.
    """
    transaction_id = secrets.token_bytes(12)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RETRY_S * TRIES):
            transport, question = await loop.create_datagram_endpoint(
                lambda: _Question(transaction_id), remote_addr=(host, port)
            )
    except OSError:
        # The server's name was not found, or not in time: TimeoutError is an OSError.
        return None
    try:
        for _ in range(TRIES):
            transport.sendto(stun.plain_request(transaction_id))
            done, _ = await asyncio.wait([question.answer], timeout=RETRY_S)
            if done:
                return question.answer.result()
        return None
    finally:
        transport.abort()
