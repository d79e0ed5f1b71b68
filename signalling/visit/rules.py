"""All rules of visits: which actor may send which command in which status, and the new status. Does no I/O.

`RULES` is the table of commands, `DEADLINES` the table of timed changes; `decide` reads both. A row names its effects
and guards, which are functions of `effects.py`. The time and all other facts are in the `Context`. `python -m
signalling.visit.rules` prints the tables; docs/VISIT.md explains them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from signalling.visit import after_visit, messages, triage
from signalling.visit import effects as do
from signalling.visit.commands import (
    AddPhoto,
    AgreeToContact,
    AnswerSurvey,
    Assign,
    Claim,
    Close,
    Command,
    Decline,
    Dismiss,
    Due,
    End,
    Enter,
    Escalate,
    Finish,
    HangUp,
    Invite,
    Leave,
    Move,
    Open,
    RecordContact,
    RecordUnreached,
    Release,
    RemovePhoto,
    Reopen,
    Save,
    SetTags,
    SetUrgency,
    Start,
    Transfer,
    Unassign,
    Withdraw,
    Write,
)
from signalling.visit.effects import Effect, Guard
from signalling.visit.record import HELD, Actor, Outcome, Policy, Role, Status, Visit
from signalling.visit.relations import (
    ADMIN,
    ANYONE_STAFF,
    ASSIGNEE,
    CLAIMANT,
    ELSEWHERE,
    FACILITY,
    GUEST,
    ON_CALL,
    PARTIES,
    PATIENT,
    PROVIDER,
    SYSTEM,
    Context,
    Decided,
    Event,
    Refusal,
    party_key,
    relations,
)

OPEN, QUEUED, TAKEN = (
    (Status.QUEUED, Status.CLAIMED, Status.LIVE),
    (Status.QUEUED,),
    (Status.CLAIMED, Status.LIVE),
)
SAME = None


class Rule(NamedTuple):
    """A row of RULES: if an actor with a relation in `by` sends `command` in a status of `statuses`, `effect` changes
    the visit.

    The visit gets the status `becomes` (None: it keeps its status) and the event `event`, unless a guard refuses.
    `when`: the row is used only if this function returns True.
    """

    statuses: tuple[Status, ...]
    command: type[Command]
    by: tuple[str, ...]
    becomes: Status | None
    event: str
    effect: Effect
    guards: tuple[Guard, ...] = ()
    when: Callable[[Visit, Actor], bool] | None = None


RULES: tuple[Rule, ...] = (
    Rule((), Open, (PATIENT, FACILITY), Status.QUEUED, "opened", do.opened, (triage.area_exists,)),
    Rule(OPEN, Save, (PATIENT,), SAME, "saved", do.saved, (do.answer_fits,)),
    Rule(OPEN, Finish, (PATIENT,), SAME, "guide_finished", do.finished, (do.guide_complete,)),
    Rule(OPEN, AddPhoto, (PATIENT,), SAME, "photo_added", do.photo_added, (do.room_for_photo,)),
    Rule(OPEN, RemovePhoto, PARTIES, SAME, "photo_removed", do.photo_removed),
    Rule(QUEUED, Withdraw, (PATIENT, FACILITY), Status.ENDED, "withdrawn", do.ended(Outcome.WITHDRAWN)),
    Rule(
        TAKEN,
        Withdraw,
        (PATIENT,),
        Status.ENDED,
        "withdrawn",
        do.ended(Outcome.WITHDRAWN),
        when=do.has_not_talked,
    ),
    Rule(
        TAKEN,
        Withdraw,
        (PATIENT,),
        Status.ENDED,
        "patient_done",
        do.ended(Outcome.COMPLETED),
        when=do.has_talked,
    ),
    Rule(QUEUED, Assign, (ADMIN,), SAME, "assigned", do.assigned, (do.available,)),
    Rule(QUEUED, SetUrgency, (ANYONE_STAFF,), SAME, "urgency_set", triage.urgency_set),
    Rule(QUEUED, Move, (ON_CALL, ASSIGNEE, ADMIN), SAME, "moved", triage.moved, (triage.area_exists,)),
    Rule(QUEUED, Write, (ON_CALL, ASSIGNEE, ADMIN), SAME, "staff_wrote", messages.wrote),
    Rule(QUEUED, Write, (PATIENT,), SAME, "answered", messages.answered, (messages.may_answer,)),
    Rule(QUEUED, Unassign, (ADMIN,), SAME, "unassigned", do.unassigned),
    Rule(
        QUEUED,
        Claim,
        (ON_CALL, ASSIGNEE, ADMIN),
        Status.CLAIMED,
        "claimed",
        do.claimed,
        (do.front_desk, do.may_claim, do.room_for_call),
    ),
    Rule(QUEUED, Decline, (ADMIN,), Status.ENDED, "declined", do.ended(Outcome.DECLINED)),
    Rule(QUEUED, Close, (ADMIN, SYSTEM), Status.ENDED, "closed", do.ended(Outcome.CLOSED)),
    Rule(OPEN, Enter, (*PARTIES, GUEST), SAME, "entered", do.entered),
    Rule(OPEN, Leave, (*PARTIES, GUEST, SYSTEM), SAME, "left", do.left),
    Rule(OPEN, AgreeToContact, (PATIENT,), SAME, "contact_agreed", do.agreed_to_contact),
    Rule(OPEN, RecordContact, (SYSTEM,), SAME, "contacted", do.contacted),
    Rule(QUEUED, Escalate, (SYSTEM,), SAME, "escalated", do.escalated),
    Rule(OPEN, RecordUnreached, (SYSTEM,), SAME, "not_reached", do.not_reached),
    Rule(TAKEN, Invite, (CLAIMANT,), SAME, "invited", do.invited, (do.room_for_guest,)),
    Rule(TAKEN, Dismiss, (CLAIMANT,), SAME, "dismissed", do.dismissed, (do.is_guest,)),
    Rule(TAKEN, Start, (GUEST,), SAME, "guest_started", do.pressed),
    Rule((Status.CLAIMED,), Start, PARTIES, SAME, "started", do.pressed, when=do.other_has_not_pressed),
    Rule((Status.CLAIMED,), Start, PARTIES, Status.LIVE, "went_live", do.went_live, when=do.other_pressed),
    Rule((Status.LIVE,), HangUp, (PATIENT,), Status.CLAIMED, "hung_up", do.hung_up),
    Rule(TAKEN, Release, (CLAIMANT, ADMIN), Status.QUEUED, "released", do.released),
    Rule(TAKEN, Transfer, (CLAIMANT, ADMIN), Status.QUEUED, "transferred", do.transferred, (do.available,)),
    Rule(TAKEN, End, (CLAIMANT, ADMIN), Status.ENDED, "ended", do.held),
    Rule(
        (Status.ENDED,),
        Reopen,
        (CLAIMANT,),
        Status.CLAIMED,
        "reopened",
        do.reopened,
        (do.within_limit, do.room_for_call),
        do.was_held,
    ),
    Rule(
        (*TAKEN, Status.ENDED),
        SetTags,
        (CLAIMANT, ADMIN),
        SAME,
        "tagged",
        after_visit.tagged,
        (after_visit.tags_exist,),
    ),
    Rule(
        (Status.ENDED,),
        AnswerSurvey,
        (PATIENT,),
        SAME,
        "surveyed",
        after_visit.surveyed,
        (after_visit.survey_open,),
        do.was_held,
    ),
)


class Deadline(NamedTuple):
    """A row of DEADLINES: at the time `due`, a visit in one of `statuses` gets the status `becomes` (None: it keeps its
    status).

    `due` returns a time in ms, or None for never.
    """

    statuses: tuple[Status, ...]
    due: Callable[[Visit, Policy], int | None]
    becomes: Status | None
    event: str
    effect: Effect


DEADLINES: tuple[Deadline, ...] = (
    Deadline(
        QUEUED,
        lambda v, p: do.away(v, PATIENT, p.away_expiry_ms),
        Status.ENDED,
        "expired",
        do.ended(Outcome.EXPIRED),
    ),
    Deadline(QUEUED, do.assignment_due, SAME, "assignment_lapsed", do.unassigned),
    Deadline(
        TAKEN, lambda v, p: do.away(v, PROVIDER, p.return_grace_ms), Status.QUEUED, "returned", do.released
    ),
    Deadline(TAKEN, do.press_of_the_absent(PATIENT), Status.CLAIMED, "paused", do.press_cleared(PATIENT)),
    Deadline(TAKEN, do.press_of_the_absent(PROVIDER), Status.CLAIMED, "paused", do.press_cleared(PROVIDER)),
)


class DoneBefore(NamedTuple):
    """A row of DONE_BEFORE: a person with a relation in `by` may repeat `command` if the visit has one of `statuses`.

    A repeated command, whose first reply may have been lost, is no error and changes nothing. `outcomes`: the row is
    used only for these outcomes of the visit; () for all.
    """

    command: type[Command]
    statuses: tuple[Status, ...]
    by: tuple[str, ...]
    outcomes: tuple[Outcome, ...] = ()


DONE_BEFORE: tuple[DoneBefore, ...] = (
    DoneBefore(Claim, TAKEN, (CLAIMANT,)),
    DoneBefore(Start, (Status.LIVE,), PARTIES),
    DoneBefore(HangUp, (Status.CLAIMED,), (PATIENT,)),
    DoneBefore(Leave, (Status.ENDED,), (*PARTIES, GUEST, SYSTEM)),
    DoneBefore(End, (Status.ENDED,), (CLAIMANT,), HELD),
    DoneBefore(Withdraw, (Status.ENDED,), (PATIENT, FACILITY), (Outcome.WITHDRAWN,)),
    DoneBefore(Withdraw, (Status.ENDED,), (PATIENT,), (Outcome.COMPLETED,)),
    DoneBefore(Close, (Status.ENDED,), (ADMIN, SYSTEM), (Outcome.CLOSED,)),
)

MOST_CHANGES = 20_000
"""How many changes one party may make to a visit. A page saves at most every 0.4 s: two hours of typing are allowed."""
BOUNDED: frozenset[type[Command]] = frozenset(
    {Save, Finish, AddPhoto, AgreeToContact, Enter, Start, Invite, SetTags, Write}
)
"""The commands that are refused to a party that has changed this visit MOST_CHANGES times (`Party.changes`).

