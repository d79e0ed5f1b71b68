"""Starts a server with an empty store for a trial or a benchmark; afterwards stops it and removes its files.

It starts `greenroom serve` on a free port, with a Valkey and a data folder of its own. It works only on Linux,
because it reads from /proc whether each worker is ready.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from web.config import Settings, parse
from web.errors import ServerNotReadyError
from web.server.subprocesses import end, ended_by_sigterm, udp_ports
from web.server.valkey import EmbeddedStore, LockedFolder

GREENROOM = [sys.executable, "-c", "from web.commands.main import main; main()"]
"""The command line that runs `greenroom`, even if its script is not installed."""
READY_S = 30.0
STOP_S = 30.0
UNLIMITED = dict.fromkeys(
    ("visits_per_address", "sockets_before_hello", "sockets_per_address", "sockets_per_person"), 0
)
"""Settings of `[limits]` in which 0 means no limit. A load test needs them: all its clients have one IP address."""
SERVE = [*GREENROOM, "serve", "--config"]


class Throwaway(NamedTuple):
    """A running server: its settings, its URL and its processes.

    `workers`, `store` and `server` (the main process) are process ids; `server` is 0 if it is not known.
    """

    settings: Settings
    url: str
    workers: list[int]
    store: int
    server: int = 0


@contextmanager
def throwaway(workers: int) -> Iterator[Throwaway]:
    """Start a server with an empty store, and yield it; at the end, stop the server and remove its folder.

    `workers`: the number of worker processes. The server is also stopped if this process receives SIGTERM. Raises
    ServerNotReadyError if the server does not start.
    """
    with ended_by_sigterm(), _throwaway(workers) as running:
        yield running


@contextmanager
def _throwaway(workers: int) -> Iterator[Throwaway]:
    folder = Path(tempfile.mkdtemp(prefix="greenroom-throwaway-"))
    lock = LockedFolder(folder / "store")
    store = EmbeddedStore(lock)
    try:
        store.start()
        assert store.pid is not None
        sections: dict[str, dict[str, Any]] = {
            "server": {"port": 0, "workers": workers},
            "redis": {"url": store.url},
            "data": {"folder": str(folder / "data")},
            "log": {"format": "json"},
            "limits": UNLIMITED,
        }
        with _server(folder, sections) as (url, server, found):
            yield Throwaway(parse(sections, "throwaway"), url, found, store.pid, server)
    finally:
        store.stop()
        lock.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _server(folder: Path, sections: dict[str, dict[str, Any]]) -> Iterator[tuple[str, int, list[int]]]:
    config, log = folder / "config.toml", folder / "log"
    config.write_text(
        "\n".join(
            f"[{section}]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
            for section, values in sections.items()
        ),
        "utf-8",
    )
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*SERVE, str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            start_new_session=True,
        )
    try:
        url, found = _ready(server, log, sections["server"]["workers"])
        yield url, server.pid, found
    finally:
        end(server, STOP_S)


def _ready(server: "subprocess.Popen[bytes]", log: Path, workers: int) -> tuple[str, list[int]]:
    """Wait until each worker has a UDP socket for media; return the URL and the workers' process ids.

    `log`: the file with the server's output.
    """
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and server.poll() is None:
        url = _listening(log)
        found = _children(server.pid)
        if url and len(found) == workers and all(map(udp_ports, found)):
            return url, found
        time.sleep(0.05)
    raise ServerNotReadyError(f"the server did not start: {log.read_text('utf-8', 'replace')[-2000:]}")


def _listening(log: Path) -> str | None:
    for line in log.read_text("utf-8", "replace").splitlines():
        with suppress(json.JSONDecodeError):
            event = json.loads(line)
            if event.get("event") == "server.listening":
                return str(event["url"])
    return None


def _children(pid: int) -> list[int]:
    """Return the ids of the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
