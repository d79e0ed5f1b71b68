"""The visit's rules: which command, by whom, in which status, becomes what. All of them, and only here.

`RULES` is the table of commands, `DEADLINES` that of things which happen by themselves; `decide` reads both.
Pure: `now_ms` and all facts come in the `Context`. `python -m signalling.visit` prints the tables. Source: the
design's VISIT.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from signalling import guide as guides
from signalling.commands import (
    Assign,
    Claim,
    Command,
    Decline,
    Dismiss,
    Due,
    End,
    Enter,
    Finish,
    HangUp,
    Invite,
    Leave,
    Open,
    Release,
    Reopen,
    Save,
    Start,
    Transfer,
    Unassign,
    Withdraw,
)
from signalling.record import (
    STAFF_ROLES,
    Actor,
    Outcome,
    Party,
    Person,
    Policy,
    Role,
    Staff,
    Status,
    Visit,
)

PATIENT, PROVIDER = "patient", "provider"  # the keys of Visit.parties; guests' begin with GUEST_PREFIX
GUEST_PREFIX = "guest-"
MOST_GUESTS = 4


# --- what decide takes and gives
# ----------------------------------------------------------------------------------------


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The facts a decision needs beside the record. `in_session`: ids of staff who are in a live visit."""

    now_ms: int
    policy: Policy
    guide: guides.Guide
    staff: Mapping[str, Staff] = {}
    in_session: frozenset[str] = frozenset()


class Event(msgspec.Struct, frozen=True):
    """What happened, for the history and for those who are told."""

    kind: str
    at_ms: int
    by: Person | None = None
    note: str | None = None


class Decided(msgspec.Struct, frozen=True):
    """The visit as it becomes. `event` is None, and the visit the same, where the command had been done before."""

    visit: Visit
    event: Event | None


class Refusal(msgspec.Struct, frozen=True):
    """Why not: a stable code (PROTOCOL.md#errors), and details that a page may show."""

    code: str
    details: dict[str, Any] = {}


# --- who somebody is to a visit
# -----------------------------------------------------------------------------------------

ON_CALL, ASSIGNEE, CLAIMANT, ADMIN, SYSTEM, FACILITY = (
    "on call",
    "assignee",
    "claimant",
    "admin",
    "system",
    "facility",
)
ANYONE_STAFF, GUEST = "staff", "guest"
PARTIES = (PATIENT, CLAIMANT)


def relations(visit: Visit | None, actor: Actor, on_duty: Mapping[str, Staff]) -> frozenset[str]:
    """Return what the actor is to the visit; nothing at all for one of another organisation."""
    found = set()
    if visit is not None and visit.organisation != actor.organisation:
        return frozenset()
    if actor.role is Role.SYSTEM:
        found.add(SYSTEM)
    elif actor.role is Role.FACILITY:
        if visit is None or visit.facility == actor.name:
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
            found.add(ON_CALL)
        if actor.role is Role.ADMIN:
            found.add(ADMIN)
        if visit is not None and visit.assignee is not None and visit.assignee.id == actor.id:
            found.add(ASSIGNEE)
        if visit is not None and visit.claimant is not None and visit.claimant.id == actor.id:
            found.add(CLAIMANT)
    return frozenset(found)


def party_key(visit: Visit, actor: Actor) -> str | None:
    """Return which party of the visit the actor is ("patient", "provider", a guest's key), or None."""
    if actor.role is Role.GUEST:
        return actor.id if actor.visit == visit.id and actor.id in visit.parties else None
    if actor.role is Role.PATIENT:
        return PATIENT if actor.visit == visit.id else None
    return PROVIDER if visit.claimant is not None and visit.claimant.id == actor.id else None


# --- effects: (visit, command, actor, context) -> visit
# ----------------------------------------------------------------


def _party(visit: Visit, key: str, **changes: Any) -> Visit:
    return replace(visit, parties={**visit.parties, key: replace(visit.parties[key], **changes)})


def _own(visit: Visit, actor: Actor) -> str:
    key = party_key(visit, actor)
    assert key is not None, "the table lets only parties through"
    return key


