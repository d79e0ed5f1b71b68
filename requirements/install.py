"""Installs locked packages and then a project with pip, and prints how far it is in a few lines.

`python requirements/install.py LOCK [PROJECT...]` installs into the environment of this Python: the build tools
(`build.txt`), the packages of LOCK (both with their hashes checked), and the project, which is installed
without asking a registry. PROJECT is given to pip: a folder, a wheel, or `--editable .`. Needs nothing but pip.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

BUILD = Path(__file__).with_name("build.txt")
PIP = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
EVERY_S = 5.0
LOOK_S = 0.1
OUTPUT_BYTES = 1 << 20
REASON_LINES = 30
"""How many lines of pip's output are printed if it fails; the reason comes last."""

_LOCKED = re.compile(r"^[\w.-]+==", re.MULTILINE)
_FETCHED = re.compile(
    r"^ *(?:(?:Downloading|Using cached|Processing) \S+\.(?:whl|tar\.gz|zip)(?: |$)"
    r"|Requirement already satisfied: |Ignoring )",
    re.MULTILINE,
)
_INSTALLING = re.compile(r"^Installing collected packages: (.+)$", re.MULTILINE)


def progress(said: str, locked: int, installed: int) -> str:
    """Return how far pip is as a sentence.

    `said`: pip's output; `locked`: how many packages the lock names; `installed`: how many packages pip has
    written to the disk.
    """
    names = _INSTALLING.search(said)
    if names is None:
        return f"{min(len(_FETCHED.findall(said)), locked)} of {locked} packages fetched"
    return f"{installed} of {len(names[1].split(', '))} packages installed"


def _is_newer(path: Path, since_s: float) -> bool:
    try:
        return path.stat().st_mtime >= since_s
    except FileNotFoundError:  # pip removes an older version at this moment
        return False


def install(arguments: list[str], locked: int) -> None:
    """Run pip and print its progress every EVERY_S seconds. If pip fails, print why, and exit with its code."""
    folder, began = Path(sysconfig.get_path("purelib")), time.time()
    printed, due_s, ended = "", time.monotonic() + EVERY_S, False
    command = [*PIP, *arguments]
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as pip,
    ):
        while not ended:
            time.sleep(LOOK_S)
            ended = pip.poll() is not None
            if ended or time.monotonic() >= due_s:
                # `pread` needs no seek. A seek would also change the position at which pip writes its output.
                said = os.pread(output.fileno(), OUTPUT_BYTES, 0).decode(errors="replace")
                due_s = time.monotonic() + EVERY_S
                new = sum(_is_newer(found, began) for found in folder.glob("*.dist-info"))
                if (line := progress(said, locked, new)) != printed:
                    printed = line
                    print(f"  {line}", flush=True)  # noqa: T201
    if pip.returncode:
        print(*said.splitlines()[-REASON_LINES:], sep="\n", file=sys.stderr)  # noqa: T201
        sys.exit(pip.returncode)


def main(lock: Path, project: list[str]) -> None:
    """Install the build tools, the lock's packages and the project, if there is one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends this program without a traceback
    print(f"Installing the packages of {lock.name}:", flush=True)  # noqa: T201
    # One package has no wheel, and is built with the locked setuptools.
    for file, more in ((BUILD, []), (lock, ["--no-build-isolation"])):
        locked = len(_LOCKED.findall(file.read_text("utf-8")))
        install(["--require-hashes", *more, "--requirement", str(file)], locked)
    if project:
        last = [*PIP, "-qq", "--no-deps", "--no-build-isolation", "--no-index", *project]
        sys.exit(subprocess.run(last, check=False).returncode)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
