"""Finds the ids and email addresses of records in other data, such as notifications, jobs and mails. Does no I/O."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import msgspec

from signalling.visit.record import Visit
from web.appointments.appointment import Appointment
from web.requests.mail_addresses import on_the_envelope

GROUPED = 4
"""If several ids begin with the same characters, a pattern has these only once, up to this number of characters."""


class Names:
    """Finds the ids and email addresses of records in other data; capital and small letters count as the same.

    An address is found as a whole: `ana@example.org` is not found in `joana@example.org`, who is another person. A
    domain with letters beyond ASCII is found in both of its forms.
    """

    def __init__(self, visits: Iterable[Visit], booked: Iterable[Appointment]) -> None:
        records: list[Visit | Appointment] = [*visits, *booked]
        addresses = {
            # In a mail encoded as "quoted-printable", the character before the address may be written as = and two
            # hexadecimal digits; these digits do not belong to the address.
            rf"(?:(?<![\w.+%-])|(?<==[0-9a-f]{{2}})){re.escape(address)}(?![\w-]|\.\w)"
            for one in records
            # The header of a mail has the address in ASCII.
            for address in (one.patient.email, on_the_envelope(one.patient.email))
            if address
        }
        ids = {one.id for one in records}
        parts = [*sorted(addresses), *([_pattern_of(ids)] if ids else [])]
        self._pattern = re.compile("|".join(parts) or "(?!)", re.IGNORECASE)

    def in_text(self, data: bytes) -> bool:
        """Return whether `data`, a text as bytes, contains one of the ids or email addresses."""
        return self._pattern.search(data.decode("utf-8", "replace")) is not None

    def in_packed(self, data: bytes) -> bool:
        """Return whether a text in `data`, a value in MessagePack, contains one of the ids or addresses."""
        return any(self._pattern.search(text) for text in _texts(msgspec.msgpack.decode(data)))


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts in a value that was decoded from MessagePack, those in lists and maps inside it included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode("utf-8", "replace")
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _texts(pair)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _pattern_of(texts: Collection[str], grouped: int = GROUPED) -> str:
    """Return a pattern that matches each of these texts.

    For texts with the same beginning, the pattern has this beginning only once, up to `grouped` characters. Otherwise
    a search for the ids of hundreds of visits would try each id at each place of the searched text.
    """
    if len(texts) == 1 or not grouped:
        return "(?:" + "|".join(re.escape(text) for text in sorted(texts)) + ")"
    rests = dict[str, set[str]]()
    for text in texts:
        rests.setdefault(text[:1], set()).add(text[1:])
    groups = (re.escape(first) + _pattern_of(rests[first], grouped - 1) for first in sorted(rests))
    return "(?:" + "|".join(groups) + ")"
