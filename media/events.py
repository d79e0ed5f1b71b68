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

    After CONSENT_EXPIRED the party may connect again without a new offer.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class OfferNeeded:
    """The party needs a new `offer`: another party joined for which its browser has no m-lines, or the room's codec
    changed.
    """


@dataclass(frozen=True, slots=True)
class Speaking:
    """The speaker in a room of more than two has changed. `party_id`: the speaker, perhaps the listener itself; None if
    nobody speaks.
    """

    party_id: str | None


@dataclass(frozen=True, slots=True)
class PicturePaused:
    """The party receives no pictures from now on, because its network is too weak (`paused`), or it receives them
    again.
    """

    paused: bool


PartyEvent = Connected | Disconnected | OfferNeeded | Speaking | PicturePaused
Listener = Callable[[PartyEvent], None]

CONSENT_EXPIRED: Final = "consent expired"
CLOSED_BY_PARTY: Final = "closed by the party"
DTLS_FAILED: Final = "dtls failed"
WRONG_FINGERPRINT: Final = "wrong fingerprint"
REPLACED: Final = "replaced"
