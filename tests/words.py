"""Translates the texts of pages, for tests of what people read and press."""

from collections.abc import Callable

from web.languages import i18n

Say = Callable[..., str]


def speaking(language: str) -> Say:
    """Return a function that translates a text of the pages into this language: `say("Claim {name}", name="Ana")`."""

    def say(text: str, **values: object) -> str:
        with i18n.using(language):
            return i18n.filled(i18n.gettext(text), **values) if values else i18n.gettext(text)

    return say
