"""Checks this machine: the data folder, its key, the disk, the time zones."""

import importlib.metadata
import os
import shutil
import stat
from pathlib import Path

from web.config import Settings
from web.doctor.findings import Finding, State, doubtful, good, wrong
from web.errors import ConfigError
from web.server import data_key as key

FULL_BYTES, LITTLE_BYTES = 100 << 20, 2 << 30
AS_SERVER = "Run this command as the server's account"


def data_folder(settings: Settings) -> Finding:
    """Check whether this account may write to the data folder, and whether other accounts may open it."""
    folder = Path(settings.data.folder)
    if not folder.exists():
        return good(f"{folder} is not there yet; the first start makes it")
    if not folder.is_dir():
        return wrong(f"{folder} is no folder", "Name another one with data.folder.")
    try:
        key.refuse_half_restored(folder)
    except ConfigError as problem:
        return wrong(str(problem), "A server does not start on half a backup.")
    if not os.access(folder, os.W_OK | os.X_OK):
        return wrong(
            f"this account may not write to {folder}, or its disk is read-only",
            f"{AS_SERVER}, or mount the disk so that it can be written.",
        )
    return _shared(folder, "open", "700") or good(f"{folder} is open to its owner alone")


def data_key(settings: Settings) -> Finding:
    """Check whether the data key, which encrypts records, is valid, and whether only its owner may read it.

    A missing key is good: the first start of a server makes it.
    """
    path = Path(settings.data.folder) / key.FILE
    try:
        if not path.exists():
            return good(f"{path} is not there yet; the first start makes it")
        known = key.keys_in(key.content(path.parent))
    except PermissionError:
        return doubtful(f"this account may not look for {path}", f"{AS_SERVER}.")
    except ConfigError as problem:
        return wrong(str(problem), "Restore it from its backup.")
    shared = _shared(path, "read", "600")
    if len(known) > 1 and (shared is None or shared.state != State.WRONG):
        return doubtful("a rotation of the data key has not finished", "Run `greenroom rotate-keys` again.")
    return shared or good("it is there, and its owner alone may read it; keep a copy apart from the store")


def _shared(path: Path, verb: str, mode: str) -> Finding | None:
    """Return a finding if accounts other than the owner may use the file or folder `path`, otherwise None.

    `verb`: how they may use it, such as "read"; `mode`: the file mode that prevents this, for the advice. If only
    accounts of the group of `path` may use it, the finding is doubtful, not wrong: Kubernetes gives the files of a pod
    to a group without other accounts.
    """
    found = path.stat()
    if found.st_mode & stat.S_IRWXO:
        return wrong(f"other accounts of this machine may {verb} {path}", f"chmod {mode} {path}")
    if found.st_mode & stat.S_IRWXG:
        return doubtful(
            f"the accounts in the group {found.st_gid} may {verb} {path}",
            f"In a pod that is its own group; elsewhere: chmod {mode} {path}",
        )
    return None


def disk(settings: Settings) -> Finding:
    """Check how much space is left for the data folder."""
    folder = Path(settings.data.folder)
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    text = f"{free / 2**30:,.1f} GiB are free for {folder}"
    if free < FULL_BYTES:
        return wrong(text, "Make space: a store without any refuses every command.")
    if free < LITTLE_BYTES:
        return doubtful(text, "Make space soon: rewriting the store's file takes its size once more.")
    return good(text)


def time_zones(settings: Settings) -> Finding:
    """Report the version of the time zone rules.

    Governments change these rules, so old rules give wrong times.
    """
    return good(f"tzdata {importlib.metadata.version('tzdata')}, not the system's")