def _paused(visit: Visit, now_ms: int) -> Visit:
    """The visit with its running stretch of `live` added up and closed."""
    # A clock that was set back must not take away what was talked.
    talked = visit.talked_ms + (max(0, now_ms - visit.live_ms) if visit.live_ms is not None else 0)
    return replace(visit, talked_ms=talked, live_ms=None)


def _opened(_: Visit | None, command: Open, actor: Actor, context: Context) -> Visit:
    patient = Party(id=f"patient:{command.id}", name=command.patient.name, away_since_ms=context.now_ms)
    desk_ms = context.policy.front_desk_ms
    return Visit(
        id=command.id,
        organisation=actor.organisation,
        version=0,
        status=Status.QUEUED,
        patient=command.patient,
        guide_version=context.guide.version,
        steps=len(guides.visible(context.guide, {})),
        arrived_ms=context.now_ms,
        admins_until_ms=context.now_ms + desk_ms if desk_ms else None,
        facility=actor.name if actor.role is Role.FACILITY else None,
        booked_ms=command.booked_ms,
        parties={PATIENT: patient},
    )


def _saved(visit: Visit, command: Save, _: Actor, context: Context) -> Visit:
    answers = {**visit.answers, command.step: command.answer}
    if command.answer is None:
        del answers[command.step]
    asked = [step.id for step in guides.visible(context.guide, answers)]
    # A step that is not asked any more, because an earlier answer has changed, moves nobody on.
    at = asked.index(command.step) + 1 if command.step in asked else visit.step
    saved = replace(visit, answers=answers, steps=len(asked))
    if not command.left:
        return replace(saved, typing=command.step, step=min(at, len(asked)))
    done_ms = None if _newly_asked(visit, answers, context) else visit.guide_done_ms
    return replace(saved, typing=None, step=min(at + 1, len(asked)), guide_done_ms=done_ms)


def _newly_asked(visit: Visit, answers: dict[str, Any], context: Context) -> bool:
    """Whether a changed answer brings up a step that was not asked before and needs an answer."""
    before = {step.id for step in guides.visible(context.guide, visit.answers)}
    return bool(set(guides.missing(context.guide, answers)) - before)


def _finished(visit: Visit, _: Command, __: Actor, context: Context) -> Visit:
    return replace(visit, guide_done_ms=visit.guide_done_ms or context.now_ms, typing=None, step=visit.steps)


def _assigned(visit: Visit, command: Assign | Transfer, actor: Actor, context: Context) -> Visit:
    staff = context.staff[command.to]
    assignee = Person(staff.id, staff.name)
    return replace(visit, assignee=assignee, assigned_ms=context.now_ms, assigned_by=actor.person)


def _unassigned(visit: Visit, *_: Any) -> Visit:
    return replace(visit, assignee=None, assigned_ms=None, assigned_by=None)


def _claimed(visit: Visit, _: Command, actor: Actor, context: Context) -> Visit:
    provider = Party(id=actor.id, name=actor.name, away_since_ms=context.now_ms)
    return replace(
        _unassigned(visit),
        claimant=actor.person,
        claimed_ms=context.now_ms,
        parties={**visit.parties, PROVIDER: provider},
    )


def _entered(visit: Visit, command: Enter, actor: Actor, _: Context) -> Visit:
    key = _own(visit, actor)
    connections = {**visit.parties[key].connections, command.connection: command.worker}
    return _party(visit, key, connections=connections, away_since_ms=None)


def _left(visit: Visit, command: Leave, _: Actor, context: Context) -> Visit:
    for key, party in visit.parties.items():
        if party.connections.get(command.connection) == command.worker:
            rest = {c: w for c, w in party.connections.items() if c != command.connection}
            return _party(visit, key, connections=rest, away_since_ms=None if rest else context.now_ms)
    return visit


def _pressed(visit: Visit, _: Command, actor: Actor, context: Context) -> Visit:
    key = _own(visit, actor)
    return (
        visit if visit.parties[key].started_ms is not None else _party(visit, key, started_ms=context.now_ms)
    )


