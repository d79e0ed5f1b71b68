"""Media: forwards packets between the parties of a room.

Knows ICE, DTLS, SRTP, SDP and a gate. Knows no visit, person, page or Redis: a room is a name, and its owner decides
when its gate opens. The names below are the package's public interface.
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
