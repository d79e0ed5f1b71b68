"""Finds the small faults that can be put into a source file, each as a change of one piece of its text.

This module does no I/O: the content of a file is an argument. It leaves out everything that no test can be
expected to notice: prose (docstrings, and texts with a space, as in logs, errors and descriptions), types,
assertions (also `strict` of `zip`), `if TYPE_CHECKING`, the part that runs a module as a command, and the
options of decorators and classes, such as `slots`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

SWAPPED: dict[type[ast.AST], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.And: "or",
    ast.Or: "and",
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "//",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "+",
    ast.LShift: ">>",
    ast.RShift: "<<",
    ast.BitAnd: "|",
    ast.BitOr: "&",
    ast.BitXor: "&",
}
"""Operator -> the operator that replaces it."""
LOGS = frozenset({"log", "logger", "_log"})


class Change(NamedTuple):
    """A change of a file: `after` replaces the bytes from `start` to `end`, which begin on line `line`."""

    line: int
    start: int
    end: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"`{_short(self.before)}` → `{_short(self.after)}`"

    def applied(self, source: bytes) -> bytes:
        """Return the content of the file with this change."""
        return source[: self.start] + self.after.encode() + source[self.end :]


def changes(source: bytes) -> list[Change]:
    """Return every change of a file, in the order of its text."""
    return sorted(set(_Finder(source).visit_all()))


def statement_lines(source: bytes, line: int) -> range:
    """Return the numbers of the lines of the smallest statement that contains `line`. Of a statement with a body, only
    the lines before the body count.
    """
    found = range(line, line + 1)
    # `ast.walk` gives outer statements before those inside them, so the last statement that contains the line
    # is the smallest.
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno):
            body = getattr(node, "body", None)
            end = body[0].lineno if body else (node.end_lineno or node.lineno) + 1
            found = range(node.lineno, max(end, node.lineno + 1))
    return found


def uncommented(line: str) -> str:
    """Return a line of code without the comment behind it, so that it can be found again if the comment has changed.

    The formatter puts two spaces before such a comment.
    """
    return line.partition("  # ")[0].strip()


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 70 else words[:69] + "…"


class _Finder:
    """Walks through the syntax tree of one file, and collects its changes."""

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def visit_all(self) -> Iterator[Change]:
        yield from self._in(ast.parse(self._source))

    def _in(self, node: ast.AST) -> Iterator[Change]:
        if _left_out(node):
            return
        yield from self._of(node)
        for child in _parts(node):
            yield from self._in(child)

    def _of(self, node: ast.AST) -> Iterator[Change]:
        match node:
            case ast.Compare(left=left, ops=ops, comparators=rights):
                for before, operator, after in zip([left, *rights], ops, rights, strict=False):
                    yield self._between(before, after, SWAPPED[type(operator)])
            case ast.BoolOp(op=operator, values=values):
                yield self._between(values[0], values[1], SWAPPED[type(operator)])
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in SWAPPED:
                if not _of_types(node):
                    yield self._between(left, right, SWAPPED[type(operator)])
            case ast.AugAssign(target=target, op=operator, value=value) if type(operator) in SWAPPED:
                yield self._between(target, value, SWAPPED[type(operator)] + "=")
                yield self._becomes(node, "pass")
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield self._becomes(node, f"({self._text(operand)})")
            case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
                if isinstance(test, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.Await):
                    yield self._becomes(test, f"(not {self._text(test)})")
            case ast.comprehension(ifs=[condition]):
                yield self._becomes(condition, "True")
            case ast.Constant(value=bool() as value):
                yield self._becomes(node, str(not value))
            case ast.Constant(value=int() | float()):
                yield self._becomes(node, f"({self._text(node)} + 1)")
            case ast.Constant(value=str() as value) if value and not any(map(str.isspace, value)):
                yield self._becomes(node, repr(value + "x"))
            case ast.Constant(value=bytes() as value) if value:
                yield self._becomes(node, repr(value + b"x"))
            case ast.Return(value=ast.expr() as value) if not _is_none_or_bool(value):
                yield self._becomes(value, "None")
            case ast.Break():
                yield self._becomes(node, "continue")
            case ast.Continue():
                yield self._becomes(node, "break")
            case ast.Expr(value=ast.Call() | ast.Await()) | ast.Delete():
                yield self._becomes(node, "pass")
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield self._becomes(node, "pass")

    def _span(self, node: ast.AST) -> tuple[int, int]:
        start = self._starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        return start, self._starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]

    def _text(self, node: ast.AST) -> str:
        start, end = self._span(node)
        return self._source[start:end].decode()

    def _becomes(self, node: ast.AST, after: str) -> Change:
        start, end = self._span(node)
        return Change(node.lineno, start, end, self._source[start:end].decode(), after)  # type: ignore[attr-defined]

    def _between(self, left: ast.AST, right: ast.AST, after: str) -> Change:
        """Return the change that writes `after` instead of the operator between the operands `left` and `right`.

        Brackets and comments around the operator stay as they are.
        """
        start, end = self._span(left)[1], self._span(right)[0]
        between = self._source[start:end].decode()
        operator = between.split("#")[0].strip("() \\\n") or between.strip("() \\\n")
        start += len(between[: between.index(operator)].encode())
        line = self._source.count(b"\n", 0, start) + 1
        return Change(line, start, start + len(operator.encode()), operator, after)


def _left_out(node: ast.AST) -> bool:
    """Return True for code of which a change has no effect that a test could notice."""
    match node:
        case ast.Assert() | ast.JoinedStr() | ast.Import() | ast.ImportFrom() | ast.MatchValue():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        # `strict` of `zip` is an assertion that two lists have the same length.
        case ast.keyword(arg="strict"):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Compare(left=ast.Name(id="__name__"))):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name))) if name in LOGS:
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name)))) if name in LOGS:
            return True
        case ast.Call(func=ast.Name(id="cast" | "TypeVar" | "NewType" | "getLogger" | "get_logger")):
            return True
        case ast.Subscript(value=ast.Name(id="Literal")):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__" | "__slots__")]):
            return True
    return False


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """Yield those children of a node that may be changed: no types, decorators or options of classes."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "bases", "type_params"}:
            continue
        if name == "keywords" and isinstance(node, ast.ClassDef):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_none_or_bool(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))


def _of_types(node: ast.BinOp) -> bool:
    """Return True if this operator makes a union of types, such as `int | str`."""
    if not isinstance(node.op, ast.BitOr):
        return False
    sides = [node.left, node.right]
    return any(_is_none(side) or _names_type(side) for side in sides)


def _names_type(node: ast.AST) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in {"int", "str", "bytes", "float", "bool"} or (
                name[:1].isupper() and not name.isupper()
            )
        case ast.Subscript(value=value):
            return _names_type(value) or (
                isinstance(value, ast.Name) and value.id in {"tuple", "list", "dict", "type"}
            )
        case ast.BinOp():
            return _of_types(node)
    return False
