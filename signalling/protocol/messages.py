"""The messages of PROTOCOL.md and the two codecs that read and write them. Other packages import messages from here.

Pure. `decode` raises `BadMessage` for data that is no message of this protocol. What a message does is defined in
`handlers.py` and `rules.py`; `views.py` makes messages from records.
"""

from __future__ import annotations

from typing import Any

import msgspec

from signalling.protocol.client_messages import BellMark as BellMark
from signalling.protocol.client_messages import Bye as Bye
from signalling.protocol.client_messages import ChatSend as ChatSend
from signalling.protocol.client_messages import ClientMessage as ClientMessage
from signalling.protocol.client_messages import Hello as Hello
from signalling.protocol.client_messages import MediaAnswer as MediaAnswer
from signalling.protocol.client_messages import MediaJoin as MediaJoin
from signalling.protocol.client_messages import MediaMute as MediaMute
from signalling.protocol.client_messages import MediaRestart as MediaRestart
from signalling.protocol.client_messages import OnCall as OnCall
from signalling.protocol.client_messages import Ping as Ping
from signalling.protocol.client_messages import Request as Request
from signalling.protocol.client_messages import SessionsPast as SessionsPast
from signalling.protocol.client_messages import Subscribe as Subscribe
from signalling.protocol.client_messages import Unsubscribe as Unsubscribe
from signalling.protocol.client_messages import VisitAssign as VisitAssign
from signalling.protocol.client_messages import VisitClaim as VisitClaim
from signalling.protocol.client_messages import VisitDecline as VisitDecline
from signalling.protocol.client_messages import VisitDismiss as VisitDismiss
from signalling.protocol.client_messages import VisitEnd as VisitEnd
from signalling.protocol.client_messages import VisitEnter as VisitEnter
from signalling.protocol.client_messages import VisitFinish as VisitFinish
from signalling.protocol.client_messages import VisitHangUp as VisitHangUp
from signalling.protocol.client_messages import VisitHistory as VisitHistory
from signalling.protocol.client_messages import VisitInvite as VisitInvite
from signalling.protocol.client_messages import VisitLeave as VisitLeave
from signalling.protocol.client_messages import VisitRelease as VisitRelease
from signalling.protocol.client_messages import VisitReopen as VisitReopen
from signalling.protocol.client_messages import VisitRequest as VisitRequest
from signalling.protocol.client_messages import VisitSave as VisitSave
from signalling.protocol.client_messages import VisitStart as VisitStart
from signalling.protocol.client_messages import VisitTransfer as VisitTransfer
from signalling.protocol.client_messages import VisitUnassign as VisitUnassign
from signalling.protocol.client_messages import VisitWithdraw as VisitWithdraw
from signalling.protocol.server_messages import BellItem as BellItem
from signalling.protocol.server_messages import BellMarked as BellMarked
from signalling.protocol.server_messages import BellSnapshot as BellSnapshot
from signalling.protocol.server_messages import CaseState as CaseState
from signalling.protocol.server_messages import ChatLine as ChatLine
from signalling.protocol.server_messages import ChatSnapshot as ChatSnapshot
from signalling.protocol.server_messages import Done as Done
from signalling.protocol.server_messages import Error as Error
from signalling.protocol.server_messages import Gone as Gone
from signalling.protocol.server_messages import History as History
from signalling.protocol.server_messages import Invited as Invited
from signalling.protocol.server_messages import MediaGone as MediaGone
from signalling.protocol.server_messages import MediaMessage as MediaMessage
from signalling.protocol.server_messages import MediaMuted as MediaMuted
from signalling.protocol.server_messages import MediaOffer as MediaOffer
from signalling.protocol.server_messages import MediaTakenOver as MediaTakenOver
from signalling.protocol.server_messages import Message as Message
from signalling.protocol.server_messages import Past as Past
from signalling.protocol.server_messages import PlaceState as PlaceState
from signalling.protocol.server_messages import Pong as Pong
from signalling.protocol.server_messages import QueueGone as QueueGone
from signalling.protocol.server_messages import QueueRow as QueueRow
from signalling.protocol.server_messages import QueueSnapshot as QueueSnapshot
from signalling.protocol.server_messages import QueueStaff as QueueStaff
from signalling.protocol.server_messages import ServerMessage as ServerMessage
from signalling.protocol.server_messages import SessionsGone as SessionsGone
from signalling.protocol.server_messages import SessionsRow as SessionsRow
from signalling.protocol.server_messages import SessionsSnapshot as SessionsSnapshot
from signalling.protocol.server_messages import Subscribed as Subscribed
from signalling.protocol.server_messages import TopicMessage as TopicMessage
from signalling.protocol.server_messages import VisitState as VisitState
from signalling.protocol.server_messages import Welcome as Welcome
from signalling.protocol.shapes import BellPart as BellPart
from signalling.protocol.shapes import CallPart as CallPart
from signalling.protocol.shapes import CasePart as CasePart
from signalling.protocol.shapes import HistoryPart as HistoryPart
from signalling.protocol.shapes import LinePart as LinePart
from signalling.protocol.shapes import Me as Me
from signalling.protocol.shapes import Part as Part
from signalling.protocol.shapes import PartyPart as PartyPart
from signalling.protocol.shapes import PastRow as PastRow
from signalling.protocol.shapes import PatientPart as PatientPart
from signalling.protocol.shapes import PersonPart as PersonPart
from signalling.protocol.shapes import QueueLimits as QueueLimits
from signalling.protocol.shapes import Row as Row
from signalling.protocol.shapes import SessionRow as SessionRow
from signalling.protocol.shapes import StaffPart as StaffPart
from signalling.protocol.shapes import UsualPart as UsualPart
from signalling.protocol.shapes import VisitPart as VisitPart
from signalling.protocol.tags import MediaKind as MediaKind
from signalling.protocol.tags import Relation as Relation
from signalling.protocol.tags import RequestId as RequestId

JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL = "greenroom.v1.json", "greenroom.v1.msgpack"
SUBPROTOCOLS = (JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL)

# The text for people of each stable code. The codes are listed in PROTOCOL.md#errors.
TEXTS = {
    "bad_message": "This is not a message of the protocol.",
    "hello_first": "Say hello first.",
    "not_signed_in": "You are not signed in here. Please sign in again.",
    "too_many_sockets": "Too many pages are open. Close some of them, or try again in a moment.",
    "not_allowed": "You may not do this.",
    "not_found": "There is no such visit here.",
    "wrong_status": "This visit has moved on; that is no longer possible.",
    "already_claimed": "Someone else has claimed this visit.",
    "not_on_call": "Go On-Call first.",
    "in_session": "End or return your live session first.",
    "front_desk": "The front desk looks at this request first.",
    "not_licensed": "You are not licensed in this patient's state.",
    "invalid_answer": "This answer cannot be kept.",
    "guide_incomplete": "Some steps of the setup guide are still open.",
    "bad_sdp": "The media description cannot be used.",
    "room_full": "There is no place left in this session.",
    "limit_reached": "No more can be kept in this visit.",
    "no_room": "Join the session's media first.",
    "unavailable": "The server cannot save right now. Please try again in a moment.",
    "resume_expired": "The connection was gone for too long.",
    "resume_ended": "This connection was closed.",
    "resume_invalid": "There is no such connection.",
}


def error(reply_to: int | None, code: str, details: dict[str, Any] | None = None) -> Error:
    """Return the error message of a stable code, with its text for people. Raises KeyError for an unknown code."""
    details = details or {}
    text = TEXTS[code]
    if code == "already_claimed" and "by" in details:
        text = f"{details['by']['name']} has claimed this visit."
    if code == "invalid_answer" and "problem" in details:
        text = f"This answer {details['problem']}."
    return Error(reply_to=reply_to, code=code, text=text, details=details)


class BadMessage(ValueError):
    """The data is no message of this protocol.

    `path`: the wrong place in it, if known; `reply_to`: its id, if it has one.
    """

    def __init__(self, path: str, reply_to: int | None) -> None:
        super().__init__(path)
        self.path = path
        self.reply_to = reply_to


class _Head(msgspec.Struct):
    id: RequestId


class Codec:
    """One of the two encodings of messages. `text`, `opcode` (RFC 6455 §5.2): the kind of frame that carries it."""

    def __init__(self, subprotocol: str) -> None:
        self.subprotocol = subprotocol
        self.text = subprotocol == JSON_SUBPROTOCOL
        self.opcode = 0x1 if self.text else 0x2
        kind: Any = msgspec.json if self.text else msgspec.msgpack
        self._encode = kind.Encoder().encode
        self._client = kind.Decoder(ClientMessage).decode
        self._server = kind.Decoder(ServerMessage).decode
        self._head = kind.Decoder(_Head).decode

    def encode(self, message: Message | Request) -> bytes:
        """Return the bytes of a message."""
        encoded: bytes = self._encode(message)
        return encoded

    def decode(self, data: bytes | str) -> ClientMessage:
        """Return a client's message; raise `BadMessage` for anything else."""
        try:
            decoded: ClientMessage = self._client(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
            # Decode the id alone, so that the client learns which of its requests was wrong.
            try:
                reply_to = self._head(data).id
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                reply_to = None
            raise BadMessage(_path(problem), reply_to) from None
        return decoded

    def decode_server(self, data: bytes | str) -> ServerMessage:
        """Return a server's message, for clients; raise `msgspec.DecodeError` for anything else."""
        decoded: ServerMessage = self._server(data)
        return decoded


def _path(problem: Exception) -> str:
    """Return the path of the wrong value in a message, without any of the message's content."""
    text = str(problem)
    if text.startswith("Object contains unknown field"):
        return "$"  # the field's name is content of the sender
    where = text.rsplit(" - at `", 1)[1].rstrip("`") if " - at `" in text else "$"
    return where[:80]


CODECS = {subprotocol: Codec(subprotocol) for subprotocol in SUBPROTOCOLS}
