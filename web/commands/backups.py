"""Defines the commands `greenroom backup` and `greenroom restore`, and prints their progress.

`web.backups` does the work.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from web.commands.options import ConfigOption, DataOption, JsonOption, data_folder, settings_from
from web.commands.organisations import located, noted_everywhere, sentences
from web.config import Settings

if TYPE_CHECKING:
    from web.backups.taking import Backup, Progress

FileArgument = Annotated[Path, typer.Argument(help="The file of the backup.")]


def backup(
    file: FileArgument,
    with_key: Annotated[
        bool,
        typer.Option(
            "--with-key", help="Put the data key into the file: then whoever has the file reads it."
        ),
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Write a running server's records and files, as they are now, into one encrypted file, and check it."""
    settings = located(settings_from(config, data__folder=data_folder(data)))
    with sentences(settings):
        began_s = time.monotonic()
        found = taken(settings, file, with_key=with_key, quiet=as_json)
    _say(found, time.monotonic() - began_s, as_json)
    if not as_json:
        typer.echo(
            "The data key is in it: keep it as safe as the key."
            if with_key
            else f"It opens only with {settings.data.folder}/secret.key: keep a copy of that at another place."
        )


def taken(settings: Settings, file: Path, *, with_key: bool = False, quiet: bool) -> "Backup":
    """Add an entry about a backup to each audit log, write the backup to `file`, and return it.

    `with_key`: True to put the data key into the backup; `quiet`: True to show no progress. Raises CommandError if the
    backup is not possible, and ConfigError if the store does not answer.
    """
    from web.backups.snapshot import complete
    from web.backups.taking import take

    with bar(quiet) as progress:
        # This call waits until a failover of a cluster has ended, because the audit logs are written next.
        complete(settings.redis)[0].close()
        asyncio.run(noted_everywhere(settings, "backup.taken"))
        return take(settings, file, progress, with_key=with_key)


def restore(
    file: FileArgument,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Write a backup into an empty data folder, or into an empty store of your own; the server must not run."""
    from web.backups.restoring import restore as run

    settings = settings_from(config, data__folder=data_folder(data))
    with sentences(settings), bar(as_json) as progress:
        began_s = time.monotonic()
        found = run(settings, file, progress)
    _say(found, time.monotonic() - began_s, as_json)
    if not as_json:
        typer.echo("Now start the server, then check the audit log: greenroom serve; greenroom audit verify")


@contextmanager
def bar(quiet: bool) -> "Iterator[Progress]":
    """Yield a function that shows progress on standard error. It shows nothing if standard error is no terminal, or if
    `quiet` is True.
    """
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True, disable=quiet) as bar:
        yield shown_on(bar.add_task, bar.update)


def shown_on(add: Callable[..., int], update: Callable[..., None]) -> "Progress":
    """Return a progress function that shows each step as a line of its own.

    `add` and `update` are the methods of a progress bar of the library rich.
    """
    lines: dict[str, int] = {}

    def progress(step: str, done: int, whole: int) -> None:
        if step not in lines:
            lines[step] = add(step.capitalize(), total=whole or None)
        update(lines[step], completed=done, total=whole or None)

    return progress


def _say(found: "Backup", seconds: float, as_json: bool) -> None:
    counts = found.counts
    if as_json:
        record = {
            "file": str(found.path),
            "bytes": found.size,
            "made": found.made,
            "key": found.key,
            "visits": counts.visits,
            "keys": counts.keys,
            "files": counts.files,
            "seconds": round(seconds, 2),
        }
        typer.echo(json.dumps(record, indent=2))
    else:
        typer.echo(
            f"{found.path}: {counts.visits:,} visits, {counts.keys:,} keys, {counts.files:,} files, "
            f"{found.size / 1e6:,.1f} MB, as of {found.made}; complete, in {seconds:.1f} s."
        )
