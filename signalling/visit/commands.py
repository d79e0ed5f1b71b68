"""Commands that may change a visit: one frozen type each. Whether a command is allowed is defined in `rules.py`."""

from __future__ import annotations

from typing import Any

import msgspec

from signalling.visit.escalation import Escalation
from signalling.visit.record import PatientInformation, Person
from signalling.visit.urgency import Urgency


class Command(msgspec.Struct, frozen=True):
    """Base of all commands: a change of a visit that an actor asks for."""


class Open(Command, frozen=True):
    """Open a visit: the patient enters the setup guide and begins to wait."""

    id: str
    patient: PatientInformation
    booked_ms: int | None = None  # the time in ms for which the visit was booked, if it was
    area: str = ""


class Save(Command, frozen=True):
    """Keep the answer to one step of the setup guide. `left`: True if the step was completed; False if only a draft is
    kept.
    """

    step: str
    answer: Any
    left: bool


class Finish(Command, frozen=True):
    """Complete the setup guide."""


class Withdraw(Command, frozen=True):
    """Leave the visit: sent by the patient, or, while they wait, by the facility that placed them."""


class AddPhoto(Command, frozen=True):
    """Add a photo, whose bytes are stored already. `width`, `height`: in pixels."""

    photo: str
    width: int
    height: int
    text: str


class RemovePhoto(Command, frozen=True):
    """Remove a photo."""

    photo: str


class Assign(Command, frozen=True):
    """Assign the visit to an available provider; sent by an admin."""

    to: str


class Unassign(Command, frozen=True):
    """Take back the assignment of the visit."""


class SetUrgency(Command, frozen=True):
    """Set how urgent the request is; sent by staff, who may set another level later."""

    level: Urgency


class Move(Command, frozen=True):
    """Move the request to another waiting area of the organisation; the wait goes on."""

    area: str


class Write(Command, frozen=True):
    """Note a message between staff and a waiting patient in the visit; its text is stored as a chat message."""


class Claim(Command, frozen=True):
    """Claim the visit for the sender; the patient enters the session."""


class Decline(Command, frozen=True):
    """Decline the request; sent by an admin."""

    reason: str | None = None


class Close(Command, frozen=True):
    """End a visit that nobody has claimed, because the clinic closes; sent by an admin, or at closing time."""


class Enter(Command, frozen=True):
    """Add a connection of a party that has the visit's page open. `worker` holds the connection."""

    connection: str
    worker: str


class AgreeToContact(Command, frozen=True):
    """Keep the patient's choice whether to be called by "text" or "push", besides mail, when it is their turn."""

    channel: str
    agrees: bool


class RecordContact(Command, frozen=True):
    """Record the result of a message that called back an absent patient (see `record.Contact`); sent by the server."""

    channel: str
    state: str


class Escalate(Command, frozen=True):
    """Send messages to staff, because nobody has claimed the visit; sent by the server.

    `after`: the number of messages sent before this was decided. If more have been sent by now, nothing changes.
    """

    to: tuple[Escalation, ...]
    after: int


class RecordUnreached(Command, frozen=True):
    """Record that a channel could not deliver a message to a member of staff; sent by the server."""

    person: Person
    channel: str


class Leave(Command, frozen=True):
    """Remove a party's connection that the worker has lost, unless it was resumed on another worker meanwhile."""

    connection: str
    worker: str


class Start(Command, frozen=True):
    """Record that a party pressed Start Session."""


class HangUp(Command, frozen=True):
    """End the patient's call; the visit continues."""


class Release(Command, frozen=True):
    """Put the visit back into the queue, at its original place."""


class Transfer(Command, frozen=True):
    """Put the visit back into the queue, assigned to another provider."""

    to: str


class Invite(Command, frozen=True):
    """Invite a guest; sent by the provider. `guest` is the key of the guest's party."""

    guest: str
    name: str
    relation: str


class Dismiss(Command, frozen=True):
    """Remove a guest; sent by the provider."""

    guest: str


class End(Command, frozen=True):
    """End the visit; sent by the provider. `by_phone`: True if the visit was held by phone."""

    by_phone: bool = False


class Reopen(Command, frozen=True):
    """Reopen an ended visit; sent by the provider."""


class SetTags(Command, frozen=True):
    """Set the visit's tags, which replace its present tags; sent by its staff."""

    tags: tuple[str, ...]


class AnswerSurvey(Command, frozen=True):
    """Answer the survey after the visit, once. `choice`: the number of the chosen option, from 1."""

    choice: int
    text: str


class Due(Command, frozen=True):
    """Apply a deadline if it has passed; sent by the sweep of any worker."""