The party can still leave the call, or end the visit.
"""

QUIET = frozenset({"saved", "entered", "left", "staff_wrote", "answered"})
"""The events that are not in the history, because they are too frequent or are kept as chat messages."""
_RULES_OF: dict[type[Command], tuple[Rule, ...]] = {
    command: tuple(rule for rule in RULES if rule.command is command)
    for command in {rule.command for rule in RULES}
}


def next_deadline_ms(visit: Visit, policy: Policy) -> int | None:
    """Return the time of the visit's next deadline, in ms of the store's clock; None if it has no deadline."""
    times = (row.due(visit, policy) for row in DEADLINES if visit.status in row.statuses)
    return min((t for t in times if t is not None), default=None)


def decide(visit: Visit | None, command: Command, actor: Actor, context: Context) -> Decided | Refusal:
    """Decide whether `actor` may change a visit by `command`: return the visit after the change, or the refusal.

    `visit`: None if there is no such visit. `context`: the time and the other facts of the decision.
    """
    if visit is not None and visit.organisation != actor.organisation:
        # visits of other organisations are treated as not existing
        return Refusal("not_found")
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
    key = party_key(visit, actor) if visit is not None else None
    party = visit.parties.get(key) if visit is not None and key is not None else None
    if party is not None and party.changes >= MOST_CHANGES and rule.command in BOUNDED:
        return Refusal("limit_reached", {"most": MOST_CHANGES})
    for guard in rule.guards:
        refusal = guard(visit, command, actor, context)
        if refusal is not None:
            return refusal
    by = None if actor.role is Role.SYSTEM else actor.person
    event = Event(rule.event, context.now_ms, by, _note(command))
    return _become(visit, rule.effect(visit, command, actor, context), rule, event, key)


def _note(command: Command) -> str | None:
    """Return the detail of a command that the visit's history shows with its event; None if it has none."""
    match command:
        case Decline():
            return command.reason
        case AgreeToContact():
            return command.channel if command.agrees else None
        case RecordContact():
            return f"{command.channel} {command.state}"
        case Escalate():
            return ", ".join(one.name for one in command.to)
        case RecordUnreached():
            return command.person.name
        case SetUrgency():
            return command.level
        case SetTags():
            return ", ".join(command.tags) or None
    return None


