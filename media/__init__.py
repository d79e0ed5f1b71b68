"""Media: the packets of one room between its parties.

Knows ICE, DTLS, SRTP, SDP and a gate. Does not know visits, people, pages or Redis: a room is a name, and
whoever opens its gate has their reasons. The names below are what the rest of the program uses.
"""

from media.codecs import Kind
from media.forward import Counters
from media.ice import Credentials
from media.party import Connected, Disconnected, OfferNeeded, Party, PartyEvent, PartyGone
from media.quality import KindQuality, Quality
from media.reach import reaches
from media.relay import Relay
from media.room import Room, RoomClosed, RoomFull
from media.sdp import SdpError
from media.socket import PortsTaken, RelaySettings

__all__ = [
    "Connected",
    "Counters",
    "Credentials",
    "Disconnected",
    "Kind",
    "KindQuality",
    "OfferNeeded",
    "Party",
    "PartyEvent",
    "PartyGone",
    "PortsTaken",
    "Quality",
    "Relay",
    "RelaySettings",
    "Room",
    "RoomClosed",
    "RoomFull",
    "SdpError",
    "reaches",
]
