"""Defines the form in which a clinic translates those of its own texts that patients read, for one language.

The name of a field is a hash of the text to translate. If the text was changed after the form was shown, no text
has the name of the sent field any more, so the sent translation is ignored.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from msgspec.structs import replace

from signalling.visit.setup_guide import Option, Step
from web.languages.i18n import N_, gettext, isolated
from web.organisations.settings import Organisation, Survey, SurveyChoice, WaitingMessage, bounds, bounds_of
from web.pages.setup import after_form, calendar_form, messages_form
from web.pages.setup.frame import Form, Parsed, Posted, plain

GUIDE_TEXTS = {
    "title": N_("Step %(number)s: question"),
    "help": N_("Step %(number)s: explanation"),
    "text": N_("Step %(number)s: full text that is agreed to"),
}
ROWS_FROM = 120
"""The field for a text has one more line for each ROWS_FROM characters of the text, and for each of its line breaks."""


class Entry(NamedTuple):
    """A text of the clinic, a description of it, and the greatest number of characters in a translation."""

    label: str
    text: str
    longest: int

    @property
    def field(self) -> str:
        """The name of the form's field for the translation of this text."""
        return f"text-{sha256(self.text.encode()).hexdigest()[:16]}"

    @property
    def rows(self) -> int:
        """The height in lines of the form's field for the translation of this text."""
        return 1 + self.text.count("\n") + len(self.text) // ROWS_FROM


def entries(organisation: Organisation) -> list[Entry]:
    """Return the clinic's texts that patients read, each once, in the order of the set-up's pages."""
    survey, longest = organisation.survey, bounds_of(SurveyChoice).most
    found = [
        *(
            Entry(
                gettext(calendar_form.TEXTS[name].label),
                getattr(organisation, name),
                bounds(Organisation, name).most,
            )
            for name in ("welcome", "notice")
        ),
        *(
            Entry(messages_form.label(one), one.text, bounds(WaitingMessage, "text").most)
            for one in organisation.messages
        ),
        *(
            Entry(gettext(after_form.LABELS[name]), getattr(survey, name), bounds(Survey, name).most)
            for name in after_form.TEXTS
        ),
        *(
            Entry(gettext("Answer %(number)s") % {"number": number}, choice, longest)
            for number, choice in enumerate(survey.choices or (), 1)
        ),
        *_of_guides(organisation),
    ]
    return list({entry.text: entry for entry in reversed(found) if entry.text}.values())[::-1]


def _of_guides(organisation: Organisation) -> Iterator[Entry]:
    """Yield the texts of the clinic's own setup guide, then the texts of the setup guides of its waiting areas.

    The label of a text of an area begins with the area. Otherwise two steps would have the same label.
    """
    guides = [("", organisation.guide)]
    guides += [
        (f"{isolated(area.name)} ({area.id}) · ", area.guide) for area in organisation.areas if area.guide
    ]
    for of, number, step in ((of, *step) for of, guide in guides for step in enumerate(guide.steps, 1)):
        for name, label in GUIDE_TEXTS.items():
            text = getattr(step, name)
            yield Entry(of + gettext(label) % {"number": number}, text, bounds(Step, name).most)
        for place, option in enumerate(step.options, 1):
            label = gettext("Step %(number)s: option %(option)s") % {"number": number, "option": place}
            yield Entry(of + label, option, bounds_of(Option).most)


class TranslationsSection:
    """Handles the form of the set-up's section "Translations", for one language."""

    name = "translations"
    template = "setup/translations.html"

    def __init__(self, language: str) -> None:
        self.language = language

    def form(self, organisation: Organisation) -> Form:
        """Return the form with the stored translations: name of a field -> translation, "" if there is none."""
        known = organisation.translations.get(self.language, {})
        return {entry.field: known.get(entry.text, "") for entry in entries(organisation)}

    def parse(self, posted: Posted, organisation: Organisation) -> Parsed:
        """Check the posted form; return its values and a sentence for each wrong field."""
        found = entries(organisation)
        form = {
            entry.field: plain(posted.get(entry.field, ""), entry.longest, lines="\n" in entry.text)
            for entry in found
        }
        sentence = gettext("This is too long; at most %(most)s characters, please.")
        errors = {
            entry.field: sentence % {"most": entry.longest}
            for entry in found
            if len(form[entry.field]) > entry.longest
        }

        def apply(document: Organisation) -> Organisation:
            texts = {entry.text: form[entry.field] for entry in found if form[entry.field]}
            return replace(document, translations={**document.translations, self.language: texts})

        return Parsed(form, errors, apply)

    def shown(self, organisation: Organisation) -> dict[str, str]:
        """Return the stored translations: label of a text -> its translation, "" if there is none."""
        form = self.form(organisation)
        return {entry.label: form[entry.field] for entry in entries(organisation)}
