"""Secrets that are the first line of a file, for settings whose key ends in `_file`."""

from pathlib import Path

from web.errors import ConfigError


def first_line(key: str, path: str) -> str:
    """Return the secret in a file. `key`: the setting, for the message. Raises ConfigError if it cannot be read."""
    try:
        return Path(path).read_text("utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key}: {path} cannot be read ({type(error).__name__})") from None
