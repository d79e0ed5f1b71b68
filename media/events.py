"""The events that a party's listener receives, and the reasons of a `Disconnected`. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Connected:
    """The party's browser is connected, and has the certificate that its answer promised."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The party is no longer connected. `reason` is one of the constants below.

    After CONSENT_EXPIRED it may connect again by itself.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class OfferNeeded:
    """A party joined that the browser has no m-lines for, or the room's codec changed: send it a new `offer`."""


@dataclass(frozen=True, slots=True)
class Speaking:
    """The speaker of a room of more than two has changed; it may be the listener itself. None if nobody speaks."""

    party_id: str | None


@dataclass(frozen=True, slots=True)
class PicturePaused:
    """The party gets no picture of anybody any more, because its network is too weak; or it gets them again."""

    paused: bool


PartyEvent = Connected | Disconnected | OfferNeeded | Speaking | PicturePaused
Listener = Callable[[PartyEvent], None]

CONSENT_EXPIRED: Final = "consent expired"
CLOSED_BY_PARTY: Final = "closed by the party"
DTLS_FAILED: Final = "dtls failed"
WRONG_FINGERPRINT: Final = "wrong fingerprint"
REPLACED: Final = "replaced"