def _went_live(visit: Visit, command: Command, actor: Actor, context: Context) -> Visit:
    return replace(_pressed(visit, command, actor, context), live_ms=context.now_ms)


def _hung_up(visit: Visit, _: Command, __: Actor, context: Context) -> Visit:
    return _party(_paused(visit, context.now_ms), PATIENT, started_ms=None)


def _released(visit: Visit, _: Command, __: Actor, context: Context) -> Visit:
    staying = {k: replace(p, started_ms=None) for k, p in visit.parties.items() if k != PROVIDER}
    return replace(
        _paused(visit, context.now_ms),
        claimant=None,
        claimed_ms=None,
        admins_until_ms=None,
        returned=visit.returned + 1,
        parties=staying,
    )


def _transferred(visit: Visit, command: Transfer, actor: Actor, context: Context) -> Visit:
    return _assigned(_released(visit, command, actor, context), command, actor, context)


def _invited(visit: Visit, command: Invite, _: Actor, context: Context) -> Visit:
    guest = Party(
        id=command.guest, name=command.name, relation=command.relation, away_since_ms=context.now_ms
    )
    return replace(visit, parties={**visit.parties, command.guest: guest})


def _dismissed(visit: Visit, command: Dismiss, _: Actor, __: Context) -> Visit:
    return replace(visit, parties={k: p for k, p in visit.parties.items() if k != command.guest})


def _ended(outcome: Outcome) -> Effect:
    def effect(visit: Visit, command: Command, _: Actor, context: Context) -> Visit:
        ended = replace(_paused(visit, context.now_ms), outcome=outcome, ended_ms=context.now_ms, typing=None)
        return replace(ended, reason=command.reason) if isinstance(command, Decline) else ended

    return effect


def _reopened(visit: Visit, _: Command, __: Actor, context: Context) -> Visit:
    parties = {key: replace(p, started_ms=None) for key, p in visit.parties.items()}
    away = replace(parties[PROVIDER], connections={}, away_since_ms=context.now_ms)
    return replace(visit, outcome=None, ended_ms=None, parties={**parties, PROVIDER: away})


# --- guards: a refusal, or None to let through
# --------------------------------------------------------------------------


def _answer_fits(_: Visit, command: Save, __: Actor, context: Context) -> Refusal | None:
    position = context.guide.position(command.step)
    if position is None:
        return Refusal("not_found", {"step": command.step})
    step = context.guide.steps[position]
    found = guides.problem(step, command.answer) if command.left else guides.draft_problem(command.answer)
    return Refusal("invalid_answer", {"step": command.step, "problem": found}) if found else None


def _guide_complete(visit: Visit, _: Command, __: Actor, context: Context) -> Refusal | None:
    steps = guides.missing(context.guide, visit.answers)
    return Refusal("guide_incomplete", {"steps": list(steps)}) if steps else None


def _front_desk(visit: Visit, _: Command, actor: Actor, context: Context) -> Refusal | None:
    early = visit.admins_until_ms is not None and context.now_ms < visit.admins_until_ms
    known = relations(visit, actor, context.staff)
    return Refusal("front_desk") if early and known.isdisjoint({ADMIN, ASSIGNEE}) else None


def _room_for_guest(visit: Visit, command: Invite, __: Actor, ___: Context) -> Refusal | None:
    guests = [key for key in visit.parties if key.startswith(GUEST_PREFIX)]
    well_named = command.guest.startswith(GUEST_PREFIX) and command.guest not in visit.parties
    return None if well_named and len(guests) < MOST_GUESTS else Refusal("room_full")


def _is_guest(visit: Visit, command: Dismiss, __: Actor, ___: Context) -> Refusal | None:
    found = command.guest.startswith(GUEST_PREFIX) and command.guest in visit.parties
    return None if found else Refusal("not_found", {"guest": command.guest})


def _may_claim(visit: Visit, _: Command, actor: Actor, context: Context) -> Refusal | None:
    staff = context.staff.get(actor.id)
    if not context.policy.claim_in_session and actor.id in context.in_session:
        return Refusal("in_session")
    licensed = staff is None or not staff.states or visit.patient.state in staff.states
    return (
        Refusal("not_licensed", {"state": visit.patient.state})
        if context.policy.block_unlicensed and not licensed
        else None
    )


