"""Tests the table of private interfaces in ARCHITECTURE.md: it matches the code, and the version bounds hold.

A private interface is a module or attribute whose name begins with an underscore, and that belongs to a package that
is neither ours nor Python's.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.docs.marked import DOCS, ROOT

PACKAGES = ("media", "signalling", "web")
# These names begin with an underscore, but the documents of `os` and of named tuples describe them.
DOCUMENTED = frozenset({"_asdict", "_exit", "_fields", "_replace"})
NOT_FOREIGN = (*PACKAGES, "greenroom", "builtins", *sys.stdlib_module_names)
OF_ITSELF = frozenset({"self", "cls", "super()"})
_ROW = re.compile(r"^\| `(?P<bound>[^`]+)` \| `(?P<file>[\w/.]+)` \| (?P<names>[^|]+) \| (?P<rest>.+) \|$")


class Row:
    """A row of the table: the version bound, the file, the private names, and the columns for the test and the
    fallback.
    """

    def __init__(self, found: re.Match[str]) -> None:
        self.bound, self.file = found["bound"], found["file"]
        self.names = set(re.findall(r"`([\w.]+)`", found["names"]))
        rest: list[str] = found["rest"].split(" | ")
        self.test, self.fallback = rest


def table() -> list[Row]:
    """Return the rows of the table of private interfaces in ARCHITECTURE.md."""
    text = (DOCS / "ARCHITECTURE.md").read_text("utf-8")
    part = text.partition("## Private interfaces of dependencies")[2].partition("\n## ")[0]
    return [Row(found) for line in part.splitlines() if (found := _ROW.match(line))]


def is_private(name: str) -> bool:
    """Return True for names such as `_name`, False for `name`, `__name__` and `_`."""
    return name.startswith("_") and not name.startswith("__") and name != "_"


def defined(tree: ast.Module) -> set[str]:
    """Return the private names that a file itself defines, as functions, classes, variables and
    attributes of `self`.
    """
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.Name(id=name):
                found.add(name)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                found.add(name)
    return found


def of_imports(tree: ast.Module) -> Iterator[str]:
    """Yield the private modules and names that a file imports from packages of others, by a statement or by
    `import_module`.
    """
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                modules = [alias.name for alias in aliases]
            case ast.ImportFrom(module=str(module), names=aliases):
                modules = [f"{module}.{alias.name}" for alias in aliases]
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name))]):
                modules = [name]
            case _:
                continue
        for module in modules:
            root, *parts = module.split(".")
            if root not in NOT_FOREIGN and any(map(is_private, parts)):
                yield module


def of_objects(tree: ast.Module) -> Iterator[str]:
    """Yield the private attributes that a file uses of objects other than `self`. Attributes of variables are left out
    if the file defines the same name.
    """
    own = defined(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in DOCUMENTED:
            mine = isinstance(node.value, ast.Name) and node.attr in own
            if not mine and ast.unparse(node.value) not in OF_ITSELF:
                yield node.attr


def of_bases(path: Path, tree: ast.Module) -> Iterator[str]:
    """Yield the private names of base classes from other packages that a class of this file uses or overrides."""
    for node in tree.body:
        if not (isinstance(node, ast.ClassDef) and node.bases) or path.parent.name == "examples":
            continue
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        known = set[str]()
        for base in getattr(module, node.name).__mro__:
            if base.__module__.split(".")[0] not in NOT_FOREIGN:
                known |= set(vars(base)) | words(base)
        for inner in ast.walk(node):
            match inner:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    pass
                case ast.Attribute(value=value, attr=name) if ast.unparse(value) in OF_ITSELF:
                    pass
                case _:
                    continue
            if is_private(name) and name in known:
                yield name


def words(base: type) -> set[str]:
    """Return the names of attributes in the source of the class `base`; empty if it has no Python source."""
    path = getattr(sys.modules[base.__module__], "__file__", None) or ""
    return classes(path).get(base.__name__, set()) if path.endswith(".py") else set()


@cache
def classes(path: str) -> dict[str, set[str]]:
    """Return class -> the attributes that it uses, for the classes of a file."""
    return {
        node.name: {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)}
        for node in ast.walk(ast.parse(Path(path).read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    }


def used() -> dict[str, set[str]]:
    """Return file -> the private names of packages of others that it uses."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("[!_]*.py")):
            tree = ast.parse(path.read_text("utf-8"))
            names = {*of_imports(tree), *of_objects(tree), *of_bases(path, tree)}
            if names:
                found[str(path.relative_to(ROOT))] = names
    return found


def test_the_table_of_private_interfaces_is_what_the_code_uses() -> None:
    named: dict[str, set[str]] = {}
    for row in table():
        named.setdefault(row.file, set()).update(row.names)
    assert named == used()


@pytest.mark.parametrize("row", table(), ids=lambda row: row.file)
def test_what_is_private_has_an_upper_bound_and_its_test_exists(row: Row) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert row.bound in [each.partition(";")[0] for each in project["dependencies"]]
    assert re.search(r"==|<", row.bound), "no upper bound"
    name = re.search(r"`([\w/.]+)`", row.test)
    assert name, "names a function, or the tests that take its place"
    here = (ROOT / row.file).read_text("utf-8")
    assert (ROOT / name[1]).exists() or f"def {name[1]}(" in here, f"{name[1]} does not exist"
    assert row.fallback.strip()


@pytest.mark.parametrize(
    "source",
    [
        "import redis._parsers",
        "from aiohttp._websocket import reader",
        "import importlib\nimportlib.import_module('pylibsrtp._binding')",
    ],
)
def test_a_private_import_is_found(source: str) -> None:
    assert list(of_imports(ast.parse(source)))


def test_a_private_attribute_is_found_if_it_is_not_the_files_own() -> None:
    tree = ast.parse(
        "class A:\n def f(self): self._own = 1\nx._own\nx._replace()\nx.y._own\nx._foreign\nself._mine"
    )
    assert list(of_objects(tree)) == ["_own", "_foreign"]
