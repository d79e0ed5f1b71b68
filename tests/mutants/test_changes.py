"""Tests which small changes are made to a source file, and which parts of the file stay unchanged."""

from __future__ import annotations

import ast

import pytest

from tests.mutants.changes import changes, statement_lines, uncommented


@pytest.mark.parametrize(
    ("source", "after"),
    [
        ("a < b", ["a <= b"]),
        ("a is not b", ["a is b"]),
        ("a not in b", ["a in b"]),
        ("(a) == (\n    b  # why\n)", ["(a) != (\n    b  # why\n)"]),
        ("a and b", ["a or b"]),
        ("not a", ["(a)"]),
        ("x = a + b", ["x = a - b"]),
        ("x += a", ["x -= a", "pass"]),
        ("x = 7", ["x = (7 + 1)"]),
        ("x = True", ["x = False"]),
        ("x = 'code'", ["x = 'codex'"]),
        ("x = b'code'", ["x = b'codex'"]),
        ("if a:\n    b", ["if (not a):\n    b"]),
        ("[a for a in b if c]", ["[a for a in b if True]"]),
        ("def f():\n    return a", ["def f():\n    return None"]),
        ("def f():\n    return True", ["def f():\n    return False"]),
        ("for a in b:\n    break", ["for a in b:\n    continue"]),
        ("call(a)", ["pass"]),
        ("await call(a)", ["pass"]),
        ("a.b = c", ["pass"]),
        ("del a.b", ["pass"]),
        ("x = 'é' < b", ["x = 'éx' < b", "x = 'é' <= b"]),
    ],
)
def test_a_fault_is_one_changed_piece_of_text(source: str, after: list[str]) -> None:
    found = [change.applied(source.encode()).decode() for change in changes(source.encode())]
    assert sorted(found) == sorted(after)
    for text in found:
        compile(text, "changed", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring."""',
        "x = 'a text with blanks'",
        "x = f'code{a}'",
        "log.info('area.event', visit=7)",
        "assert a < b",
        "x = zip(a, b, strict=True)",
        "from a import b",
        "if TYPE_CHECKING:\n    x = 7",
        "if __name__ == '__main__':\n    main()",
        "Kind = Literal['a', 'b']",
        "x: Literal['a', 'b']",
        "def f(a: Literal['a']) -> Literal['b']: ...",
        "Address = tuple[str, int] | None",
        "Record = Visit | Staff | str",
        "@dataclass(slots=True)\nclass A(Struct, frozen=True): ...",
        "__slots__ = ('a', 'b')",
    ],
)
def test_prose_and_types_are_left_alone(source: str) -> None:
    assert changes(source.encode()) == []


def test_a_change_has_its_line_and_the_texts_before_and_after() -> None:
    (change,) = changes(b"x = (\n    a\n    < b\n)")
    assert (change.line, str(change)) == (3, "`<` → `<=`")


@pytest.mark.parametrize(
    ("line", "lines"),
    [(1, [1]), (2, [2, 3]), (3, [2, 3]), (4, [4, 5, 6]), (5, [4, 5, 6]), (7, [7]), (8, [8])],
)
def test_a_test_that_runs_any_line_of_the_changed_statement_may_notice(line: int, lines: list[int]) -> None:
    source = b"""def f(a):
    if (a
            < 1):
        return [
            a
        ]
    while a:
        a = 1
"""
    assert list(statement_lines(source, line)) == lines


@pytest.mark.parametrize("line", ["    a = 1", "a = 1  # why", "    a = 1  # another reason  # and more"])
def test_code_is_known_again_if_the_comment_behind_it_has_changed(line: str) -> None:
    assert uncommented(line) == "a = 1"
