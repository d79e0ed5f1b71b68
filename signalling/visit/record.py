"""The stored record of a visit, the people around it, and the organisation's limits. Does no I/O.

The rules of a visit are in `rules.py`. All times are in ms since 1970, by the store's clock.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from signalling.visit.escalation import Escalation
from signalling.visit.queue_state import Watch
from signalling.visit.survey import SurveyAnswer, Tag
from signalling.visit.urgency import LevelWord, Urgency
from signalling.visit.waiting_area import Area

SECOND_MS, MINUTE_MS = 1_000, 60_000


class Status(StrEnum):
    """How far a visit has come, from the setup guide to its end."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    LIVE = "live"
    ENDED = "ended"


class Outcome(StrEnum):
    """The outcome of a visit: how it has ended."""

    COMPLETED = "completed"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    BY_PHONE = "by_phone"
    CLOSED = "closed"


HELD: Final = (Outcome.COMPLETED, Outcome.BY_PHONE)
"""The outcomes of visits that took place; such visits may be reopened."""


class Role(StrEnum):
    """The role in which a person, a program or the server changes visits."""

    PATIENT = "patient"
    PROVIDER = "provider"
    ADMIN = "admin"
    AUDITOR = "auditor"
    FACILITY = "facility"
    GUEST = "guest"
    SYSTEM = "system"


STAFF_ROLES = frozenset({Role.PROVIDER, Role.ADMIN})


class Person(msgspec.Struct, frozen=True):
    """A person's id, and the name to display."""

    id: str
    name: str


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """The sender of a command. The server knows the actor from the session or the token, never from the message.

    `visit`: the visit of a patient or guest, to which the actor is limited.
    """

    organisation: str
    id: str
    name: str
    role: Role
    visit: str | None = None

    @property
    def person(self) -> Person:
        """Return the actor's id and name, as they are shown to other people."""
        return Person(self.id, self.name)

    @property
    def is_staff(self) -> bool:
        """Return True for a provider or an admin."""
        return self.role in STAFF_ROLES


