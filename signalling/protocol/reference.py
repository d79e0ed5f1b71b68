"""The reference at the end of PROTOCOL.md, and the examples of its text. Joins the types with their meanings.

Pure. Names, types and bounds come from the types, meanings from `fields.py`. `make protocol` rewrites the reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, get_args

import msgspec
from msgspec import inspect

from signalling.protocol import fields
from signalling.protocol.client_messages import ClientMessage
from signalling.protocol.server_messages import ServerMessage
from signalling.protocol.shapes import Part

BEGIN: Final = "<!-- Below: made by `make protocol` from the message types. -->"
_EXAMPLE = re.compile(r"```json (client|server)\n(.*?)```", re.DOTALL)


def message_types(side: str) -> dict[str, type[msgspec.Struct]]:
    """Return a side's ("client" or "server") message types by their name on the wire, in the document's order."""
    union = ClientMessage if side == "client" else ServerMessage
    return {str(_struct(kind).tag): kind for kind in get_args(union)}


@cache
def parts() -> dict[str, type[msgspec.Struct]]:
    """Return the types of the maps inside messages, by class name, in the order of their first use."""
    found: dict[str, type[msgspec.Struct]] = {}

    def look(shape: inspect.Type) -> None:
        if isinstance(shape, inspect.StructType) and shape.cls.__name__ not in found:
            found[shape.cls.__name__] = shape.cls
            for field in shape.fields:
                look(field.type)
        for inner in _inside(shape):
            look(inner)

    for kind in message_types("server").values():
        for field in _struct(kind).fields:
            look(field.type)
    return found


def owner(kind: type[msgspec.Struct]) -> str:
    """Return the name of a type in `fields.py`: a message's wire name, a part's class name."""
    struct = _struct(kind)
    return str(struct.tag) if struct.tag is not None and not issubclass(kind, Part) else kind.__name__


def field_rows(kind: type[msgspec.Struct]) -> Iterator[tuple[str, str, str]]:
    """Yield (name, type in words, meaning) of each field; `?` after a name means that the field may be left out."""
    name = owner(kind)
    for field in _struct(kind).fields:
        values = fields.VALUES.get(f"{name}.{field.encode_name}")
        shape = _words(field.type)
        if values is not None:
            shape = " or ".join([*(f"`{value}`" for value in values), *(["null"] if "null" in shape else [])])
        optional = "" if field.required else "?"
        yield field.encode_name + optional, shape, fields.meaning(name, field.encode_name)


def reference() -> str:
    """Return the reference as Markdown."""
    lines = [BEGIN, "", "## Reference", ""]
    lines += [
        "Every message and each of its fields; `?` marks those that may be left out. Times ending in `_ms` are"
    ]
    lines += [
        "milliseconds since 1970 (UTC), except `talked_ms`, `wait_*_ms`, `amber_ms` and `red_ms`: durations."
    ]
    for side, title in (("client", "What a client says"), ("server", "What the server says")):
        lines += ["", f"### {title}"]
        for name, kind in message_types(side).items():
            about = fields.MESSAGES[name]
            answer = fields.ANSWERS.get(name, "done") if side == "client" else None
            answered = f" Answered by `{answer}`." if answer else ""
            lines += [
                "",
                f"#### `{name}`",
                "",
                f"{about.text}{answered} ([{about.section}](#{about.section}))",
            ]
            lines += _table(kind)
    lines += ["", "### Maps inside messages"]
    for name, kind in parts().items():
        lines += ["", f"#### {name}", *_table(kind)]
    return "\n".join(lines) + "\n"


def examples(document: str) -> dict[str, list[dict[str, Any]]]:
    """Return the examples of PROTOCOL.md's text, by message type."""
    found: dict[str, list[dict[str, Any]]] = {}
    for _, text in _EXAMPLE.findall(document):
        example = json.loads(text)
        found.setdefault(example["type"], []).append(example)
    return found


def renewed(document: str) -> str:
    """Return PROTOCOL.md's text with its reference made anew from the types."""
    return document.partition(BEGIN)[0] + reference()


def _table(kind: type[msgspec.Struct]) -> list[str]:
    rows = [f"| `{name}` | {shape} | {text} |" for name, shape, text in field_rows(kind)]
    return ["", "| field | type | meaning |", "|---|---|---|", *rows] if rows else []


def _struct(kind: type[msgspec.Struct]) -> inspect.StructType:
    shape = inspect.type_info(kind)
    assert isinstance(shape, inspect.StructType)
    return shape


def _inside(shape: inspect.Type) -> tuple[inspect.Type, ...]:
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
    """Return a type in a few words."""
    match shape:
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
