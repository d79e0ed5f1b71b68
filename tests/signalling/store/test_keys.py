"""Tests that every key of the store is in one table, and that no other code makes the name of a key."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from signalling.store import keys
from tests.stored import faults
from tests.test_architecture import PACKAGES, ROOT, sources

PARTS = [key for key in keys.ALL if "<" in key.pattern]
SOURCES = [path for package in PACKAGES for path in sources(package) if path != Path(keys.__file__)]
REDIS = re.compile(r"(?i)(redis|pipe|client)$")
COMMANDS = {name for name in dir(Redis) if not name.startswith("_")} - {
    "from_url",
    "info",
    "execute_command",
    "register_script",
}
"""The methods of redis-py whose first argument is a key or a channel."""


def text_of(node: ast.expr) -> str | None:
    """Return a literal text of the code, with a zero byte for each inserted value; None if the node is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "\x00" for part in node.values)
    return None


def names_in(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of each text in a source that makes the name of a key. Only the table of keys may make such
    names.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr) and re.match("{\x00}:", text := text_of(node) or ""):
            yield node.lineno, text
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            given = [word.value for word in node.keywords if word.arg == "keys"]
            if REDIS.search(ast.unparse(node.func.value)) and node.func.attr in COMMANDS:
                given += node.args[:1]
            for part in (part for one in given for part in ast.walk(one) if isinstance(part, ast.expr)):
                if (name := text_of(part)) is not None:
                    yield node.lineno, name


def test_no_other_source_writes_the_name_of_a_key() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {name!r}"
        for path in SOURCES
        for line, name in names_in(path.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        'f"{{{organisation}}}:jobs"',
        'redis.get("greenroom:key")',
        'pipe.get(f"worker:{w}")',
        'self.s(keys=["a"])',
    ],
)
def test_a_name_that_is_written_elsewhere_is_found(source: str) -> None:
    assert list(names_in(source))


def test_no_two_kinds_of_key_have_one_name() -> None:
    assert len({key.pattern for key in keys.ALL}) == len(keys.ALL)


@pytest.mark.parametrize("key", PARTS, ids=lambda key: key.pattern)
def test_a_key_has_the_parts_of_its_pattern(key: keys.Key) -> None:
    parts = [f"p{number}" for number in range(key.pattern.count("<"))]
    name = key(*parts)
    assert key.matches(name)
    assert re.sub(r"p\d", "<>", name) == re.sub("<[a-z]+>", "<>", key.pattern)
    with pytest.raises(TypeError):
        key(*parts, "more")


def test_what_is_in_the_store_is_compared_with_the_table(valkey_url: str) -> None:
    with Redis.from_url(valkey_url) as client:
        client.set(keys.DATA_KEY(), b"1")
        client.set(keys.LEASE("demo", "v_1"), b"1")
        client.set("{demo}:new", b"1")
        assert faults(client) == [
            "{demo}:lease:v_1: does not expire",
            "{demo}:lease:v_1: string instead of hash",
            "{demo}:new: not in the table",
        ]
        client.flushall()
