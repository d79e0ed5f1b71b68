"""Writes values that are of no use after a few seconds, without a write to the store's disk.

An example is the key that shows that a worker runs. The store keeps such values only in its memory. If the store
restarts, or a replica replaces it, the values are lost.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_SCRIPT = (Path(__file__).parent / "unkept.lua").read_text()


def unkept(key: str, *commands: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return one command, a script, that carries out `commands` on `key` without a write to the store's disk.

    Its reply is that of the first of `commands`.
    """
    words = [part for command in commands for part in (len(command), *command)]
    return ("EVAL", _SCRIPT, 1, key, *words)
