"""Replaces those parts of documents that are generated from the code. Each part is between two comments.

`<!-- made: NAME -->` is before a part and `<!-- end: NAME -->` after it. `make docs` generates all parts
again.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_PART = re.compile(r"(<!-- made: (?P<name>[\w-]+) -->\n).*?(<!-- end: (?P=name) -->)", re.DOTALL)


def renewed(text: str, parts: dict[str, str]) -> str:
    """Return the document with each marked part replaced by its text in `parts`. Raises KeyError
    if `parts` has no text for a part.
    """
    return _PART.sub(lambda found: f"{found[1]}\n{parts[found['name']].strip()}\n\n{found[3]}", text)


def names(text: str) -> list[str]:
    """Return the names of a document's marked parts, in their order."""
    return [found["name"] for found in _PART.finditer(text)]
