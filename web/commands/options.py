"""Defines the options that several commands share, and reads the settings and the store's address for them."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from web.config import Settings, load

DEFAULT_FILE = Path("config.toml")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="The settings file; without it, config.toml here if there is one."),
]
DataOption = Annotated[str | None, typer.Option("--data", help="The folder that keeps everything.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def settings_from(config: Path | None, **overrides: Any) -> Settings:
    """Return the settings of the file `config`, or of ./config.toml if `config` is None.

    Values of the environment replace those of the file, and `overrides` replace those of the file and of the
    environment; an override is written as `server__port=9000`. Raises ConfigError if a file cannot be read or a value
    is not allowed.
    """
    given = {key.replace("__", "."): value for key, value in overrides.items() if value is not None}
    path = config or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    return load(path, given, os.environ)


def data_folder(data: str | None) -> str | None:
    """Return the folder of `--data` as an absolute path; None if the option is not given.

    A relative path begins at the current folder, not at the folder of the settings.
    """
    return str(Path(data).absolute()) if data else None


def embedded_url(folder: Path) -> str | None:
    """Return the URL of the embedded store of the server that runs on this data folder; None if none runs."""
    from web.server.valkey import address_file

    try:
        return address_file(folder).read_text("utf-8")
    except OSError:
        return None
