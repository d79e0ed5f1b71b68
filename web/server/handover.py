"""Defines what the master process passes to the program that replaces it at an upgrade.

The master replaces its own program (execve): its process id, its workers and the embedded store stay, and so do the
descriptors that `Handover` names. The rest is JSON in an environment variable. The two programs may be of different
versions. So a new version may add fields with defaults, but must not change existing fields.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import msgspec

from web.errors import ConfigError
from web.server.valkey import RunningStore, dies_with

VARIABLE = "_GREENROOM_HANDOVER"
TRIAL_S = 120.0
READY = "greenroom: the trial is ready"
PROBLEM = "greenroom: "
"""The beginning of the line that a failed `greenroom` command prints; the rest of the line is the reason."""

LAST = frozenset({"tried", "refused", "worker_failed", "done"})
"""The steps that end an upgrade. `greenroom upgrade` waits until the master reports one of them."""

STEP = b'{"step":'
"""The beginning of each line that reports a step of an upgrade."""

Environment = MutableMapping[str, str]


class FormerWorker(msgspec.Struct):
    """A worker that the previous program of the master has started.

    This object represents the worker in gunicorn's table of workers. `beat`: the descriptor of a file whose time of
    change is the worker's newest sign of life. `age`: how many workers gunicorn had started when it started this
    worker, including this worker.
    """

    pid: int
    index: int
    id: str
    age: int
    beat: int
    aborted: bool = False

    answers = True
    """Whether the worker serves; always True, because the previous program kills workers that do not serve yet."""

    @property
    def tmp(self) -> FormerWorker:
        """This object. gunicorn expects a `WorkerTmp` here, and calls only methods that this object has too."""
        return self

    def last_update(self) -> float:
        """Return the time of the worker's newest sign of life, in s of the monotonic clock."""
        return os.fstat(self.beat).st_mtime

    def fileno(self) -> int:
        """Return the descriptor of the file that shows the worker's signs of life."""
        return self.beat

    def close(self) -> None:
        """Close this process's descriptor of the file that shows the worker's signs of life."""
        os.close(self.beat)


class Handover(msgspec.Struct, kw_only=True):
    """The values that the master passes to the next program, either for an upgrade, or for a trial of the upgrade.

    `trial`: True if the program only starts one worker, which serves nobody, and ends when that worker is ready.
    `host`: the address of the pages, as the settings or systemd gave it. `listener`, `metrics`, `folder`: the
    descriptors of the pages' port, of the metrics' port, and of the lock of the data folder. `streams`: the descriptors
    of the socket pairs by which workers pass connections to each other. `notify`: the address at which systemd receives
    the states of the server; "" if systemd expects no states.
    """

    trial: bool
    host: str
    listener: int
    metrics: int | None
    folder: int
    streams: list[tuple[int, int]]
    store: RunningStore | None
    workers: list[FormerWorker]
    notify: str

    @property
    def descriptors(self) -> list[int]:
        """All descriptors that stay open when the next program replaces this program."""
        ends = [end for pair in self.streams for end in pair]
        beats = [worker.beat for worker in self.workers]
        return [self.listener, self.folder, *ends, *beats, *([] if self.metrics is None else [self.metrics])]

    def environment(self) -> dict[str, str]:
        """Return the environment of the next program: the variables of this process, and this object as JSON."""
        found = {**os.environ, VARIABLE: msgspec.json.encode(self).decode()}
        return {**found, "NOTIFY_SOCKET": self.notify} if self.notify and not self.trial else found


def received(environment: Environment) -> Handover | None:
    """Return the `Handover` of the previous program, and remove it from `environment`; None at an ordinary start.

    Raises ConfigError if this version of the program cannot read the `Handover`.
    """
    text = environment.pop(VARIABLE, "")
    if not text:
        return None
    try:
        found = msgspec.json.decode(text, type=Handover)
    except msgspec.DecodeError:
        raise ConfigError(
            "this version cannot take over from the one that runs: stop it, and start this one"
        ) from None
    for descriptor in found.descriptors:
        os.set_inheritable(descriptor, False)
    return found


def this_program() -> list[str]:
    """Return the first words of a command line that runs this program; the caller adds the arguments."""
    script = Path(sys.argv[0]).absolute()
    if script.suffix != ".py" and os.access(script, os.X_OK):
        # Symbolic links in this path (/opt/greenroom -> greenroom-0.1.0) are kept. If an upgrade changes a link, the
        # next start runs the new version.
        return [str(script)]
    return [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]]


