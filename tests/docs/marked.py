"""Parts of documents that are made from the code: they stand between two comments that name them.

`<!-- made: NAME -->` begins a part and `<!-- end: NAME -->` ends it; `make docs` makes all of them anew.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_PART = re.compile(r"(<!-- made: (?P<name>[\w-]+) -->\n).*?(<!-- end: (?P=name) -->)", re.DOTALL)


def renewed(text: str, parts: dict[str, str]) -> str:
    """Return the document with each of its marked parts made anew. Raises `KeyError` for a part that nothing makes."""
    return _PART.sub(lambda found: f"{found[1]}\n{parts[found['name']].strip()}\n\n{found[3]}", text)


def names(text: str) -> list[str]:
    """Return the names of a document's marked parts, in their order."""
    return [found["name"] for found in _PART.finditer(text)]
