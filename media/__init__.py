"""Forwards media packets between the parties of a room, by ICE, DTLS, SRTP and SDP.

This package identifies a room only by its name, and imports no code of visits, persons, pages or Redis. Each
room has a gate: media is forwarded only while the worker that owns the room keeps the gate open. The names
below are the package's public interface.
"""

from media.errors import MediaError, PartyGoneError, PortsTakenError, RoomClosedError, RoomFullError, SdpError
from media.events import Connected, Disconnected, OfferNeeded, PartyEvent, PicturePaused, Speaking
from media.forwarding.counters import Counters
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