class Request(msgspec.Struct):
    """A request of `greenroom upgrade` to the master.

    `program`: the first words of the command line that runs the new program, without its arguments. `only_try`: True if
    the master only tries the program, and does not replace its own program.
    """

    program: list[str]
    only_try: bool = False


class Steps:
    """The file `upgrade` in the data folder: the request to the master, and a line of JSON for each reported step."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "upgrade"

    def ask(self, request: Request) -> None:
        """Write a request in place of the file's content.

        If root writes the file, it is given to the owner of the folder, whose account the master uses.
        """
        draft = self.path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        # With O_EXCL, root does not follow a symbolic link that the owner of the folder has made at this path.
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            if os.geteuid() == 0:
                owner = self.path.parent.stat()
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            file.write(msgspec.json.encode(request) + b"\n")
        draft.replace(self.path)

    def asked(self) -> Request | None:
        """Return the request that `greenroom upgrade` wrote to the file, and remove the file; None if it is unreadable.

        If there is no file, or if it contains only steps, return a request for the program that is now at the path of
        the running program.
        """
        request: Request | None = None
        try:
            # Lines with steps may follow the request, if workers were replaced (SIGHUP) after the request was
            # written.
            first = self.path.read_bytes().partition(b"\n")[0]
            request = (
                Request(this_program())
                if first.startswith(STEP)
                else msgspec.json.decode(first, type=Request)
            )
        except FileNotFoundError:
            request = Request(this_program())
        except (OSError, msgspec.DecodeError):
            pass
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        return request

    def say(self, step: str, **values: Any) -> None:
        """Add the line of a step to the file. If the disk is full, the line is lost, and the upgrade goes on."""
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode({"step": step, **values}) + b"\n")
        except OSError:
            return

    def busy(self, within_s: float) -> bool:
        """Return whether an upgrade is running: it has reported a step in the last `within_s` seconds, and that step
        did not end the upgrade.
        """
        found = self.read()
        if not found or found[-1]["step"] in LAST:
            return False
        return time.time() - self.path.stat().st_mtime < within_s

    def read(self) -> list[dict[str, Any]]:
        """Return the steps that the upgrade has reported so far; [] if there are none."""
        try:
            lines = self.path.read_bytes().split(b"\n")[:-1]
        except OSError:
            return []
        return [found for line in lines if "step" in (found := msgspec.json.decode(line))]


class Trial:
    """A process that tries the next program beside the running server. It starts one worker, and ends when this
    worker is ready.
    """

    def __init__(self, command: list[str], handover: Handover) -> None:
        """Start the process with `command`, and pass `handover` to it. Raises OSError if there is no such program."""
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - `problem` reads and closes it
        self._end_s = time.monotonic() + TRIAL_S
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=handover.environment(),
            pass_fds=handover.descriptors,
            start_new_session=True,
            # `preexec_fn` is safe only without other threads; the master has none.
            preexec_fn=dies_with(os.getpid()),
        )

    def ended(self) -> bool:
        """Return whether the trial's process has ended; kill it first if it has run for TRIAL_S seconds.

        When it has ended, also kill the processes that it has started and that still run.
        """
        if time.monotonic() > self._end_s:
            self.kill()
        # WNOWAIT leaves the ended process in the system's table until `poll`. So no other process can have its id when
        # `kill` is called.
        with contextlib.suppress(ChildProcessError):
            if os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return False
        self.kill()
        return self._process.poll() is not None

    def kill(self) -> None:
        """Kill the trial's process, if it still runs, and all processes that it has started.

        Otherwise these processes would keep the pages' port and the lock of the data folder.
        """
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def problem(self) -> str:
        """Return a sentence that says why the tried program cannot replace the running program; "" if it can.

        Call it after the trial's end.
        """
        with self._output:
            self._output.seek(0)
            lines = self._output.read().decode("utf-8", "replace").split("\n")
        if READY in lines:
            return ""
        said = [line.strip() for line in lines if line.strip()]
        sentences = [line.removeprefix(PROBLEM) for line in said if line.startswith(PROBLEM)]
        return (sentences or said or ["it ended without a word"])[-1]
