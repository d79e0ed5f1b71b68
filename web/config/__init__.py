"""Settings: what `config.toml` may say, checked before anything starts; the one door to the rooms of this folder.

Knows every key and what is wrong with a file; nothing of how a setting is used.
"""

from web.config.addresses import is_loopback
from web.config.keys import MEANINGS, SECRETS, Log, Section, Sessions, Settings, sections
from web.config.reading import load, parse
from web.config.rules import EXIT_CODE, ConfigError, refuse_plain_http

__all__ = [
    "EXIT_CODE",
    "MEANINGS",
    "SECRETS",
    "ConfigError",
    "Log",
    "Section",
    "Sessions",
    "Settings",
    "is_loopback",
    "load",
    "parse",
    "refuse_plain_http",
    "sections",
]
