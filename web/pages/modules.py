"""Finds the ES modules of a page, each script with all its imports, so that the browser can load them at once.

Knows the folder of static files and the syntax of imports. Without this list, a browser finds a module only when the
module that imports it has arrived: one round trip for each of five levels. Knows no page.
"""

import re
from pathlib import Path

IMPORT = re.compile(r"""\b(?:from|import)\s*["'](\.{1,2}/[^"']+\.js)["']""")


def imported(folder: Path, name: str) -> tuple[str, ...]:
    """Return all modules that this one needs, each once, as paths below the folder, its direct imports first."""
    found: dict[str, None] = {}
    level = [name]
    while level:
        level = [path for one in level for path in _named(folder, one) if path != name and path not in found]
        found |= dict.fromkeys(level)
    return tuple(found)


def _named(folder: Path, name: str) -> list[str]:
    path = folder / name
    beside = [(path.parent / said).resolve() for said in IMPORT.findall(path.read_text("utf-8"))]
    return [
        one.relative_to(folder).as_posix() for one in beside if one.is_relative_to(folder) and one.is_file()
    ]
