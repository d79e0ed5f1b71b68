"""The messages of PROTOCOL.md: one frozen type each, and the two codecs that read and write them.

Pure. A message that is not of this protocol never becomes an object: `decode` raises `BadMessage`. What a message
does stands in `handlers.py` and `visit.py`; how state becomes a message stands in `views.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from signalling.guide import Step

JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL = "greenroom.v1.json", "greenroom.v1.msgpack"
SUBPROTOCOLS = (JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL)

RequestId = Annotated[int, Meta(ge=0, le=2**53)]
Id = Annotated[str, Meta(min_length=1, max_length=80)]
Topic = Annotated[str, Meta(min_length=1, max_length=120)]
Sdp = Annotated[str, Meta(max_length=32_768)]
MediaKind = Literal["audio", "video"]
Relation = Literal["interpreter", "family", "specialist", "trainee"]


def tag(name: str) -> str:
    """Return a class name as its message's type: `VisitSave` is `visit.save`, `OnCall` is `on_call`."""
    return _TAGS.get(name) or name.lower()


_TAGS = {
    "OnCall": "on_call",
    **{
        f"{room}{word}": f"{room.lower()}.{snake}"
        for room, words in {
            "Visit": "Save Finish Withdraw HangUp Claim Release End Enter Leave Start State "
            "Assign Unassign Decline Transfer Reopen Invite Dismiss History",
            "Media": "Join Answer Restart Mute Offer Muted TakenOver Gone",
            "Queue": "Snapshot Row Gone Staff",
            "Sessions": "Snapshot Row Gone Past",
            "Bell": "Snapshot Item Mark Marked",
            "Chat": "Snapshot Line Send",
            "Case": "State",
            "Place": "State",
        }.items()
        for word in words.split()
        for snake in ["".join(f"_{c.lower()}" if c.isupper() else c for c in word).lstrip("_")]
    },
}


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=tag):
    """What a client says; `id` comes back as `reply_to`."""

    id: RequestId


class Hello(Request, frozen=True, kw_only=True):
    """PROTOCOL.md#hello-and-welcome."""

    role: Literal["patient", "staff", "guest"]
    resume: Id | None = None


class Bye(Request, frozen=True, kw_only=True):
    """PROTOCOL.md#bye."""


class Ping(Request, frozen=True, kw_only=True):
    """PROTOCOL.md#odds."""


class Subscribe(Request, frozen=True, kw_only=True):
    """PROTOCOL.md#topics; `epoch` and `version` are what the client holds."""

    topic: Topic
    epoch: Id | None = None
    version: int | None = None


class Unsubscribe(Request, frozen=True, kw_only=True):
    """PROTOCOL.md#topics."""

    topic: Topic


class OnCall(Request, frozen=True, kw_only=True):
    """The On-Call switch."""

    on: bool


class VisitRequest(Request, frozen=True, kw_only=True):
    """Anything about one visit."""

    visit: Id


class VisitSave(VisitRequest, frozen=True, kw_only=True):
    """PROTOCOL.md#the-patients."""

    step: Id
    answer: str | bool | dict[str, str | bool | None] | None
    left: bool


class VisitFinish(VisitRequest, frozen=True, kw_only=True):
    """The setup guide is done."""


class VisitWithdraw(VisitRequest, frozen=True, kw_only=True):
    """Leave the line."""


class VisitHangUp(VisitRequest, frozen=True, kw_only=True):
    """Leave the call, not the visit."""


class VisitClaim(VisitRequest, frozen=True, kw_only=True):
    """Claim."""


class VisitRelease(VisitRequest, frozen=True, kw_only=True):
    """Return to queue."""


class VisitEnd(VisitRequest, frozen=True, kw_only=True):
    """End."""


class VisitAssign(VisitRequest, frozen=True, kw_only=True):
    """Assign, to somebody on call."""

    to: Id


class VisitUnassign(VisitRequest, frozen=True, kw_only=True):
    """Take the assignment back."""


class VisitDecline(VisitRequest, frozen=True, kw_only=True):
    """Decline."""

    reason: Annotated[str, Meta(max_length=1000)] | None = None


class VisitTransfer(VisitRequest, frozen=True, kw_only=True):
    """Hand a claimed visit to somebody else on call."""

    to: Id


class VisitReopen(VisitRequest, frozen=True, kw_only=True):
    """Take an ended visit up again."""


