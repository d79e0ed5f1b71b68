"""Orders the turns of a comparison: each server has one turn per round, and each round begins with another server.

If our server fails, the run fails. If another server fails, it is dropped, the reason is kept, and the others
continue.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from tests.benchmarks.figures import Skipped
from tests.benchmarks.wire import PeerError

T = TypeVar("T")
FAILURES = (PeerError, TimeoutError, OSError)


def alternating(names: Sequence[str], rounds: int) -> Iterator[tuple[int, str]]:
    """Yield (number of the round, server) for every turn; each round begins with another of the servers `names`, so
    that no server is always first.
    """
    for number in range(rounds):
        start = number % len(names)
        for name in (*names[start:], *names[:start]):
            yield number, name


class Field(Generic[T]):
    """The servers that take part, ours first.

    `made`: server -> the results of its turns. `out`: server that was dropped -> the reason.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.made: dict[str, list[T]] = {name: [] for name in names}
        self.out: list[Skipped] = []
        self._ours = next(iter(self.made))

    def drop(self, name: str, problem: Exception) -> None:
        """Drop the server `name`, which failed with `problem`. Raises `problem` if the server is ours."""
        if name == self._ours:
            raise problem
        del self.made[name]
        self.out.append(Skipped(name, f"it failed on the way: {str(problem) or type(problem).__name__}"))

    async def each(self, act: Callable[[str], Awaitable[object]]) -> None:
        """Call a coroutine function with the name of each server that takes part; drop a server for which it fails."""
        for name in list(self.made):
            try:
                await act(name)
            except FAILURES as problem:
                self.drop(name, problem)

    async def play(
        self, rounds: int, turn: Callable[[str], Awaitable[T]], tell: Callable[[float], None]
    ) -> None:
        """Call `turn` with a server's name for each of its turns, in all rounds; keep what it returns as the results.

        A server for which `turn` fails is dropped. `tell`: called with the progress (0.0 to 1.0).
        """
        for number, name in alternating(list(self.made), rounds):
            if name in self.made:
                try:
                    self.made[name].append(await turn(name))
                except FAILURES as problem:
                    self.drop(name, problem)
                tell((number + 1) / rounds)

    def column(self, pick: Callable[[T], float]) -> dict[str, list[float]]:
        """Return server -> the values that the function `pick` takes from the results of its turns."""
        return {name: [pick(turn) for turn in turns] for name, turns in self.made.items()}


async def all_done(waiting: Sequence["asyncio.Future[Any]"], limit_s: float) -> list[Any]:
    """Return the results of the futures `waiting`, in their order. Raises TimeoutError after `limit_s`."""
    async with asyncio.timeout(limit_s):
        return list(await asyncio.gather(*waiting))