def _available(_: Visit, command: Assign | Transfer, __: Actor, context: Context) -> Refusal | None:
    staff = context.staff.get(command.to)
    if staff is None:
        return Refusal("not_found", {"staff": command.to})
    return None if staff.on_call else Refusal("not_on_call", {"staff": command.to})


def _within_limit(visit: Visit, _: Command, __: Actor, context: Context) -> Refusal | None:
    late = context.now_ms - (visit.ended_ms or 0) > context.policy.reopen_ms
    return Refusal("wrong_status", {"status": "ended"}) if late else None


# --- choosers: which of a command's rows, where several fit
# ----------------------------------------------------------------


def _other_pressed(visit: Visit, actor: Actor) -> bool:
    other = visit.parties.get(PROVIDER if _own(visit, actor) == PATIENT else PATIENT)
    return other is not None and other.started_ms is not None


def _other_has_not_pressed(visit: Visit, actor: Actor) -> bool:
    return not _other_pressed(visit, actor)


def _was_completed(visit: Visit, _: Actor) -> bool:
    return visit.outcome is Outcome.COMPLETED


# --- the tables
# ---------------------------------------------------------------------------------------------------------

Effect = Callable[[Any, Any, Actor, Context], Visit]
Guard = Callable[[Any, Any, Actor, Context], "Refusal | None"]
OPEN, QUEUED, TAKEN = (
    (Status.QUEUED, Status.CLAIMED, Status.LIVE),
    (Status.QUEUED,),
    (Status.CLAIMED, Status.LIVE),
)
SAME = None


class Rule(NamedTuple):
    """A row: in one of these statuses, this command, by one of these, becomes that, and is told as this event."""

    statuses: tuple[Status, ...]
    command: type[Command]
    by: tuple[str, ...]
    becomes: Status | None
    event: str
    effect: Effect
    guards: tuple[Guard, ...] = ()
    when: Callable[[Visit, Actor], bool] | None = None


RULES: tuple[Rule, ...] = (
    Rule((), Open, (PATIENT, FACILITY), Status.QUEUED, "opened", _opened),
    Rule(OPEN, Save, (PATIENT,), SAME, "saved", _saved, (_answer_fits,)),
    Rule(OPEN, Finish, (PATIENT,), SAME, "guide_finished", _finished, (_guide_complete,)),
    Rule(QUEUED, Withdraw, (PATIENT, FACILITY), Status.ENDED, "withdrawn", _ended(Outcome.WITHDRAWN)),
    Rule(QUEUED, Assign, (ADMIN,), SAME, "assigned", _assigned, (_available,)),
    Rule(QUEUED, Unassign, (ADMIN,), SAME, "unassigned", _unassigned),
    Rule(
        QUEUED,
        Claim,
        (ON_CALL, ASSIGNEE, ADMIN),
        Status.CLAIMED,
        "claimed",
        _claimed,
        (_front_desk, _may_claim),
    ),
    Rule(QUEUED, Decline, (ADMIN,), Status.ENDED, "declined", _ended(Outcome.DECLINED)),
    Rule(OPEN, Enter, (*PARTIES, GUEST), SAME, "entered", _entered),
    Rule(OPEN, Leave, (*PARTIES, GUEST, SYSTEM), SAME, "left", _left),
    Rule(TAKEN, Invite, (CLAIMANT,), SAME, "invited", _invited, (_room_for_guest,)),
    Rule(TAKEN, Dismiss, (CLAIMANT,), SAME, "dismissed", _dismissed, (_is_guest,)),
    Rule(TAKEN, Start, (GUEST,), SAME, "guest_started", _pressed),
    Rule((Status.CLAIMED,), Start, PARTIES, SAME, "started", _pressed, when=_other_has_not_pressed),
    Rule((Status.CLAIMED,), Start, PARTIES, Status.LIVE, "went_live", _went_live, when=_other_pressed),
    Rule((Status.LIVE,), HangUp, (PATIENT,), Status.CLAIMED, "hung_up", _hung_up),
    Rule(TAKEN, Release, (CLAIMANT, ADMIN), Status.QUEUED, "released", _released),
    Rule(TAKEN, Transfer, (CLAIMANT, ADMIN), Status.QUEUED, "transferred", _transferred, (_available,)),
    Rule(TAKEN, End, (CLAIMANT, ADMIN), Status.ENDED, "ended", _ended(Outcome.COMPLETED)),
    Rule(
        (Status.ENDED,),
        Reopen,
        (CLAIMANT,),
        Status.CLAIMED,
        "reopened",
        _reopened,
        (_within_limit,),
        _was_completed,
    ),
)


