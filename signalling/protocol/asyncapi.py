"""Describes the protocol as an AsyncAPI 3.1 document, from the message types and the examples in PROTOCOL.md.

In the document, "receive" means that the server receives a message, and "send" that the server sends it. Does
no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from signalling.protocol.client_messages import Request
from signalling.protocol.codec import SUBPROTOCOLS
from signalling.protocol.reference import (
    TOPICS,
    about,
    client_types,
    examples,
    media_messages,
    server_types,
    topic_messages,
)

VERSION: Final = "1.0.0"
CHANNEL: Final = "socket"
COOKIES: Final = {"ws": "greenroom", "wss": "__Host-greenroom"}
INTRODUCTION: Final = (
    "The messages between a client and a Greenroom server over one WebSocket. This document describes the form of the "
    "messages; PROTOCOL.md describes the rules: who may send which message when, how to resume, the limits. A client "
    "ignores messages, fields and values that it does not know."
)
_SCHEMAS: Final = "#/components/schemas/"


def document(
    protocol_md: str,
    *,
    host: str = "greenroom.example",
    scheme: str = "wss",
    organisation: str = "",
    prefix: str = "",
) -> dict[str, Any]:
    """Return the AsyncAPI document as a map for JSON. `protocol_md`: the text of PROTOCOL.md, which has the examples.

    `host` (with a port if needed) and `scheme` ("ws" or "wss") are the server's. If `organisation` is "", the address
    in the document has a parameter for it. `prefix`: the path below which the server is found, or "".
    """
    client, server = client_types(), server_types()
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
                **({"pathname": prefix} if prefix else {}),
                "protocol": scheme,
                "description": "Offer greenroom.v1.json for JSON in text frames, or greenroom.v1.msgpack for the same "
                "maps as MessagePack in binary frames.",
                "security": [{"$ref": "#/components/securitySchemes/session"}],
            }
        },
        "channels": {CHANNEL: channel},
        "operations": {**_requests(client), **_updates()},
        "components": {
            "messages": _messages(client, server, examples(protocol_md)),
            "schemas": _schemas([*client.values(), *server.values()]),
            "correlationIds": {
                "request": {
                    "location": "$message.payload#/id",
                    "description": "The reply carries it as `reply_to`.",
                },
                "answer": {"location": "$message.payload#/reply_to", "description": "The request’s `id`."},
            },
            "securitySchemes": {
                "session": {
                    "type": "httpApiKey",
                    "in": "cookie",
                    "name": COOKIES[scheme]
                    if not prefix
                    else COOKIES[scheme].replace("__Host-", "__Secure-"),
                    "description": "The browser’s session; PROTOCOL.md#entry describes how a client gets it.",
                }
            },
        },
    }


def _key(name: str) -> str:
    """Return the name of a message with "_" in place of ".". A "." would make it an invalid key in AsyncAPI."""
    return name.replace(".", "_")


def _refs(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"$ref": f"#/channels/{CHANNEL}/messages/{_key(name)}"} for name in names]


def _handshake() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["Origin"],
        "properties": {
            "Origin": {
                "type": "string",
                "description": "The origin of this server; others are refused with 403.",
            },
            "Sec-WebSocket-Protocol": {"type": "string", "enum": list(SUBPROTOCOLS)},
        },
    }


def _requests(client: Mapping[str, type[Request]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, kind in client.items():
        found[_key(name)] = operation = {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{CHANNEL}"},
            "summary": about(kind)[0],
            "messages": _refs([name]),
        }
        if kind.reply is not None:
            operation["reply"] = {
                "channel": {"$ref": f"#/channels/{CHANNEL}"},
                "messages": _refs([kind.reply, "error"]),
            }
    return found


def _updates() -> dict[str, Any]:
    def sends(names: Sequence[str], text: str) -> dict[str, Any]:
        channel = {"$ref": f"#/channels/{CHANNEL}"}
        return {"action": "send", "channel": channel, "summary": text, "messages": _refs(names)}

    topics = {
        f"topic_{topic.partition('/')[0]}": sends(
            topic_messages(topic), f"The topic {topic.replace('{id}', '<visit>')}."
        )
        for topic in TOPICS
    }
    return {**topics, "media": sends(media_messages(), "A visit’s media, for those who have joined it.")}


def _messages(
    client: Mapping[str, type[msgspec.Struct]],
    server: Mapping[str, type[msgspec.Struct]],
    shown: Mapping[str, Sequence[dict[str, Any]]],
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, kind in {**client, **server}.items():
        text, section = about(kind)
        found[_key(name)] = message = {
            "name": name,
            "title": name,
            "summary": text,
            "description": f"PROTOCOL.md#{section}",
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
    """Return the JSON schemas of the message types, and of all types inside them, by class name."""
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_SCHEMAS + "{name}")
    for schema in schemas.values():
        del schema["title"]
    return dict(sorted(schemas.items()))
