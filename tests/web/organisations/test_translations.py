"""Tests the texts that an organisation has written itself, in the other languages of its pages."""

from msgspec.structs import replace

from web.organisations import demo
from web.organisations.translations import LONGEST, MOST_TEXTS, Translated, too_large, translated

KNOWN = {"es": {"Welcome": "Bienvenidos"}}


def test_a_text_is_shown_in_the_language_of_the_page_or_as_it_is_with_its_own_language() -> None:
    assert translated("Welcome", "es", "en", KNOWN) == Translated("Bienvenidos", "es")
    assert translated("Welcome", "fr", "en", KNOWN) == Translated("Welcome", "en")
    assert translated("Welcome!", "es", "en", KNOWN) == Translated("Welcome!", "en"), "changed since"
    spanish_first = replace(demo.ORGANISATION, languages=("vi", "en"))
    assert spanish_first.translated("Chào", "en") == Translated("Chào", "vi")


def test_there_is_a_limit_to_languages_texts_and_their_length() -> None:
    assert not too_large(KNOWN)
    assert too_large({"es": {"a": "x" * (LONGEST + 1)}})
    assert too_large({"es": {str(number): "x" for number in range(MOST_TEXTS + 1)}})
    assert too_large({str(number): {} for number in range(41)})
