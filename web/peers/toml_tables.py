"""Reads a TOML file into a msgspec struct; an error names the file, the line, the key and what is expected.

Each field of a struct that is read has a `msgspec.Meta` whose description completes the sentence "expected …". Used
for the networks (`network/reading.py`) and the scenarios (`cli/scenario.py`) of the load tester.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, TypeVar, get_args, get_type_hints

import msgspec

from web.peers.errors import PlanError

LARGEST: Final = 1 << 16
"""The greatest length in bytes of a TOML file that is read."""
_MISSING = re.compile(r"missing required field `(\w+)`")
_HEADER = re.compile(r"\s*\[+\s*([\w.\s]+?)\s*\]+")
_KEY = re.compile(r"\s*([\w.]+)\s*=")


T = TypeVar("T", bound=msgspec.Struct)
Problem = Callable[[T], str]
"""A function that returns a sentence about what is wrong with a table; "" if nothing is wrong.

It checks whether the table's values fit together. Before it is called, each value by itself has been checked."""


class TableKind(NamedTuple, Generic[T]):
    """The msgspec types of the tables in a TOML file.

    `table`: the type of the whole file; `inner`: key -> the type of the tables under this key.
    """

    table: type[T]
    inner: Mapping[str, type[msgspec.Struct]]

    def expected(self, place: str) -> str:
        """Return a description of the value that is expected at a place in the file, such as `phases[1].to_s`."""
        table: type[msgspec.Struct] = self.table
        *outer, last = re.split(r"[.\[]", place)
        for key in outer:
            table = self.inner.get(key, table)
        hint = get_type_hints(table, include_extras=True).get(last)
        return _meaning(hint) or "a table"


def read(path: Path, kind: TableKind[T], problem: Problem[T]) -> T:
    """Return the content of a TOML file as an object of `kind`, which defines the tables that the file may have.

    `problem`: a function that returns a sentence if the values of this object do not fit together, otherwise "". Raises
    PlanError if the file is not valid, and OSError if it cannot be read.
    """
    with path.open("rb") as file:
        encoded = file.read(LARGEST + 1)
    if len(encoded) > LARGEST:
        raise PlanError(f"{path}: expected at most {LARGEST} bytes")
    try:
        text = encoded.decode()
        raw = tomllib.loads(text)
    # ValueError: the file is not TOML or not UTF-8, or a number has thousands of digits. RecursionError: too deep.
    except (ValueError, RecursionError) as wrong:
        raise PlanError(f"{path}: expected TOML; {str(wrong) or 'too deep'}") from None
    return parse(raw, kind, problem, str(path), text)


def parse(raw: Mapping[str, Any], kind: TableKind[T], problem: Problem[T], source: str, text: str = "") -> T:
    """Return the table that parsed TOML describes.

    `text`: the text of the file, to find the number of the line with a mistake; "" for no number. Raises
    PlanError if the TOML is not valid; the error's text begins with `source`.
    """
    wrong = _unknown(raw, kind.table, kind) or _not_a_number(raw, kind)
    if not wrong:
        try:
            found = msgspec.convert(raw, kind.table)
        except msgspec.ValidationError as error:
            wrong = _explained(str(error), raw, kind)
        else:
            wrong = problem(found)
            if not wrong:
                return found
    line = line_of(text, wrong.partition(":")[0])
    raise PlanError(f"{source}, line {line}: {wrong}" if line else f"{source}: {wrong}")


def line_of(text: str, place: str) -> int:
    """Return the number of the line, from 1, that defines this place, such as `phases[1].to_s`; 0 if none does.

    If no line defines exactly this place, return the line of the innermost table around it. If the place is a list of
    tables, return the line of the list's first table.
    """
    best, depth, first = 0, 0, 0
    for at, here in _places(text):
        first = first or (at if here.startswith(f"{place}[") else 0)
        # A place inside `here` counts too: `loss` in `up = { loss = 2 }` has no line of its own, only that of `up`.
        if (place == here or place.startswith((f"{here}.", f"{here}["))) and len(here) > depth:
            best, depth = at, len(here)
    return best or first


