"""Sends a check (a STUN request) to a new address, to learn whether the browser receives there.

A browser's address changes when its network does. An authentic SRTP packet shows that the browser sends from an
address; only an answer to a check shows that it receives there (RFC 8445 §7.3). So if only SRTP packets have come from
an address, the server sends media there only after the browser has answered a check from there.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from media.protocols import ice
from media.protocols.ice import Address, Credentials
from media.transport.tcp import PacketSocket

PENDING_MAX: Final = 256
LASTS_S: Final = 2.0
# The shortest time in s between two checks of one address. A check is repeated because it may get lost on the network.
AGAIN_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class _Check:
    address: Address
    password: str
    sent_s: float
    on_answer: Callable[[Address, PacketSocket], None]


class AddressChecks:
    """The checks of a relay that have no answer yet, the oldest first."""

    def __init__(self) -> None:
        self._pending: dict[bytes, _Check] = {}

    def send(
        self,
        address: Address,
        sock: PacketSocket,
        remote: Credentials,
        own_ufrag: str,
        on_answer: Callable[[Address, PacketSocket], None],
        now_s: float,
    ) -> None:
        """Send a check (a STUN request) to `address`, unless too many checks have no answer yet.

        The limits: one check without an answer per address within AGAIN_S seconds, and PENDING_MAX in all.

        `sock`: the socket to send from. `remote`: the browser's ICE credentials. `own_ufrag`: the server's
        ICE user name. `on_answer` is called with the address and the socket if the browser answers within
        LASTS_S. `now_s`: the monotonic time.
        """
        self._expire(now_s)
        waits = self._pending.values()
        if len(waits) >= PENDING_MAX or any(
            check.address == address and now_s - check.sent_s < AGAIN_S for check in waits
        ):
            return
        transaction_id = secrets.token_bytes(12)
        self._pending[transaction_id] = _Check(address, remote.password, now_s, on_answer)
        try:
            sock.sendto(ice.request(remote.ufrag, own_ufrag, remote.password, transaction_id), address)
        except OSError:
            # The check could not be sent. After AGAIN_S, `send` may send another check to this address.
            return

    def on_response(self, datagram: bytes, address: Address, sock: PacketSocket) -> None:
        """Call the `on_answer` of the check that `datagram` (a STUN response) answers; do nothing if it answers no
        check.

        The response must come from the checked address and be signed with the right password. `sock`: the socket that
        received the response.
        """
        transaction_id = ice.answered(datagram)
        check = self._pending.get(transaction_id) if transaction_id is not None else None
        if check is None or transaction_id is None or check.address != address:
            return
        if ice.is_answer(datagram, check.password):
            del self._pending[transaction_id]
            check.on_answer(address, sock)

    def _expire(self, now_s: float) -> None:
        for transaction_id, check in list(self._pending.items()):
            if now_s - check.sent_s < LASTS_S:
                break
            del self._pending[transaction_id]
