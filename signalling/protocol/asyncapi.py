"""The protocol as an AsyncAPI 3.1 document, built from the message types, `fields.py` and PROTOCOL.md's examples.

Pure. The document describes the server: it receives the client's messages and sends the server's. Shapes come from the
types, meanings from `fields.py`, examples from PROTOCOL.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from signalling.protocol import fields
from signalling.protocol.codec import SUBPROTOCOLS
from signalling.protocol.reference import examples, message_types, owner, parts

VERSION: Final = "1.0.0"
CHANNEL: Final = "socket"
COOKIES: Final = {"ws": "greenroom", "wss": "__Host-greenroom"}
INTRODUCTION: Final = (
    "What a client and a Greenroom server say to each other over one WebSocket. PROTOCOL.md has the rules (who may "
    "say what when, resume, limits), this document the shapes. A client ignores what it does not know."
)
_SCHEMAS: Final = "#/components/schemas/"


def document(
    protocol_md: str, *, host: str = "greenroom.example", scheme: str = "wss", organisation: str = ""
) -> dict[str, Any]:
    """Return the document, ready for JSON. `protocol_md` is the text of PROTOCOL.md, for the examples.

    `host` (with a port if needed) and `scheme` ("ws" or "wss") are the server's. Without an `organisation` the address
    has a parameter for it.
    """
    client, server = message_types("client"), message_types("server")
    channel: dict[str, Any] = {
        "address": f"/{organisation or '{organisation}'}/ws",
        "title": "One connection",
        "messages": {
            _key(name): {"$ref": f"#/components/messages/{_key(name)}"} for name in (*client, *server)
        },
        "bindings": {"ws": {"method": "GET", "headers": _handshake(), "bindingVersion": "0.1.0"}},
    }
    if not organisation:
        channel["parameters"] = {"organisation": {"description": "The organisation’s name in addresses."}}
    return {
        "asyncapi": "3.1.0",
        "id": "urn:greenroom:signalling:v1",
        "info": {
            "title": "Greenroom signalling",
            "version": VERSION,
            "description": INTRODUCTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
            "tags": [{"name": "signalling"}],
        },
        "defaultContentType": "application/json",
        "servers": {
            "greenroom": {
                "host": host,
                "protocol": scheme,
                "description": "Say greenroom.v1.json for JSON in text frames, greenroom.v1.msgpack for the same maps "
                "as MessagePack in binary frames.",
                "security": [{"$ref": "#/components/securitySchemes/session"}],
            }
        },
        "channels": {CHANNEL: channel},
        "operations": {**_requests(client), **_news()},
        "components": {
            "messages": _messages(client, server, examples(protocol_md)),
            "schemas": _schemas([*client.values(), *server.values()]),
            "correlationIds": {
                "request": {"location": "$message.payload#/id", "description": "Comes back as `reply_to`."},
                "answer": {"location": "$message.payload#/reply_to", "description": "The request’s `id`."},
            },
            "securitySchemes": {
                "session": {
                    "type": "httpApiKey",
                    "in": "cookie",
                    "name": COOKIES[scheme],
                    "description": "The browser’s session; PROTOCOL.md#entry says how a client comes by it.",
                }
            },
        },
    }


def _key(name: str) -> str:
    """Return a message's key in the document's maps, without dots: a dot would separate the steps of a path."""
    return name.replace(".", "_")


def _refs(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"$ref": f"#/channels/{CHANNEL}/messages/{_key(name)}"} for name in names]


def _handshake() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["Origin"],
        "properties": {
            "Origin": {"type": "string", "description": "This server’s own; anything else is answered 403."},
            "Sec-WebSocket-Protocol": {"type": "string", "enum": list(SUBPROTOCOLS)},
        },
    }


def _requests(client: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in client:
        answer = fields.ANSWERS.get(name, "done")
        found[_key(name)] = operation = {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{CHANNEL}"},
            "summary": fields.MESSAGES[name].text,
            "messages": _refs([name]),
        }
        if answer is not None:
            operation["reply"] = {
                "channel": {"$ref": f"#/channels/{CHANNEL}"},
                "messages": _refs([answer, "error"]),
            }
    return found


def _news() -> dict[str, Any]:
    def sends(names: Sequence[str], text: str) -> dict[str, Any]:
        channel = {"$ref": f"#/channels/{CHANNEL}"}
        return {"action": "send", "channel": channel, "summary": text, "messages": _refs(names)}

    topics = {
        f"topic_{topic.partition('/')[0]}": sends(names, f"The topic {topic.replace('{id}', '<visit>')}.")
        for topic, names in fields.TOPICS.items()
    }
    return {**topics, "media": sends(fields.MEDIA, "A visit’s media, to those who have joined it.")}


def _messages(
    client: Mapping[str, type[msgspec.Struct]],
    server: Mapping[str, type[msgspec.Struct]],
    shown: Mapping[str, Sequence[dict[str, Any]]],
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, kind in {**client, **server}.items():
        about = fields.MESSAGES[name]
        found[_key(name)] = message = {
            "name": name,
            "title": name,
            "summary": about.text,
            "description": f"PROTOCOL.md#{about.section}",
            "contentType": "application/json",
            "payload": {"$ref": _SCHEMAS + kind.__name__},
            "examples": [{"name": name, "payload": payload} for payload in shown.get(name, ())],
        }
        if name in client:
            message["correlationId"] = {"$ref": "#/components/correlationIds/request"}
        elif "reply_to" in kind.__struct_fields__:
            message["correlationId"] = {"$ref": "#/components/correlationIds/answer"}
    return found


def _schemas(kinds: Sequence[type[msgspec.Struct]]) -> dict[str, Any]:
    """Return the JSON schemas of the types, with the descriptions and closed sets of `fields.py` added."""
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_SCHEMAS + "{name}")
    owners = {kind.__name__: owner(kind) for kind in (*kinds, *parts().values())}
    for name, schema in schemas.items():
        about = fields.MESSAGES.get(owners.get(name, ""))
        schema.pop("title", None)
        if about is not None:
            schema["description"] = about.text
        for field, shape in schema.get("properties", {}).items():
            values = fields.VALUES.get(f"{owners[name]}.{field}") if name in owners else None
            if values is not None:
                nullable = any(inner.get("type") == "null" for inner in shape.get("anyOf", ()))
                shape.pop("anyOf", None)
                shape.pop("type", None)
                shape["enum"] = [*map(str, values), *([None] if nullable else [])]
            text = fields.meaning(owners[name], field) if name in owners else ""
            if text and "$ref" not in shape:
                shape["description"] = text[:1].upper() + text[1:] + "."
    return dict(sorted(schemas.items()))
