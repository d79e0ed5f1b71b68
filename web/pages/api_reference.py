"""Serves the page that describes the API, made from the same OpenAPI document that programs receive.

The types of requests and answers are described in words.
"""

from typing import Any, NamedTuple

from aiohttp import web

from web.api import problems
from web.api.openapi import document
from web.keys import SETTINGS
from web.languages.i18n import gettext as _
from web.organisations.by_path import organisation_of
from web.pages.rendering import page
from web.programs.keys import PER_WINDOW, SCOPES
from web.requests.security import origin_of

EXAMPLE = """\
curl -X POST {url}/visits \\
  -H "Authorization: Bearer gr_…" -H "Idempotency-Key: order-4711" -H "Content-Type: application/json" \\
  -d '{{"patient": {{"name": "Ana Ruiz", "birth_date": "1990-04-02", "phone": "+1 512 555 0142",
       "email": "ana@example.org", "state": "TX", "reason": "Rash, three days"}}}}'"""


class Field(NamedTuple):
    """A field of a type, described in words."""

    name: str
    kind: str
    required: bool
    text: str


async def read(request: web.Request) -> web.Response:
    """Answer GET /{organisation}/api with the page that describes the API."""
    organisation = await organisation_of(request)
    described = document(organisation.id)
    settings = request.app[SETTINGS]
    origin = origin_of(request, settings.server.public_url.rstrip("/"))
    base = described["servers"][0]["url"]
    operations = [
        {
            "id": operation["operationId"],
            "method": method.upper(),
            "path": path,
            "summary": operation["summary"],
            "text": operation["description"],
            "parameters": [p for p in operation["parameters"] if p["in"] == "header"],
            "takes": _named(operation.get("requestBody")),
            "answers": [
                (status, answer["description"], _named(answer))
                for status, answer in operation["responses"].items()
            ],
        }
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    types = [
        (name, schema.get("description", ""), _fields(schema), schema.get("enum"))
        for name, schema in described["components"]["schemas"].items()
    ]
    context = {
        "base": base,
        "shown_base": settings.path_prefix + base,
        "example": EXAMPLE.format(url=origin + base),
        "operations": operations,
        "types": types,
        "problems": list(problems.KINDS.items()),
        "scopes": list(SCOPES.items()),
        "limit": PER_WINDOW,
        "webhook": described["webhooks"]["event"]["post"],
    }
    return page(request, "facility/reading.html", context, title=_("For programs"))


def _named(holder: dict[str, Any] | None) -> str:
    """Return the name of the body's type in a request or a response; "" if there is no body.

    `holder`: the request or the response in the OpenAPI document.
    """
    contents = (holder or {}).get("content", {})
    return next((_kind(content["schema"]) for content in contents.values()), "")


def _fields(schema: dict[str, Any]) -> list[Field]:
    required = schema.get("required", [])
    return [
        Field(name, _kind(part), name in required, _text(part))
        for name, part in schema.get("properties", {}).items()
    ]


def _kind(schema: dict[str, Any]) -> str:
    """Return the type of a JSON schema in a word or two, such as "text" or "list of text"."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for key in ("anyOf", "allOf"):
        if key in schema:
            return " or ".join(_kind(part) for part in schema[key])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}" if "items" in schema else "list"
    return str(schema.get("type", "any"))


def _text(schema: dict[str, Any]) -> str:
    bounds = {
        "minLength": "at least {} characters",
        "maxLength": "at most {} characters",
        "pattern": "as {}",
    }
    pieces = [schema.get("description", "").rstrip(".")]
    pieces += [words.format(schema[key]) for key, words in bounds.items() if key in schema]
    return "; ".join(part for part in pieces if part)


ROUTES = (web.get("/{organisation}/api", read),)
