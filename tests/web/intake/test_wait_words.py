"""Tests the words with which pages show an expected wait."""

import pytest

from web.intake.wait_words import wait_words

MINUTE_MS = 60_000


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0, 0.5, "Usually within a minute"),
        (3, 3, "Usually about 3 minutes"),
        (4.9, 8.1, "Usually 4 to 9 minutes"),
        (30, 90, "Usually 30 to 90 minutes"),
        (31, 93, "Usually half an hour to two hours"),
        (40, 121, "Usually one to three hours"),
        (60, 180, "More than two hours"),
        (633, 1900, "More than two hours"),
    ],
)
def test_f16_a_long_wait_is_shown_in_hours_and_beyond_two_without_a_number(
    low: float, high: float, words: str
) -> None:
    assert wait_words((round(low * MINUTE_MS), round(high * MINUTE_MS))) == words


def test_without_data_there_are_no_words() -> None:
    assert wait_words(None) is None
