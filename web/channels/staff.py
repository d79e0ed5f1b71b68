"""Writes messages to staff who have no page open, finds the channels that reach them, and records the results.

A person chooses the channels in their preferences. `rota.py` decides who gets a message, `escalation.py`
sends it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from aiohttp import web

from signalling import service
from signalling.store.jobs import Job, Jobs, Taken
from signalling.store.records import Extra
from signalling.sweep import system
from signalling.visit.commands import RecordUnreached
from signalling.visit.record import STAFF_ROLES, Person, Role, Status, Visit
from signalling.visit.relations import Event
from signalling.visit.waiting_area import serves
from web.channels.messages import KINDS, Message, digits, jobs_of
from web.channels.messages import Resolver as Write
from web.identity.accounts import Account
from web.keys import ACCOUNTS, PUSH, SERVICE, TEXT_SERVICES
from web.languages.i18n import SOURCE, languages, ngettext, using
from web.organisations.settings import Organisation

WAITING = "waiting"
VALID_MS = 30 * 60_000
"""A message to staff may be sent up to this time in ms after the event that caused it."""


Reach = Callable[[web.Application, str, Sequence[Account]], Awaitable[frozenset[str]]]
"""Returns the ids of the accounts that have chosen a channel and can be reached by it.

Raises `UnavailableError` if the store does not answer.
"""


async def _by_text(app: web.Application, organisation: str, accounts: Sequence[Account]) -> frozenset[str]:
    service = await app[TEXT_SERVICES].get(organisation)
    return frozenset(account.id for account in accounts if service is not None and account.texts)


async def _by_push(app: web.Application, organisation: str, accounts: Sequence[Account]) -> frozenset[str]:
    """Return the ids of the accounts that have at least one device for notifications.

    A person chooses this channel by adding a device.
    """
    found = await app[PUSH].staff.owners(organisation, [account.id for account in accounts])
    return frozenset(found)


REACHES: Mapping[str, Reach] = {"text": _by_text, "push": _by_push}
"""Channel to staff -> the function that finds the accounts that the channel reaches."""


async def channels_of(
    app: web.Application, organisation: str, accounts: Sequence[Account]
) -> dict[str, tuple[str, ...]]:
    """Return the channels that reach each account: id of the account -> its channels.

    Raises `UnavailableError` if the store does not answer.
    """
    reached = {kind: await reach(app, organisation, accounts) for kind, reach in REACHES.items()}
    return {
        account.id: tuple(kind for kind, people in reached.items() if account.id in people)
        for account in accounts
    }


def messages(queues: Mapping[str, Jobs]) -> service.Consequences:
    """Return a function that gets an event of a visit, and returns jobs for the messages to staff that the event has
    added to the visit.
    """

    def of(_: service.Organisation, before: Visit | None, after: Visit, event: Event) -> Iterable[Extra]:
        known = len(before.escalations) if before is not None else 0
        for one in after.escalations[known:]:
            payload = {
                "visit": after.id,
                "person": one.id,
                "name": one.name,
                "channels": list(one.channels),
            }
            for job in jobs_of(WAITING, payload, one.channels, event.at_ms, event.at_ms + VALID_MS):
                yield queues[job.kind].entry(after.organisation, job)

    return of


def waiting(app: web.Application) -> Write:
    """Return the function that writes the message to staff: it has the number of waiting patients and a link, and no
    data of a patient.
    """

    async def write(organisation: Organisation, payload: dict[str, Any]) -> Message | None:
        visit = await app[SERVICE].visit_now(organisation.id, payload["visit"])
        account = await app[ACCOUNTS].get(organisation.id, payload["person"])
        if visit is None or visit.status is not Status.QUEUED or account is None or account.disabled:
            return None
        if account.role not in STAFF_ROLES:
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


class Unreached(NamedTuple):
    """A member of staff whom a message has reached on no channel.

    `at_ms`: the time at which the last channel failed; `channels`: the channels that failed.
    """

    at_ms: int
    name: str
    channels: tuple[str, ...]


def not_reached(given_up: Sequence[tuple[int, Job]]) -> list[Unreached]:
    """Return the members of staff whom a message has reached on no channel, the newest failure first.

    `given_up`: all given-up jobs, as pairs of time in ms and job, the oldest first. A person with one channel
    that delivered the message counts as reached, as in the visit's own record (`Escalation.reached`).
    """
    failed: dict[tuple[str, str], dict[str, int]] = {}
    people: dict[tuple[str, str], dict[str, Any]] = {}
    for at_ms, job in given_up:
        payload = job.payload
        if payload.get("message") == WAITING:
            message = (payload["visit"], payload["person"])
            failed.setdefault(message, {})[payload["contact"]] = at_ms
            people[message] = payload
    found = [
        Unreached(
            max(channels.values()), people[message]["name"], tuple(kind for kind in KINDS if kind in channels)
        )
        for message, channels in failed.items()
        # An older job's payload does not list the channels of the person. Then the person counts as not reached as soon
        # as one channel has failed.
        if channels.keys() >= set(people[message].get("channels", channels))
    ]
    return sorted(found, key=lambda one: one.at_ms, reverse=True)


def recorder(visits: Callable[[], service.Service]) -> Callable[[str, Taken, str], Awaitable[None]]:
    """Return a function that records in a visit that a message to staff could not be delivered.

    The function raises `UnavailableError` if the store does not answer. `visits` returns the service for
    visits.
    """

    async def record(organisation: str, taken: Taken, state: str) -> None:
        payload = taken.job.payload
        if state == "failed" and payload.get("message") == WAITING:
            person = Person(payload["person"], payload["name"])
            failed = RecordUnreached(person, payload["contact"])
            await visits().command(system(organisation), payload["visit"], failed)

    return record