class VisitInvite(VisitRequest, frozen=True, kw_only=True):
    """Invite a guest by a one-time link."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    relation: Relation


class VisitDismiss(VisitRequest, frozen=True, kw_only=True):
    """Send a guest away."""

    guest: Id


class VisitHistory(VisitRequest, frozen=True, kw_only=True):
    """PROTOCOL.md#what-was."""


class SessionsPast(Request, frozen=True, kw_only=True):
    """PROTOCOL.md#what-was."""

    text: Annotated[str, Meta(max_length=100)] | None = None
    provider: Id | None = None
    outcome: Literal["completed", "declined", "withdrawn", "expired"] | None = None
    since_ms: int | None = None
    before_ms: int | None = None


class BellMark(Request, frozen=True, kw_only=True):
    """PROTOCOL.md#bell."""

    until_ms: int


class ChatSend(VisitRequest, frozen=True, kw_only=True):
    """PROTOCOL.md#chat."""

    text: Annotated[str, Meta(min_length=1, max_length=2000)]


class VisitEnter(VisitRequest, frozen=True, kw_only=True):
    """This connection's person is on the visit's page."""


class VisitLeave(VisitRequest, frozen=True, kw_only=True):
    """This connection's person went to another page."""


class VisitStart(VisitRequest, frozen=True, kw_only=True):
    """Start Session was pressed."""


class MediaJoin(VisitRequest, frozen=True, kw_only=True):
    """PROTOCOL.md#media."""


class MediaAnswer(VisitRequest, frozen=True, kw_only=True):
    """The answer to `media.offer` number `offer`."""

    offer: int
    sdp: Sdp


class MediaRestart(VisitRequest, frozen=True, kw_only=True):
    """New ICE credentials, please."""


class MediaMute(VisitRequest, frozen=True, kw_only=True):
    """Camera or microphone off, or on again."""

    kind: MediaKind
    muted: bool


ClientMessage = (
    Hello
    | Bye
    | Ping
    | Subscribe
    | Unsubscribe
    | OnCall
    | VisitSave
    | VisitFinish
    | VisitWithdraw
    | VisitHangUp
    | VisitClaim
    | VisitRelease
    | VisitEnd
    | VisitAssign
    | VisitUnassign
    | VisitDecline
    | VisitTransfer
    | VisitReopen
    | VisitInvite
    | VisitDismiss
    | VisitHistory
    | SessionsPast
    | BellMark
    | ChatSend
    | VisitEnter
    | VisitLeave
    | VisitStart
    | MediaJoin
    | MediaAnswer
    | MediaRestart
    | MediaMute
)


# What the server says. Parts first.


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A map inside a message."""


class PersonPart(Part, frozen=True, kw_only=True):
    """Somebody's id and name."""

    id: str
    name: str


class Me(PersonPart, frozen=True, kw_only=True):
    """Who the server takes the client for."""

    role: str


class StaffPart(PersonPart, frozen=True, kw_only=True):
    """A provider's or admin's state."""

    role: str
    on_call: bool
    in_session: bool


class Row(Part, frozen=True, kw_only=True):
    """A row of On-Demand Requests."""

    visit: str
    name: str
    arrived_ms: int
    state: str
    phone: str
    language: str
    reason: str
    step: int
    steps: int
    guide_done: bool
    online: bool
    away_since_ms: int | None
    returned: int
    assignee: PersonPart | None
    assigned_ms: int | None
    filled_in_by: str | None
    facility: str | None
    booked_ms: int | None
    admins_until_ms: int | None


class QueueLimits(Part, frozen=True, kw_only=True):
    """From when on a wait is shown amber, and red."""

    amber_ms: int
    red_ms: int


class PartyPart(Part, frozen=True, kw_only=True):
    """One side of the visit, as the other sees it."""

    name: str
    relation: str | None
    present: bool
    away_since_ms: int | None
    started: bool


class VisitPart(Part, frozen=True, kw_only=True):
    """A visit, as its parties see it."""

    id: str
    status: str
    outcome: str | None
    arrived_ms: int
    claimed_ms: int | None
    live_ms: int | None
    ended_ms: int | None
    talked_ms: int
    guide_done: bool
    reason: str | None
    claimant: PersonPart | None
    parties: dict[str, PartyPart]


class SessionRow(Part, frozen=True, kw_only=True):
    """A visit that is claimed or live. `present`: the keys of the parties who are there."""

    visit: str
    name: str
    status: str
    claimant: PersonPart | None
    arrived_ms: int
    claimed_ms: int | None
    live_ms: int | None
    present: tuple[str, ...]


