"""Media: forwards packets between the parties of a room.

Uses ICE, DTLS, SRTP, SDP and a gate. It does not use visits, persons, pages or Redis: a room is a name, and its owner
decides when its gate opens. The names below are the package's public interface.
"""

from media.errors import MediaError, PartyGoneError, PortsTakenError, RoomClosedError, RoomFullError, SdpError
from media.events import Connected, Disconnected, OfferNeeded, PartyEvent, PicturePaused, Speaking
from media.forwarding.forwarder import Counters
from media.forwarding.quality import KindQuality, Quality
from media.party import Party
from media.protocols.codecs import Kind
from media.protocols.ice import Credentials
from media.protocols.turn import IceServer, ice_server
from media.relay import Relay
from media.room import Room
from media.transport.public_address import public_address
from media.transport.reach import reaches
from media.transport.udp import RelaySettings

__all__ = [
    "Connected",
    "Counters",
    "Credentials",
    "Disconnected",
    "IceServer",
    "Kind",
    "KindQuality",
    "MediaError",
    "OfferNeeded",
    "Party",
    "PartyEvent",
    "PartyGoneError",
    "PicturePaused",
    "PortsTakenError",
    "Quality",
    "Relay",
    "RelaySettings",
    "Room",
    "RoomClosedError",
    "RoomFullError",
    "SdpError",
    "Speaking",
    "ice_server",
    "public_address",
    "reaches",
]
