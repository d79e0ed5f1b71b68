"""Ends a process that this one has started."""

import subprocess
from typing import Any


def end(process: "subprocess.Popen[Any]", within_s: float) -> None:
    """Ask the process to stop; kill it if it still runs after `within_s` seconds."""
    process.terminate()
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(within_s)