class Deadline(NamedTuple):
    """A row: in one of these statuses, at `due` (ms, None = never), by itself it becomes that."""

    statuses: tuple[Status, ...]
    due: Callable[[Visit, Policy], int | None]
    becomes: Status | None
    event: str
    effect: Effect


def _away(visit: Visit, key: str, limit_ms: int) -> int | None:
    party = visit.parties.get(key)
    return None if party is None or party.away_since_ms is None else party.away_since_ms + limit_ms


def _press_of_the_absent(key: str) -> Callable[[Visit, Policy], int | None]:
    def due(visit: Visit, policy: Policy) -> int | None:
        party = visit.parties.get(key)
        return None if party is None or party.started_ms is None else _away(visit, key, policy.grace_ms)

    return due


def _press_cleared(key: str) -> Effect:
    def effect(visit: Visit, _: Command, __: Actor, context: Context) -> Visit:
        return _party(_paused(visit, context.now_ms), key, started_ms=None)

    return effect


def _assignment_due(visit: Visit, policy: Policy) -> int | None:
    return None if visit.assigned_ms is None else visit.assigned_ms + policy.assignment_ms


DEADLINES: tuple[Deadline, ...] = (
    Deadline(
        QUEUED,
        lambda v, p: _away(v, PATIENT, p.away_expiry_ms),
        Status.ENDED,
        "expired",
        _ended(Outcome.EXPIRED),
    ),
    Deadline(QUEUED, _assignment_due, SAME, "assignment_lapsed", _unassigned),
    Deadline(TAKEN, lambda v, p: _away(v, PROVIDER, p.return_grace_ms), Status.QUEUED, "returned", _released),
    Deadline(TAKEN, _press_of_the_absent(PATIENT), Status.CLAIMED, "paused", _press_cleared(PATIENT)),
    Deadline(TAKEN, _press_of_the_absent(PROVIDER), Status.CLAIMED, "paused", _press_cleared(PROVIDER)),
)


class DoneBefore(NamedTuple):
    """A row: the command said again by the same person, whose answer was lost, is no error and changes nothing."""

    command: type[Command]
    statuses: tuple[Status, ...]
    by: tuple[str, ...]
    outcome: Outcome | None = None


DONE_BEFORE: tuple[DoneBefore, ...] = (
    DoneBefore(Claim, TAKEN, (CLAIMANT,)),
    DoneBefore(Start, (Status.LIVE,), PARTIES),
    DoneBefore(HangUp, (Status.CLAIMED,), (PATIENT,)),
    DoneBefore(Leave, (Status.ENDED,), (*PARTIES, GUEST, SYSTEM)),
    DoneBefore(End, (Status.ENDED,), (CLAIMANT,), Outcome.COMPLETED),
    DoneBefore(Withdraw, (Status.ENDED,), (PATIENT, FACILITY), Outcome.WITHDRAWN),
)

QUIET = frozenset({"saved", "entered", "left"})  # events that happen too often to keep in the history
_RULES_OF: dict[type[Command], tuple[Rule, ...]] = {
    command: tuple(rule for rule in RULES if rule.command is command)
    for command in {rule.command for rule in RULES}
}


def next_deadline_ms(visit: Visit, policy: Policy) -> int | None:
    """Return when something happens to the visit by itself, in store ms, or None."""
    times = (row.due(visit, policy) for row in DEADLINES if visit.status in row.statuses)
    return min((t for t in times if t is not None), default=None)


