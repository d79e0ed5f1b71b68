"""Translates an organisation's own texts into other languages of the pages; the key is the text itself.

A text that was changed has no translation until somebody translates it. So an outdated translation is never shown.
"""

from collections.abc import Mapping
from typing import NamedTuple

Translations = dict[str, dict[str, str]]
"""Language of the pages -> the organisation's text -> its translation."""
MOST_LANGUAGES, MOST_TEXTS, LONGEST = 40, 2_000, 20_000
"""The greatest number of languages, of texts in a language, and of characters in a text."""


class Translated(NamedTuple):
    """A text to show, and the language in which it is written."""

    text: str
    language: str


def translated(
    text: str, language: str, main: str, translations: Mapping[str, Mapping[str, str]]
) -> Translated:
    """Return a text in a language of the pages; without a translation, the text itself.

    `main`: the language of the text itself.
    """
    found = translations.get(language, {}).get(text)
    return Translated(text, main) if found is None else Translated(found, language)


def too_large(translations: Mapping[str, Mapping[str, str]]) -> bool:
    """Return whether there are more languages, texts or characters than allowed."""
    return len(translations) > MOST_LANGUAGES or any(
        len(texts) > MOST_TEXTS or any(len(text) > LONGEST for text in texts.values())
        for texts in translations.values()
    )
