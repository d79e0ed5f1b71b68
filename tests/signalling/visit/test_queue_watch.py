"""What becomes of the queue as a whole."""

from __future__ import annotations

from signalling.visit.queue_watch import watched
from signalling.visit.record import Policy, QueueRules, Watch
from signalling.visit.urgency import Urgency


def test_an_organisation_that_changed_nothing_has_nothing_to_tell_its_pages() -> None:
    assert watched(Watch(), Policy()) == Watch()


def test_f38_a_changed_rule_is_told_with_the_clinics_words() -> None:
    policy = Policy(amber_ms=60_000, urgent_first=True, urgent_word="Soon")
    rules = QueueRules(amber_ms=60_000, urgent_first=True, words={Urgency.URGENT: "Soon"})
    assert watched(Watch(version=3), policy) == Watch(version=3, rules=rules)