class PastRow(Part, frozen=True, kw_only=True):
    """A visit that has ended. `reopen_until_ms` is None where nobody may reopen it."""

    visit: str
    name: str
    outcome: str | None
    reason: str | None
    claimant: PersonPart | None
    arrived_ms: int
    claimed_ms: int | None
    ended_ms: int | None
    talked_ms: int
    reopen_until_ms: int | None


class HistoryPart(Part, frozen=True, kw_only=True):
    """Something that happened to a visit."""

    kind: str
    at_ms: int
    by: PersonPart | None
    note: str | None


class BellPart(Part, frozen=True, kw_only=True):
    """A notification. `name` is the patient's."""

    id: str
    kind: str
    at_ms: int
    visit: str | None
    name: str | None
    by: str | None
    note: str | None


class LinePart(Part, frozen=True, kw_only=True):
    """Something written in a visit."""

    id: str
    at_ms: int
    party: str
    name: str
    text: str


class PatientPart(Part, frozen=True, kw_only=True):
    """The patient information."""

    name: str
    birth_date: str
    phone: str
    email: str
    state: str
    reason: str
    language: str
    filled_in_by: str | None


class CasePart(Part, frozen=True, kw_only=True):
    """Case Information."""

    visit: str
    patient: PatientPart
    steps: tuple[Step, ...]
    answers: dict[str, Any]
    typing: str | None
    step: int
    guide_done: bool


# The messages.


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=tag):
    """What a worker says."""


class Welcome(Message, frozen=True, kw_only=True):
    """PROTOCOL.md#hello-and-welcome."""

    reply_to: int
    connection: str
    resume: str
    resumed: bool
    worker: str
    me: Me
    visit: str | None
    server_ms: int


class Done(Message, frozen=True, kw_only=True):
    """A request was carried out; `version` is the topic version at which it is seen, 0 where nothing changed."""

    reply_to: int
    version: int


class Subscribed(Message, frozen=True, kw_only=True):
    """From here on the topic is kept fresh."""

    reply_to: int
    topic: str
    epoch: str
    version: int


class Error(Message, frozen=True, kw_only=True):
    """A request was not carried out, and changed nothing. `code` is stable, `text` is for people."""

    reply_to: int | None
    code: str
    text: str
    details: dict[str, Any] = {}


class Pong(Message, frozen=True, kw_only=True):
    """The answer to ping."""

    reply_to: int
    server_ms: int


class TopicMessage(Message, frozen=True, kw_only=True):
    """News of a topic."""

    topic: str
    version: int


class QueueSnapshot(TopicMessage, frozen=True, kw_only=True):
    """All of On-Demand Requests."""

    epoch: str
    rows: tuple[Row, ...]
    staff: tuple[StaffPart, ...]
    limits: QueueLimits


class QueueRow(TopicMessage, frozen=True, kw_only=True):
    """A row appeared or changed."""

    fresh: bool
    row: Row


class QueueGone(TopicMessage, frozen=True, kw_only=True):
    """A row left."""

    visit: str
    why: str
    by: PersonPart | None


class QueueStaff(TopicMessage, frozen=True, kw_only=True):
    """A member of staff changed."""

    staff: StaffPart


class SessionsSnapshot(TopicMessage, frozen=True, kw_only=True):
    """All that is claimed or live."""

    epoch: str
    rows: tuple[SessionRow, ...]


class SessionsRow(TopicMessage, frozen=True, kw_only=True):
    """A row appeared or changed."""

    row: SessionRow


class SessionsGone(TopicMessage, frozen=True, kw_only=True):
    """A row left."""

    visit: str


class BellSnapshot(TopicMessage, frozen=True, kw_only=True):
    """PROTOCOL.md#bell."""

    epoch: str
    unread: int
    items: tuple[BellPart, ...]


class BellItem(TopicMessage, frozen=True, kw_only=True):
    """A new notification."""

    unread: int
    item: BellPart


class BellMarked(TopicMessage, frozen=True, kw_only=True):
    """Read, up to there."""

    until_ms: int
    unread: int


class ChatSnapshot(TopicMessage, frozen=True, kw_only=True):
    """PROTOCOL.md#chat."""

    epoch: str
    lines: tuple[LinePart, ...]


class ChatLine(TopicMessage, frozen=True, kw_only=True):
    """Somebody wrote."""

    line: LinePart


class Invited(Message, frozen=True, kw_only=True):
    """The one-time link of a guest: a path on this server."""

    reply_to: int
    guest: str
    path: str
    expires_ms: int


