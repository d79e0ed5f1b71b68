"""The commands that may change a visit, with one frozen type each. `rules.py` defines whether a command is allowed."""

from __future__ import annotations

from typing import Any

import msgspec

from signalling.visit.escalation import Escalation
from signalling.visit.record import PatientInformation, Person
from signalling.visit.urgency import Urgency


class Command(msgspec.Struct, frozen=True):
    """Base of all commands.

    A command is a change of a visit that an actor (a person, a program or the server) asks for.
    """


class Open(Command, frozen=True):
    """Open a visit, so that the patient enters the setup guide and begins to wait.

    `area`: the waiting area, "" for none.
    """

    id: str
    patient: PatientInformation
    # the time in ms for which the visit was booked; None if it was not
    booked_ms: int | None = None
    area: str = ""


class Save(Command, frozen=True):
    """Store the patient's answer to one step of the setup guide.

    `left`: True if the patient has completed the step, False while the patient types.
    """

    step: str
    answer: Any
    left: bool


class Finish(Command, frozen=True):
    """Complete the setup guide, the questions that a patient answers before waiting in the queue."""


class Withdraw(Command, frozen=True):
    """Leave the visit and end it.

    The sender is the patient or, while the patient waits, the facility that opened the visit.
    """


class AddPhoto(Command, frozen=True):
    """Add a photo to the visit; its file is stored already.

    `width`, `height`: in pixels. `text`: what the photo shows, "" if the patient has not written it.
    """

    photo: str
    width: int
    height: int
    text: str


class RemovePhoto(Command, frozen=True):
    """Remove a photo from the visit. `photo`: its id."""

    photo: str


class Assign(Command, frozen=True):
    """Assign the visit to a provider who is on call; sent by an admin. `to`: the provider's id."""

    to: str


class Unassign(Command, frozen=True):
    """Take back the assignment of the visit; sent by an admin."""


class SetUrgency(Command, frozen=True):
    """Set how urgent the request is; sent by staff, who may change the level later."""

    level: Urgency


class Move(Command, frozen=True):
    """Move the request to another waiting area of the organisation ("" for none).

    The patient's time of arrival does not change.
    """

    area: str


class Write(Command, frozen=True):
    """Record in the visit that staff or the waiting patient write a message. Its text is stored as a chat message."""


class Claim(Command, frozen=True):
    """Claim the visit for the sender, a provider, so that the patient enters the session."""


class Decline(Command, frozen=True):
    """Decline the request; sent by an admin. `reason`: shown to the patient, None if the admin gives no reason."""

    reason: str | None = None


class Close(Command, frozen=True):
    """End a visit that no provider has claimed, because the clinic closes.

    An admin sends it, or the server at closing time.
    """


class Enter(Command, frozen=True):
    """Add a party's connection that has opened the visit's page. `worker`: the worker that has the connection."""

    connection: str
    worker: str


class AgreeToContact(Command, frozen=True):
    """Record whether the patient agrees to receive the message "it is your turn" by this channel: "text" or "push"."""

    channel: str
    agrees: bool


class RecordContact(Command, frozen=True):
    """Record the result of a message that asked an absent patient to come back (`record.Contact`); sent by
    the server.
    """

    channel: str
    state: str


class Escalate(Command, frozen=True):
    """Record messages that are sent to staff because no provider has claimed the visit; sent by the server.

    `after`: the number of these messages in the record when the server decided to send more. If the record has more
    messages now, nothing changes.
    """

    to: tuple[Escalation, ...]
    after: int


class RecordUnreached(Command, frozen=True):
    """Record that a channel (text, push) could not deliver the message of `Escalate` to a member of staff.

    The server sends this command. `person`: the member of staff.
    """

    person: Person
    channel: str


class Leave(Command, frozen=True):
    """Remove a party's connection that `worker` has lost, unless the connection was resumed on another worker."""

    connection: str
    worker: str


class Start(Command, frozen=True):
    """Record that a party has pressed Start Session."""


class HangUp(Command, frozen=True):
    """End the patient's call, without ending the visit."""


class Release(Command, frozen=True):
    """Put the visit back into the queue, at the place that it had before the claim."""


class Transfer(Command, frozen=True):
    """Put the visit back into the queue, assigned to another provider. `to`: the provider's id."""

    to: str


class Invite(Command, frozen=True):
    """Invite a guest to the visit; sent by the provider. `guest`: the guest's key in `Visit.parties`."""

    guest: str
    name: str
    relation: str


class Dismiss(Command, frozen=True):
    """Remove a guest from the visit; sent by the provider. `guest`: the guest's key in `Visit.parties`."""

    guest: str


class End(Command, frozen=True):
    """End the visit; sent by the provider. `by_phone`: True if the visit was held by phone."""

    by_phone: bool = False


class Reopen(Command, frozen=True):
    """Reopen an ended visit; sent by the provider."""


class SetTags(Command, frozen=True):
    """Replace the visit's tags, the words by which it can be found; sent by its staff."""

    tags: tuple[str, ...]


class AnswerSurvey(Command, frozen=True):
    """Answer the survey after the visit, once. `choice`: the number of the chosen option, from 1."""

    choice: int
    text: str


class Due(Command, frozen=True):
    """Apply a deadline of the visit, if the deadline has passed; sent periodically by the workers."""
