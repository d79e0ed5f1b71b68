"""Prints what a long run is doing as plain lines, for an output that is no terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

EVERY_S: Final = 10.0


class Lines:
    """Prints a line when a part of the run begins and ends, and every `every_s` seconds meanwhile, from a thread.

    `say` prints a line. `part`: how much of the present part is done, 0.0 to 1.0; the measurement that is
    being made sets this attribute.
    """

    def __init__(self, say: Callable[[str], None], every_s: float = EVERY_S) -> None:
        self._say, self._every_s = say, every_s
        self.part = 0.0

    @contextmanager
    def during(self, name: str) -> Iterator[None]:
        """Print the lines of the part `name` in this context."""
        began, over = time.monotonic(), threading.Event()
        self.part = 0.0

        def meanwhile() -> None:
            while not over.wait(self._every_s):
                self._say(f"{name}: {self.part:.0%} after {time.monotonic() - began:.0f} s")

        self._say(f"{name}: begins")
        thread = threading.Thread(target=meanwhile, name="plain lines", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self._say(f"{name}: over after {time.monotonic() - began:.0f} s")
