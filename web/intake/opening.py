"""Opens a visit exactly once, even if its request is sent several times.

The patient's form, the kiosk, the API and the check-in use it. The caller derives the visit's id from the request
(`ids.derived_id`). A second request with the same id finds the visit that the first request has opened.
"""

from contextlib import AbstractAsyncContextManager, nullcontext

import structlog

from signalling.service import Service, new_id
from signalling.visit.record import Actor, PatientInformation, Visit
from signalling.visit.relations import Refusal
from web.intake.ids import ENOUGH, derived_id
from web.requests.security import Attempt

Limit = AbstractAsyncContextManager[Attempt]
log = structlog.get_logger("web.intake")


def id_of_form(organisation: str, secret: str, *parts: str) -> str:
    """Return the id for a form's visit: derived from the form's secret, or random if the secret is too short.

    `parts`: further texts from which the id is derived. The same secret and parts always give the same id.
    """
    return derived_id("v", organisation, *parts, secret) if len(secret) >= ENOUGH else new_id("v")


async def open_once(
    service: Service,
    actor: Actor,
    information: PatientInformation,
    visit_id: str,
    *,
    booked_ms: int | None = None,
    area: str = "",
    limit: Limit | None = None,
) -> Visit:
    """Return the visit with this id; if it does not exist, open it.

    `actor`: the person or program that opens it; `information`: the patient's data; `booked_ms`: the booked time, None
    for Meet Now; `area`: the id of the waiting area, "" for none. `limit`: a limit on the number of openings; this call
    counts only if it has opened the visit. The returned visit may have ended. Raises the errors of `limit`,
    RuntimeError if the visit is refused, and `UnavailableError` if the store does not answer.
    """
    organisation = actor.organisation
    before = await service.visit(organisation, visit_id)
    if before is not None:
        return before
    async with limit or nullcontext(Attempt()) as attempt:
        outcome = await service.open(actor, information, visit_id, booked_ms, area)
        if not isinstance(outcome, Refusal):
            log.info("visit.opened", organisation=organisation, visit=visit_id)
            return outcome.visit
        # A refusal means that the same request, sent twice at the same time, has already opened the visit.
        # Any other refusal is a bug.
        visit = await service.visit(organisation, visit_id)
        if visit is None:
            raise RuntimeError(outcome.code)
        attempt.succeeded()
        return visit
