"""A message to a member of staff because nobody had claimed a request, as the visit keeps it.

Pure data. Who gets one, and when, is decided in the web: the rota and the accounts are there.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace


class Escalation(msgspec.Struct, frozen=True, kw_only=True):
    """A message to the member of staff `id`. `failed`: those of its `channels` by which it was given up.

    `channels` is () if the person had got a message about another request a moment before, and so needed no second one.
    """

    id: str
    name: str
    at_ms: int = 0
    channels: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def reached(self) -> bool:
        """Return True unless the message was given up by every channel."""
        return not self.channels or not set(self.channels) <= set(self.failed)

    def without(self, channel: str) -> Escalation:
        """Return the message after it was given up by a channel."""
        return self if channel in self.failed else replace(self, failed=(*self.failed, channel))
