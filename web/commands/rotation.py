"""Defines `greenroom rotate-keys`, with a progress bar; `web.server.key_rotation` does the work."""

import asyncio
import json
import time

import typer

from web.commands.backups import bar
from web.commands.options import ConfigOption, DataOption, JsonOption, data_folder, settings_from
from web.commands.organisations import located, noted_everywhere, sentences


def rotate_keys(as_json: JsonOption = False, config: ConfigOption = None, data: DataOption = None) -> None:
    """Encrypt everything with a new data key while the server runs; continue a rotation that has not finished."""
    from web.server.key_rotation import rotate

    settings = located(settings_from(config, data__folder=data_folder(data)))
    with sentences(settings), bar(as_json) as progress:
        began_s = time.monotonic()
        found = asyncio.run(rotate(settings, progress))
        asyncio.run(noted_everywhere(settings, "key.rotated"))
    seconds = time.monotonic() - began_s
    if as_json:
        typer.echo(json.dumps({**found._asdict(), "seconds": round(seconds, 2)}, indent=2))
        return
    path = f"{settings.data.folder}/secret.key"
    typer.echo(f"Everything has the new data key {found.key}: {found.records:,} values, in {seconds:.1f} s.")
    if found.elsewhere:
        typer.echo(f"Copy {path} into the data folders of {', '.join(found.elsewhere)} once more.")
    typer.echo(f"Keep a copy of {path} at another place. Backups from before still need the old one.")
