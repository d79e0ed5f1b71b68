"""What a worker says: one frozen type per message of PROTOCOL.md, and the parts they are made of. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from signalling.guide import Step
from signalling.tags import MediaKind, tag


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


class UsualPart(Part, frozen=True, kw_only=True):
    """A figure of a call: what it usually was, and at its worse times (the worst twentieth)."""

    usual: float
    worse: float


class CallPart(Part, frozen=True, kw_only=True):
    """How good a party's call was; None where it is not known. Lost packets in percent, of what they heard and of what
    they sent; the round trip to the server; the picture they got in kbit/s."""

    party: str
    name: str
    connected_ms: int
    interruptions: int
    heard_lost: UsualPart | None
    sent_lost: UsualPart | None
    round_trip_ms: UsualPart | None
    picture_kbps: UsualPart | None


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
    """A visit's story, oldest first, and how good its call was for each who took part."""

    reply_to: int
    visit: str
    events: tuple[HistoryPart, ...]
    calls: tuple[CallPart, ...] = ()


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
