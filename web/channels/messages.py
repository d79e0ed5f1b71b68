"""Short messages: their content, their recipient, and the jobs that send them.

A message holds the clinic's name, a sentence and a path of this server; never text from a patient. It is made when it
is sent, from current data, by the resolver with its name.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from signalling.store.jobs import Job, new_job
from web.languages.i18n import SOURCE
from web.organisations.settings import Organisation

KINDS = ("text", "push")
"""The channels of short messages; each channel's name is also the kind of its jobs."""


class Message(NamedTuple):
    """A message to one person.

    `sentence`: stands before a link. `path`: the path to which the link leads. `phone`: digits with a country code, or
    "". `language`: the language of the sentence. `person`: the id of the receiving member of staff; "" for the patient
    of a visit.
    """

    sentence: str
    path: str
    phone: str = ""
    language: str = SOURCE
    person: str = ""


def digits(phone: str) -> str:
    """Return the digits of a phone number in E.164."""
    return "".join(char for char in phone if char.isdigit())


Resolver = Callable[[Organisation, dict[str, Any]], Awaitable[Message | None]]
"""Returns the message for a job's payload, made from current data; None if it is no longer needed."""


def jobs_of(
    name: str, payload: dict[str, Any], kinds: Sequence[str], now_ms: int, expires_ms: int
) -> list[Job]:
    """Return one job per channel, which sends the message with this name."""
    return [
        new_job(kind, {"message": name, "contact": kind, **payload}, now_ms, expires_ms=expires_ms)
        for kind in KINDS
        if kind in kinds
    ]
