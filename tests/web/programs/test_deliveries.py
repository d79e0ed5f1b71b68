"""Tests the state and the receiver of a delivery.

That a delivery is sent again is tested in `test_mail_queue.py` and in the test of the set-up's page.
"""

import pytest

from signalling.store.jobs import new_job
from web.programs.deliveries import LATE_MS, of_breaker, receiver_of, state_of

NOW_MS = 1_000_000


@pytest.mark.parametrize(
    ("begun", "begins_ms", "state"),
    [
        (False, NOW_MS + 1, "planned"),
        (True, NOW_MS + 1, "due"),
        (False, NOW_MS, "due"),
        (True, NOW_MS - LATE_MS, "due"),
        (False, NOW_MS - LATE_MS - 1, "late"),
        (True, NOW_MS - LATE_MS - 1, "late"),
    ],
)
def test_a_delivery_is_late_a_minute_after_it_was_due(begun: bool, begins_ms: int, state: str) -> None:
    assert state_of(begun, begins_ms, NOW_MS) == state


def test_each_webhook_is_a_receiver_and_all_push_services_are_one() -> None:
    assert receiver_of(new_job("webhook", {"webhook": "h_1"}, 0)) == "h_1"
    assert receiver_of(new_job("mail", {}, 0)) == "mail"
    assert [of_breaker(name) for name in ("push https://push.example", "h_1")] == ["push", "h_1"]
