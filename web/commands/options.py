"""The options that several commands share, and the settings made from them."""

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


def settings_from(config: Path | None, **overrides: Any) -> Settings:
    """Return the settings of the file `config`, or of ./config.toml, with those of the environment and of the options
    on top.

    Options are given as `server__port=9000`. Raises ConfigError.
    """
    given = {key.replace("__", "."): value for key, value in overrides.items() if value is not None}
    path = config or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    return load(path, given, os.environ)


def data_folder(data: str | None) -> str | None:
    """Return the folder of `--data` as an absolute path: it is relative to the current folder, not to the settings."""
    return str(Path(data).absolute()) if data else None
