"""Tests the words of a patient's answers on pages that the server draws: SECURITY.md row 45."""

from typing import Any

import pytest

from web.languages.i18n import using
from web.pages.staff.answers import answer_words

SIGNED = {"agreed": True, "signature": "Ana Ruiz", "language": "fr"}


@pytest.mark.parametrize(
    ("language", "answer", "words"),
    [
        ("en", True, "Yes"),
        ("es", False, "No"),
        ("en", "It itches", "It itches"),
        ("en", {"camera": "on", "network": "odd"}, "Camera: works · Network: odd"),
        ("es", {"camera": "on", "speaker": "not heard"}, "Cámara: funciona · Altavoz: no se oye"),
        ("en", {"agreed": True}, "Agreed, not signed yet"),
        ("en", {**SIGNED, "language": ""}, "Agreed, signed “Ana Ruiz”"),
        ("es", SIGNED, "Aceptado, firmado «Ana Ruiz» · leído en francés"),
        ("en", {**SIGNED, "language": "no such"}, "Agreed, signed “Ana Ruiz” · read in no such"),
        ("en", {**SIGNED, "language": "xx"}, "Agreed, signed “Ana Ruiz” · read in xx"),
        ("en", {"agreed": False}, ""),
    ],
)
def test_s45_an_answer_is_written_in_the_readers_language(language: str, answer: Any, words: str) -> None:
    with using(language):
        assert answer_words(answer).replace("\u2068", "").replace("\u2069", "") == words
