"""Defines short messages: their content, their recipient, and the jobs that send them.

A message holds the clinic's name, a sentence and a path of this server; never text from a patient. The message is
written when it is sent, from current data, by the function that is registered under its name (a `Resolver`).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from signalling.store.jobs import Job, new_job
from web.languages.i18n import SOURCE
from web.organisations.settings import Organisation

KINDS = ("text", "push")
"""The channels of short messages; each channel's name is also the kind of its jobs."""


class Message(NamedTuple):
    """A short message to one person.

    `sentence`: the text before the link. `path`: the path to which the link leads. `phone`: the digits of the person's
    number with its country code, "" if there is no number. `language`: the language of the sentence. `person`: the id
    of the receiving member of staff; "" for the patient of a visit.
    """

    sentence: str
    path: str
    phone: str = ""
    language: str = SOURCE
    person: str = ""


def digits(phone: str) -> str:
    """Return the digits of a phone number that has a country code (E.164), without "+" and spaces: "15125550142"."""
    return "".join(char for char in phone if char.isdigit())


Resolver = Callable[[Organisation, dict[str, Any]], Awaitable[Message | None]]
"""Writes the message for a job's payload from current data; returns None if the message is no longer needed."""


def jobs_of(
    name: str, payload: dict[str, Any], kinds: Sequence[str], now_ms: int, expires_ms: int
) -> list[Job]:
    """Return one job for each channel in `kinds`; each job sends the message with this name.

    `payload`: the values for the function that writes the message; `now_ms`: the time now; `expires_ms`: the moment (ms
    since the epoch) after which the message is no longer sent.
    """
    return [
        new_job(kind, {"message": name, "contact": kind, **payload}, now_ms, expires_ms=expires_ms)
        for kind in KINDS
        if kind in kinds
    ]
