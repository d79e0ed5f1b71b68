"""The maps inside the server's messages: a person, a row of each list, a visit as its parties see it, a case.

Each map is one frozen type with the name that PROTOCOL.md uses. `views.py` makes the maps, and `server_messages.py`
defines the messages. Does no I/O.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from signalling.visit.queue_state import AtClosing
from signalling.visit.record import Outcome, Status
from signalling.visit.setup_guide import Step
from signalling.visit.urgency import Urgency

VisitId = Annotated[str, Meta(description="the visit's id")]
Name = Annotated[str, Meta(description="the person's name")]
PatientName = Annotated[str, Meta(description="the patient's name")]
State = Annotated[
    str,
    Meta(
        description="the region that the patient is in (ISO 3166-2 without the country); empty if it is not asked"
    ),
]
Phone = Annotated[str, Meta(description="the patient's phone number (E.164, with spaces)")]
PhoneShown = Annotated[
    str, Meta(description="the phone number as the organisation's country writes it, with its extension")
]
Language = Annotated[str, Meta(description="the language that the patient wants (a BCP 47 tag)")]
VisitReason = Annotated[str, Meta(description="the reason for the visit, in the patient's words")]
FilledInBy = Annotated[
    str | None, Meta(description="the person who filled in the form for the patient; null if the patient did")
]
ArrivedMs = Annotated[
    int, Meta(description="when the patient entered the setup guide, which is when the wait began")
]
ClaimedMs = Annotated[int | None, Meta(description="when the visit was claimed; null if it is not")]
LiveMs = Annotated[int | None, Meta(description="since when the visit is live; null if it is not")]
EndedMs = Annotated[int | None, Meta(description="when the visit ended; null if it is open")]
TalkedMs = Annotated[int, Meta(description="how long the visit was `live` in all, without the current call")]
StepNumber = Annotated[int, Meta(description="the step of the setup guide that the patient is at, from 1")]
GuideDone = Annotated[bool, Meta(description="true if the patient has completed the setup guide")]
HowEnded = Annotated[Outcome | None, Meta(description="how the visit ended; null if it is open")]
DeclineReason = Annotated[str | None, Meta(description="the reason that the staff gave for declining")]
AwaySinceMs = Annotated[
    int | None, Meta(description="since when the person is not on the visit's page; null if they are")
]
EventMs = Annotated[int, Meta(description="the time of the event")]
Note = Annotated[str | None, Meta(description="a further detail, if there is one")]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the maps inside messages."""


class PersonPart(Part, frozen=True, kw_only=True):
    """A person: the id, and the name to display."""

    id: Annotated[str, Meta(description="the person's id")]
    name: Name


class Me(PersonPart, frozen=True, kw_only=True):
    """The person at the client, as the server has identified them from their sign-in."""

    role: Annotated[
        str,
        Meta(
            description="the person's role",
            extra_json_schema={"enum": ["patient", "provider", "admin", "guest"]},
        ),
    ]


Claimant = Annotated[PersonPart | None, Meta(description="the member of staff who claimed the visit")]


class AreaPart(Part, frozen=True, kw_only=True):
    """A waiting area (service) of the organisation."""

    id: Annotated[str, Meta(description="the area's id")]
    name: Annotated[str, Meta(description="the area's name")]


WaitingArea = Annotated[AreaPart | None, Meta(description="the waiting area; null for none")]


class StaffPart(PersonPart, frozen=True, kw_only=True):
    """The present state of a provider or admin, such as On-Call."""

    role: Annotated[
        str, Meta(description="the person's role", extra_json_schema={"enum": ["provider", "admin"]})
    ]
    on_call: Annotated[bool, Meta(description="true if the person is on call")]
    in_session: Annotated[bool, Meta(description="true if the person is in a live visit")]
    states: Annotated[
        tuple[str, ...],
        Meta(description="the US states of the person's licences, as USPS codes; empty if not recorded"),
    ] = ()
    areas: Annotated[tuple[str, ...], Meta(description="the ids of the areas they work in; empty: all")] = ()


class UrgencyPart(Part, frozen=True, kw_only=True):
    """A level of urgency that was set, and its reason: the person who set it, or the answer that it follows from."""

    level: Annotated[Urgency, Meta(description="the level")]
    by: Annotated[PersonPart | None, Meta(description="the person who set it; null if an answer did")]
    answer: Annotated[str, Meta(description="the answer that means this level; empty if a person set it")]


class EscalationPart(Part, frozen=True, kw_only=True):
    """A message that was sent to a member of staff without an open page, because nobody had claimed the visit."""

    name: Name
    at_ms: EventMs
    reached: Annotated[bool, Meta(description="false if it could not be delivered")]


