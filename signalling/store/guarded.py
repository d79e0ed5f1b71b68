"""Carries out commands of the store together, or none of them if a value has changed since the caller read it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from signalling.store.unavailable import answering

_SCRIPT = (Path(__file__).parent / "guarded.lua").read_text()
Command = tuple[str | bytes | int, ...]
"""The words of a command; the second word is the command's only key."""
Check = tuple[Command, str | bytes | int]
"""(a command, the reply that is expected from it). The reply is compared as text; "false" is the text of a reply
without a value.
"""


class Guarded:
    """Runs commands that depend on values which the caller has read before. All keys must be of one organisation."""

    def __init__(self, redis: Redis) -> None:
        self._script: Any = redis.register_script(_SCRIPT)

    async def run(self, checks: Sequence[Check], commands: Sequence[Command]) -> bool:
        """Carry out the commands in one step, and return True; do nothing, and return False, if a check fails.

        Raises `UnavailableError` if the store does not answer.
        """
        args: list[str | bytes | int] = [len(checks)]
        for command, reply in checks:
            args += [len(command), *command, reply]
        for command in commands:
            args += [len(command), *command]
        names = dict.fromkeys(command[1] for command in (*(each for each, _ in checks), *commands))
        async with answering():
            return bool(await self._script(keys=list(names), args=args))
