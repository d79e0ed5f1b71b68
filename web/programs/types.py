"""Defines the types of the API's bodies. The description (openapi.py) and the validation are both made from them.

A field whose name ends in `_ms` is a time in ms since 1970, by the store's clock. `Visit` has no patient information;
the rows of the queue have it, and need the scope `read`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from signalling.visit.record import Outcome, Role, Status
from signalling.visit.urgency import Urgency

VISIT_ID = "v_[A-Za-z0-9_-]{16}"
STAFF_ID = "[A-Za-z0-9_-]{1,64}"
WEBHOOK_ID = "h_[A-Za-z0-9_-]{16}"

Text = Annotated[str, Meta(max_length=100)]
Time = Annotated[int, Meta(description="ms since 1970-01-01T00:00Z")]


class Given(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base class of the bodies of requests. A body with an unknown field is refused."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """The base class of the bodies of answers."""


class Patient(Given, frozen=True, kw_only=True):
    """Patient information, with the fields of the patient information page."""

    name: Annotated[str, Meta(min_length=1, max_length=100, description="Full name.")]
    birth_date: Annotated[
        str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$", description="ISO 8601.", examples=["1990-04-02"])
    ]
    phone: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=40,
            description="With + and country code, or as it is dialled in the organisation’s country.",
            examples=["+1 512 555 0142"],
        ),
    ]
    email: Annotated[str, Meta(min_length=3, max_length=254, examples=["ana@example.org"])]
    state: Annotated[
        str,
        Meta(
            pattern="^[A-Z0-9]{0,3}$",
            description="Where the patient is: ISO 3166-2 without the country; empty if the organisation does not ask.",
            examples=["TX"],
        ),
    ] = ""
    reason: Annotated[str, Meta(min_length=1, max_length=1000, description="Why the patient comes.")]
    language: Annotated[
        str, Meta(max_length=16, description="BCP 47; one of the organisation’s. Left out: its first.")
    ] = ""
    filled_in_by: Annotated[
        str, Meta(max_length=100, description="Who wrote this for the patient, if somebody did.")
    ] = ""


class OpenVisit(Given, frozen=True, kw_only=True):
    """A visit to open."""

    patient: Patient
    area: Annotated[
        str, Meta(max_length=40, description="The id of a waiting area. Left out: none of them.")
    ] = ""
    facility: Annotated[
        str, Meta(max_length=100, description="Whom staff see as its origin. Left out: the key’s name.")
    ] = ""


class Assign(Given, frozen=True, kw_only=True):
    """The member of staff to whom a visit is assigned."""

    to: Annotated[str, Meta(pattern=f"^{STAFF_ID}$", description="The id of somebody who is on call.")]


class SetUrgency(Given, frozen=True, kw_only=True):
    """The level of urgency of a request. To undo a change, set the earlier level again."""

    level: Urgency


class Move(Given, frozen=True, kw_only=True):
    """The waiting area to which a request is moved. The patient keeps the time waited so far, and sees the area."""

    area: Annotated[str, Meta(max_length=40, description="The id of the area; empty for none of them.")]


class Decline(Given, frozen=True, kw_only=True):
    """The body of a request that declines a waiting visit."""

    reason: Annotated[
        str, Meta(max_length=500, description="Shown to the patient, and sent by email. May be left out.")
    ] = ""


class NewWebhook(Given, frozen=True, kw_only=True):
    """A webhook to make."""

    url: Annotated[
        str,
        Meta(
            min_length=9,
            max_length=500,
            pattern="^https?://",
            description="https, at a public address, without user name or fragment.",
            examples=["https://example.org/greenroom"],
        ),
    ]
    events: Annotated[
        tuple[Annotated[str, Meta(max_length=40)], ...],
        Meta(max_length=40, description="Names of events; empty: all of them."),
    ] = ()


class ChangedWebhook(Given, frozen=True, kw_only=True):
    """Changes of a webhook. Fields that are left out do not change."""

    events: Annotated[tuple[Annotated[str, Meta(max_length=40)], ...], Meta(max_length=40)] | None = None
    enabled: bool | None = None


class PersonShown(Shown, frozen=True, kw_only=True):
    """A member of staff."""

    id: str
    name: str


class AreaShown(Shown, frozen=True, kw_only=True):
    """A waiting area."""

    id: str
    name: str


class Range(Shown, frozen=True, kw_only=True):
    """An expected wait in ms: the shortest and the longest."""

    low_ms: int
    high_ms: int


class Visit(Shown, frozen=True, kw_only=True):
    """A visit's state, without patient information. `place`: its place in the queue, from 1; null if not queued."""

    id: str
    version: Annotated[
        int, Meta(description="Grows with each change of the visit: by it, put webhooks in order.")
    ]
    status: Status
    outcome: Outcome | None
    arrived_ms: Time
    claimed_ms: Time | None
    ended_ms: Time | None
    guide_done: bool
    patient_online: bool
    facility: str | None
    assignee: PersonShown | None
    claimant: PersonShown | None
    reason: str | None
    tags: Annotated[tuple[str, ...], Meta(description="The tags that staff have set.")]
    urgency: Urgency
    area: AreaShown | None
    place: int | None
    wait: Range | None


