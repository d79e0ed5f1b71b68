"""Hands a running server over to other code: what the master process passes to the program that takes its place.

The master replaces its own program (execve): its process id, its workers and the embedded store stay, and so do the
descriptors that are named here. The rest is JSON in an environment variable. A version may add fields with defaults;
it does not change those that exist, because the two programs are of different versions.
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
"""The beginning of the line with which a command says in one sentence why it ends."""

LAST = frozenset({"tried", "refused", "worker_failed", "done"})
"""The steps after which `greenroom upgrade` waits for no other one."""

STEP = b'{"step":'
"""The beginning of the line of a step."""

Environment = MutableMapping[str, str]


class FormerWorker(msgspec.Struct):
    """A worker that the program before has started; also its entry in gunicorn's table of workers.

    `beat`: the descriptor of the file with its sign of life. `age`: the number of workers started up to this one.
    """

    pid: int
    index: int
    id: str
    age: int
    beat: int
    aborted: bool = False

    answers = True
    """Whether the worker serves, as far as its master knows."""

    @property
    def tmp(self) -> FormerWorker:
        """This object, which has the two methods of gunicorn's file that are needed."""
        return self

    def last_update(self) -> float:
        """Return the time of its last sign of life (monotonic, s)."""
        return os.fstat(self.beat).st_mtime

    def fileno(self) -> int:
        """Return the descriptor of the file with its sign of life."""
        return self.beat

    def close(self) -> None:
        """Close this process's descriptor of the file with its sign of life."""
        os.close(self.beat)


class Handover(msgspec.Struct, kw_only=True):
    """What a program receives. `trial`: it starts one worker that serves nobody, and ends as soon as that is ready.

    `host`: that of the pages, as settings or systemd gave it. `listener`, `metrics`, `folder`: descriptors of the
    pages' port, of that for metrics, and of the folder's lock. `streams`: descriptors of `PassedStreams`. `notify`:
    the address for systemd's states.
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
        """All descriptors that stay open when the next program replaces this one."""
        ends = [end for pair in self.streams for end in pair]
        beats = [worker.beat for worker in self.workers]
        return [self.listener, self.folder, *ends, *beats, *([] if self.metrics is None else [self.metrics])]

    def environment(self) -> dict[str, str]:
        """Return the environment of the next program: that of this process, and this object."""
        found = {**os.environ, VARIABLE: msgspec.json.encode(self).decode()}
        return {**found, "NOTIFY_SOCKET": self.notify} if self.notify and not self.trial else found


def received(environment: Environment) -> Handover | None:
    """Return what the program before has passed, and remove it from the environment; None at an ordinary start."""
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
    """Return the beginning of a command line that runs this program, to which its arguments are added."""
    script = Path(sys.argv[0]).absolute()
    if script.suffix != ".py" and os.access(script, os.X_OK):
        # A link in this path (/opt/greenroom -> greenroom-0.1.0) is followed anew at each start.
        return [str(script)]
    return [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]]


class Request(msgspec.Struct):
    """What `greenroom upgrade` asks of the master. `only_try`: it does not take the program, but only tries it."""

    program: list[str]
    only_try: bool = False


class Steps:
    """A file in the data folder: the request for the master, then a line of JSON for each step of the upgrade."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "upgrade"

    def ask(self, request: Request) -> None:
        """Write a request in place of what is there; root's belongs to the owner of the folder, who has to read it."""
        draft = self.path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        # O_EXCL: root does not follow a link that the owner of the folder has put there.
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            if os.geteuid() == 0:
                owner = self.path.parent.stat()
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            file.write(msgspec.json.encode(request) + b"\n")
        draft.replace(self.path)

    def asked(self) -> Request | None:
        """Return the request, and remove the file; None if it cannot be read.

        Without a request, that is, without the file or if it begins with a step, the program of this process is asked
        for.
        """
        request: Request | None = None
        try:
            # Steps may follow the request: those of workers that SIGHUP has replaced since.
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
        """Add a step. If the disk is full, the step is lost, and the upgrade goes on."""
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode({"step": step, **values}) + b"\n")
        except OSError:
            return

    def busy(self, within_s: float) -> bool:
        """Return whether an upgrade has reported a step in the last `within_s` seconds, and not yet its last."""
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
    """A process that starts the next program up to a worker that is ready, beside the running server."""

    def __init__(self, command: list[str], handover: Handover) -> None:
        """Start the process with `command`, and pass `handover` to it. Raises OSError if there is no such program."""
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - read when the process has ended
        self._end_s = time.monotonic() + TRIAL_S
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=handover.environment(),
            pass_fds=handover.descriptors,
            start_new_session=True,
            # It needs no thread's locks, because the master has only one thread.
            preexec_fn=dies_with(os.getpid()),
        )

    def ended(self) -> bool:
        """Return whether it has ended. It is killed after TRIAL_S."""
        if time.monotonic() > self._end_s:
            self.kill()
        return self._process.poll() is not None

    def kill(self) -> None:
        """Kill it and its worker."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def problem(self) -> str:
        """Return in a sentence why the program cannot take over; "" if it can."""
        with self._output:
            self._output.seek(0)
            lines = self._output.read().decode("utf-8", "replace").split("\n")
        if READY in lines:
            return ""
        said = [line.strip() for line in lines if line.strip()]
        sentences = [line.removeprefix(PROBLEM) for line in said if line.startswith(PROBLEM)]
        return (sentences or said or ["it ended without a word"])[-1]
