"""The maps inside the server's messages: a person, a row of each list, a visit as its parties see it, a case.

Pure. One frozen type each, named as in PROTOCOL.md. The messages are defined in `server_messages.py`; `views.py` makes
the maps from records.
"""

from __future__ import annotations

from typing import Any

import msgspec

from signalling.visit.setup_guide import Step


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the maps inside messages."""


class PersonPart(Part, frozen=True, kw_only=True):
    """A person's id and name."""

    id: str
    name: str


class Me(PersonPart, frozen=True, kw_only=True):
    """The identity and role that the server gave the client."""

    role: str


class StaffPart(PersonPart, frozen=True, kw_only=True):
    """The state of a provider or admin."""

    role: str
    on_call: bool
    in_session: bool


class Row(Part, frozen=True, kw_only=True):
    """A row of On-Demand Requests."""

    visit: str
    name: str
    number: int
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
    """After which wait a row is shown amber, and red."""

    amber_ms: int
    red_ms: int


class PartyPart(Part, frozen=True, kw_only=True):
    """One side of the visit, as the other sides see it."""

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
    """A visit that is claimed or live. `present`: the keys of the parties that are on the visit's page."""

    visit: str
    name: str
    status: str
    claimant: PersonPart | None
    arrived_ms: int
    claimed_ms: int | None
    live_ms: int | None
    present: tuple[str, ...]


class PastRow(Part, frozen=True, kw_only=True):
    """An ended visit. `reopen_until_ms`: None if it cannot be reopened."""

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
    """One event of a visit's history."""

    kind: str
    at_ms: int
    by: PersonPart | None
    note: str | None


class UsualPart(Part, frozen=True, kw_only=True):
    """A figure of a call: its usual value, and its value in the worst twentieth of the time."""

    usual: float
    worse: float


class CallPart(Part, frozen=True, kw_only=True):
    """The quality of a party's call; None if unknown.

    Lost packets in percent, of those sent to the party (`heard_lost`) and of those it sent; round trip to the server in
    ms; video sent to the party in kbit/s.
    """

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
    """A chat line."""

    id: str
    at_ms: int
    party: str
    name: str
    text: str


class PatientPart(Part, frozen=True, kw_only=True):
    """The patient information form."""

    name: str
    birth_date: str
    phone: str
    email: str
    state: str
    reason: str
    language: str
    filled_in_by: str | None


class CasePart(Part, frozen=True, kw_only=True):
    """Case Information: the patient information, the setup guide's steps and the answers so far."""

    visit: str
    patient: PatientPart
    steps: tuple[Step, ...]
    answers: dict[str, Any]
    typing: str | None
    step: int
    guide_done: bool
