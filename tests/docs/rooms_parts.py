"""Makes the lists of rooms (folders of the code) in docs/ARCHITECTURE.md from each folder's `__init__.py`.

The text of a room is the first paragraph of the docstring in its `__init__.py`.
"""

from __future__ import annotations

import ast
from pathlib import Path

from tests.test_architecture import PACKAGES, ROOT


def sentence_of(folder: Path) -> str:
    """Return the first paragraph of a folder's docstring, in one line."""
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def folders(package: str) -> list[Path]:
    """Return the folder of a package, and the folders in it that have code (the rooms)."""
    return [ROOT / package, *sorted(path.parent for path in (ROOT / package).glob("*/__init__.py"))]


def parts() -> dict[str, str]:
    """Return the parts of docs/ARCHITECTURE.md that this file generates: name of a part -> its text."""
    rows = [
        f"| `{folder.relative_to(ROOT).as_posix()}/` | {sentence_of(folder)} |"
        for package in PACKAGES
        for folder in folders(package)
    ]
    return {"rooms": "\n".join(["| room | what it is |", "|---|---|", *rows])}
