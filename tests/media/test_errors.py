"""Tests that all errors of media have one base class and are defined in one module."""

from __future__ import annotations

import ast
import builtins
import inspect
from pathlib import Path

from media import errors

MEDIA = Path(errors.__file__).parent
DEFINED = {error for _, error in inspect.getmembers(errors, inspect.isclass)}


def test_all_errors_have_one_base_and_end_in_error() -> None:
    assert len(DEFINED) > 1
    for error in DEFINED:
        assert issubclass(error, errors.MediaError), error
        assert error.__name__.endswith("Error"), error


def test_no_other_module_of_media_defines_an_error() -> None:
    known = {error.__name__ for error in DEFINED}
    known |= {
        name
        for name, value in vars(builtins).items()
        if inspect.isclass(value) and issubclass(value, Exception)
    }
    found = [
        f"{path.relative_to(MEDIA)}: {node.name}"
        for path in sorted(MEDIA.rglob("*.py"))
        if path.name != "errors.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
        and {ast.unparse(base).split(".")[-1] for base in node.bases} & known
    ]
    assert not found
