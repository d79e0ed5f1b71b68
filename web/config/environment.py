"""Reads settings from environment variables, as containers and service managers give them.

`GREENROOM_SERVER__PORT=9000` is `port` of [server]. With `_FILE` at the end of the name, the value is the first line
of the named file. Names without two underscores in a row are not settings.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, get_type_hints

from web.config.keys import sections
from web.config.secret_files import first_line
from web.errors import ConfigError

PREFIX = "GREENROOM_"
FILE = "_file"
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def from_environment(environment: Mapping[str, str]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return two maps: the settings by section and key, as TOML would give them, and the variable that set each key.

    The keys of the second map are dotted: "server.port". A value that cannot be converted to the type of its key stays
    a text, and the check of all settings refuses it. Raises ConfigError if a file cannot be read, or if two variables
    set one key.
    """
    found: dict[str, dict[str, Any]] = {}
    variables: dict[str, str] = {}
    for variable, text in sorted(environment.items()):
        section, separator, key = variable.removeprefix(PREFIX).lower().partition("__")
        if not (variable.startswith(PREFIX) and separator):
            continue
        hints = get_type_hints(sections()[section]) if section in sections() else {}
        if key not in hints and (named := key.removesuffix(FILE)) in hints and named != key:
            key, text = named, first_line(variable, text)
        if other := variables.get(f"{section}.{key}"):
            raise ConfigError(f"{other} and {variable} set the same key; remove one")
        variables[f"{section}.{key}"] = variable
        found.setdefault(section, {})[key] = _value(text, hints.get(key, str))
    return found, variables


def _value(text: str, hint: Any) -> Any:
    if hint == tuple[str, ...]:
        return [part.strip() for part in text.split(",") if part.strip()]
    if hint is bool:
        return TRUTH.get(text.lower(), text)
    if hint in (int, float):
        with suppress(ValueError):
            return hint(text)
    return text