class History(Message, frozen=True, kw_only=True):
    """A visit's story, oldest first."""

    reply_to: int
    visit: str
    events: tuple[HistoryPart, ...]


class Past(Message, frozen=True, kw_only=True):
    """Ended visits, newest first."""

    reply_to: int
    more: bool
    rows: tuple[PastRow, ...]


class VisitState(TopicMessage, frozen=True, kw_only=True):
    """PROTOCOL.md#visit."""

    epoch: str
    visit: VisitPart


class CaseState(TopicMessage, frozen=True, kw_only=True):
    """PROTOCOL.md#case."""

    epoch: str
    case: CasePart


class PlaceState(TopicMessage, frozen=True, kw_only=True):
    """PROTOCOL.md#place."""

    epoch: str
    place: int | None
    waiting: int | None
    wait_low_ms: int | None
    wait_high_ms: int | None
    on_call: int


class MediaMessage(Message, frozen=True, kw_only=True):
    """News of a visit's media."""

    visit: str


class MediaOffer(MediaMessage, frozen=True, kw_only=True):
    """PROTOCOL.md#media."""

    offer: int
    fresh: bool
    sdp: str


class MediaMuted(MediaMessage, frozen=True, kw_only=True):
    """The other side switched a camera or microphone off or on."""

    party: str
    kind: MediaKind
    muted: bool


class MediaTakenOver(MediaMessage, frozen=True, kw_only=True):
    """Another tab or device of the same person has the media now."""


class MediaGone(MediaMessage, frozen=True, kw_only=True):
    """Join again."""


ServerMessage = (
    Welcome
    | Done
    | Subscribed
    | Error
    | Pong
    | QueueSnapshot
    | QueueRow
    | QueueGone
    | QueueStaff
    | SessionsSnapshot
    | SessionsRow
    | SessionsGone
    | BellSnapshot
    | BellItem
    | BellMarked
    | ChatSnapshot
    | ChatLine
    | Invited
    | History
    | Past
    | VisitState
    | CaseState
    | PlaceState
    | MediaOffer
    | MediaMuted
    | MediaTakenOver
    | MediaGone
)

# What a person reads beside a stable code; the codes are those of PROTOCOL.md#errors.
TEXTS = {
    "bad_message": "This is not a message of the protocol.",
    "hello_first": "Say hello first.",
    "not_signed_in": "You are not signed in here. Please sign in again.",
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
    "no_room": "Join the session's media first.",
    "unavailable": "The server cannot save right now. Please try again in a moment.",
    "resume_expired": "The connection was gone for too long.",
    "resume_ended": "This connection was closed.",
    "resume_invalid": "There is no such connection.",
}


def error(reply_to: int | None, code: str, details: dict[str, Any] | None = None) -> Error:
    """Return the error message for a stable code, with its text for people."""
    details = details or {}
    text = TEXTS[code]
    if code == "already_claimed" and "by" in details:
        text = f"{details['by']['name']} has claimed this visit."
    if code == "invalid_answer" and "problem" in details:
        text = f"This answer {details['problem']}."
    return Error(reply_to=reply_to, code=code, text=text, details=details)


class BadMessage(ValueError):
    """Not a message of this protocol. `path` says where, as far as it can be told; `reply_to` is its id if it
    had one.
    """

    def __init__(self, path: str, reply_to: int | None) -> None:
        super().__init__(path)
        self.path = path
        self.reply_to = reply_to


class _Head(msgspec.Struct):
    id: RequestId


class Codec:
    """One of the two ways to write the same messages; `text` says which WebSocket frames carry it."""

    def __init__(self, subprotocol: str) -> None:
        self.subprotocol = subprotocol
        self.text = subprotocol == JSON_SUBPROTOCOL
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
            # The id is worth a second look, so that a client learns which of its requests was wrong.
            try:
                reply_to = self._head(data).id
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                reply_to = None
            raise BadMessage(_path(problem), reply_to) from None
        return decoded

    def decode_server(self, data: bytes | str) -> ServerMessage:
        """Return a worker's message, for clients; raise `msgspec.DecodeError` for anything else."""
        decoded: ServerMessage = self._server(data)
        return decoded


def _path(problem: Exception) -> str:
    """Say where a message is wrong without quoting what it says."""
    text = str(problem)
    if text.startswith("Object contains unknown field"):
        return "$"  # its name is the sender's own
    where = text.rsplit(" - at `", 1)[1].rstrip("`") if " - at `" in text else "$"
    return where[:80]


CODECS = {subprotocol: Codec(subprotocol) for subprotocol in SUBPROTOCOLS}
