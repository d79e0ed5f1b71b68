"""Reads the settings in `config.toml` and checks them before anything starts. Other packages import only this module.

It defines every key, and explains what is wrong with a file.
"""

from web.config.addresses import is_loopback
from web.config.keys import MEANINGS, SECRETS, Log, Section, Sessions, Settings, Tracing, sections
from web.config.reading import load, parse
from web.config.rules import EXIT_CODE, LEAST_TOKEN, refuse_plain_http
from web.config.secret_files import first_line

__all__ = [
    "EXIT_CODE",
    "LEAST_TOKEN",
    "MEANINGS",
    "SECRETS",
    "Log",
    "Section",
    "Sessions",
    "Settings",
    "Tracing",
    "first_line",
    "is_loopback",
    "load",
    "parse",
    "refuse_plain_http",
    "sections",
]
