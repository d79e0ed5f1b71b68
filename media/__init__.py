"""Media: the packets of one room between its parties.

Knows ICE, DTLS, SRTP, SDP and a gate. Does not know visits, people, pages or Redis: a room is a name, and
whoever opens its gate has their reasons. The names below are what the rest of the program uses.
"""

from media.forwarding.forwarder import Counters
from media.forwarding.quality import KindQuality, Quality
from media.party import Connected, Disconnected, OfferNeeded, Party, PartyEvent, PartyGone
from media.protocols.codecs import Kind
from media.protocols.ice import Credentials
from media.protocols.sdp import SdpError
from media.relay import Relay
from media.room import Room, RoomClosed, RoomFull
from media.transport.reach import reaches
from media.transport.udp import PortsTaken, RelaySettings

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
