"""Reads a network from a TOML file. The keys, their bounds and their meanings are defined in `network.py`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from web.peers import toml_tables
from web.peers.network.network import Network, Phase, Way, problem

KIND: Final = toml_tables.TableKind(Network, {"up": Way, "down": Way, "phases": Phase})
"""The tables that the file of a network may have."""


def read(path: Path) -> Network:
    """Return the network that a file describes.

    Raises PlanError if the file is not valid, and OSError if it cannot be read.
    """
    return toml_tables.read(path, KIND, problem)


def parse(raw: Mapping[str, Any], source: str) -> Network:
    """Return the network that parsed TOML describes. Raises PlanError if the TOML is not valid; the error's
    text begins with `source`.
    """
    return toml_tables.parse(raw, KIND, problem, source)
