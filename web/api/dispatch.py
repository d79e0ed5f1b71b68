"""Dispatches API requests: finds the operation, checks the key, reads the body, and answers errors as JSON.

Cookies are ignored. A page of another site can therefore cause no harm with a request, because the request has no key
and is refused. So the header Origin is not checked.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from aiohttp import web
from redis.exceptions import RedisError

from signalling.errors import UnavailableError
from signalling.store.unavailable import log_unavailable
from web.api import problems
from web.api import protocol_page as protocol
from web.api.openapi import document
from web.api.operation import Call, Operation
from web.api.operations import OPERATIONS
from web.api.problems import FieldProblem
from web.audit.noting import DECLARED, Row
from web.errors import ProblemError
from web.keys import API_KEYS, AUDIT_LOG, SETTINGS
from web.organisations.by_path import UnknownOrganisation, organisation_of
from web.organisations.settings import Organisation
from web.programs.keys import PER_WINDOW, WRONG_PER_WINDOW, ApiKey, Count
from web.requests.forms import check_encoding, read_body
from web.requests.security import RETRY_S, neighbourhood, remote_of

BODY_BYTES = 64 * 1024
BASE = "/{organisation}/api/v1"
AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<where>[^`]*)`)?$", re.DOTALL)

log = structlog.get_logger("web.api")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_api(request: web.Request) -> bool:
    """Return whether a request is for the API, which identifies its sender only by a key."""
    resource = request.match_info.route.resource
    return resource is not None and resource.canonical.startswith(f"{BASE}/")


def routes() -> list[web.RouteDef]:
    """Return the routes: every path of the table of operations, the descriptions, and a handler for all other paths of
    the API.
    """
    paths: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = operation
    return [
        web.get(f"{BASE}/openapi.json", openapi),
        web.get(f"{BASE}/asyncapi.json", _with_problems(protocol.for_programs)),
        web.get(f"{BASE}/protocol.md", _with_problems(protocol.for_people)),
        *(web.route("*", BASE + path, _dispatcher(found)) for path, found in paths.items()),
        web.route("*", BASE + "/{rest:.*}", _with_problems(_nothing)),
    ]


async def openapi(request: web.Request) -> web.Response:
    """Answer GET …/openapi.json with the API's description; the request needs no key."""
    organisation = await organisation_of(request)
    described = document(organisation.id, request.app[SETTINGS].path_prefix)
    return web.Response(body=msgspec.json.encode(described), content_type="application/json")


def _dispatcher(found: dict[str, Operation]) -> Handler:
    async def dispatch(request: web.Request) -> web.StreamResponse:
        operation = found.get("GET" if request.method == "HEAD" else request.method)
        if operation is None:
            raise ProblemError("no_method", headers={"Allow": ", ".join(sorted(found))})
        organisation = await organisation_of(request)
        key = await _key(request, organisation)
        if not key.allows(operation.scopes):
            raise ProblemError("missing_scope", details={"scopes": list(operation.scopes)})
        body = await _body(request, operation.takes)
        audit_log, row = request.app[AUDIT_LOG], operation.audit
        request[DECLARED] = row
        audit_log.ready()
        answer = await operation.handler(Call(request, organisation, key), body)
        if isinstance(row, Row):
            audit_log.note(organisation.id, f"api:{key.id}", row.what, await row.about(request) or "")
        log.info("api.answered", organisation=organisation.id, key=key.id, operation=operation.name)
        if answer is None:
            return web.Response(status=204)
        return web.Response(
            status=operation.status, body=msgspec.json.encode(answer), content_type="application/json"
        )

    return _with_problems(dispatch)


async def _nothing(request: web.Request) -> web.StreamResponse:
    await organisation_of(request)
    raise ProblemError("not_found")


def _with_problems(handler: Handler) -> Handler:
    """Return a handler that calls `handler` and answers the errors that it raises as problem details (RFC 9457)."""

    async def answer(request: web.Request) -> web.StreamResponse:
        home = f"{request.app[SETTINGS].path_prefix}/{request.match_info['organisation']}"
        try:
            return await handler(request)
        except ProblemError as problem:
            return problems.answer(home, problem)
        except UnknownOrganisation:
            return problems.answer(home, ProblemError("not_found"))
        except web.HTTPRequestEntityTooLarge:
            return problems.answer(home, ProblemError("too_large"))
        except (UnavailableError, RedisError, TimeoutError) as error:
            log_unavailable(error)
            again = {"Retry-After": str(RETRY_S)}
            return problems.answer(home, ProblemError("unavailable", headers=again))
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            resource = request.match_info.route.resource
            log.error("api.failed", exc_info=error, path_template=resource.canonical if resource else "")
            return problems.answer(home, ProblemError("internal"))

    return answer


async def _key(request: web.Request, organisation: Organisation) -> ApiKey:
    """Return the API key that a request presents, after checking it for this organisation.

    Raises ProblemError `not_signed_in` if the request has no valid key. Raises ProblemError `too_many` if the key was
    used too often. Keys that are not valid are counted for the sender's address, and too many of them are `too_many` as
    well.
    """
    keys = request.app[API_KEYS]
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    key = await keys.find(organisation.id, token.strip()) if scheme.lower() == "bearer" else None
    if key is not None:
        _within(await keys.count(organisation.id, key), PER_WINDOW)
        return key
    address = neighbourhood(remote_of(request, request.app[SETTINGS].server.trusted_proxies))
    _within(await keys.count_wrong(organisation.id, address), WRONG_PER_WINDOW)
    raise ProblemError("not_signed_in", headers={"WWW-Authenticate": f'Bearer realm="{organisation.id}"'})


def _within(count: Count, limit: int) -> None:
    if count.requests > limit:
        raise ProblemError("too_many", headers={"Retry-After": str(count.ends_s)})


async def _body(request: web.Request, kind: type[msgspec.Struct] | None) -> Any:
    """Return the request's body, decoded as the type `kind`; None if `kind` is None, because the operation takes no
    body.

    Raises ProblemError if the body is no JSON, does not have this type, or arrives too slowly.
    """
    if kind is None:
        return None
    if request.content_type != "application/json":
        raise ProblemError("wrong_type")
    try:
        check_encoding(request, "application/json")
        data = await read_body(request, BODY_BYTES)
    except web.HTTPUnsupportedMediaType:
        raise ProblemError("wrong_type") from None
    except web.HTTPRequestTimeout:
        raise ProblemError("too_slow") from None
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        found = AT.match(str(error))
        where = (found and found["where"]) or "$"
        what = found["what"] if found else "is not as it must be"
        field = where.removeprefix("$").removeprefix(".") or "$"
        raise ProblemError("invalid", errors=(FieldProblem(field=field, problem=what),)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ProblemError("bad_message") from None
