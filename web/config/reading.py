"""Reads the settings from a file, the environment and the command line's options; explains an error in one sentence.

The allowed values are defined in `keys.py` and `rules.py`. The text of an error never contains a value that
may be a password.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from web.config.addresses import without_password
from web.config.environment import from_environment
from web.config.keys import MEANINGS, SECRETS, Settings, secrets_of, sections
from web.config.rules import CHECKS, RULES
from web.errors import ConfigError


def load(
    path: Path | None,
    overrides: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Settings:
    """Return the settings in the file at `path`, or the default values if `path` is None.

    The values of `environment` replace those of the file, and the values of `overrides` replace the values of both.
    `overrides`: dotted key -> value, such as `{"server.port": 9}`. Relative paths begin at the file's folder, or at the
    current folder if `path` is None. Raises ConfigError if a file or a value is not valid; the text names the file or
    the variable, the key and the expected value.
    """
    if path is None:
        source, base, raw = "settings", Path.cwd(), {}
    else:
        source, base, raw = str(path), path.resolve().parent, _read(path)
    given, variables = from_environment(environment)
    _known_keys(raw, source)
    _known_keys(given, "environment")
    merged = {name: {**raw.get(name, {}), **given.get(name, {})} for name in {**raw, **given}}
    settings = parse(merged, source, variables)
    if overrides:
        settings = _override(settings, overrides)
    return _anchored(settings, base)


def parse(
    raw: Mapping[str, Any], source: str, variables: Mapping[str, str] = MappingProxyType({})
) -> Settings:
    """Return the settings in the parsed TOML `raw`.

    `source`: the name of the file; `variables`: dotted key -> the environment variable that has set it. Raises
    ConfigError if a value is not valid; the error's text begins with the variable or the file that has set the value.
    """
    _known_keys(raw, source)
    try:
        settings = msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        raise _explained(error, raw, source, variables) from None
    for key, check in CHECKS.items():
        section, _, name = key.partition(".")
        value = getattr(getattr(settings, section), name)
        if not check(value):
            raise _wrong(variables.get(key, source), key, value)
    for rule in RULES:
        if problem := rule(settings):
            raise ConfigError(f"{variables.get(problem.partition(':')[0], source)}: {problem}")
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: this is not TOML: {error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: this is not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


def _override(settings: Settings, overrides: Mapping[str, Any]) -> Settings:
    raw = msgspec.to_builtins(settings)
    for key, value in overrides.items():
        section, _, name = key.partition(".")
        raw[section][name] = value
    return parse(raw, "command line")


def _anchored(settings: Settings, base: Path) -> Settings:
    """Return the settings with absolute paths; a relative path begins at the folder `base`.

    So a later change of the current folder does not move the data.
    """

    def absolute(path: str) -> str:
        return str((base / Path(path).expanduser()).absolute()) if path else ""

    replace = msgspec.structs.replace
    return replace(
        settings,
        data=replace(settings.data, folder=absolute(settings.data.folder)),
        media=replace(settings.media, turn_secret_file=absolute(settings.media.turn_secret_file)),
        redis=replace(
            settings.redis,
            password_file=absolute(settings.redis.password_file),
            sentinel_password_file=absolute(settings.redis.sentinel_password_file),
            ca=absolute(settings.redis.ca),
        ),
        mail=replace(settings.mail, password_file=absolute(settings.mail.password_file)),
        metrics=replace(settings.metrics, token_file=absolute(settings.metrics.token_file)),
        tls=replace(
            settings.tls, certificate=absolute(settings.tls.certificate), key=absolute(settings.tls.key)
        ),
    )


def _known_keys(raw: Mapping[str, Any], source: str) -> None:
    known = sections()
    for name, table in raw.items():
        if name not in known:
            raise ConfigError(f"{source}: {name}: there is no such section{_near(name, known)}")
        if not isinstance(table, Mapping):
            # The error does not show the wrong value, because the operator may have meant it for a secret of
            # the same section.
            found = "" if secrets_of(known[name]) else f"; found {_shown(table)}"
            raise ConfigError(f"{source}: {name}: expected a section, written [{name}]{found}")
        keys = known[name].__struct_fields__
        for key in table:
            if key not in keys:
                raise ConfigError(f"{source}: {name}.{key}: there is no such key{_near(key, keys)}")


def _near(word: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"


def _explained(
    error: msgspec.ValidationError, raw: Mapping[str, Any], source: str, variables: Mapping[str, str]
) -> ConfigError:
    path = re.search(r"\$\.([a-z_]+)\.([a-z_]+)", str(error))
    # `path` cannot be None, because every value of Settings has a section and a key, and the error names both
    assert path, error
    section, name = path.groups()
    key = f"{section}.{name}"
    return _wrong(variables.get(key, source), key, raw[section][name])


def _wrong(source: str, key: str, value: object) -> ConfigError:
    found = "" if key in SECRETS else f"; found {_shown(value)}"
    return ConfigError(f"{source}: {key}: expected {MEANINGS[key]}{found}")


def _shown(value: object) -> str:
    text = without_password(msgspec.json.encode(value, enc_hook=str).decode())
    return text if len(text) <= 80 else text[:77] + "..."
