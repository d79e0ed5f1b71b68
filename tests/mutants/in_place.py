"""Puts a change into a file, and restores the file afterwards."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from tests.mutants.changes import Change

_LATER_S = itertools.count(3600)


@contextlib.contextmanager
def changed(file: Path, change: Change) -> Iterator[None]:
    """Change a file; restore it at the end.

    Each change gives the file a time that it has not had before: Python uses the compiled file of a source with the
    same time and the same size, and two changes often make the same size.
    """
    kept, times = file.read_bytes(), file.stat()
    file.write_bytes(change.applied(kept))
    os.utime(file, (times.st_atime, times.st_mtime + next(_LATER_S)))
    try:
        yield
    finally:
        file.write_bytes(kept)
        os.utime(file, (times.st_atime, times.st_mtime))
