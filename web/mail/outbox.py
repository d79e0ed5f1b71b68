"""The folder of mails that did not leave, for no SMTP server is set: what a mail is called there, and when it goes.

Knows file names and ages. A mail's organisation stands in its file's name, since each says how long it keeps things.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

OUTBOX = "outbox"


def named(day: str, letter: str, job: str, organisation: str) -> str:
    """The name of a mail's file, without its ending."""
    return f"{day}-{letter}-{job}.{organisation}"


def erase(data: Path, before_ms: Mapping[str, int]) -> int:
    """Erases the mails that are older than their organisation keeps them, and returns how many.

    `before_ms`: by organisation, in ms since the epoch. What belongs to none of them, a draft of a server that was
    killed too, is kept as long as the most patient of them keeps its own. Reads a folder: not for an event loop.
    """
    erased, patient_ms = 0, min(before_ms.values(), default=0)
    for path in _files(data / OUTBOX):
        with contextlib.suppress(FileNotFoundError):  # another worker was faster
            if path.stat().st_mtime_ns // 1_000_000 < before_ms.get(_organisation(path), patient_ms):
                path.unlink()
                erased += 1
    return erased


def _files(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(FileNotFoundError):
        yield from (path for path in folder.iterdir() if path.is_file())


def _organisation(path: Path) -> str:
    return path.name.removesuffix(".eml").rpartition(".")[2]
