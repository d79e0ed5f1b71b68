"""Writes answers of the setup guide in words, on pages that the server draws; `shared/case.js` does the same in
scripts.
"""

from typing import Any

from babel import Locale, UnknownLocaleError

from web.languages.i18n import N_, filled, gettext, locale

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


def answer_words(answer: Any) -> str:
    """Return an answer in words of the reader's language; "" for an answer that says nothing."""
    if isinstance(answer, bool):
        return gettext("Yes") if answer else gettext("No")
    if not isinstance(answer, dict):
        return str(answer)
    if answer.get("agreed"):
        return _consent(answer)
    return " · ".join(
        f"{gettext(DEVICES[part])}: {gettext(RESULTS[word]) if word in RESULTS else word}"
        for part, word in answer.items()
        if part in DEVICES
    )


def _consent(answer: dict[str, Any]) -> str:
    if not answer.get("signature"):
        return gettext("Agreed, not signed yet")
    signed = filled(gettext("Agreed, signed “{name}”"), name=answer["signature"])
    if not answer.get("language"):
        return signed
    name = _language_name(answer["language"])
    return f"{signed} · {filled(gettext('read in {language}'), language=name)}"


def _language_name(code: str) -> str:
    """Return the name of a language in the reader's language; the code if the name is not known."""
    try:
        return Locale.parse(code, sep="-").get_language_name(locale()) or code
    except (ValueError, UnknownLocaleError):
        return code
