"""The functions that the rows of `rules.py` name: effects, guards, choosers and deadlines. Does no I/O.

These functions define how a visit changes. The tables of `rules.py` define which command may change it, by whom and
when.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from signalling.visit import setup_guide as guides
from signalling.visit.commands import (
    AddPhoto,
    AgreeToContact,
    Assign,
    Command,
    Decline,
    Dismiss,
    End,
    Enter,
    Escalate,
    Invite,
    Leave,
    Open,
    RecordContact,
    RecordUnreached,
    RemovePhoto,
    Save,
    Transfer,
)
from signalling.visit.record import (
    HELD,
    Actor,
    Contact,
    Outcome,
    Party,
    Person,
    Photo,
    Policy,
    Role,
    Status,
    Visit,
)
from signalling.visit.relations import (
    ADMIN,
    ASSIGNEE,
    GUEST_PREFIX,
    MOST_GUESTS,
    MOST_PHOTOS,
    PATIENT,
    PROVIDER,
    Context,
    Refusal,
    is_licensed,
    party_key,
    relations,
)
from signalling.visit.triage import area_of, of_answers

Effect = Callable[[Any, Any, Actor, Context], Visit]
Guard = Callable[[Any, Any, Actor, Context], "Refusal | None"]


# An effect is a function (visit, command, actor, context) that returns the changed visit.


def with_party(visit: Visit, key: str, **changes: Any) -> Visit:
    return replace(visit, parties={**visit.parties, key: replace(visit.parties[key], **changes)})


def own(visit: Visit, actor: Actor) -> str:
    key = party_key(visit, actor)
    assert key is not None, "the table lets only parties through"
    return key


def paused(visit: Visit, now_ms: int) -> Visit:
    """Return the visit after a pause of its call: `talked_ms` grows by the time since `live_ms`, which becomes None."""
    # If the clock was set back since `live_ms`, 0 is added, so that `talked_ms` does not become less.
    talked = visit.talked_ms + (max(0, now_ms - visit.live_ms) if visit.live_ms is not None else 0)
    return replace(visit, talked_ms=talked, live_ms=None)


def opened(_: Visit | None, command: Open, actor: Actor, context: Context) -> Visit:
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
        number=context.number,
        admins_until_ms=context.now_ms + desk_ms if desk_ms else None,
        facility=actor.name if actor.role is Role.FACILITY else None,
        opened_by=actor.id,
        booked_ms=command.booked_ms,
        area=area_of(command.area, context),
        parties={PATIENT: patient},
    )


def saved(visit: Visit, command: Save, _: Actor, context: Context) -> Visit:
    answers = {**visit.answers, command.step: command.answer}
    if command.answer is None:
        del answers[command.step]
    asked = [step.id for step in guides.visible(context.guide, answers)]
    # A step that is no longer asked, because an earlier answer has changed, does not count as progress.
    at = asked.index(command.step) + 1 if command.step in asked else visit.step
    triage = of_answers(visit, answers, context)
    saved = replace(visit, answers=answers, steps=len(asked), triage=triage)
    if not command.left:
        return replace(saved, typing=command.step, step=min(at, len(asked)))
    done_ms = None if newly_asked(visit, answers, context) else visit.guide_done_ms
    return replace(saved, typing=None, step=min(at + 1, len(asked)), guide_done_ms=done_ms)


def newly_asked(visit: Visit, answers: dict[str, Any], context: Context) -> bool:
    """Return True if changed answers lead to a step of the guide that was not asked before and has no valid answer.

    `visit`: with the answers before the change. `answers`: step -> the answer after it. `context`: has the guide.
    """
    before = {step.id for step in guides.visible(context.guide, visit.answers)}
    return bool(set(guides.missing(context.guide, answers)) - before)


def finished(visit: Visit, _: Command, __: Actor, context: Context) -> Visit:
    return replace(visit, guide_done_ms=visit.guide_done_ms or context.now_ms, typing=None, step=visit.steps)


def photo_added(visit: Visit, command: AddPhoto, _: Actor, context: Context) -> Visit:
    photo = Photo(
        id=command.photo,
        at_ms=context.now_ms,
        width=command.width,
        height=command.height,
        text=command.text,
    )
    return replace(visit, photos=(*visit.photos, photo))


def photo_removed(visit: Visit, command: RemovePhoto, _: Actor, __: Context) -> Visit:
    return replace(visit, photos=tuple(photo for photo in visit.photos if photo.id != command.photo))


def assigned(visit: Visit, command: Assign | Transfer, actor: Actor, context: Context) -> Visit:
    staff = context.staff[command.to]
    assignee = Person(staff.id, staff.name)
    return replace(visit, assignee=assignee, assigned_ms=context.now_ms, assigned_by=actor.person)


def unassigned(visit: Visit, *_: Any) -> Visit:
    return replace(visit, assignee=None, assigned_ms=None, assigned_by=None)


def claimed(visit: Visit, _: Command, actor: Actor, context: Context) -> Visit:
    provider = Party(id=actor.id, name=actor.name, away_since_ms=context.now_ms)
    return replace(
        unassigned(visit),
        claimant=actor.person,
        claimed_ms=context.now_ms,
        contacts=(),
        unanswered=0,
        answered_ms=None,
        parties={**visit.parties, PROVIDER: provider},
    )


def agreed_to_contact(visit: Visit, command: AgreeToContact, _: Actor, __: Context) -> Visit:
    others = tuple(channel for channel in visit.agreed if channel != command.channel)
    return replace(visit, agreed=(*others, command.channel) if command.agrees else others)


def contacted(visit: Visit, command: RecordContact, _: Actor, context: Context) -> Visit:
    known = {contact.channel: contact for contact in visit.contacts}
    before = known.get(command.channel)
    if before is not None and before.state == command.state:
        return visit
    contact = Contact(channel=command.channel, state=command.state, at_ms=context.now_ms)
    return replace(visit, contacts=tuple({**known, command.channel: contact}.values()))


def escalated(visit: Visit, command: Escalate, _: Actor, context: Context) -> Visit:
    if len(visit.escalations) != command.after:
        return visit
    sent = tuple(replace(one, at_ms=context.now_ms) for one in command.to)
    return replace(visit, escalations=(*visit.escalations, *sent))


def not_reached(visit: Visit, command: RecordUnreached, _: Actor, __: Context) -> Visit:
    known = [
        one.without(command.channel) if one.id == command.person.id else one for one in visit.escalations
    ]
    return replace(visit, escalations=tuple(known))


def entered(visit: Visit, command: Enter, actor: Actor, _: Context) -> Visit:
    key = own(visit, actor)
    connections = {**visit.parties[key].connections, command.connection: command.worker}
    return with_party(visit, key, connections=connections, away_since_ms=None)


def left(visit: Visit, command: Leave, _: Actor, context: Context) -> Visit:
    for key, party in visit.parties.items():
        if party.connections.get(command.connection) == command.worker:
            rest = {c: w for c, w in party.connections.items() if c != command.connection}
            return with_party(visit, key, connections=rest, away_since_ms=None if rest else context.now_ms)
    return visit


def pressed(visit: Visit, _: Command, actor: Actor, context: Context) -> Visit:
    key = own(visit, actor)
    return (
        visit
        if visit.parties[key].started_ms is not None
        else with_party(visit, key, started_ms=context.now_ms, left_ms=None)
    )


def went_live(visit: Visit, command: Command, actor: Actor, context: Context) -> Visit:
    return replace(pressed(visit, command, actor, context), live_ms=context.now_ms)


def hung_up(visit: Visit, _: Command, __: Actor, context: Context) -> Visit:
    return with_party(paused(visit, context.now_ms), PATIENT, started_ms=None, left_ms=context.now_ms)


def released(visit: Visit, _: Command, __: Actor, context: Context) -> Visit:
    staying = {
        k: replace(p, started_ms=None, left_ms=None) for k, p in visit.parties.items() if k != PROVIDER
    }
    return replace(
        paused(visit, context.now_ms),
        claimant=None,
        claimed_ms=None,
        admins_until_ms=None,
        returned=visit.returned + 1,
        parties=staying,
    )


def transferred(visit: Visit, command: Transfer, actor: Actor, context: Context) -> Visit:
    return assigned(released(visit, command, actor, context), command, actor, context)


def invited(visit: Visit, command: Invite, _: Actor, context: Context) -> Visit:
    guest = Party(
        id=command.guest, name=command.name, relation=command.relation, away_since_ms=context.now_ms
    )
    return replace(visit, parties={**visit.parties, command.guest: guest})


def dismissed(visit: Visit, command: Dismiss, _: Actor, __: Context) -> Visit:
    return replace(visit, parties={k: p for k, p in visit.parties.items() if k != command.guest})


def ended(outcome: Outcome) -> Effect:
    def effect(visit: Visit, command: Command, _: Actor, context: Context) -> Visit:
        ended = replace(paused(visit, context.now_ms), outcome=outcome, ended_ms=context.now_ms, typing=None)
        return replace(ended, reason=command.reason) if isinstance(command, Decline) else ended

    return effect


def held(visit: Visit, command: End, actor: Actor, context: Context) -> Visit:
    outcome = Outcome.BY_PHONE if command.by_phone else Outcome.COMPLETED
    return ended(outcome)(visit, command, actor, context)


def reopened(visit: Visit, _: Command, __: Actor, context: Context) -> Visit:
    # Who left the page after the end is not known. The connections that have it open enter again (`sweep.py`).
    away = {"connections": {}, "away_since_ms": context.now_ms, "started_ms": None, "left_ms": None}
    parties = {key: replace(party, **away) for key, party in visit.parties.items()}
    return replace(visit, outcome=None, ended_ms=None, parties=parties)


# A guard returns a refusal, or None if it allows the command. Its arguments are those of an effect.


def answer_fits(_: Visit, command: Save, __: Actor, context: Context) -> Refusal | None:
    position = context.guide.position(command.step)
    if position is None:
        return Refusal("not_found", {"step": command.step})
    step = context.guide.steps[position]
    found = guides.problem(step, command.answer) if command.left else guides.draft_problem(command.answer)
    return Refusal("invalid_answer", {"step": command.step, "problem": found}) if found else None


def guide_complete(visit: Visit, _: Command, __: Actor, context: Context) -> Refusal | None:
    steps = guides.missing(context.guide, visit.answers)
    return Refusal("guide_incomplete", {"steps": list(steps)}) if steps else None


def room_for_photo(visit: Visit, *_: Any) -> Refusal | None:
    return Refusal("limit_reached", {"most": MOST_PHOTOS}) if len(visit.photos) >= MOST_PHOTOS else None


def front_desk(visit: Visit, _: Command, actor: Actor, context: Context) -> Refusal | None:
    early = visit.admins_until_ms is not None and context.now_ms < visit.admins_until_ms
    known = relations(visit, actor, context.staff)
    return Refusal("front_desk") if early and known.isdisjoint({ADMIN, ASSIGNEE}) else None


def room_for_guest(visit: Visit, command: Invite, __: Actor, ___: Context) -> Refusal | None:
    guests = [key for key in visit.parties if key.startswith(GUEST_PREFIX)]
    well_named = command.guest.startswith(GUEST_PREFIX) and command.guest not in visit.parties
    return None if well_named and len(guests) < MOST_GUESTS else Refusal("room_full")


def is_guest(visit: Visit, command: Dismiss, __: Actor, ___: Context) -> Refusal | None:
    found = command.guest.startswith(GUEST_PREFIX) and command.guest in visit.parties
    return None if found else Refusal("not_found", {"guest": command.guest})


def may_claim(visit: Visit, _: Command, actor: Actor, context: Context) -> Refusal | None:
    staff = context.staff.get(actor.id)
    if not context.policy.claim_in_session and actor.id in context.in_session:
        return Refusal("in_session")
    state = visit.patient.state
    licensed = staff is None or is_licensed(staff.states, state)
    return (
        Refusal("not_licensed", {"state": state})
        if context.policy.block_unlicensed and not licensed
        else None
    )


def room_for_call(_: Visit, __: Command, ___: Actor, context: Context) -> Refusal | None:
    full = context.rooms_left is not None and context.rooms_left <= 0
    return Refusal("at_capacity") if full else None


def available(_: Visit, command: Assign | Transfer, __: Actor, context: Context) -> Refusal | None:
    staff = context.staff.get(command.to)
    if staff is None:
        return Refusal("not_found", {"staff": command.to})
    return None if staff.on_call else Refusal("not_on_call", {"staff": command.to})


def within_limit(visit: Visit, _: Command, __: Actor, context: Context) -> Refusal | None:
    late = context.now_ms - (visit.ended_ms or 0) > context.policy.reopen_ms
    return Refusal("wrong_status", {"status": "ended"}) if late else None


# A chooser is a function (visit, actor) that returns True if its row of the table is used. It decides between rows
# that have the same command and the same status.


def other_pressed(visit: Visit, actor: Actor) -> bool:
    other = visit.parties.get(PROVIDER if own(visit, actor) == PATIENT else PATIENT)
    return other is not None and other.started_ms is not None


def other_has_not_pressed(visit: Visit, actor: Actor) -> bool:
    return not other_pressed(visit, actor)


def has_talked(visit: Visit, _: Actor) -> bool:
    return visit.live_ms is not None or visit.talked_ms > 0


def has_not_talked(visit: Visit, actor: Actor) -> bool:
    return not has_talked(visit, actor)


def was_held(visit: Visit, _: Actor) -> bool:
    return visit.outcome in HELD


# A deadline is a function that returns the time in ms at which a visit changes by itself, or None for never.


def away(visit: Visit, key: str, limit_ms: int) -> int | None:
    party = visit.parties.get(key)
    return None if party is None or party.away_since_ms is None else party.away_since_ms + limit_ms


def press_of_the_absent(key: str) -> Callable[[Visit, Policy], int | None]:
    def due(visit: Visit, policy: Policy) -> int | None:
        party = visit.parties.get(key)
        return None if party is None or party.started_ms is None else away(visit, key, policy.grace_ms)

    return due


def press_cleared(key: str) -> Effect:
    def effect(visit: Visit, _: Command, __: Actor, context: Context) -> Visit:
        return with_party(paused(visit, context.now_ms), key, started_ms=None)

    return effect


def assignment_due(visit: Visit, policy: Policy) -> int | None:
    return None if visit.assigned_ms is None else visit.assigned_ms + policy.assignment_ms
