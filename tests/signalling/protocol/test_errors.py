"""Tests errors as clients receive them: each code has a text, and a more exact one if the error has details."""

import pytest

from signalling.protocol.errors import TEXTS, error


def test_every_code_has_its_text() -> None:
    for code, text in TEXTS.items():
        found = error(7, code)
        assert (found.reply_to, found.code, found.text, found.details) == (7, code, text, {})
    with pytest.raises(KeyError):
        error(None, "no such code")


@pytest.mark.parametrize(
    ("code", "details", "text"),
    [
        ("already_claimed", {"by": {"id": "osei", "name": "Osei"}}, "Osei has claimed this visit."),
        ("already_claimed", {"problem": "x"}, TEXTS["already_claimed"]),
        ("invalid_answer", {"problem": "is required", "step": "since"}, "This answer is required."),
        ("invalid_answer", {"by": {"name": "Osei"}}, TEXTS["invalid_answer"]),
        ("not_found", {"by": {"name": "Osei"}, "problem": "is odd"}, TEXTS["not_found"]),
    ],
)
def test_an_errors_text_contains_its_details(code: str, details: dict[str, object], text: str) -> None:
    found = error(None, code, details)
    assert (found.text, found.details, found.reply_to) == (text, details, None)
