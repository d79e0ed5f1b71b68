"""The facts and the result of a decision about a visit, and how an actor is related to a visit.

`rules.py` defines the rules. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from signalling.visit import setup_guide as guides
from signalling.visit.record import STAFF_ROLES, Actor, Person, Policy, Role, Staff, Visit
from signalling.visit.waiting_area import serves

# the keys of the parties in `Visit.parties`; a guest's key begins with GUEST_PREFIX
PATIENT, PROVIDER = "patient", "provider"
GUEST_PREFIX = "guest-"
MOST_GUESTS = 4
MOST_PHOTOS = 6


# --- the types


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The facts that a decision needs in addition to the record.

    `number`: the number of a new visit (`record.Visit`). `staff`: the organisation's staff, by id. `in_session`: the
    ids of the staff who are in a live visit. `areas`: the organisation's waiting areas, id -> name. `rooms_left`: how
    many more visits of all organisations can have media at the same time; None if there is no limit.
    """

    now_ms: int
    number: int = 0
    policy: Policy
    guide: guides.Guide
    staff: Mapping[str, Staff] = {}
    in_session: frozenset[str] = frozenset()
    areas: Mapping[str, str] = {}
    rooms_left: int | None = None


class Event(msgspec.Struct, frozen=True):
    """The name of a change of a visit, with its time, as the visit's history and notifications show it.

    `by`: the person who made the change, None if the server made it. `note`: a further detail, or None.
    """

    kind: str
    at_ms: int
    by: Person | None = None
    note: str | None = None


class Decided(msgspec.Struct, frozen=True):
    """The result of an allowed command: the visit after it.

    If the command had been carried out before, `event` is None and the visit is unchanged.
    """

    visit: Visit
    event: Event | None


class Refusal(msgspec.Struct, frozen=True):
    """The reason for a refusal: a code that does not change (PROTOCOL.md#errors), and details that a page may show."""

    code: str
    details: dict[str, Any] = {}


# --- the relations of an actor to a visit, as words that the rows of `rules.py` use

ON_CALL, ASSIGNEE, CLAIMANT, ADMIN, SYSTEM, FACILITY = (
    "on call",
    "assignee",
    "claimant",
    "admin",
    "system",
    "facility",
)
ANYONE_STAFF, GUEST = "staff", "guest"
ELSEWHERE = "on call in other areas"
PARTIES = (PATIENT, CLAIMANT)


def relations(visit: Visit | None, actor: Actor, on_duty: Mapping[str, Staff]) -> frozenset[str]:
    """Return the actor's relations to the visit, such as PATIENT; an empty set for an actor of another organisation.

    `on_duty`: the organisation's staff, by id. If `visit` is None, the relations to a visit that is not opened yet are
    returned.
    """
    found = set()
    if visit is not None and visit.organisation != actor.organisation:
        return frozenset()
    if actor.role is Role.SYSTEM:
        found.add(SYSTEM)
    elif actor.role is Role.FACILITY:
        if visit is None or _opened(visit, actor):
            found.add(FACILITY)
    elif actor.role is Role.PATIENT:
        if visit is None or actor.visit == visit.id:
            found.add(PATIENT)
    elif actor.role is Role.GUEST:
        if visit is not None and actor.visit == visit.id and actor.id in visit.parties:
            found.add(GUEST)
    elif actor.role in STAFF_ROLES:
        found.add(ANYONE_STAFF)
        staff = on_duty.get(actor.id)
        if staff is not None and staff.on_call:
            found.add(ON_CALL if visit is None or serves(staff.areas, visit.area_id) else ELSEWHERE)
        if actor.role is Role.ADMIN:
            found.add(ADMIN)
        if visit is not None and visit.assignee is not None and visit.assignee.id == actor.id:
            found.add(ASSIGNEE)
        if visit is not None and visit.claimant is not None and visit.claimant.id == actor.id:
            found.add(CLAIMANT)
    return frozenset(found)


def _opened(visit: Visit, actor: Actor) -> bool:
    """Return True if this facility or API key has opened the visit.

    In an older record, `opened_by` is None. Then the name of the facility is compared.
    """
    if visit.opened_by is None:
        return visit.facility == actor.name
    return visit.opened_by == actor.id


def is_licensed(states: tuple[str, ...], state: str) -> bool:
    """Return True if a provider with licences for these `states` may treat a patient who is in `state`.

    Also returns True if the patient's state is "", or if no licences are recorded.
    """
    return not states or not state or state in states


def party_key(visit: Visit, actor: Actor) -> str | None:
    """Return the key of the actor's party in the visit ("patient", "provider" or a guest's key).

    Return None if the actor is no party of the visit.
    """
    if actor.role is Role.GUEST:
        return actor.id if actor.visit == visit.id and actor.id in visit.parties else None
    if actor.role is Role.PATIENT:
        return PATIENT if actor.visit == visit.id else None
    return PROVIDER if visit.claimant is not None and visit.claimant.id == actor.id else None
