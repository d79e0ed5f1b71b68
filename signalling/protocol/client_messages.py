"""What a client says: one frozen type per message of PROTOCOL.md. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from signalling.protocol.tags import Epoch, Id, MediaKind, Relation, RequestId, Sdp, Topic, tag


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
    epoch: Epoch | None = None
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
    before_visit: Id | None = None


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
