"""Defines the fields of the messages that a clinic sends automatically to waiting patients: each has a time and a text.

The fields are a part of the form "Rules and limits".
"""

from web.languages.i18n import gettext
from web.organisations.settings import MOST_MESSAGES, Organisation, WaitingMessage, bounds
from web.pages.setup.frame import Form, Posted, plain

LONGEST = bounds(WaitingMessage, "text").most
TIMES = bounds(WaitingMessage, "after_min")
ROWS = tuple((f"after-{number}", f"say-{number}") for number in range(MOST_MESSAGES))
"""The names of the form's fields for each automatic message: the field for its time, and the field for its text."""


def form_of(organisation: Organisation) -> Form:
    """Return the form's fields for the automatic messages, filled with the organisation's messages."""
    rows = [(str(one.after_min), one.text) for one in organisation.messages]
    rows += [("", "")] * (MOST_MESSAGES - len(rows))
    return {
        name: value
        for names, row in zip(ROWS, rows, strict=True)
        for name, value in zip(names, row, strict=True)
    }


def typed(posted: Posted) -> Form:
    """Return the form's fields for the automatic messages, with the values that were typed, unchecked."""
    return {
        name: text
        for after, say in ROWS
        for name, text in (
            (after, posted.get(after, "").strip()[:8]),
            (say, plain(posted.get(say, ""), LONGEST, lines=True)),
        )
    }


def wrong(form: Form) -> dict[str, str]:
    """Return what is wrong: field -> sentence. A message with neither a time nor a text is ignored."""
    errors: dict[str, str] = {}
    seen: set[int] = set()
    for after, say in ROWS:
        if not form[after] and not form[say]:
            continue
        minutes = _minutes(form[after])
        if not TIMES.least <= minutes <= TIMES.most:
            errors[after] = gettext("Write a whole number from %(least)s to %(most)s.") % TIMES._asdict()
        elif minutes in seen:
            errors[after] = gettext("Another message has this time already.")
        seen.add(minutes)
        if not form[say]:
            errors[say] = gettext("Write the message.")
        elif len(form[say]) > LONGEST:
            sentence = gettext("This is too long; at most %(most)s characters, please.")
            errors[say] = sentence % {"most": LONGEST}
    return errors


def messages(form: Form) -> tuple[WaitingMessage, ...]:
    """Return the automatic messages that a sent form describes, sorted by time. The form must have no wrong field."""
    found = [
        WaitingMessage(after_min=_minutes(form[after]), text=form[say]) for after, say in ROWS if form[say]
    ]
    return tuple(sorted(found, key=lambda one: one.after_min))


def shown(organisation: Organisation) -> dict[str, str]:
    """Return the automatic messages in words: label of the message -> its text."""
    return {label(one): one.text for one in organisation.messages}


def label(message: WaitingMessage) -> str:
    """Return the label of an automatic message, which names the length of the wait after which it is sent."""
    return gettext("Message after %(n)s minutes") % {"n": message.after_min}


def _minutes(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else -1
