"""Makes the API's description (OpenAPI 3.1) from the table of operations and their types. It does no I/O."""

import re
from functools import cache
from typing import Any

import msgspec

from web.api import problems
from web.api.operation import Operation
from web.api.operations import OPERATIONS
from web.programs import types as t
from web.programs.delivery import EVENTS
from web.programs.keys import SCOPES

VERSION = "1.0.0"
PARAMETERS = {
    "visit": ("The visit’s id.", t.VISIT_ID),
    "webhook": ("The webhook’s id.", t.WEBHOOK_ID),
}
ALWAYS = ("not_signed_in", "missing_scope", "too_many", "internal", "unavailable")
WITH_BODY = ("bad_message", "too_slow", "too_large", "wrong_type", "invalid")
NAMED = ("not_found",)
HEADERS_OF = {
    401: {"WWW-Authenticate": "Bearer, and the organisation."},
    429: {"Retry-After": "Seconds to wait."},
    503: {"Retry-After": "Seconds to wait."},
}


def document(organisation: str, prefix: str = "") -> dict[str, Any]:
    """Return the API's description for the organisation with this id, as a value that can be encoded as JSON.

    `prefix`: the path below which a proxy serves all pages, such as "/greenroom"; "" for none.
    """
    return {**_document(), "servers": [{"url": f"{prefix}/{organisation}/api/v1"}]}


@cache
def _document() -> dict[str, Any]:
    shown = {op.answers for op in OPERATIONS} | {op.takes for op in OPERATIONS}
    kinds = [kind for kind in shown if kind is not None] + [problems.ProblemDetails, t.Message]
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Greenroom",
            "version": VERSION,
            "description": "Visits, the queue, waits and staff of one organisation. Times are ms since 1970 (UTC). "
            "Every error is a problem (RFC 9457) with a stable `code`.",
        },
        "security": [{"key": []}],
        "paths": paths,
        "webhooks": {"event": {"post": _webhook()}},
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of the organisation, made by an administrator (gr_…). Scopes: "
                    + "; ".join(f"{scope}: {text}" for scope, text in SCOPES.items())
                    + ".",
                }
            },
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", operation.path)
    parameters = [_in_path(name) for name in names]
    parameters += [
        {
            "name": name,
            "in": "header",
            "description": text,
            "schema": {"type": "string", "minLength": 1, "maxLength": 200},
        }
        for name, text in operation.headers.items()
    ]
    scopes = " or ".join(f"`{scope}`" for scope in operation.scopes)
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"{operation.description} Scope: {scopes}.".strip(),
        "parameters": parameters,
        "responses": _responses(operation, bool(names)),
    }
    if operation.takes is not None:
        schema = _reference(operation.takes)
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _in_path(name: str) -> dict[str, Any]:
    text, pattern = PARAMETERS[name]
    schema = {"type": "string", "pattern": f"^{pattern}$"}
    return {"name": name, "in": "path", "required": True, "description": text, "schema": schema}


def _responses(operation: Operation, named: bool) -> dict[str, Any]:
    codes = (*ALWAYS, *(WITH_BODY if operation.takes else ()), *(NAMED if named else ()), *operation.problems)
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(problems.KINDS[code].status, []).append(code)
    done: dict[str, Any] = {"description": "Done."}
    if operation.answers is not None:
        done["content"] = {"application/json": {"schema": _reference(operation.answers)}}
    found = {status: _problem(status, codes) for status, codes in by_status.items()}
    return {str(operation.status): done, **{str(status): found[status] for status in sorted(found)}}


def _problem(status: int, codes: list[str]) -> dict[str, Any]:
    description = " ".join(f"`{code}`: {problems.KINDS[code].title}" for code in codes)
    described: dict[str, Any] = {
        "description": description,
        "content": {problems.MEDIA_TYPE: {"schema": _reference(problems.ProblemDetails)}},
    }
    if status in HEADERS_OF:
        described["headers"] = {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in HEADERS_OF[status].items()
        }
    return described


def _webhook() -> dict[str, Any]:
    return {
        "operationId": "event",
        "summary": "An event, sent to every webhook that receives events of this kind",
        "description": "Signed: `Greenroom-Signature` is `v1=` and the hex of HMAC-SHA256, keyed with the webhook’s "
        "secret, over `Greenroom-Timestamp`, a full stop and the body. Answer with 2xx within 10 s; otherwise it is "
        "sent again, less and less often, for a day. It may come twice: `Greenroom-Delivery` stays the same. It may "
        "come after a later one: `version` of `visit` grows with each change; ignore a lower one. Events: "
        + ", ".join(f"`{event}`" for event in EVENTS)
        + ".",
        "requestBody": {"content": {"application/json": {"schema": _reference(t.Message)}}},
        "responses": {"200": {"description": "Taken."}},
    }


def _reference(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
