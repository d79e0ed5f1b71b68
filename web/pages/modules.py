"""The ES modules that a page is made of: each script with all that it imports, told to the browser at once.

Knows the folder of static files and how an import is written. Without it a browser would hear of a module only when the
one that imports it has arrived: a round trip for each level, and there are five. Knows no page.
"""

import re
from pathlib import Path

IMPORT = re.compile(r"""\b(?:from|import)\s*["'](\.{1,2}/[^"']+\.js)["']""")


def imported(folder: Path, name: str) -> tuple[str, ...]:
    """All modules that this one needs, each once, as paths below the folder: those that it names itself come first."""
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