def decide(visit: Visit | None, command: Command, actor: Actor, context: Context) -> Decided | Refusal:
    """Return the visit as the command makes it, or the refusal. `visit` is None for one that does not exist."""
    if visit is not None and visit.organisation != actor.organisation:
        return Refusal("not_found")  # another organisation's visit does not exist here
    if isinstance(command, Due):
        return _decide_due(visit, context) if actor.role is Role.SYSTEM else Refusal("not_allowed")
    if visit is None and not isinstance(command, Open):
        return Refusal("not_found")
    known = relations(visit, actor, context.staff)
    fitting = [r for r in _RULES_OF[type(command)] if visit is None or visit.status in r.statuses]
    allowed = [r for r in fitting if not known.isdisjoint(r.by)]
    rule = next((r for r in allowed if visit is None or r.when is None or r.when(visit, actor)), None)
    if rule is None:
        return _without_row(visit, command, known, fitting)
    for guard in rule.guards:
        refusal = guard(visit, command, actor, context)
        if refusal is not None:
            return refusal
    by = None if actor.role is Role.SYSTEM else actor.person
    note = command.reason if isinstance(command, Decline) else None
    event = Event(rule.event, context.now_ms, by, note)
    return _become(visit, rule.effect(visit, command, actor, context), rule, event)


def _become(before: Visit | None, after: Visit, row: Rule | Deadline, event: Event) -> Decided:
    if row.becomes is not SAME:
        after = replace(after, status=row.becomes)
    if after == before:
        return Decided(after, None)
    return Decided(replace(after, version=after.version + 1), event)


def _decide_due(visit: Visit | None, context: Context) -> Decided | Refusal:
    if visit is None:
        return Refusal("not_found")
    system = Actor(organisation=visit.organisation, id="system", name="", role=Role.SYSTEM)
    for row in DEADLINES:
        due = row.due(visit, context.policy) if visit.status in row.statuses else None
        if due is not None and due <= context.now_ms:
            after = row.effect(visit, Due(), system, context)
            return _become(visit, after, row, Event(row.event, context.now_ms))
    return Decided(visit, None)


def _without_row(
    visit: Visit | None, command: Command, known: frozenset[str], fitting: list[Rule]
) -> Decided | Refusal:
    """A command that no row lets this person do now: done before, or refused with the reason."""
    if visit is None:
        return Refusal("not_allowed")
    for row in DONE_BEFORE:
        said = isinstance(command, row.command) and visit.status in row.statuses
        if said and not known.isdisjoint(row.by) and row.outcome in (None, visit.outcome):
            return Decided(visit, None)
    if isinstance(command, Claim) and visit.claimant is not None and ANYONE_STAFF in known:
        return Refusal("already_claimed", {"by": {"id": visit.claimant.id, "name": visit.claimant.name}})
    if known and all(known.isdisjoint(rule.by) for rule in fitting) and fitting:
        wants_on_call = ANYONE_STAFF in known and any(ON_CALL in rule.by for rule in fitting)
        return Refusal("not_on_call" if wants_on_call else "not_allowed")
    return Refusal("wrong_status", {"status": str(visit.status)}) if known else Refusal("not_allowed")


def tables() -> str:
    """Return the two tables as Markdown, for people."""
    lines = ["| status | command (by) | becomes | event |", "|---|---|---|---|"]
    for rule in RULES:
        when = f" when{rule.when.__name__.replace('_', ' ')}" if rule.when else ""
        command = f"{rule.command.__name__} ({', '.join(rule.by)}){when}"
        lines.append(
            f"| {', '.join(rule.statuses) or '-'} | {command} | {rule.becomes or 'same'} | {rule.event} |"
        )
    lines += ["", "| status | by itself, at its deadline | becomes |", "|---|---|---|"]
    lines += [f"| {', '.join(d.statuses)} | {d.event} | {d.becomes or 'same'} |" for d in DEADLINES]
    return "\n".join(lines)


if __name__ == "__main__":
    print(tables())  # noqa: T201
