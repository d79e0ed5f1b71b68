"""The API operations about visits, about the queue and its expected wait, and about the staff.

Each operation that changes a visit carries out one command, with the API key as its actor; signalling defines the
rules of a visit. Opening accepts an Idempotency-Key: if the same request is sent again because its answer was lost,
no second visit is opened.
"""

import hmac
from typing import Any

import msgspec

from signalling.service import new_id
from signalling.store import keys
from signalling.store.unavailable import answering
from signalling.visit import commands as c
from signalling.visit.record import Actor, PatientInformation, Visit
from signalling.visit.relations import Refusal
from web.api.operation import Call
from web.api.problems import FieldProblem
from web.errors import ProblemError
from web.intake import information_form as patient_form
from web.intake.availability import availability, wait_at
from web.intake.information_form import today_anywhere
from web.intake.opening import open_once
from web.keys import PATIENT_LINKS, REDIS, SETTINGS
from web.programs import types as t
from web.programs import views
from web.programs.scopes import Scope
from web.requests.security import origin_of

IDEMPOTENCY = "Idempotency-Key"
REMEMBERED_MS = 24 * 3_600_000
"""The time in ms for which an Idempotency-Key is stored with its body and visit. Later, the key counts as new."""


async def open_visit(call: Call, body: t.OpenVisit) -> t.Opened:
    """Open a visit with the patient information in the body; return it with the link for its patient."""
    information = _information(call, body.patient)
    _check_area(call, body.area)
    visit_id = await _visit_id(call, body)
    # A request that is sent again gets its visit even if no other visit can be opened now.
    if await call.service.visit(call.organisation.id, visit_id) is None:
        inside = call.organisation.within(body.area)
        why = (await availability(call.service, inside, body.area)).why
        if why is not None:
            raise ProblemError(why)
    actor = call.facility(" ".join(body.facility.split()) or call.key.label)
    visit = await open_once(call.service, actor, information, visit_id, area=body.area)
    return t.Opened(visit=await shown(call, visit), link=await _link(call, visit))


def _check_area(call: Call, area: str) -> None:
    """Raise ProblemError if `area` is neither "" (no waiting area) nor the id of a waiting area of the organisation."""
    if area and area not in call.organisation.area_names:
        raise ProblemError("invalid", errors=(FieldProblem(field="area", problem="There is no such area."),))


def _information(call: Call, patient: t.Patient) -> PatientInformation:
    fields = msgspec.structs.asdict(patient)
    fields["language"] = patient.language or call.organisation.languages[0]
    found = patient_form.check(fields, call.organisation, today_anywhere())
    if found.information is None:
        errors = tuple(
            FieldProblem(field=f"patient.{name}", problem=text) for name, text in found.errors.items()
        )
        raise ProblemError("invalid", errors=errors)
    return found.information


async def _visit_id(call: Call, body: t.OpenVisit) -> str:
    """Return the id for the visit that this request opens: a new id, or the id that belongs to its Idempotency-Key.

    Raises ProblemError if the Idempotency-Key has a wrong length, or was sent before with another body.
    """
    given = call.request.headers.get(IDEMPOTENCY)
    if given is None:
        return new_id("v")
    if not 1 <= len(given) <= 200:
        raise ProblemError(
            "invalid",
            errors=(FieldProblem(field=IDEMPOTENCY, problem="must have 1 to 200 characters"),),
        )
    organisation = call.organisation.id
    name = keys.hashed(f"{organisation}/{call.key.id}/{given}")
    # The hash of the body is an HMAC with `name` as its key. So two Idempotency-Keys with equal bodies have
    # different hashes.
    print_, visit_id = hmac.digest(name.encode(), msgspec.json.encode(body), "sha256"), new_id("v")
    redis: Any = call.request.app[REDIS]
    async with answering():
        kept = print_ + visit_id.encode()
        before = await redis.set(
            keys.IDEMPOTENCY(organisation, name), kept, nx=True, get=True, px=REMEMBERED_MS
        )
    if before is None:
        return visit_id
    if before[: len(print_)] != print_:
        raise ProblemError("idempotency_mismatch")
    return str(before[len(print_) :], "ascii")


async def show(call: Call, _: None) -> t.Visit:
    """Return the visit that the path names: its state, its place in the queue and its expected wait."""
    # A key with the scope read or staff may see all visits. A key that may only open visits sees only the visits that
    # it has opened.
    sees_all = call.key.allows((Scope.READ, Scope.STAFF))
    visit = await (_visit if sees_all else _own)(call, call.path("visit"))
    return await shown(call, visit)


