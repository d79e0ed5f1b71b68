"""Tests that all errors of the load tester are in one file and have one base class.

It also tests that no two classes of the load tester have the same name.
"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from web.peers import errors

PEERS = Path(errors.__file__).parent


def classes() -> dict[str, list[ast.ClassDef]]:
    """Return the classes of each file that are defined outside of functions: path -> classes."""
    return {
        path.relative_to(PEERS).as_posix(): [
            node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.ClassDef)
        ]
        for path in PEERS.rglob("*.py")
    }


def test_every_error_is_in_one_file_and_ends_in_error_and_has_the_base() -> None:
    found = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    own = [kind for kind in found.values() if kind.__module__ == errors.__name__]
    assert all(kind.__name__.endswith("Error") and issubclass(kind, errors.PeersError) for kind in own)
    elsewhere = [
        f"{path} {node.name}"
        for path, nodes in classes().items()
        for node in nodes
        for base in node.bases
        if path != "errors.py" and ast.unparse(base).endswith(("Error", "Exception"))
    ]
    assert not elsewhere


def test_no_two_classes_have_one_name() -> None:
    names = Counter(node.name for nodes in classes().values() for node in nodes)
    assert not [name for name, number in names.items() if number > 1]
