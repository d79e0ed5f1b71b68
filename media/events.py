"""Defines the events that a party's listener (the caller of `Room.join`) receives, and the reasons of `Disconnected`.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Connected:
    """The party's browser is connected, and its certificate is the one that its SDP answer names."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The party is no longer connected. `reason`: the value of a constant of this module, such as REPLACED.

    After CONSENT_EXPIRED the party may connect again without a new offer; after another reason it must join again.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class OfferNeeded:
    """The party needs a new SDP offer: the caller must call `Party.offer` and send the result to the browser.

    Either another party has joined, for which the browser has no m-lines (sections of the SDP), or the room's video
    codec has changed.
    """


@dataclass(frozen=True, slots=True)
class Speaking:
    """The current speaker in a room of more than two parties has changed.

    `party_id`: the party that speaks now, which may be the party that receives this event; None if nobody speaks.
    """

    party_id: str | None


@dataclass(frozen=True, slots=True)
class PicturePaused:
    """The pictures to the party are paused, because its network is too weak, or are sent again.

    `paused`: True if they are paused, False if they are sent again.
    """

    paused: bool


PartyEvent = Connected | Disconnected | OfferNeeded | Speaking | PicturePaused
Listener = Callable[[PartyEvent], None]

CONSENT_EXPIRED: Final = "consent expired"
CLOSED_BY_PARTY: Final = "closed by the party"
DTLS_FAILED: Final = "dtls failed"
WRONG_FINGERPRINT: Final = "wrong fingerprint"
REPLACED: Final = "replaced"
