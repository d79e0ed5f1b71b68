"""Decides when a patient gets a message about a visit, and how long the message is valid. It does no I/O.

A patient who is absent when their visit is claimed gets a message at once. If the patient's page seems open at that
moment, the patient gets the message if they are absent GRACE_MS later: it takes a moment to detect that a phone is
locked or offline.
"""

from signalling.visit.record import Status, Visit
from signalling.visit.relations import PATIENT, Event

GRACE_MS = 10_000
PATIENT_FOR_MS = 30 * 60_000
"""A message to an absent patient may be sent up to this time in ms after the claim of the visit."""


def patient_due_ms(after: Visit, event: Event) -> int | None:
    """Return the time in ms at which to check whether the patient needs a message after this event; None for never.

    `after`: the visit after the event.
    """
    if event.kind != "claimed":
        return None
    return event.at_ms + (GRACE_MS if after.parties[PATIENT].present else 0)


def patient_is_awaited(visit: Visit | None, claimed_ms: int) -> bool:
    """Return whether the patient of a claimed visit is absent, and not in a call.

    `claimed_ms`: the time of the claim that the message is about; after another claim the result is False.
    """
    return (
        visit is not None
        and visit.status is Status.CLAIMED
        and visit.claimed_ms == claimed_ms
        and not visit.parties[PATIENT].present
    )
