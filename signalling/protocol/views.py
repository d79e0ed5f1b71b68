"""Turns the record of a visit into the parts that each reader may see: rows of lists, the parties' page, Case
Information.

Data that is in no view never leaves the server: the patient's page receives no phone number, the lists receive no
answers. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from signalling.protocol import call_shapes, shapes
from signalling.visit import call_quality as t
from signalling.visit.queue_state import AtClosing, Closing, QueueRules
from signalling.visit.record import HELD, Person, Policy, Staff, Status, Triage, Visit
from signalling.visit.relations import PATIENT
from signalling.visit.setup_guide import Guide
from signalling.visit.waiting_area import Area


def person(of: Person | None) -> shapes.PersonPart | None:
    """Return a person as a map for a message; None if `of` is None."""
    return None if of is None else shapes.PersonPart(id=of.id, name=of.name)


def row(visit: Visit) -> shapes.Row:
    """Return a waiting visit as a row of On-Demand Requests."""
    patient = visit.parties[PATIENT]
    return shapes.Row(
        visit=visit.id,
        name=visit.patient.name,
        number=visit.number,
        arrived_ms=visit.arrived_ms,
        state=visit.patient.state,
        phone=visit.patient.phone,
        language=visit.patient.language,
        reason=visit.patient.reason,
        step=visit.step,
        steps=visit.steps,
        guide_done=visit.guide_done_ms is not None,
        online=patient.present,
        away_since_ms=patient.away_since_ms,
        returned=visit.returned,
        assignee=person(visit.assignee),
        assigned_ms=visit.assigned_ms,
        filled_in_by=visit.patient.filled_in_by,
        facility=visit.facility,
        booked_ms=visit.booked_ms,
        admins_until_ms=visit.admins_until_ms,
        blocked=visit.blocked,
        phone_shown=visit.patient.phone_shown or visit.patient.phone,
        urgency=urgency(visit.triage),
        area=area(visit.area),
        answered_ms=visit.answered_ms,
        escalations=tuple(
            shapes.EscalationPart(name=one.name, at_ms=one.at_ms, reached=one.reached)
            for one in visit.escalations
        ),
    )


def counted_row(visit: Visit) -> shapes.Row:
    """Return a waiting visit as a row of On-Demand Requests without data about the patient, for pages that only count
    the rows.
    """
    return shapes.Row(
        visit=visit.id,
        name="",
        number=visit.number,
        arrived_ms=visit.arrived_ms,
        state="",
        phone="",
        language="",
        reason="",
        step=0,
        steps=0,
        guide_done=False,
        online=False,
        away_since_ms=None,
        returned=visit.returned,
        assignee=None,
        assigned_ms=None,
        filled_in_by=None,
        facility=None,
        booked_ms=None,
        admins_until_ms=None,
        blocked=False,
        phone_shown="",
        urgency=None,
        area=None,
    )


def area(of: Area | None) -> shapes.AreaPart | None:
    """Return a waiting area as a map for a message; None if `of` is None."""
    return None if of is None else shapes.AreaPart(id=of.id, name=of.name)


def urgency(of: Triage | None) -> shapes.UrgencyPart | None:
    """Return a level of urgency and its reason as a map for a message; None if `of` is None."""
    if of is None:
        return None
    return shapes.UrgencyPart(level=of.level, by=person(of.by), answer=of.answer)


def limits(rules: QueueRules) -> shapes.QueueLimits:
    """Return an organisation's rules for the queue as a map for a message."""
    return shapes.QueueLimits(
        amber_ms=rules.amber_ms,
        red_ms=rules.red_ms,
        urgent_first=rules.urgent_first,
        alert_waiting=rules.alert_waiting,
        alert_wait_ms=rules.alert_wait_ms,
        level_words={str(level): word for level, word in rules.words.items()},
        closing={area: _closing(one, one.rule) for area, one in rules.closing.items()},
    )


def closing(of: Closing | None, *, booked: bool) -> shapes.ClosingPart | None:
    """Return a closing time as a map for a message to a patient; None if `of` is None.

    `booked`: True if the patient had booked the visit; such a patient always keeps the place in the queue.
    """
    return None if of is None else _closing(of, AtClosing.KEEP if booked else of.rule)


def _closing(of: Closing, rule: AtClosing) -> shapes.ClosingPart:
    return shapes.ClosingPart(at_ms=of.at_ms, over=of.over, rule=rule)


def session_row(visit: Visit) -> shapes.SessionRow:
    """Return a claimed or live visit as a row of the Sessions List."""
    return shapes.SessionRow(
        visit=visit.id,
        name=visit.patient.name,
        status=visit.status,
        claimant=person(visit.claimant),
        arrived_ms=visit.arrived_ms,
        claimed_ms=visit.claimed_ms,
        live_ms=visit.live_ms,
        present=tuple(key for key, party in visit.parties.items() if party.present),
        contacts=contacts(visit),
    )


def contacts(visit: Visit) -> tuple[shapes.ContactPart, ...]:
    """Return the results of the messages that asked an absent patient to come back, as maps for a message."""
    return tuple(
        shapes.ContactPart(channel=contact.channel, state=contact.state, at_ms=contact.at_ms)
        for contact in visit.contacts
    )


