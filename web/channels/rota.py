"""Decides which staff get a message because nobody has claimed a request, and when.

The people of the on-call rota get a message one after another; after the last of them, all administrators get a
message. The accounts, the people with an open page, and the time are arguments; this module does no I/O.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from signalling.visit.escalation import Escalation
from signalling.visit.record import Role, Visit
from signalling.visit.relations import is_licensed
from signalling.visit.waiting_area import serves
from web.identity.accounts import Account
from web.organisations.opening_hours import is_open
from web.organisations.settings import Organisation, Rota, Turn

MINUTE_MS = 60_000


class Facts(NamedTuple):
    """The facts that the decision on a recipient needs, besides the request itself.

    `present`: the ids of the people who have a page open. `channels`: id of a person -> the channels that
    reach this person.
    """

    organisation: Organisation
    accounts: Sequence[Account]
    present: frozenset[str]
    channels: Mapping[str, tuple[str, ...]]
    now: datetime


def is_due(visit: Visit, rota: Rota, now_ms: int) -> bool:
    """Return whether it is time to send the next message about a waiting request.

    The first message is due after the wait `first_min` of the rota. Each following message is due `next_min` after the
    last message; messages that could not be delivered do not count.
    """
    last_ms = max((one.at_ms for one in visit.escalations if one.reached), default=0)
    first_ms = visit.arrived_ms + rota.first_min * MINUTE_MS
    return rota.first_min > 0 and now_ms >= max(first_ms, last_ms + rota.next_min * MINUTE_MS)


def is_on_duty(organisation: Organisation, turn: Turn, at: datetime) -> bool:
    """Return whether a time is within the hours of a person's turn in the rota.

    The days on which the organisation is closed do not matter here. `at`: the time, with a time zone.
    """
    return is_open(replace(organisation, hours=turn.hours, closed=()), at)


def next_people(visit: Visit, facts: Facts) -> list[Account]:
    """Return the recipients of the next message about a request: a person of the rota, or all administrators.

    The person is the next of the rota who works at this hour and may get the message (`_may`). If there is no such
    person, the recipients are the administrators who may get it.
    """
    may = {account.id: account for account in facts.accounts if _may(account, visit, facts)}
    for turn in facts.organisation.rota.turns:
        if turn.person in may and is_on_duty(facts.organisation, turn, facts.now):
            return [may[turn.person]]
    return [account for account in may.values() if account.role is Role.ADMIN]


def escalations(visit: Visit, facts: Facts, lately: frozenset[str]) -> tuple[Escalation, ...]:
    """Return the entries for the next messages about a request, one for each recipient.

    `lately`: the ids of people who got a message about another request shortly before. Their entries have no
    channels, so that they get no further message.
    """
    return tuple(
        Escalation(
            id=account.id,
            name=account.name,
            channels=() if account.id in lately else facts.channels[account.id],
        )
        for account in next_people(visit, facts)
    )


def lately(waiting: Sequence[Visit], rota: Rota, now_ms: int) -> frozenset[str]:
    """Return the ids of the staff who recently got a message about one of the requests `waiting`.

    "Recently": at most the time between two messages (`next_min` of `rota`) before `now_ms`.
    """
    since_ms = now_ms - rota.next_min * MINUTE_MS
    return frozenset(
        one.id for visit in waiting for one in visit.escalations if one.channels and one.at_ms > since_ms
    )


def _may(account: Account, visit: Visit, facts: Facts) -> bool:
    """Return whether a message about the request `visit` may be sent to the person with this `account`.

    The person must be reachable, be allowed to claim the request, have no page open, and not have got a message about
    the request before.
    """
    known = any(one.id == account.id for one in visit.escalations)
    if account.disabled or known or account.id in facts.present or not facts.channels.get(account.id):
        return False
    licensed = not facts.organisation.policy.block_unlicensed or is_licensed(
        account.states, visit.patient.state
    )
    return account.role is Role.ADMIN or (licensed and serves(account.areas, visit.area_id))