def _become(
    before: Visit | None, after: Visit, row: Rule | Deadline, event: Event, by: str | None = None
) -> Decided:
    """Return the visit `after` with the status of `row` and the next version, and `event`.

    `before`: the visit before the change, None if the change opens it. `after`: the visit after the row's effect. `by`:
    the key in `Visit.parties` of the party that makes the change; None if no party makes it. If the row changes
    nothing, the result has no event.
    """
    if row.becomes is not SAME:
        after = replace(after, status=row.becomes)
    if after == before:
        return Decided(after, None)
    if by is not None and by in after.parties:
        after = do.with_party(after, by, changes=after.parties[by].changes + 1)
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
    """Decide a command that no row of RULES allows.

    Return the unchanged visit if the command was carried out before, otherwise the refusal. `known`: the actor's
    relations to the visit. `fitting`: the rows of the command for the visit's status.
    """
    if visit is None:
        return Refusal("not_allowed")
    for row in DONE_BEFORE:
        fits = isinstance(command, row.command) and visit.status in row.statuses
        if fits and not known.isdisjoint(row.by) and (not row.outcomes or visit.outcome in row.outcomes):
            return Decided(visit, None)
    if isinstance(command, Claim) and visit.claimant is not None and ANYONE_STAFF in known:
        return Refusal("already_claimed", {"by": {"id": visit.claimant.id, "name": visit.claimant.name}})
    if known and all(known.isdisjoint(rule.by) for rule in fitting) and fitting:
        wants_on_call = ANYONE_STAFF in known and any(ON_CALL in rule.by for rule in fitting)
        if wants_on_call and ELSEWHERE in known:
            return Refusal("other_area")
        return Refusal("not_on_call" if wants_on_call else "not_allowed")
    return Refusal("wrong_status", {"status": str(visit.status)}) if known else Refusal("not_allowed")


def tables() -> str:
    """Return the tables of commands and deadlines as Markdown."""
    lines = ["| status | command (by) | becomes | event |", "|---|---|---|---|"]
    for rule in RULES:
        when = f" when {rule.when.__name__.replace('_', ' ')}" if rule.when else ""
        command = f"{rule.command.__name__} ({', '.join(rule.by)}){when}"
        lines.append(
            f"| {', '.join(rule.statuses) or '-'} | {command} | {rule.becomes or 'same'} | {rule.event} |"
        )
    lines += ["", "| status | by itself, at its deadline | becomes |", "|---|---|---|"]
    lines += [f"| {', '.join(d.statuses)} | {d.event} | {d.becomes or 'same'} |" for d in DEADLINES]
    return "\n".join(lines)


if __name__ == "__main__":
    print(tables())  # noqa: T201