class Staff(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a provider or admin, which all workers share.

    `states`: the states or regions in which the person is licensed; () if not recorded. `areas`: the ids of the waiting
    areas in which the person works; () for all areas.
    """

    id: str
    name: str
    role: Role
    version: int = 0
    on_call: bool = False
    on_call_since_ms: int | None = None
    states: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()


class PatientInformation(msgspec.Struct, frozen=True, kw_only=True):
    """The patient information form, filled in by the patient or by another person (`filled_in_by`).

    `state`: the state or region of the patient, or "". `phone`: the number to dial. `phone_shown`: the same number
    in the usual form of its country. `extension` and `phone_shown` are "" in older records.
    """

    name: str
    birth_date: str
    phone: str
    email: str
    state: str
    reason: str
    language: str
    filled_in_by: str | None = None
    extension: str = ""
    phone_shown: str = ""


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """One participant of a visit. `connections`: the public id of a connection -> the worker that has it.

    `changes`: how many changes of the visit this party has made. `left_ms`: the time at which the patient
    hung up; None for other parties, and if the patient has not hung up since the last Start Session.
    """

    id: str
    name: str
    relation: str | None = None
    connections: dict[str, str] = {}
    away_since_ms: int | None = None
    started_ms: int | None = None
    changes: int = 0
    left_ms: int | None = None

    @property
    def present(self) -> bool:
        """Return True if at least one of the party's connections has the visit's page open."""
        return bool(self.connections)


class Photo(msgspec.Struct, frozen=True, kw_only=True):
    """A photo that the patient has added; `store/photos.py` stores it. `text`: the patient's words, or "".

    `width` and `height`: in pixels.
    """

    id: str
    at_ms: int
    width: int
    height: int
    text: str


class Triage(msgspec.Struct, frozen=True, kw_only=True):
    """How urgent a visit is. A member of staff (`by`) or an answer in the setup guide (`answer`) has set the level."""

    level: Urgency
    by: Person | None = None
    answer: str = ""


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """The last message to an absent patient by `channel`. `state`: "sent", "retried" (is tried again) or "failed"."""

    channel: str
    state: str
    at_ms: int


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one visit. `arrived_ms`: the time at which the patient entered the setup guide; it never changes.

    `number` orders visits by arrival, independent of clocks: it is the number of events that the organisation had
    before this visit. It is 0 in older records, which are ordered by `arrived_ms`.
    """

    id: str
    organisation: str
    version: int
    status: Status
    outcome: Outcome | None = None
    patient: PatientInformation
    guide_version: int
    steps: int
    step: int = 1
    typing: str | None = None
    answers: dict[str, Any] = {}
    guide_done_ms: int | None = None
    arrived_ms: int
    number: int = 0
    assignee: Person | None = None
    assigned_ms: int | None = None
    assigned_by: Person | None = None
    facility: str | None = None
    opened_by: str | None = None  # the id of the actor who opened the visit; None in older records
    booked_ms: int | None = None
    admins_until_ms: int | None = None
    claimant: Person | None = None
    claimed_ms: int | None = None
    live_ms: int | None = None
    talked_ms: int = 0
    ended_ms: int | None = None
    reason: str | None = None
    returned: int = 0
    parties: dict[str, Party] = {}
    photos: tuple[Photo, ...] = ()
    area: Area | None = None  # None if there are no areas, or none was chosen
    triage: Triage | None = None  # None means routine: no level was set
    contacts: tuple[Contact, ...] = ()  # for each channel, the newest message's result since the newest claim
    agreed: tuple[str, ...] = ()  # the channels, besides mail, by which the patient accepts messages
    tags: tuple[str, ...] = ()
    survey: SurveyAnswer | None = None
    writers: tuple[str, ...] = ()  # the ids of the staff who wrote to the patient during the wait
    unanswered: int = 0  # the number of messages from the waiting patient since staff last wrote
    answered_ms: int | None = None  # the time in ms of the waiting patient's newest message
    escalations: tuple[Escalation, ...] = ()  # messages to staff, sent because nobody had claimed the visit

    @property
    def blocked(self) -> bool:
        """Return True if the device check found that a call is not possible with this network or this browser."""
        return any(
            isinstance(answer, dict) and answer.get("network") in ("blocked", "unsupported")
            for answer in self.answers.values()
        )

    @property
    def area_id(self) -> str:
        """Return the id of the visit's waiting area; "" for none."""
        return self.area.id if self.area is not None else ""

    @property
    def urgency(self) -> Urgency:
        """Return the visit's level of urgency; routine if none was set."""
        return self.triage.level if self.triage is not None else Urgency.ROUTINE

    @property
    def is_open(self) -> bool:
        """Return True if the visit has not ended."""
        return self.status is not Status.ENDED


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A chat message. `party`: the sender's key in `Visit.parties`, "staff", or "clinic" for an automatic message."""

    id: str
    version: int = 1
    visit: str
    at_ms: int
    party: str
    name: str
    text: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A notification for a person. `name`: the patient's name. `by`: the name of the person who caused it.

    `count`: how many patients wait, or how many minutes a patient has waited. `area`: the name of the waiting area.
    """

    id: str
    kind: str
    at_ms: int
    visit: str | None = None
    name: str | None = None
    by: str | None = None
    note: str | None = None
    count: int | None = None
    area: str | None = None


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """The newest notification that a person has read. `id` is the person's id.

    `until_ms`: the time of that notification. `place`: its number (`store/notices.py`); 0 in older records.
    """

    id: str
    version: int
    until_ms: int
    place: int = 0


Record = Visit | Staff | ChatMessage | Mark | Watch


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An organisation's limits and choices. Durations are in ms; their bounds are checked when settings are saved."""

    grace_ms: Annotated[
        int,
        Meta(
            ge=5 * SECOND_MS,
            le=600 * SECOND_MS,
            description="a party away for this long: its Start press is cleared, a live visit pauses",
        ),
    ] = 30_000
    return_grace_ms: Annotated[
        int,
        Meta(
            ge=15 * SECOND_MS,
            le=3600 * SECOND_MS,
            description="the claimant is away for this long: the visit returns to the queue",
        ),
    ] = 120_000
    away_expiry_ms: Annotated[
        int,
        Meta(
            ge=5 * MINUTE_MS,
            le=1440 * MINUTE_MS,
            description="a waiting patient is away for this long: the visit expires",
        ),
    ] = 3_600_000
    assignment_ms: Annotated[
        int,
        Meta(
            ge=10 * SECOND_MS,
            le=3600 * SECOND_MS,
            description="an assignment not claimed for this long is taken back",
        ),
    ] = 120_000
    reopen_ms: Annotated[
        int,
        Meta(ge=0, le=1440 * MINUTE_MS, description="how long after its end a provider may reopen a visit"),
    ] = 1_800_000
    front_desk_ms: Annotated[
        int,
        Meta(
            ge=0,
            le=240 * MINUTE_MS,
            description="for this long after the arrival only admins and the assignee may claim",
        ),
    ] = 0
    off_call_ms: Annotated[
        int,
        Meta(
            ge=MINUTE_MS,
            le=240 * MINUTE_MS,
            description="On-Call is turned off this long after the last tab closed",
        ),
    ] = 300_000
    invite_ms: Annotated[
        int, Meta(ge=MINUTE_MS, le=30 * MINUTE_MS, description="for how long a guest's link is valid")
    ] = 900_000
    amber_ms: Annotated[
        int, Meta(ge=MINUTE_MS, le=1440 * MINUTE_MS, description="a row turns amber after this wait")
    ] = 600_000
    red_ms: Annotated[
        int, Meta(ge=MINUTE_MS, le=1440 * MINUTE_MS, description="a row turns red after this wait")
    ] = 1_800_000
    claim_in_session: Annotated[bool, Meta(description="staff in a live session may claim another visit")] = (
        True
    )
    block_unlicensed: Annotated[
        bool, Meta(description="a claim without a licence for the state: True forbids, False warns")
    ] = False
    closes_line: Annotated[
        bool,
        Meta(
            description="at closing time the visits that still wait end as `closed`; otherwise they keep their place"
        ),
    ] = False
    asks_closing: Annotated[bool, Meta(description="staff and patients are asked at closing time")] = False
    answers_waiting: Annotated[bool, Meta(description="a waiting patient may answer staff's messages")] = (
        False
    )
    needs_on_call: Annotated[bool, Meta(description="Meet Now is closed while no provider is on call")] = (
        False
    )
    show_place: Annotated[bool, Meta(description="the patient sees the place in the queue")] = True
    show_wait: Annotated[bool, Meta(description="the patient sees the expected wait, if it is known")] = True
    urgent_first: Annotated[
        bool,
        Meta(description="the order of the queue: True urgency first, then the wait; False the wait alone"),
    ] = False
    alert_waiting: Annotated[
        int,
        Meta(ge=0, le=1000, description="staff are alerted when more patients than this wait; 0 for never"),
    ] = 0
    alert_wait_ms: Annotated[
        int,
        Meta(
            ge=0,
            le=1440 * MINUTE_MS,
            description="staff are alerted when a patient waits longer than this; 0 for never",
        ),
    ] = 0
    emergency_word: LevelWord = ""
    urgent_word: LevelWord = ""
    routine_word: LevelWord = ""
    tags: Annotated[tuple[Tag, ...], Meta(max_length=30, description="the tags that staff may set")] = ()
    survey: Annotated[bool, Meta(description="a patient whose visit took place is asked the survey")] = False
