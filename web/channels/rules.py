"""Decides which patient gets a message about a visit, when, and how long the message is valid. Pure.

A patient who is absent when their visit is claimed gets a message at once. A patient whose page seems open gets one
after GRACE_MS if the page is gone by then, because a phone that is locked or offline is detected late.
"""

from signalling.visit.record import Status, Visit
from signalling.visit.relations import PATIENT, Event

GRACE_MS = 10_000
PATIENT_FOR_MS = 30 * 60_000
"""The time in ms after the claim in which a message to the patient may be sent."""


def patient_due_ms(after: Visit, event: Event) -> int | None:
    """Return the time in ms at which to check whether the patient needs a message after this event; None if never."""
    if event.kind != "claimed":
        return None
    return event.at_ms + (GRACE_MS if after.parties[PATIENT].present else 0)


def patient_is_awaited(visit: Visit | None, claimed_ms: int) -> bool:
    """Return whether the patient is absent from the visit that was claimed at that time, and not in a call."""
    return (
        visit is not None
        and visit.status is Status.CLAIMED
        and visit.claimed_ms == claimed_ms
        and not visit.parties[PATIENT].present
    )