async def link(call: Call, _: None) -> t.PatientLink:
    """Make one more link by which the patient of an open visit opens its page, and return this link."""
    visit = await _own(call, call.path("visit"))
    if not visit.is_open:
        raise ProblemError("wrong_status", details={"status": visit.status})
    return await _link(call, visit)


async def withdraw(call: Call, _: None) -> t.Visit:
    """Remove a patient from the queue and return the visit.

    Only the key that added the patient may do this; any other key gets the answer that there is no such visit.
    """
    visit = await _own(call, call.path("visit"))
    return await _command(call, call.facility(visit.facility or ""), c.Withdraw())


async def assign(call: Call, body: t.Assign) -> t.Visit:
    """Assign the visit to the member of staff whom the body names, who must be on call; return the visit."""
    return await _command(call, call.admin, c.Assign(body.to))


async def unassign(call: Call, _: None) -> t.Visit:
    """Remove the assignment of a visit to a member of staff; return the visit."""
    return await _command(call, call.admin, c.Unassign())


async def set_urgency(call: Call, body: t.SetUrgency) -> t.Visit:
    """Set the urgency of a waiting visit to the level in the request's body; return the visit."""
    return await _command(call, call.admin, c.SetUrgency(body.level))


async def move(call: Call, body: t.Move) -> t.Visit:
    """Move a waiting visit to the waiting area that the body names, "" for no area; return the visit."""
    _check_area(call, body.area)
    return await _command(call, call.admin, c.Move(body.area))


async def decline(call: Call, body: t.Decline) -> t.Visit:
    """Decline a waiting visit, with the reason in the body; return the visit.

    The patient's page shows that the visit was declined, and the patient gets an email.
    """
    return await _command(call, call.admin, c.Decline(body.reason.strip() or None))


async def queue(call: Call, _: None) -> t.Queue:
    """Return all waiting patients, in the order of the queue."""
    mirror = await call.service.mirrors.get(call.organisation.id)
    return views.queue(mirror.visits, call.organisation.policy)


async def staff(call: Call, _: None) -> t.Staff:
    """Return the members of staff of the organisation."""
    mirror = await call.service.mirrors.get(call.organisation.id)
    return views.staff(mirror.staff, mirror.visits)


async def wait(call: Call, _: None) -> t.Wait:
    """Return whether a patient can enter the queue now, and the expected wait of such a patient."""
    found = await availability(call.service, call.organisation)
    return t.Wait(
        available=found.why is None,
        why=found.why,
        on_call=found.on_call,
        waiting=found.waiting,
        wait=views.wait(found.wait_ms),
    )


async def _visit(call: Call, visit_id: str) -> Visit:
    visit = await call.service.visit(call.organisation.id, visit_id)
    if visit is None:
        raise ProblemError("not_found")
    return visit


async def _own(call: Call, visit_id: str) -> Visit:
    """Return the visit with this id, if the key of this call has opened it.

    Raises ProblemError `not_found` if there is no such visit, or if another actor opened it.
    """
    visit = await _visit(call, visit_id)
    if visit.opened_by != call.actor_id:
        raise ProblemError("not_found")
    return visit


async def _command(call: Call, actor: Actor, command: c.Command) -> t.Visit:
    outcome = await call.service.command(actor, call.path("visit"), command)
    if isinstance(outcome, Refusal):
        raise ProblemError(outcome.code, details=outcome.details)
    return await shown(call, outcome.visit)


async def shown(call: Call, visit: Visit) -> t.Visit:
    """Return a visit as the API shows it, with its place in the queue if it waits."""
    mirror = await call.service.mirrors.get(call.organisation.id)
    place = mirror.visits.place(visit.id, urgent_first=call.organisation.policy.urgent_first)
    wait_ms = wait_at(mirror, place, call.service.clock_ms(), visit.area_id)
    return views.visit(visit, place, views.wait(wait_ms))


async def _link(call: Call, visit: Visit) -> t.PatientLink:
    organisation = call.organisation
    made = await call.request.app[PATIENT_LINKS].issue(organisation.id, visit.id)
    origin = origin_of(call.request, call.request.app[SETTINGS].server.public_url.rstrip("/"))
    return t.PatientLink(
        url=f"{origin}/{organisation.id}/enter/{made.token}",
        expires_ms=call.service.clock_ms() + made.for_ms,
    )
