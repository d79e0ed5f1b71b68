"""Messages to staff who have no page open: their channels, what a message says, and what came of it.

A person chooses the channels in their preferences. `rota.py` decides who gets a message, `escalation.py` sends it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from aiohttp import web

from signalling import service
from signalling.store.jobs import Jobs, Taken
from signalling.store.records import Extra
from signalling.sweep import system
from signalling.visit.commands import RecordUnreached
from signalling.visit.record import Person, Role, Status, Visit
from signalling.visit.relations import Event
from signalling.visit.waiting_area import serves
from web.channels.messages import Message, digits, jobs_of
from web.channels.messages import Resolver as Write
from web.identity.accounts import Account
from web.keys import ACCOUNTS, SERVICE, TEXT_SERVICES
from web.languages.i18n import N_, SOURCE, languages, ngettext, using
from web.organisations.settings import Organisation

WAITING = "waiting"
VALID_MS = 30 * 60_000
"""For how long a message to staff may still leave."""


class Channel(NamedTuple):
    """A channel to staff: its choice in the preferences, and a function that returns whether an organisation has it."""

    label: str
    works: Callable[[web.Application, str], Awaitable[bool]]


async def _has_text_service(app: web.Application, organisation: str) -> bool:
    return await app[TEXT_SERVICES].get(organisation) is not None


CHANNELS: Mapping[str, Channel] = {
    "text": Channel(
        N_("Send me a text message when a patient waits and I have no page open"), _has_text_service
    ),
}


async def working(app: web.Application, organisation: str) -> frozenset[str]:
    """Return the channels to staff that work at the organisation. Raises `UnavailableError`."""
    return frozenset([kind for kind, channel in CHANNELS.items() if await channel.works(app, organisation)])


def messages(queues: Mapping[str, Jobs]) -> service.Consequences:
    """Return the function that returns the messages to staff that follow from a visit's event."""

    def of(_: service.Organisation, before: Visit | None, after: Visit, event: Event) -> Iterable[Extra]:
        known = len(before.escalations) if before is not None else 0
        for one in after.escalations[known:]:
            payload = {"visit": after.id, "person": one.id, "name": one.name}
            for job in jobs_of(WAITING, payload, one.channels, event.at_ms, event.at_ms + VALID_MS):
                yield queues[job.kind].entry(after.organisation, job)

    return of


def waiting(app: web.Application) -> Write:
    """Return the function that makes the message: how many wait, and a link; nothing about a patient."""

    async def write(organisation: Organisation, payload: dict[str, Any]) -> Message | None:
        visit = await app[SERVICE].visit_now(organisation.id, payload["visit"])
        account = await app[ACCOUNTS].get(organisation.id, payload["person"])
        if visit is None or visit.status is not Status.QUEUED or account is None or account.disabled:
            return None
        mirror = await app[SERVICE].mirrors.get(organisation.id)
        count = sum(_sees(account, one) for one in mirror.visits.queue(urgent_first=False))
        wanted = (account.language, *organisation.languages)
        language = next((code for code in wanted if code in languages()), SOURCE)
        with using(language):
            sentence = ngettext(
                "%(num)s patient waits, and nobody has claimed them yet.",
                "%(num)s patients wait, and nobody has claimed them yet.",
                count,
            ) % {"num": count}
        return Message(sentence, f"/{organisation.id}/staff", digits(account.phone), language, account.id)

    return write


def _sees(account: Account, visit: Visit) -> bool:
    return account.role is Role.ADMIN or serves(account.areas, visit.area_id)


def recorder(visits: Callable[[], service.Service]) -> Callable[[str, Taken, str], Awaitable[None]]:
    """Return the function that writes into a visit that a message to staff was given up.

    The function raises `UnavailableError`.
    """

    async def record(organisation: str, taken: Taken, state: str) -> None:
        payload = taken.job.payload
        if state == "failed" and payload.get("message") == WAITING:
            person = Person(payload["person"], payload["name"])
            failed = RecordUnreached(person, payload["contact"])
            await visits().command(system(organisation), payload["visit"], failed)

    return record
