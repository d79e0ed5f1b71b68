"""Makes the bodies that the API returns about visits, waits and staff, from the records of signalling."""

from collections.abc import Mapping

from signalling.visit import record as r
from signalling.visit.open_visits import OpenVisits
from signalling.visit.relations import PATIENT
from web.programs import types as t


def person(of: r.Person | None) -> t.PersonShown | None:
    """Return a member of staff in the form of the API; None if `of` is None."""
    return None if of is None else t.PersonShown(id=of.id, name=of.name)


def area(of: r.Visit) -> t.AreaShown | None:
    """Return the waiting area of a visit in the form of the API; None if the visit has no area."""
    return None if of.area is None else t.AreaShown(id=of.area.id, name=of.area.name)


def wait(range_ms: tuple[int, int] | None) -> t.Range | None:
    """Return an expected wait (low, high) in ms in the form of the API; None if there is none."""
    return None if range_ms is None else t.Range(low_ms=range_ms[0], high_ms=range_ms[1])


def visit(of: r.Visit, place: int | None = None, expected: t.Range | None = None) -> t.Visit:
    """Return a visit's state in the form of the API.

    `place`: the visit's place in the queue, from 1; `expected`: the expected wait. Both are None if the visit does not
    wait, or if the caller does not know them.
    """
    return t.Visit(
        id=of.id,
        version=of.version,
        status=of.status,
        outcome=of.outcome,
        arrived_ms=of.arrived_ms,
        claimed_ms=of.claimed_ms,
        ended_ms=of.ended_ms,
        guide_done=of.guide_done_ms is not None,
        patient_online=of.parties[PATIENT].present,
        facility=of.facility,
        assignee=person(of.assignee),
        claimant=person(of.claimant),
        reason=of.reason,
        tags=of.tags,
        urgency=of.urgency,
        area=area(of),
        place=place,
        wait=expected,
    )


def queue(visits: OpenVisits, policy: r.Policy) -> t.Queue:
    """Return all waiting patients in the form of the API, in the order that the organisation's rule sets."""
    waiting = visits.queue(urgent_first=policy.urgent_first)
    return t.Queue(patients=tuple(row(of, place) for place, of in enumerate(waiting, 1)))


def row(of: r.Visit, place: int) -> t.QueueRow:
    """Return a waiting patient in the form of the API; `place`: the place in the queue, from 1."""
    return t.QueueRow(
        visit=of.id,
        place=place,
        name=of.patient.name,
        phone=of.patient.phone,
        extension=of.patient.extension,
        state=of.patient.state,
        language=of.patient.language,
        reason=of.patient.reason,
        filled_in_by=of.patient.filled_in_by,
        facility=of.facility,
        arrived_ms=of.arrived_ms,
        online=of.parties[PATIENT].present,
        step=of.step,
        steps=of.steps,
        guide_done=of.guide_done_ms is not None,
        assignee=person(of.assignee),
        urgency=of.urgency,
        urgency_by=person(of.triage.by) if of.triage is not None else None,
        urgency_answer=of.triage.answer if of.triage is not None else "",
        area=area(of),
        answered_ms=of.answered_ms,
        escalations=tuple(
            t.EscalationShown(name=one.name, at_ms=one.at_ms, reached=one.reached) for one in of.escalations
        ),
    )


def staff(of: Mapping[str, r.Staff], visits: OpenVisits) -> t.Staff:
    """Return all staff who have signed in at least once, in the form of the API, those on call first."""
    busy = visits.in_session
    staff = (one for one in of.values() if one.role in r.STAFF_ROLES)
    found = sorted(staff, key=lambda s: (not s.on_call, s.name.casefold(), s.id))
    return t.Staff(
        staff=tuple(
            t.StaffMember(
                id=s.id,
                name=s.name,
                role=s.role,
                on_call=s.on_call,
                in_session=s.id in busy,
                states=s.states,
            )
            for s in found
        )
    )
