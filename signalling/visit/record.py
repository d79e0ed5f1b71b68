"""What is known of a visit and of those around it: the record as it is stored, the people, the organisation's limits.

Pure data, no rule: what may happen to a visit stands in `rules.py`. Times are the store's, in ms since the epoch.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class Status(StrEnum):
    """Where a visit stands."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    LIVE = "live"
    ENDED = "ended"


class Outcome(StrEnum):
    """How a visit ended."""

    COMPLETED = "completed"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Role(StrEnum):
    """As whom somebody acts."""

    PATIENT = "patient"
    PROVIDER = "provider"
    ADMIN = "admin"
    FACILITY = "facility"
    GUEST = "guest"
    SYSTEM = "system"


STAFF_ROLES = frozenset({Role.PROVIDER, Role.ADMIN})


class Person(msgspec.Struct, frozen=True):
    """A name to show, and the id behind it."""

    id: str
    name: str


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who speaks: known from the session or token, never from the message. `visit` is a patient's own."""

    organisation: str
    id: str
    name: str
    role: Role
    visit: str | None = None

    @property
    def person(self) -> Person:
        """Return the actor as others see them."""
        return Person(self.id, self.name)

    @property
    def is_staff(self) -> bool:
        """Return whether this is a provider or an admin."""
        return self.role in STAFF_ROLES


class Staff(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's or admin's state, shared by all workers. `states`: where they are licensed, () = not recorded."""

    id: str
    name: str
    role: Role
    version: int = 0
    on_call: bool = False
    on_call_since_ms: int | None = None
    states: tuple[str, ...] = ()


class PatientInformation(msgspec.Struct, frozen=True, kw_only=True):
    """What the patient (or who fills it in for them) wrote on the patient information page."""

    name: str
    birth_date: str
    phone: str
    email: str
    state: str
    reason: str
    language: str
    filled_in_by: str | None = None


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a visit. `connections`: public connection id -> the worker that holds it."""

    id: str
    name: str
    relation: str | None = None
    connections: dict[str, str] = {}
    away_since_ms: int | None = None
    started_ms: int | None = None

    @property
    def present(self) -> bool:
        """Return whether a socket of theirs is on the visit's page."""
        return bool(self.connections)


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one visit. `arrived_ms` is the entry of the setup guide and never changes.

    `number` orders visits by their arrival, whatever the clock says: how many events the organisation had before it.
    Records from before it was counted have 0, and stand in the order of `arrived_ms`.
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
    opened_by: str | None = None  # the id of the actor; None in records of before this was kept
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

    @property
    def is_open(self) -> bool:
        """Return whether the visit has not ended."""
        return self.status is not Status.ENDED


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Something written in a visit; `party` is the key of who wrote it, "staff" for one who is no party."""

    id: str
    version: int = 1
    visit: str
    at_ms: int
    party: str
    name: str
    text: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A notification under somebody's bell. `name` is the patient's, `by` who caused it."""

    id: str
    kind: str
    at_ms: int
    visit: str | None = None
    name: str | None = None
    by: str | None = None
    note: str | None = None


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Up to which notification somebody has read; `id` is the person's.

    `until_ms` is that one's time, to be shown; `place` is its place in their order, 0 in records from before places.
    """

    id: str
    version: int
    until_ms: int
    place: int = 0


Record = Visit | Staff | Line | Mark


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An organisation's limits and choices. Durations in ms."""

    grace_ms: int = 30_000  # away this long: its Start press is cleared, a live visit pauses
    return_grace_ms: int = 120_000  # the claimant away this long: the visit returns to the queue
    away_expiry_ms: int = 3_600_000  # a waiting patient away this long: the visit expires
    assignment_ms: int = 120_000  # an assignment not taken up this long returns to all
    reopen_ms: int = 1_800_000  # how long after its end a provider may reopen a visit
    front_desk_ms: int = 0  # so long after the arrival only admins and the assignee may claim
    off_call_ms: int = 300_000  # the last tab gone this long turns On-Call off
    invite_ms: int = 900_000  # how long a guest's link opens
    amber_ms: int = 600_000  # a row turns amber after this wait
    red_ms: int = 1_800_000  # ... and red after this one
    claim_in_session: bool = True  # may someone in a live session claim another visit
    block_unlicensed: bool = False  # a state outside the provider's licence blocks (else it warns)
    needs_on_call: bool = False  # Meet Now is closed while nobody is on call
    show_place: bool = True  # the patient sees the place in line
    show_wait: bool = True  # ... and the expected wait, where it can be told
