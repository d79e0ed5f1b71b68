"""Writes the message types as TypeScript types, with which the browser's scripts are checked. Does no I/O.

`make protocol` stores the result as `web/static/protocol.d.ts`. All TypeScript types follow from the message
types, except for fields that may hold any value: this module defines the types of these fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import inspect

from signalling.protocol.client_messages import Request
from signalling.protocol.reference import TOPICS, client_types, fields, maps, server_types, topic_messages

HEADER: Final = """\
/* The messages of the signalling protocol (signalling/protocol/PROTOCOL.md) as types, for the check of the
   scripts; no browser loads this. Made by `make protocol` from the message types: a change belongs there. */
declare namespace Protocol {
  /** The answer to a step of the setup guide. */
  type Answer = VisitSave["answer"];
  /** The details of an error: PROTOCOL.md, "Errors". */
  interface Details {
    by?: PersonPart;
    problem?: string;
    steps?: string[];
  }
"""
OPEN: Final = {"CasePart.answers": "Record<string, Answer | undefined>", "Error.details": "Details"}
"""The TypeScript types of the fields that may hold any value in the message types."""


def declarations() -> str:
    """Return the text of `web/static/protocol.d.ts`."""
    client, server = client_types(), server_types()
    lines = [HEADER]
    for kind in (*maps().values(), *server.values(), *client.values()):
        lines += [*_interface(kind), ""]
    lines += _table("Requests", "A client's messages by their type.", {n: client[n].__name__ for n in client})
    lines += _table(
        "Answers",
        "The reply to each of them, unless it is refused.",
        {name: server[kind.reply].__name__ if kind.reply else "never" for name, kind in client.items()},
    )
    lines += _table(
        "Messages", "The server's messages by their type.", {n: server[n].__name__ for n in server}
    )
    topics = {
        topic: " | ".join(server[name].__name__ for name in topic_messages(topic) if name != "gone")
        for topic in TOPICS
    }
    lines += _table("Topics", "The messages of each topic, except `gone`.", topics)
    return "\n".join(lines).rstrip() + "\n}\n"


def _table(name: str, text: str, rows: dict[str, str]) -> Iterator[str]:
    yield f"  /** {text} */"
    yield f"  interface {name} {{"
    for key, value in rows.items():
        prefix = key.removesuffix("{id}")
        if prefix != key:
            key = f"[topic: `{prefix}${{string}}`]"
        elif not key.isidentifier():
            key = f'"{key}"'
        yield f"    {key}: {value};"
    yield "  }"
    yield ""


def _interface(kind: type[msgspec.Struct]) -> Iterator[str]:
    struct = inspect.type_info(kind)
    assert isinstance(struct, inspect.StructType)
    # The server sends every field, so only the fields of requests are optional.
    may_leave_out = issubclass(kind, Request)
    yield f"  interface {kind.__name__} {{"
    if struct.tag is not None:
        yield f'    type: "{struct.tag}";'
    for field in fields(kind):
        shape = OPEN.get(f"{kind.__name__}.{field.name}") or _type(field.type)
        if field.values:
            shape = " | ".join(f'"{value}"' for value in field.values)
        yield f"    {field.name}{'?' * (field.optional and may_leave_out)}: {shape};"
    yield "  }"


_PLAIN: Final[dict[type[inspect.Type], str]] = {
    inspect.AnyType: "unknown",
    inspect.BoolType: "boolean",
    inspect.FloatType: "number",
    inspect.IntType: "number",
    inspect.NoneType: "null",
    inspect.StrType: "string",
}


def _type(shape: inspect.Type) -> str:
    """Return the type of a message's field in the syntax of TypeScript."""
    match shape:
        case inspect.Metadata():
            return _type(shape.type)
        case inspect.LiteralType():
            return " | ".join(f'"{value}"' for value in shape.values)
        case inspect.EnumType():
            return " | ".join(f'"{value.value}"' for value in shape.cls)
        case inspect.UnionType():
            return " | ".join(sorted(map(_type, shape.types), key=lambda text: text == "null"))
        case inspect.VarTupleType() | inspect.ListType():
            inner = _type(shape.item_type)
            return f"({inner})[]" if " | " in inner else f"{inner}[]"
        case inspect.DictType():
            return f"Record<string, {_type(shape.value_type)}>"
        case inspect.StructType():
            return shape.cls.__name__
        case _:
            return _PLAIN[type(shape)]
