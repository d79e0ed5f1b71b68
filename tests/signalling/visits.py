"""Makes visits without a store or an event loop: people, organisations, and a visit in any status, made by commands.

The tests of `rules.py` share these functions, which use only the pure rules.
"""

from __future__ import annotations

from typing import Any

from signalling.visit import commands as c
from signalling.visit.record import (
    Actor,
    PatientInformation,
    Policy,
    Role,
    Staff,
    Status,
    Visit,
)
from signalling.visit.relations import Context, Decided, Refusal
from signalling.visit.rules import decide
from signalling.visit.setup_guide import Guide, Kind, Step

T0 = 1_790_000_000_000
VISIT, ORG, OTHER = "v_1", "riverside", "hillside"
GUIDE = Guide(
    version=1,
    steps=(
        Step(id="allergies", kind=Kind.TEXT, title="Allergies"),
        Step(id="since", kind=Kind.DATE, title="Since when?", required=False),
    ),
)
ANA = PatientInformation(
    name="Ana Ruiz",
    birth_date="1990-04-02",
    phone="+1 512 555 0142",
    email="ana@example.org",
    state="TX",
    reason="Rash, three days",
    language="es",
)


def person(name: str, role: Role, organisation: str = ORG, visit: str | None = None) -> Actor:
    """Return a person of this role whose id is the same as the name. `visit`: the visit's id for a patient or guest."""
    return Actor(organisation=organisation, id=name, name=name.title(), role=role, visit=visit)


def people(organisation: str = ORG) -> dict[str, Actor]:
    """Return name -> a person of each kind that can be related to the visit `VISIT`."""
    return {
        "patient": person("ana", Role.PATIENT, organisation, VISIT),
        "other patient": person("ben", Role.PATIENT, organisation, "v_2"),
        "claimant": person("osei", Role.PROVIDER, organisation),
        "assignee": person("lin", Role.PROVIDER, organisation),
        "on call": person("ray", Role.PROVIDER, organisation),
        "off call": person("kim", Role.PROVIDER, organisation),
        "admin": person("zoe", Role.ADMIN, organisation),
        "auditor": person("uma", Role.AUDITOR, organisation),
        "facility": person("desk", Role.FACILITY, organisation),
        "guest": person("guest-rosa", Role.GUEST, organisation, VISIT),
        "system": person("system", Role.SYSTEM, organisation),
    }


PEOPLE = people()
PATIENT, CLAIMANT, ADMIN, SYSTEM = (PEOPLE[who] for who in ("patient", "claimant", "admin", "system"))
COLLEAGUE = PEOPLE["on call"]
STAFF = {
    a.id: Staff(id=a.id, name=a.name, role=a.role, on_call=who == "on call")
    for who, a in PEOPLE.items()
    if a.is_staff
}


def context(now_ms: int = T0, **facts: Any) -> Context:
    """Return the facts of a decision at `now_ms`. `facts`: fields of `Policy` or `Context`, such as `staff`."""
    staff = facts.pop("staff", STAFF)
    in_session = frozenset(facts.pop("in_session", ()))
    left = facts.pop("rooms_left", None)
    policy = Policy(**facts)
    return Context(
        now_ms=now_ms, policy=policy, guide=GUIDE, staff=staff, in_session=in_session, rooms_left=left
    )


def on_call(*ids: str) -> dict[str, Staff]:
    """Return id -> member of staff. The members of staff with these `ids` are on call."""
    return {
        i: Staff(id=s.id, name=s.name, role=s.role, on_call=s.on_call or i in ids) for i, s in STAFF.items()
    }


def does(visit: Visit | None, command: c.Command, actor: Actor, now_ms: int = T0, **facts: Any) -> Visit:
    """Return the visit after `command` of `actor` at `now_ms`, which must be allowed.

    `facts`: fields of the policy and of the context of the decision, such as `staff`.
    """
    decided = decide(visit, command, actor, context(now_ms, **facts))
    assert isinstance(decided, Decided), f"{command}: {decided}"
    return decided.visit


def refused(visit: Visit | None, command: c.Command, actor: Actor, now_ms: int = T0, **facts: Any) -> Refusal:
    """Return the refusal of `command` of `actor` at `now_ms`, which must not be allowed.

    `facts`: fields of the policy and of the context of the decision, such as `staff`.
    """
    decided = decide(visit, command, actor, context(now_ms, **facts))
    assert isinstance(decided, Refusal), f"{command} was allowed: {decided}"
    return decided


def event_of(visit: Visit, command: c.Command, actor: Actor, now_ms: int = T0, **facts: Any) -> str | None:
    """Return the kind of the event that `command` of `actor` at `now_ms` causes; None if it changes nothing.

    The command must be allowed. `facts`: fields of the policy and of the context of the decision, such as `staff`.
    """
    decided = decide(visit, command, actor, context(now_ms, **facts))
    assert isinstance(decided, Decided), f"{command}: {decided}"
    return decided.event.kind if decided.event is not None else None


def queued() -> Visit:
    """Return a visit whose patient is in the setup guide and online."""
    visit = does(None, c.Open(VISIT, ANA), PATIENT)
    return does(visit, c.Enter("c_ana", "w1"), PATIENT)


def assigned() -> Visit:
    """Return a waiting visit that is assigned to the person named assignee."""
    return does(queued(), c.Assign("lin"), ADMIN, staff=on_call("lin"))


def claimed() -> Visit:
    """Return a claimed visit with both people on its page; neither has pressed Start."""
    visit = does(queued(), c.Claim(), CLAIMANT, staff=on_call("osei"))
    return does(visit, c.Enter("c_osei", "w2"), CLAIMANT)


def live() -> Visit:
    return does(does(claimed(), c.Start(), PATIENT), c.Start(), CLAIMANT)


def ended() -> Visit:
    """Return a visit that its provider ended."""
    return does(live(), c.End(), CLAIMANT, T0 + 60_000)


IN_STATUS = {
    Status.QUEUED: assigned,
    Status.CLAIMED: claimed,
    Status.LIVE: live,
    Status.ENDED: ended,
}


def away(visit: Visit, side: str, now_ms: int = T0) -> Visit:
    """Return the visit after the only connection of this side ("patient" or "provider") has ended."""
    held = visit.parties[side].connections
    for connection, worker in held.items():
        visit = does(visit, c.Leave(connection, worker), SYSTEM, now_ms)
    return visit
