"""What somebody may want to happen to a visit: one frozen type per command. Whether it may stands in `rules.py`."""

from __future__ import annotations

from typing import Any

import msgspec

from signalling.visit.record import PatientInformation


class Command(msgspec.Struct, frozen=True):
    """Something that somebody wants to happen to a visit."""


class Open(Command, frozen=True):
    """The setup guide is entered: the visit begins to wait."""

    id: str
    patient: PatientInformation
    booked_ms: int | None = None  # the time that was booked for it, if any


class Save(Command, frozen=True):
    """What stands in a step of the setup guide; `left` when the step is done with, else while typing."""

    step: str
    answer: Any
    left: bool


class Finish(Command, frozen=True):
    """The setup guide is done."""


class Withdraw(Command, frozen=True):
    """The patient leaves the line, or the facility that placed them takes them out."""


class Assign(Command, frozen=True):
    """An admin gives the visit to an available provider."""

    to: str


class Unassign(Command, frozen=True):
    """The assignment is taken back."""


class Claim(Command, frozen=True):
    """Someone takes the visit; the patient is pulled in."""


class Decline(Command, frozen=True):
    """An admin declines the request."""

    reason: str | None = None


class Enter(Command, frozen=True):
    """A party's connection, held by a worker, is on the visit's page."""

    connection: str
    worker: str


class Leave(Command, frozen=True):
    """A party's connection is gone from the worker that held it (not from another that it resumed on meanwhile)."""

    connection: str
    worker: str


class Start(Command, frozen=True):
    """A party pressed Start Session."""


class HangUp(Command, frozen=True):
    """The patient leaves the call, not the visit."""


class Release(Command, frozen=True):
    """The visit goes back to the queue, at its original place."""


class Transfer(Command, frozen=True):
    """The visit goes back to the queue, assigned to another provider."""

    to: str


class Invite(Command, frozen=True):
    """The provider asks a guest in; `guest` is the key of the party that they will be."""

    guest: str
    name: str
    relation: str


class Dismiss(Command, frozen=True):
    """The provider sends a guest away."""

    guest: str


class End(Command, frozen=True):
    """The provider ends the visit."""


class Reopen(Command, frozen=True):
    """The provider takes an ended visit up again."""


class Due(Command, frozen=True):
    """A deadline may have passed; any worker's sweep says so."""