def past_row(visit: Visit, policy: Policy, *, with_texts: bool) -> shapes.PastRow:
    """Return an ended visit as a row of the Sessions List. `policy`: the organisation's settings.

    `with_texts`: True to include its tags and the reason of its end.
    """
    reopens = visit.outcome in HELD and visit.ended_ms is not None
    return shapes.PastRow(
        visit=visit.id,
        name=visit.patient.name,
        outcome=visit.outcome,
        reason=visit.reason if with_texts else None,
        claimant=person(visit.claimant),
        arrived_ms=visit.arrived_ms,
        claimed_ms=visit.claimed_ms,
        ended_ms=visit.ended_ms,
        talked_ms=visit.talked_ms,
        reopen_until_ms=(visit.ended_ms or 0) + policy.reopen_ms if reopens else None,
        tags=visit.tags if with_texts else (),
    )


def visit_part(visit: Visit) -> shapes.VisitPart:
    """Return the state of a visit as a map for a message to its parties."""
    return shapes.VisitPart(
        id=visit.id,
        status=visit.status,
        outcome=visit.outcome,
        arrived_ms=visit.arrived_ms,
        claimed_ms=visit.claimed_ms,
        live_ms=visit.live_ms,
        ended_ms=visit.ended_ms,
        talked_ms=visit.talked_ms,
        guide_done=visit.guide_done_ms is not None,
        reason=visit.reason,
        claimant=person(visit.claimant),
        taking_over=person(visit.assignee) if visit.returned else None,
        parties={
            key: shapes.PartyPart(
                name=party.name,
                relation=party.relation,
                present=party.present,
                away_since_ms=party.away_since_ms,
                started=party.started_ms is not None,
                left=party.left_ms is not None,
            )
            for key, party in visit.parties.items()
        },
        area=area(visit.area),
        surveyed=visit.survey is not None,
    )


def visit_of_staff(visit: Visit) -> shapes.VisitPart:
    """Return the state of a visit, with its tags, as a map for a message to the staff of the visit."""
    return replace(visit_part(visit), tags=visit.tags)


def visit_over(visit: Visit) -> shapes.VisitPart:
    """Return an ended visit as a map for its patient and guests, without its claimant, parties and call times."""
    return shapes.VisitPart(
        id=visit.id,
        status=visit.status,
        outcome=visit.outcome,
        arrived_ms=visit.arrived_ms,
        claimed_ms=None,
        live_ms=None,
        ended_ms=visit.ended_ms,
        talked_ms=0,
        guide_done=visit.guide_done_ms is not None,
        reason=visit.reason,
        claimant=None,
        parties={},
        surveyed=visit.survey is not None,
    )


def case(visit: Visit, guide: Guide) -> shapes.CasePart:
    """Return the Case Information of a visit: the patient information, the steps of `guide` and all answers so far."""
    patient = visit.patient
    return shapes.CasePart(
        visit=visit.id,
        patient=shapes.PatientPart(
            name=patient.name,
            birth_date=patient.birth_date,
            phone=patient.phone,
            email=patient.email,
            state=patient.state,
            reason=patient.reason,
            language=patient.language,
            filled_in_by=patient.filled_in_by,
            phone_shown=patient.phone_shown or patient.phone,
        ),
        steps=guide.steps,
        answers=visit.answers,
        typing=visit.typing,
        step=visit.step,
        guide_done=visit.guide_done_ms is not None,
        photos=tuple(
            shapes.PhotoPart(
                id=photo.id,
                path=f"/{visit.organisation}/visits/{visit.id}/photos/{photo.id}",
                at_ms=photo.at_ms,
                width=photo.width,
                height=photo.height,
                text=photo.text,
            )
            for photo in visit.photos
        ),
        contacts=contacts(visit),
        agreed=visit.agreed,
    )


def staff(of: Staff, in_session: bool) -> shapes.StaffPart:
    """Return the provider or admin `of`, with the present state, as a map for messages to colleagues.

    `in_session`: True if this person is in a live visit.
    """
    return shapes.StaffPart(
        id=of.id,
        name=of.name,
        role=of.role,
        on_call=of.on_call,
        in_session=in_session,
        states=of.states,
        areas=of.areas,
    )


def why_gone(visit: Visit) -> str:
    """Return the reason why a visit has left On-Demand Requests, as a word of PROTOCOL.md#queue."""
    if visit.status is Status.QUEUED:
        return "moved"
    return str(visit.outcome) if visit.status is Status.ENDED and visit.claimant is None else "claimed"


def call(tally: t.Tally) -> call_shapes.CallPart:
    """Return the quality of a party's call as a map for a message. `tally`: the counts of its measurements.

    For lost packets, `usual` is the mean; for the other figures it is the median.
    """
    lost = {figure: tally.seen.get(figure) for figure in (t.HEARD_LOST, t.SENT_LOST)}
    percent = {
        figure: None
        if not seen
        else call_shapes.UsualPart(usual=round(t.average(seen) / 10, 1), worse=t.percentile(seen, 95) / 10)
        for figure, seen in lost.items()
    }
    trip, picture = tally.seen.get(t.ROUND_TRIP), tally.seen.get(t.PICTURE)
    return call_shapes.CallPart(
        party=tally.party,
        name=tally.name,
        connected_ms=round(tally.connected_ms),
        interruptions=tally.interruptions,
        heard_lost=percent[t.HEARD_LOST],
        sent_lost=percent[t.SENT_LOST],
        round_trip_ms=_usual(trip, 95),
        picture_kbps=_usual(picture, 5),
    )


def _usual(seen: Mapping[int, int] | None, worse: int) -> call_shapes.UsualPart | None:
    if not seen:
        return None
    return call_shapes.UsualPart(usual=t.percentile(seen, 50), worse=t.percentile(seen, worse))
