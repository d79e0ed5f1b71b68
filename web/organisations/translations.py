"""An organisation's own texts in other languages of the pages, each found by the text itself.

Pure. A text that was changed has no translation until somebody writes one: an older wording is never shown.
"""

from collections.abc import Mapping
from typing import NamedTuple

Translations = dict[str, dict[str, str]]
"""Language of the pages -> the organisation's text -> the same in that language."""
MOST_LANGUAGES, MOST_TEXTS, LONGEST = 40, 2_000, 20_000
"""The most languages, texts of a language, and characters of a text."""


class Translated(NamedTuple):
    """A text to show, and the language that it is in."""

    text: str
    language: str


def translated(
    text: str, language: str, main: str, translations: Mapping[str, Mapping[str, str]]
) -> Translated:
    """Return a text in a language of the pages; if it has no translation, as it is in the main language."""
    found = translations.get(language, {}).get(text)
    return Translated(text, main) if found is None else Translated(found, language)


def too_large(translations: Mapping[str, Mapping[str, str]]) -> bool:
    """Return whether there are more languages, texts or characters than are kept."""
    return len(translations) > MOST_LANGUAGES or any(
        len(texts) > MOST_TEXTS or any(len(text) > LONGEST for text in texts.values())
        for texts in translations.values()
    )
