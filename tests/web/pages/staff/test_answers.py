"""Tests the words of a patient's answers on pages that the server draws: SECURITY.md row 45."""

from typing import Any

import pytest

from signalling.visit.setup_guide import Kind
from web.languages.i18n import using
from web.pages.staff.answers import answer_words, language_name

SIGNED = {"agreed": True, "signature": "Ana Ruiz", "language": "fr"}


@pytest.mark.parametrize(
    ("language", "kind", "answer", "words"),
    [
        ("en", Kind.YES_NO, True, "Yes"),
        ("es", Kind.YES_NO, False, "No"),
        ("en", Kind.TEXT, "It itches", "It itches"),
        ("en", Kind.TEXT, "2026-01-05", "2026-01-05"),
        ("en", Kind.TEXT, "", ""),
        ("en", Kind.TEXT, None, ""),
        ("en", Kind.DATE, "2026-01-05", "January 5, 2026"),
        ("es", Kind.DATE, "2026-01-05", "5 de enero de 2026"),
        ("en", Kind.DATE, "last week", "last week"),
        ("en", Kind.DEVICE_CHECK, {"camera": "on", "network": "odd"}, "Camera: works · Network: odd"),
        ("en", Kind.DEVICE_CHECK, {"camera": True, "place": "x"}, "Camera: True"),
        (
            "es", Kind.DEVICE_CHECK, {"camera": "on", "speaker": "not heard"},
            "Cámara: funciona · Altavoz: no se oye",
        ),
        ("en", Kind.CONSENT, {"agreed": True}, "Agreed, not signed yet"),
        ("en", Kind.CONSENT, {**SIGNED, "language": ""}, "Agreed, signed “Ana Ruiz”"),
        ("es", Kind.CONSENT, SIGNED, "Aceptado, firmado «Ana Ruiz» · leído en francés"),
        ("en", Kind.CONSENT, {**SIGNED, "language": "no such"}, "Agreed, signed “Ana Ruiz” · read in no such"),
        ("en", Kind.CONSENT, {**SIGNED, "language": "xx"}, "Agreed, signed “Ana Ruiz” · read in xx"),
        ("en", Kind.CONSENT, {**SIGNED, "language": True}, "Agreed, signed “Ana Ruiz” · read in True"),
        ("en", Kind.CONSENT, {"agreed": False}, ""),
    ],
)  # fmt: skip
def test_s45_an_answer_is_written_in_the_readers_language(
    language: str, kind: Kind, answer: Any, words: str
) -> None:
    with using(language):
        assert answer_words(kind, answer).replace("\u2068", "").replace("\u2069", "") == words


def test_s45_a_sign_language_has_a_name_too() -> None:
    with using("es"):
        assert language_name("ase") != "ase"
        assert language_name("es") == "español"
