"""Makes the reference at the end of PROTOCOL.md from the message types, and reads the examples in its text.

`make protocol` rewrites the reference. `asyncapi.py` and `typescript.py` describe the same types in other forms. Does
no I/O.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final, NamedTuple, get_args

import msgspec
from msgspec import inspect

from signalling.protocol.client_messages import ClientMessage, Request
from signalling.protocol.server_messages import MediaMessage, Message, ServerMessage, TopicMessage

BEGIN: Final = "<!-- Below: made by `make protocol` from the message types. -->"
TOPICS: Final = ("queue", "sessions", "bell", "chat/{id}", "visit/{id}", "case/{id}", "place/{id}")
_EXAMPLE = re.compile(r"```json (client|server)\n(.*?)```", re.DOTALL)


class Field(NamedTuple):
    """One field of a message, or of a map inside a message. `optional`: True if the field may be left out.

    `values`: all values that it may have, if its type is a set of words; otherwise empty.
    """

    name: str
    type: inspect.Type
    optional: bool
    meaning: str
    values: Sequence[str]


def client_types() -> dict[str, type[Request]]:
    """Return the types of a client's messages by their name on the wire, in the order of the reference."""
    return {str(_struct(kind).tag): kind for kind in get_args(ClientMessage)}


def server_types() -> dict[str, type[Message]]:
    """Return the types of the server's messages by their name on the wire, in the order of the reference."""
    return {str(_struct(kind).tag): kind for kind in get_args(ServerMessage)}


def topic_messages(topic: str) -> list[str]:
    """Return the names of the messages that are sent to the subscribers of a topic. `topic`: one of TOPICS."""
    room, _, about = topic.partition("/")
    found = [
        name
        for name, kind in server_types().items()
        if issubclass(kind, TopicMessage) and name.partition(".")[0] == room
    ]
    return [*found, "gone"] if about else found


def media_messages() -> list[str]:
    """Return the names of the messages that the server sends about a visit's media."""
    return [name for name, kind in server_types().items() if issubclass(kind, MediaMessage)]


@cache
def maps() -> dict[str, type[msgspec.Struct]]:
    """Return the types of the maps inside messages, by the name of their class, in the order in which messages use
    them.
    """
    found: dict[str, type[msgspec.Struct]] = {}

    def look(shape: inspect.Type) -> None:
        if isinstance(shape, inspect.StructType) and shape.cls.__name__ not in found:
            found[shape.cls.__name__] = shape.cls
            for field in shape.fields:
                look(field.type)
        for inner in _inside(shape):
            look(inner)

    for kind in server_types().values():
        for field in _struct(kind).fields:
            look(field.type)
    return found


def about(kind: type[msgspec.Struct]) -> tuple[str, str]:
    """Return (a sentence with the meaning of a message or map, its section of PROTOCOL.md), read from the type's
    docstring.
    """
    text, _, section = " ".join((kind.__doc__ or "").split()).partition(": PROTOCOL.md#")
    return text + ".", section.rstrip(".")


def fields(kind: type[msgspec.Struct]) -> Iterator[Field]:
    """Yield the fields of a message type, or of an object nested in a message, in the order of their declaration."""
    for field in _struct(kind).fields:
        shape, schema = field.type, dict[str, Any]()
        while isinstance(shape, inspect.Metadata):
            schema, shape = shape.extra_json_schema or {}, shape.type
        meaning, values = schema.get("description", ""), schema.get("enum", ())
        yield Field(field.encode_name, shape, not field.required, meaning, values)


def reference() -> str:
    """Return the reference of all messages and maps, as Markdown."""
    lines = [BEGIN, "", "## Reference", ""]
    lines += [
        "Every message and its fields. `?` marks the fields that may be left out. Fields that end in `_ms` are",
        "times in milliseconds since 1970 (UTC), except these durations in milliseconds: `talked_ms`,",
        "`wait_*_ms`, `amber_ms`, `red_ms`, `connected_ms` and `round_trip_ms`.",
        "",
    ]
    lines += ["### Messages of the client"]
    for name, request in client_types().items():
        answered = f" Answered by `{request.reply}`." if request.reply else ""
        lines += _message(name, request, answered)
    lines += ["", "### Messages of the server"]
    for name, message in server_types().items():
        lines += _message(name, message)
    lines += ["", "### Maps inside messages"]
    for name, kind in maps().items():
        lines += ["", f"#### {name}", *_table(kind)]
    return "\n".join(lines) + "\n"


def examples(document: str) -> dict[str, list[dict[str, Any]]]:
    """Return the examples in a text of PROTOCOL.md: type of the message -> its examples. `document`: the text."""
    found: dict[str, list[dict[str, Any]]] = {}
    for _, text in _EXAMPLE.findall(document):
        example = json.loads(text)
        found.setdefault(example["type"], []).append(example)
    return found


def renewed(document: str) -> str:
    """Return `document`, the text of PROTOCOL.md, with the reference at its end made again from the types."""
    return document.partition(BEGIN)[0] + reference()


def _message(name: str, kind: type[msgspec.Struct], answered: str = "") -> list[str]:
    text, section = about(kind)
    return ["", f"#### `{name}`", "", f"{text}{answered} ([{section}](#{section}))", *_table(kind)]


def _table(kind: type[msgspec.Struct]) -> list[str]:
    rows = [
        f"| `{field.name}{'?' * field.optional}` | {_type(field)} | {field.meaning} |"
        for field in fields(kind)
    ]
    return ["", "| field | type | meaning |", "|---|---|---|", *rows] if rows else []


def _struct(kind: type[msgspec.Struct]) -> inspect.StructType:
    shape = inspect.type_info(kind)
    assert isinstance(shape, inspect.StructType)
    return shape


def _type(field: Field) -> str:
    return " or ".join(f"`{value}`" for value in field.values) or _words(field.type)


def _inside(shape: inspect.Type) -> tuple[inspect.Type, ...]:
    if isinstance(shape, inspect.Metadata):
        return (shape.type,)
    if isinstance(shape, inspect.UnionType):
        return shape.types
    if isinstance(shape, inspect.VarTupleType | inspect.ListType):
        return (shape.item_type,)
    if isinstance(shape, inspect.DictType):
        return (shape.value_type,)
    return ()


_PLAIN: Final[dict[type[inspect.Type], str]] = {
    inspect.BoolType: "boolean",
    inspect.NoneType: "null",
    inspect.AnyType: "any",
    inspect.FloatType: "number",
}


def _words(shape: inspect.Type) -> str:
    """Return a description of a field's type in a few words, as Markdown."""
    match shape:
        case inspect.Metadata():
            return _words(shape.type)
        case inspect.StrType():
            low, high = shape.min_length, shape.max_length
            return "text" + (f" ({low or 0} to {high} characters)" if high is not None else "")
        case inspect.IntType():
            return "integer" + (f" ({shape.ge} to {shape.le})" if shape.ge is not None else "")
        case inspect.LiteralType():
            return " or ".join(f"`{value}`" for value in shape.values)
        case inspect.EnumType():
            return " or ".join(f"`{value.value}`" for value in shape.cls)
        case inspect.UnionType():
            return " or ".join(_words(inner) for inner in shape.types)
        case inspect.VarTupleType() | inspect.ListType():
            return f"list of {_words(shape.item_type)}"
        case inspect.DictType():
            return f"map of text to {_words(shape.value_type)}"
        case inspect.StructType():
            return f"[{shape.cls.__name__}](#{shape.cls.__name__.lower()})"
        case _:
            return _PLAIN[type(shape)]
