"""Reads secrets from files, for settings whose key ends in `_file`; the first line of the file is the secret."""

from pathlib import Path

from web.errors import ConfigError


def first_line(key: str, path: str) -> str:
    """Return the secret in the file at `path`: its first line. `key`: the name of the setting, for the text of an
    error.

    Raises ConfigError if the file cannot be read or its first line is empty.
    """
    try:
        line = Path(path).read_text("utf-8-sig").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key}: {path} cannot be read ({type(error).__name__})") from None
    if not line:
        raise ConfigError(f"{key}: {path} has an empty first line")
    return line