class Row(Part, frozen=True, kw_only=True):
    """A row of On-Demand Requests: one visit that waits for a provider."""

    visit: VisitId
    name: PatientName
    number: Annotated[int, Meta(description="orders the rows by arrival: smaller numbers arrived earlier")]
    arrived_ms: ArrivedMs
    state: State
    phone: Phone
    language: Language
    reason: VisitReason
    step: StepNumber
    steps: Annotated[int, Meta(description="the number of steps that this patient is asked")]
    guide_done: GuideDone
    online: Annotated[bool, Meta(description="true if the patient is on the visit's page")]
    away_since_ms: AwaySinceMs
    returned: Annotated[int, Meta(description="how often the visit came back into the queue")]
    assignee: Annotated[
        PersonPart | None, Meta(description="the member of staff to whom the visit is assigned")
    ]
    assigned_ms: Annotated[int | None, Meta(description="when it was assigned")]
    filled_in_by: FilledInBy
    facility: Annotated[str | None, Meta(description="the facility that put the patient into the queue")]
    booked_ms: Annotated[int | None, Meta(description="the time for which the visit was booked")]
    admins_until_ms: Annotated[
        int | None, Meta(description="until when only admins and the assignee may claim the visit")
    ]
    blocked: Annotated[
        bool, Meta(description="true if the device check found that network or browser allow no video call")
    ] = False
    phone_shown: PhoneShown = ""
    urgency: Annotated[UrgencyPart | None, Meta(description="how urgent, and why; null: `routine`")] = None
    area: WaitingArea = None
    answered_ms: Annotated[int | None, Meta(description="when the patient last answered staff")] = None
    escalations: Annotated[
        tuple[EscalationPart, ...], Meta(description="the messages to staff about it, oldest first")
    ] = ()


class ClosingPart(Part, frozen=True, kw_only=True):
    """The closing time of the patient's queue; it is less than 15 minutes away, or passed while patients wait."""

    at_ms: Annotated[int, Meta(description="the closing time")]
    over: Annotated[bool, Meta(description="true if it has passed")]
    rule: Annotated[
        AtClosing,
        Meta(
            description="for those who still wait then: they keep their place, are asked, or their visits end"
        ),
    ]


class QueueLimits(Part, frozen=True, kw_only=True):
    """The organisation's rules for the queue: its order, the words for urgency, and when a wait is amber or red."""

    amber_ms: Annotated[int, Meta(description="a row is amber after this wait")]
    red_ms: Annotated[int, Meta(description="a row is red after this wait")]
    urgent_first: Annotated[bool, Meta(description="true if more urgent rows come first")] = False
    alert_waiting: Annotated[int, Meta(description="alert staff if more than this wait; 0: never")] = 0
    alert_wait_ms: Annotated[int, Meta(description="alert staff if one waits longer; 0: never")] = 0
    level_words: Annotated[dict[str, str], Meta(description="level -> the organisation's word for it")] = {}
    closing: Annotated[
        dict[str, ClosingPart],
        Meta(description="by the id of the waiting area, empty for none: its closing time"),
    ] = {}


PathState = Literal["open", "lost", "none"]
"""A party's network path to the server: open (media can flow), lost, or none (never found)."""


class IceServer(Part, frozen=True, kw_only=True):
    """A TURN server, with the fields of W3C WebRTC's RTCIceServer."""

    urls: Annotated[list[str], Meta(description="TURN URIs (RFC 7065)")]
    username: Annotated[str, Meta(description="the user name; it contains the time at which it expires")]
    credential: Annotated[str, Meta(description="the password")]


class ContactPart(Part, frozen=True, kw_only=True):
    """The result of a message that asked an absent patient to come back."""

    channel: Annotated[
        str,
        Meta(
            description="the channel; more may be added",
            extra_json_schema={"enum": ["mail", "text", "push"]},
        ),
    ]
    state: Annotated[
        str,
        Meta(
            description="`retried` if it failed and is tried again, `failed` if it was given up",
            extra_json_schema={"enum": ["sent", "retried", "failed"]},
        ),
    ]
    at_ms: EventMs


Contacts = Annotated[
    tuple[ContactPart, ...],
    Meta(description="the messages to the patient, who was absent at the last claim; one for each channel"),
]


class PartyPart(Part, frozen=True, kw_only=True):
    """One party of a visit: the patient, the provider or a guest."""

    name: Name
    relation: Annotated[
        str | None, Meta(description="a guest's part in the visit; null for the patient and the provider")
    ]
    present: Annotated[bool, Meta(description="true if the person is on the visit's page")]
    away_since_ms: AwaySinceMs
    started: Annotated[bool, Meta(description="true if the person has pressed Start Session")]
    left: Annotated[
        bool,
        Meta(description="true if the patient has left the call and not pressed Start Session again"),
    ] = False


class VisitPart(Part, frozen=True, kw_only=True):
    """The state of a visit, as its parties may see it."""

    id: VisitId
    status: Annotated[Status, Meta(description="the status of the visit")]
    outcome: HowEnded
    arrived_ms: ArrivedMs
    claimed_ms: ClaimedMs
    live_ms: LiveMs
    ended_ms: EndedMs
    talked_ms: TalkedMs
    guide_done: GuideDone
    reason: DeclineReason
    claimant: Claimant
    taking_over: Annotated[
        PersonPart | None,
        Meta(description="the member of staff to whom a visit that came back into the queue is assigned"),
    ] = None
    parties: Annotated[
        dict[str, PartyPart],
        Meta(description="the parties by key: `patient`, `provider`, and each guest under `guest-…`"),
    ]
    area: WaitingArea = None
    tags: Annotated[tuple[str, ...], Meta(description="the visit's tags; empty for patient and guests")] = ()
    surveyed: Annotated[bool, Meta(description="true if the patient has answered the survey")] = False


