"""Writes values that are of no use after a few seconds, without an access to the disk of the store.

An example is the key that shows that a worker runs. The store keeps them only in its memory. A restarted
store and a copy that takes the store's place have none of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_SCRIPT = (Path(__file__).parent / "unkept.lua").read_text()


def unkept(key: str, *commands: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return one command, a script, that carries out `commands` on a key. Its reply is the first one's reply."""
    words = [part for command in commands for part in (len(command), *command)]
    return ("EVAL", _SCRIPT, 1, key, *words)