class PatientLink(Shown, frozen=True, kw_only=True):
    """A link that gives one browser access to the visit, once. Send it to the patient only."""

    url: str
    expires_ms: Time


class Opened(Shown, frozen=True, kw_only=True):
    """An opened visit, and the link for its patient."""

    visit: Visit
    link: PatientLink


class Wait(Shown, frozen=True, kw_only=True):
    """The expected wait of a patient who enters the queue now.

    `available`: whether Meet Now is open. `why`: null if it is open, otherwise the reason: "closed" or
    "nobody_on_call". `on_call`, `waiting`: the numbers of providers on call and of waiting patients.
    """

    available: bool
    why: str | None
    on_call: int
    waiting: int
    wait: Range | None


class EscalationShown(Shown, frozen=True, kw_only=True):
    """A message that was sent to a member of staff who had no page open, because nobody had claimed the visit."""

    name: str
    at_ms: Time
    reached: Annotated[bool, Meta(description="False if it could not be delivered.")]


class QueueRow(Shown, frozen=True, kw_only=True):
    """A waiting patient, as in On-Demand Requests.

    `urgency_by`: the member of staff who set the urgency. `urgency_answer`: the answer in the setup guide that set it.
    `answered_ms`: the time of the patient's newest message; null if there is none, or if staff have written since.
    """

    visit: str
    place: int
    name: str
    phone: str
    extension: str
    state: str
    language: str
    reason: str
    filled_in_by: str | None
    facility: str | None
    arrived_ms: Time
    online: bool
    step: int
    steps: int
    guide_done: bool
    assignee: PersonShown | None
    urgency: Urgency
    urgency_by: PersonShown | None
    urgency_answer: str
    area: AreaShown | None
    answered_ms: Time | None
    escalations: tuple[EscalationShown, ...]


class Queue(Shown, frozen=True, kw_only=True):
    """All waiting patients, in the order of the organisation’s rule: by wait, or by urgency and wait."""

    patients: tuple[QueueRow, ...]


class StaffMember(Shown, frozen=True, kw_only=True):
    """A member of staff, and whether they are on call or in a session. `states`: the regions of their licences."""

    id: str
    name: str
    role: Role
    on_call: bool
    in_session: bool
    states: tuple[str, ...]


class Staff(Shown, frozen=True, kw_only=True):
    """The organisation’s staff: first those who are on call, then the others, both in the order of their names."""

    staff: tuple[StaffMember, ...]


class WebhookShown(Shown, frozen=True, kw_only=True):
    """A webhook. `events`: the names of the events that it receives; empty for all events."""

    id: str
    url: str
    events: tuple[str, ...]
    enabled: bool
    made_ms: Time


class MadeWebhook(Shown, frozen=True, kw_only=True):
    """A new webhook and the secret for its signatures, which cannot be shown again."""

    webhook: WebhookShown
    secret: str


class Webhooks(Shown, frozen=True, kw_only=True):
    """The webhooks, the oldest first."""

    webhooks: tuple[WebhookShown, ...]


class Delivery(Shown, frozen=True, kw_only=True):
    """One attempt to deliver an event. `status` is the receiver’s HTTP status, 0 if there was no answer."""

    id: str
    event: str
    visit: str
    attempt: int
    at_ms: Time
    took_ms: int
    status: int
    problem: str | None


class Deliveries(Shown, frozen=True, kw_only=True):
    """The newest attempts to deliver events to a webhook, the newest first."""

    deliveries: tuple[Delivery, ...]


class Message(Shown, frozen=True, kw_only=True):
    """The body that a webhook receives. `visit`: the visit's state at that event; its `place` and `wait` are null."""

    id: str
    event: str
    organisation: str
    at_ms: Time
    by: PersonShown | None
    visit: Visit
