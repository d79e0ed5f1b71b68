"""Writes values that are worth nothing after a few seconds, such as signs of life, without an access to the disk.

The store keeps them only in its memory. A restarted store and a copy that takes the store's place have none of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_SCRIPT = (Path(__file__).parent / "unkept.lua").read_text()


def unkept(key: str, *commands: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return one command that carries out these commands on a key; the reply to it is the reply to the
    first of them.
    """
    words = [part for command in commands for part in (len(command), *command)]
    return ("EVAL", _SCRIPT, 1, key, *words)
