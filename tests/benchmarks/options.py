"""Defines the options of a run. The module loads quickly, because the command line needs it before everything else."""

from enum import StrEnum
from pathlib import Path
from typing import NamedTuple


class Name(StrEnum):
    """The names of the measurements, in the order in which they are made."""

    CLAIM = "claim"
    ASSIGN = "assign"
    FAN_OUT = "fan-out"
    SOCKETS = "sockets"
    IDLE = "idle"
    WAITING = "waiting"
    VISITS = "visits"
    MEDIA = "media"
    DRIVER = "driver"
    STORE = "store"
    NETWORKS = "networks"
    WAITS = "waits"


class Other(StrEnum):
    """The names of the servers with which ours is compared."""

    SOCKET_IO = "socket.io"
    PYTHON_SOCKETIO = "python-socketio"
    WS = "ws"
    MEDIASOUP = "mediasoup"
    JANUS = "janus"
    AIORTC = "aiortc"


NAMES, OTHERS = tuple(Name), tuple(Other)


class Options(NamedTuple):
    """The options of a run. `only` and `others`: the chosen measurements and servers. `networks`: parts of the names of
    the chosen networks; all if empty. `runs`: how often our own figures are measured.
    """

    only: tuple[Name, ...] = NAMES
    others: tuple[Other, ...] = OTHERS
    networks: tuple[str, ...] = ()
    quick: bool = False
    runs: int = 1
    browser: bool = False
    install_janus: bool = False
    json: Path | None = None
    markdown: Path | None = None
    publish: bool = False
