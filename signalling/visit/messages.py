"""Messages during the wait: staff write to the patient, who may answer if the organisation allows that.

Pure: the effects and guards of `Write` that rows of `rules.py` use. The texts are chat messages (`topics/chat.py`).
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from signalling.visit.record import Actor, Visit
from signalling.visit.relations import Context, Refusal

MOST_ANSWERS = 5
"""The greatest number of messages that a waiting patient may write before staff write again."""
MOST_WRITERS = 10
"""The greatest number of staff who are notified of an answer: those who wrote last."""


def wrote(visit: Visit, _: Any, actor: Actor, __: Context) -> Visit:
    """Note a message of staff; the messages that the patient wrote before count as answered."""
    others = tuple(one for one in visit.writers if one != actor.id)
    return replace(visit, writers=(*others, actor.id)[-MOST_WRITERS:], unanswered=0, answered_ms=None)


def answered(visit: Visit, _: Any, __: Actor, context: Context) -> Visit:
    """Note a message of the waiting patient."""
    return replace(visit, unanswered=visit.unanswered + 1, answered_ms=context.now_ms)


def may_answer(visit: Visit, _: Any, __: Actor, context: Context) -> Refusal | None:
    """Refuse a message of a patient who got none from staff or has written too many, or if the organisation takes no
    answers.
    """
    if not context.policy.answers_waiting or not visit.writers:
        return Refusal("wrong_status", {"status": str(visit.status)})
    return Refusal("limit_reached", {"most": MOST_ANSWERS}) if visit.unanswered >= MOST_ANSWERS else None
