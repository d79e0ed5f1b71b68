"""The type of an entry in a visit's record: a message to staff, sent because no provider has claimed the request.

`web` decides who receives such a message, and when, because it has the rota and the accounts. Does no I/O.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace


class Escalation(msgspec.Struct, frozen=True, kw_only=True):
    """A message to the member of staff with this `id`. `failed`: the channels that could not deliver it.

    `channels` is () if no message was sent, because the person had received a message about another request a moment
    before.
    """

    id: str
    name: str
    at_ms: int = 0
    channels: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def reached(self) -> bool:
        """Return False if all channels of the message have failed; True otherwise, also if no message was sent."""
        return not self.channels or not set(self.channels) <= set(self.failed)

    def without(self, channel: str) -> Escalation:
        """Return the message with `channel` added to the channels that could not deliver it."""
        return self if channel in self.failed else replace(self, failed=(*self.failed, channel))
