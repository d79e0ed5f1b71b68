"""Writes answers of the setup guide in words, for pages that the server draws.

On pages that scripts draw, `shared/case.js` writes the answers.
"""

from datetime import date
from typing import Any

from babel import Locale, UnknownLocaleError

from signalling.visit.setup_guide import Kind
from web.languages.i18n import N_, date_words, filled, gettext, locale

DEVICES = {
    "camera": N_("Camera"),
    "microphone": N_("Microphone"),
    "speaker": N_("Speaker"),
    "network": N_("Network"),
}
"""The parts of a device check -> their names."""
RESULTS = {
    "on": N_("works"),
    "good": N_("good"),
    "fair": N_("fair"),
    "poor": N_("poor"),
    "not heard": N_("not heard"),
    "denied": N_("not allowed"),
    "system": N_("not allowed"),
    "silent": N_("switched off"),
    "missing": N_("none"),
    "busy": N_("in use elsewhere"),
    "insecure": N_("not allowed"),
    "unsupported": N_("not in this browser"),
    "failed": N_("does not work"),
    "blocked": N_("blocks video"),
}
"""The results of a device check -> their words."""


SIGN_LANGUAGES = {"ase": N_("American Sign Language")}
"""Code of a sign language -> its name; Babel has no names of sign languages."""


def answer_words(kind: Kind, answer: Any) -> str:
    """Return the answer to a step of this kind, in words of the reader's language; "" for an answer without content.

    The patient may have stopped in the middle of a step, so the answer may have another form than the step asks for.
    """
    if isinstance(answer, bool):
        return gettext("Yes") if answer else gettext("No")
    if isinstance(answer, str):
        return day_words(answer) if kind is Kind.DATE else answer
    if not isinstance(answer, dict):
        return ""
    return _consent(answer) if kind is Kind.CONSENT else _device_check(answer)


def day_words(text: str) -> str:
    """Return a date such as 1990-04-02 in words; the text itself if it is no date."""
    try:
        return date_words(date.fromisoformat(text), "long")
    except ValueError:
        return text


def _device_check(answer: dict[str, Any]) -> str:
    return " · ".join(
        f"{gettext(DEVICES[part])}: {gettext(RESULTS[word]) if word in RESULTS else word}"
        for part, word in answer.items()
        if part in DEVICES
    )


def _consent(answer: dict[str, Any]) -> str:
    if not answer.get("agreed"):
        return ""
    if not answer.get("signature"):
        return gettext("Agreed, not signed yet")
    signed = filled(gettext("Agreed, signed “{name}”"), name=str(answer["signature"]))
    if not answer.get("language"):
        return signed
    name = language_name(str(answer["language"]))
    return f"{signed} · {filled(gettext('read in {language}'), language=name)}"


def language_name(code: str) -> str:
    """Return the name of a language in the reader's language; the code if the name is not known."""
    if code in SIGN_LANGUAGES:
        return gettext(SIGN_LANGUAGES[code])
    try:
        return Locale.parse(code, sep="-").get_language_name(locale()) or code
    except (ValueError, UnknownLocaleError):
        return code
