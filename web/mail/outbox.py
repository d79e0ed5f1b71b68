"""Defines the folder for mails if no SMTP server is set: the names of its files, and when they are erased.

A file's name contains the organisation's id, because each organisation sets how long it keeps data.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

OUTBOX = "outbox"


def named(day: str, letter: str, job: str, organisation: str) -> str:
    """Return the file name for a mail, without its extension.

    `day`: the date of the job; `letter`: the kind of mail, such as "reminder"; `job`: the job's id; `organisation`:
    the organisation's id.
    """
    return f"{day}-{letter}-{job}.{organisation}"


def erase(data: Path, before_ms: Mapping[str, int]) -> int:
    """Erase the mails that are older than their organisation allows; return the number of erased mails.

    `before_ms`: organisation -> the time, in ms since the epoch, before which mails are erased. A file that
    belongs to no organisation, such as a draft of a server that was killed, is erased if it is older than the
    earliest of these times. This function reads a folder, so it must not be called in an event loop.
    """
    erased, patient_ms = 0, min(before_ms.values(), default=0)
    for path in _files(data / OUTBOX):
        # Another worker may have erased the file.
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime_ns // 1_000_000 < before_ms.get(_organisation(path), patient_ms):
                path.unlink()
                erased += 1
    return erased


def _files(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(FileNotFoundError):
        yield from (path for path in folder.iterdir() if path.is_file())


def _organisation(path: Path) -> str:
    return path.name.removesuffix(".eml").rpartition(".")[2]
