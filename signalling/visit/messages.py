"""Rules for messages during the wait: staff write to the patient, who may answer if the organisation allows that.

Contains the effects and guards of the command `Write`, which rows of `rules.py` use. The texts are chat messages
(`topics/chat.py`). Does no I/O.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from signalling.visit.record import Actor, Visit
from signalling.visit.relations import Context, Refusal

MOST_ANSWERS = 5
"""The greatest number of messages that a waiting patient may write before staff write again."""
MOST_WRITERS = 10
"""The greatest number of staff who are notified of an answer: those who wrote to the patient last."""


def wrote(visit: Visit, _: Any, actor: Actor, __: Context) -> Visit:
    """Return the visit after `actor`, a member of staff, has written a message to the waiting patient.

    The messages that the patient wrote before count as answered.
    """
    others = tuple(one for one in visit.writers if one != actor.id)
    return replace(visit, writers=(*others, actor.id)[-MOST_WRITERS:], unanswered=0, answered_ms=None)


def answered(visit: Visit, _: Any, __: Actor, context: Context) -> Visit:
    """Return the visit after a message of the waiting patient to staff."""
    return replace(visit, unanswered=visit.unanswered + 1, answered_ms=context.now_ms)


def may_answer(visit: Visit, _: Any, __: Actor, context: Context) -> Refusal | None:
    """Return a refusal of a waiting patient's message, None if the message is allowed.

    A message is refused if the organisation does not allow answers, if no member of staff has written before, or if the
    patient has written MOST_ANSWERS messages since staff last wrote.
    """
    if not context.policy.answers_waiting or not visit.writers:
        return Refusal("wrong_status", {"status": str(visit.status)})
    return Refusal("limit_reached", {"most": MOST_ANSWERS}) if visit.unanswered >= MOST_ANSWERS else None
