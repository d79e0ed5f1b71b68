"""Checks this machine: the data folder, its key, the disk, the time zones."""

import importlib.metadata
import os
import shutil
import stat
from pathlib import Path

from web.config import Settings
from web.doctor.findings import Finding, doubtful, good, wrong
from web.errors import ConfigError
from web.server import data_key as key
from web.server.data_key import refuse_half_restored

FULL_BYTES, LITTLE_BYTES = 100 << 20, 2 << 30
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def data_folder(settings: Settings) -> Finding:
    """Check which users of the machine may read the data folder."""
    folder = Path(settings.data.folder)
    if not folder.exists():
        return good(f"{folder} is not there yet; the first start makes it")
    if not folder.is_dir():
        return wrong(f"{folder} is no folder", "Name another one with data.folder.")
    try:
        refuse_half_restored(folder)
    except ConfigError as problem:
        return wrong(str(problem), "A server does not start on half a backup.")
    if not os.access(folder, os.W_OK | os.X_OK):
        return wrong(
            f"this account may not write to {folder}, or its disk is read-only",
            "Run this command as the server's account, or mount the disk so that it can be written.",
        )
    if folder.stat().st_mode & OTHERS:
        return wrong(f"other accounts of this machine may open {folder}", f"chmod 700 {folder}")
    return good(f"{folder} is open to its owner alone")


def data_key(settings: Settings) -> Finding:
    """Check that the data key, which encrypts records, exists and can be read only by the server's user."""
    path = Path(settings.data.folder) / key.FILE
    if not path.exists():
        return good(f"{path} is not there yet; the first start makes it")
    try:
        known = key.keys_in(key.content(path.parent))
    except ConfigError as problem:
        return wrong(str(problem), "Restore it from its backup.")
    if path.stat().st_mode & OTHERS:
        return wrong(f"other accounts of this machine may read {path}", f"chmod 600 {path}")
    if len(known) > 1:
        return doubtful("a rotation of the data key has not finished", "Run `greenroom rotate-keys` again.")
    return good("it is there, and its owner alone may read it; keep a copy apart from the store")


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

    Governments change these rules, so old ones give wrong times.
    """
    return good(f"tzdata {importlib.metadata.version('tzdata')}, not the system's")
