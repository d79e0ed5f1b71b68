"""Defines the API's errors: problem details (RFC 9457) with a stable code.

One table defines the status and title of each code; the codes of signalling are described in
PROTOCOL.md#errors. A problem never repeats what a patient wrote.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from web.errors import ProblemError

MEDIA_TYPE = "application/problem+json"


class Kind(NamedTuple):
    """The HTTP status and the title of all problems (errors that the API answers) that have one code."""

    status: int
    title: str


KINDS: Mapping[str, Kind] = {
    "bad_message": Kind(400, "The body is not JSON."),
    "not_signed_in": Kind(401, "A key of this organisation is needed: Authorization: Bearer gr_…"),
    "missing_scope": Kind(403, "The key is not good for this."),
    "not_allowed": Kind(403, "This may not be done to this visit by this key."),
    "not_found": Kind(404, "There is no such thing in this organisation."),
    "no_method": Kind(405, "This address cannot be used like that."),
    "too_slow": Kind(408, "The body did not arrive in time."),
    "wrong_status": Kind(409, "The visit’s status does not allow it (any more)."),
    "already_claimed": Kind(409, "Somebody has claimed the visit."),
    "not_on_call": Kind(409, "That person is not on call."),
    "closed": Kind(409, "Meet Now is closed at the moment."),
    "nobody_on_call": Kind(409, "Meet Now is closed while nobody is on call."),
    "too_many_webhooks": Kind(409, "There are as many webhooks as there can be."),
    "too_large": Kind(413, "The body is too large."),
    "wrong_type": Kind(415, "The body must be application/json."),
    "invalid": Kind(422, "Something in the request is not as it must be."),
    "idempotency_mismatch": Kind(422, "This Idempotency-Key came with another body before."),
    "too_many": Kind(429, "Too many requests; wait as long as Retry-After says."),
    "internal": Kind(500, "Something went wrong on our side, and we have a note of it."),
    "unavailable": Kind(503, "The store did not confirm it; say it again in a moment."),
}
"""Every error code of the API -> its status and title."""


class FieldProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A fault in one field of a request's body: the field's path (such as `patient.phone`), and a sentence about the
    fault.
    """

    field: str
    problem: str


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Problem details (RFC 9457). `code` is stable and made for programs; some codes have `details`."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    errors: tuple[FieldProblem, ...] = ()
    details: dict[str, Any] = {}


def answer(home: str, problem: ProblemError) -> web.Response:
    """Return the response that describes the error `problem`. Its field `type` links to the explanation on the API's
    page.

    `home` is the organisation's path after the path prefix of the server, such as "/demo".
    """
    kind = KINDS[problem.code]
    body = ProblemDetails(
        type=f"{home}/api#{problem.code}",
        title=kind.title,
        status=kind.status,
        code=problem.code,
        detail=problem.detail,
        errors=problem.errors,
        details=problem.details,
    )
    response = web.Response(
        status=kind.status,
        body=msgspec.json.encode(body),
        content_type=MEDIA_TYPE,
        headers=problem.headers,
    )
    if kind.status in (408, 413):
        # the connection is closed, so that the server need not read the rest of the body
        response.force_close()
    return response