def _places(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number of the line, place) for each line that has a key or the header of a table.

    The place is that of the key or table in the file, such as `phases[0].loss`.
    """
    table, seen = "", dict[str, int]()
    for at, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = header[1].replace(" ", "")
            if line.lstrip().startswith("[["):
                seen[table] = seen.get(table, -1) + 1
                table = f"{table}[{seen[table]}]"
            else:
                first, dot, rest = table.partition(".")
                table = f"{first}[{seen[first]}]{dot}{rest}" if first in seen else table
            yield at, table
        elif key := _KEY.match(line):
            yield at, _joined(table, key[1])


def _unknown(raw: Any, table: type[msgspec.Struct], kind: TableKind[Any], place: str = "") -> str:
    """Return a sentence about the first key of `raw`, parsed TOML, that `table` does not have; "" if there is none.

    `place`: the place of `raw` in the file, "" for the whole file.
    """
    if not isinstance(raw, Mapping):
        return ""
    keys = table.__struct_fields__
    for key, value in raw.items():
        here = _joined(place, _shown(key))
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(keys)}"
            return f"{here}: there is no such key; {hint}"
        for inner, at in _tables(key, value, kind, here):
            if wrong := _unknown(inner, kind.inner[key], kind, at):
                return wrong
    return ""


def _tables(key: str, value: Any, kind: TableKind[Any], place: str) -> Iterator[tuple[Any, str]]:
    """Yield (table, its place in the file) for each table under `key`. `value`: the key's value; `place`: its place."""
    if key in kind.inner:
        many = value if isinstance(value, list) else [value]
        yield from ((one, f"{place}[{at}]" if value is many else place) for at, one in enumerate(many))


def _explained(error: str, raw: Mapping[str, Any], kind: TableKind[Any]) -> str:
    """Return msgspec's text `error` in our own words: the place in the file, what is expected there, what was found.

    `raw`: parsed TOML.
    """
    place = error.rpartition(" - at `$")[2].rstrip("`").lstrip(".")
    if missing := _MISSING.search(error):
        return f"{place}: expected {missing[1]}, {kind.expected(_joined(place, missing[1]))}"
    return f"{place}: expected {kind.expected(place)}; found {_shown(_value(raw, place))}"


def _joined(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _value(raw: Any, place: str) -> Any:
    """Return the value at a place of `raw`, parsed TOML, such as `phases[1].to_s`."""
    for key in re.findall(r"[^.\[\]]+", place):
        raw = raw[int(key)] if isinstance(raw, list) else raw[key]
    return raw


def _not_a_number(raw: Any, kind: TableKind[Any], place: str = "") -> str:
    """Return a sentence about the first `nan` or `inf` in `raw`, parsed TOML; "" if it contains neither.

    msgspec's bounds accept `nan` and `inf`, so this function finds them. `kind`: the types of the file's tables;
    `place`: the place of `raw` in the file.
    """
    if isinstance(raw, dict):
        return next(
            filter(None, (_not_a_number(value, kind, _joined(place, key)) for key, value in raw.items())), ""
        )
    if isinstance(raw, list):
        return next(
            filter(None, (_not_a_number(value, kind, f"{place}[{at}]") for at, value in enumerate(raw))), ""
        )
    if isinstance(raw, float) and not math.isfinite(raw):
        return f"{place}: expected {kind.expected(place)}; found {raw}"
    return ""


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
    return repr(text[:60] + "…") if len(text) > 60 else text


def _meaning(hint: Any) -> str:
    """Return the description of the `msgspec.Meta` in a type annotation, even if it is inside `… | None`; "" if there
    is none.
    """
    if (extra := getattr(hint, "__metadata__", None)) is not None:
        return str(extra[0].description)
    return next(filter(None, map(_meaning, get_args(hint))), "")
