"""Makes the parts of the documents that come from the code anew: `make docs`."""

from __future__ import annotations

from pathlib import Path

from tests.docs.marked import DOCS, renewed
from tests.docs.visit_parts import parts as visit_parts


def made() -> dict[Path, str]:
    """Return every file that is made, or holds parts that are made, as it is to read."""
    visit = DOCS / "VISIT.md"
    return {visit: renewed(visit.read_text("utf-8"), visit_parts())}


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, "utf-8")