class SessionRow(Part, frozen=True, kw_only=True):
    """A row of the Sessions List: a visit that is claimed or live."""

    visit: VisitId
    name: PatientName
    status: Annotated[
        str, Meta(description="the status of the visit", extra_json_schema={"enum": ["claimed", "live"]})
    ]
    claimant: Claimant
    arrived_ms: ArrivedMs
    claimed_ms: ClaimedMs
    live_ms: LiveMs
    present: Annotated[
        tuple[str, ...], Meta(description="the keys of the parties that are on the visit's page")
    ]
    contacts: Contacts = ()


class PastRow(Part, frozen=True, kw_only=True):
    """A row of the Sessions List: a visit that has ended."""

    visit: VisitId
    name: PatientName
    outcome: HowEnded
    reason: DeclineReason
    claimant: Claimant
    arrived_ms: ArrivedMs
    claimed_ms: ClaimedMs
    ended_ms: EndedMs
    talked_ms: TalkedMs
    reopen_until_ms: Annotated[
        int | None,
        Meta(description="until when the provider may reopen the visit; null if that is not possible"),
    ]
    tags: Annotated[
        tuple[str, ...], Meta(description="the visit's tags; empty for those who may not see the visit")
    ] = ()


class HistoryPart(Part, frozen=True, kw_only=True):
    """One event of a visit's history: what happened, when, and who did it."""

    kind: Annotated[
        str,
        Meta(
            description="the event: `opened`, `claimed`, `went_live`, `ended` and others; more may be added"
        ),
    ]
    at_ms: EventMs
    by: Annotated[
        PersonPart | None, Meta(description="the person who caused it; null if the server did, at a deadline")
    ]
    note: Note


class BellPart(Part, frozen=True, kw_only=True):
    """A notification in the list that a person's bell opens."""

    id: Annotated[str, Meta(description="the notification's id")]
    kind: Annotated[str, Meta(description="the kind of notification, see bell; more kinds may be added")]
    at_ms: EventMs
    visit: Annotated[str | None, Meta(description="the id of the visit that it is about, if any")]
    name: Annotated[str | None, Meta(description="the patient's name")]
    by: Annotated[str | None, Meta(description="who caused it, by name; null if the server did")]
    note: Note
    count: Annotated[
        int | None,
        Meta(description="of `queue_long` the minutes of the wait, otherwise the patients who wait"),
    ] = None
    area: Annotated[
        str | None,
        Meta(description="the name of the waiting area in which the patients wait, if there is one"),
    ] = None


class ChatMessagePart(Part, frozen=True, kw_only=True):
    """One chat message of a visit: its sender, its text and its time."""

    id: Annotated[str, Meta(description="the chat message's id")]
    at_ms: Annotated[int, Meta(description="when it was sent")]
    party: Annotated[str, Meta(description="the key of the party that sent it; `staff`; `clinic`: see chat")]
    name: Name
    text: Annotated[str, Meta(description="the text")]


class PatientPart(Part, frozen=True, kw_only=True):
    """The patient information form, as it was filled in when the visit was opened."""

    name: PatientName
    birth_date: Annotated[str, Meta(description="the date of birth (`YYYY-MM-DD`)")]
    phone: Phone
    email: Annotated[str, Meta(description="the patient's email address")]
    state: State
    reason: VisitReason
    language: Language
    filled_in_by: FilledInBy
    phone_shown: PhoneShown = ""


class PhotoPart(Part, frozen=True, kw_only=True):
    """A photo that the patient added to the visit."""

    id: Annotated[str, Meta(description="the photo's id")]
    path: Annotated[
        str, Meta(description="where the JPEG file is; for those who may see the topic, with their session")
    ]
    at_ms: Annotated[int, Meta(description="when it was added")]
    width: Annotated[int, Meta(description="its width in pixels")]
    height: Annotated[int, Meta(description="its height in pixels")]
    text: Annotated[str, Meta(description="what it shows, in the patient's words; empty if not said")]


class CasePart(Part, frozen=True, kw_only=True):
    """Case Information: the patient information, the setup guide's steps and the answers so far."""

    visit: VisitId
    patient: Annotated[PatientPart, Meta(description="the patient information")]
    steps: Annotated[
        tuple[Step, ...], Meta(description="the steps of the setup guide with which the visit began")
    ]
    answers: Annotated[dict[str, Any], Meta(description="step id -> answer, for the steps that have one")]
    typing: Annotated[str | None, Meta(description="the id of the step that the patient is filling in now")]
    step: StepNumber
    guide_done: GuideDone
    photos: Annotated[tuple[PhotoPart, ...], Meta(description="the photos, oldest first")]
    contacts: Contacts = ()
    agreed: Annotated[
        tuple[str, ...],
        Meta(description="`text`, `push`: further ways in which the patient learns of their turn"),
    ] = ()
