"""What a benchmark may be asked for. Light: the command line reads it before anything heavy is imported."""

from pathlib import Path
from typing import NamedTuple

NAMES = ("claim", "assign", "fan-out", "sockets", "idle", "waiting", "media", "driver")
"""The measurements, in the order in which they are made."""

OTHERS = ("socket.io", "python-socketio", "ws", "janus", "aiortc")
"""Whom we are compared with."""


class Options(NamedTuple):
    """`only` and `others` are names of the above; `runs` is how often our own figures are taken."""

    only: tuple[str, ...] = NAMES
    others: tuple[str, ...] = OTHERS
    quick: bool = False
    runs: int = 1
    browser: bool = False
    install_janus: bool = False
    json: Path | None = None
    markdown: Path | None = None
    publish: bool = False
