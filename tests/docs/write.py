"""Makes the parts of the documents that come from the code anew: `make docs`."""

from __future__ import annotations

from pathlib import Path

from tests.docs import imports
from tests.docs.keys_parts import parts as keys_parts
from tests.docs.marked import DOCS, renewed
from tests.docs.peers_parts import parts as peers_parts
from tests.docs.rooms_parts import parts as rooms_parts
from tests.docs.visit_parts import parts as visit_parts


def made() -> dict[Path, str]:
    """Return every file that is made, or holds parts that are made, as it is to read."""
    parts = {
        DOCS / "VISIT.md": visit_parts(),
        DOCS / "ARCHITECTURE.md": rooms_parts(),
        DOCS / "OPERATIONS.md": keys_parts(),
        DOCS / "LOAD-TESTER.md": peers_parts(),
    }
    return {
        **{path: renewed(path.read_text("utf-8"), its) for path, its in parts.items()},
        imports.PATH: imports.drawing(),
    }


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, "utf-8")
