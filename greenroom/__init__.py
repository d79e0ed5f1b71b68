"""What load testers and clients import: `from greenroom import Patient, Provider, SignallingClient, ReturningClient`.

A name can still be imported from here if the module that defines it is moved. This package has no code of its
own, and the server does not import it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from signalling.clients.client import SignallingClient
from signalling.clients.reconnecting import ReturningClient
from signalling.errors import ClosedError, RequestError, SignallingError
from web.peers.adapters.adapter import Adapter
from web.peers.adapters.json_socket import JsonSocket
from web.peers.errors import EntryError, RefusedError, VisitEndedError
from web.peers.people.people import Clinic, Patient, Person, Provider, Room, Seen

if TYPE_CHECKING:
    from media.peers.aiortc_peer import SyntheticParty

__all__ = [
    "Adapter",
    "Clinic",
    "ClosedError",
    "EntryError",
    "JsonSocket",
    "Patient",
    "Person",
    "Provider",
    "RefusedError",
    "RequestError",
    "ReturningClient",
    "Room",
    "Seen",
    "SignallingClient",
    "SignallingError",
    "SyntheticParty",
    "VisitEndedError",
]


def __getattr__(name: str) -> Any:
    """Return `SyntheticParty`, which is imported only here, at its first use, because it loads aiortc and
    FFmpeg.

    Python calls this for each name that is not defined above. Raises AttributeError for any other name.
    """
    if name == "SyntheticParty":
        from media.peers.aiortc_peer import SyntheticParty

        return SyntheticParty
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
