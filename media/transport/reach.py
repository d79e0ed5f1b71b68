"""Checks whether another worker's relay still answers: sends STUN binding requests to its UDP port.

A worker that has lost its store still forwards packets; a worker that is stopped or dead does not. The request is
signed with a password that only workers have, so a relay answers only them (`ice.check`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from typing import Final

from media.protocols import stun
from media.protocols.ice import Credentials

RETRY_S: Final = 0.1
# the number of requests; there are several because a datagram may be lost, and a busy event loop may be late
TRIES: Final = 5


class _ReachCheck(asyncio.DatagramProtocol):
    """A check of one address of another worker's relay.

    `refused`: True if the port is closed. `answered`: True if the right response came.
    """

    def __init__(self, transaction_id: bytes, password: str, changed: asyncio.Event) -> None:
        self._transaction_id = transaction_id
        self._password = password
        self._changed = changed
        self.answered = self.refused = False

    def datagram_received(self, data: bytes, address: tuple[str | object, int]) -> None:
        """Handle the response in `data`; ignore it if it is not signed with the right password. asyncio calls this."""
        answer = stun.parse(data)
        if answer is None:
            return
        self.answered = (
            answer.transaction_id == self._transaction_id
            and answer.kind == stun.Kind.RESPONSE
            and answer.is_signed_with(self._password)
        )
        self._changed.set()

    def error_received(self, problem: Exception) -> None:
        """Record that the port is closed (ICMP) or the address cannot be reached. Called by asyncio."""
        self.refused = True
        self._changed.set()


async def reaches(addresses: Iterable[tuple[str, int]], credentials: Credentials) -> bool:
    """Return True if a relay with these credentials answers at one of the addresses within 0.5 s, otherwise False."""
    loop = asyncio.get_running_loop()
    transaction_id, password = secrets.token_bytes(12), credentials.password
    username = (stun.USERNAME, f"{credentials.ufrag}:".encode())
    datagram = stun.build(stun.Kind.REQUEST, transaction_id, [username], password)
    changed = asyncio.Event()
    checks: list[tuple[asyncio.DatagramTransport, _ReachCheck]] = []
    try:
        for address in addresses:
            try:
                checks.append(
                    await loop.create_datagram_endpoint(
                        lambda: _ReachCheck(transaction_id, password, changed), remote_addr=address
                    )
                )
            except OSError:
                # the address cannot be reached from this machine, for example IPv6 without an IPv6 network
                continue
        for _ in range(TRIES):
            if all(each.refused for _, each in checks):
                return False
            for transport, each in checks:
                if not each.refused:
                    transport.sendto(datagram)
            deadline_s = loop.time() + RETRY_S
            while (left_s := deadline_s - loop.time()) > 0:
                try:
                    async with asyncio.timeout(left_s):
                        await changed.wait()
                except TimeoutError:
                    break
                changed.clear()
                if any(each.answered for _, each in checks):
                    return True
                if all(each.refused for _, each in checks):
                    return False
        return False
    finally:
        for transport, _ in checks:
            transport.abort()
