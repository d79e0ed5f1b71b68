"""The master process: keeps the store and the workers running, and replaces the server's code (signal SIGUSR2).

To replace the code, the master first tries the new program beside the server. Then it replaces its own program by the
new program (execve), which replaces the workers. SIGHUP also replaces the workers, but by the code that the master has
loaded. Workers are replaced one after another: an old worker stops only when a new worker is ready.
"""

from __future__ import annotations

import importlib.metadata
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, cast

import structlog
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger

from web.server import output
from web.server.handover import READY, FormerWorker, Handover, Request, Steps, Trial
from web.server.valkey import EmbeddedStore

if TYPE_CHECKING:
    from web.server.processes import Processes, WorkerProcess

STOPPING = {signal.SIGTERM, signal.SIGQUIT, signal.SIGINT}
VERSION = importlib.metadata.version("greenroom")
"""The version of the code that this process has loaded. The installed version may be newer."""

log = structlog.get_logger("web.serve")


class Master(Arbiter):
    """gunicorn's master, which also keeps the store running, sends states to systemd, and replaces workers."""

    def __init__(self, app: Processes, store: EmbeddedStore | None, handed: Handover | None = None) -> None:
        self._store, self._notify, self._processes = store, app.notify, app
        self._steps = Steps(app.folder.path)
        self._trial: tuple[Trial, Request] | None = None
        # The command line of the program that replaces this program at the next call of `manage_workers`; [] for none.
        self._next: list[str] = []
        self.is_trial = handed is not None and handed.trial
        # `_leaving`: the process ids of the workers to replace. `_most`: the number of running workers up to which a
        # new worker may start; above it, an old worker must stop first.
        self._leaving: set[int] = set()
        self._most = 0
        self._failed = False
        self._reserved: set[int] = set()
        super().__init__(app)
        self.workers = cast("dict[int, WorkerProcess | FormerWorker]", self.WORKERS)
        if handed is not None:
            self._take_over(handed.workers)

    def _take_over(self, workers: list[FormerWorker]) -> None:
        """Keep the workers that the previous program has started, and begin to replace them.

        In the trial of an upgrade, only reserve their indexes, so that the trial's worker gets another index.
        """
        if self.is_trial:
            self._reserved = {worker.index for worker in workers}
            self.num_workers = 1
            return
        self.workers.update({worker.pid: worker for worker in workers})
        # gunicorn ends the server if one of its first `num_workers` workers cannot start. With a higher `age`, a new
        # worker does not count as one of these.
        self.worker_age = max([self.num_workers, *(worker.age for worker in workers)])
        self._steps.say("taken_over", version=VERSION, workers=self.num_workers)
        log.info("upgrade.taken_over", count=len(workers))
        self._replace_all()

    def init_signals(self) -> None:
        """Begin to handle signals, also those that arrived while this program replaced the previous program."""
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.SIGNALS)
        # A worker may have ended while the programs were replaced. No program has handled its SIGCHLD, so the signal is
        # put into the queue here.
        self.SIG_QUEUE.put_nowait(signal.SIGCHLD)

    def free_index(self) -> int:
        """Return the smallest index, from 0, that no running worker has."""
        taken = self._reserved | {worker.index for worker in self.workers.values()}
        return next(index for index in range(len(taken) + 1) if index not in taken)

    def manage_workers(self) -> None:
        """Restart processes that have died, the store first, and continue a replacement; called at least
        once a second.
        """
        if self._store is not None:
            self._store.keep_running(time.monotonic())
        if self._trial is not None and self._trial[0].ended():
            self._judge(*self._trial)
        if self._next:
            self._become(self._next)
        # While a signal waits in the queue, no worker is replaced: it may be the SIGCHLD of an ended worker, which is
        # still in the table of workers.
        if self._leaving and self.SIG_QUEUE.empty() and not self._changes:
            self._replace_next()
        if not self._leaving:
            super().manage_workers()
        if any(worker.answers for worker in self.workers.values()):
            if self.is_trial:
                # The line is written in one call, because workers write to this standard output at the same
                # time.
                print(f"\n{READY}\n", end="", flush=True)  # noqa: T201 - the running server's master reads it
                raise StopIteration
            self._notify.ready()
        output.retry()

    # --- replacing the workers

    def reload(self) -> None:
        """Replace the workers by new workers with the code that this process has loaded (SIGHUP)."""
        self._replace_all()

    def _replace_all(self) -> None:
        self._notify.reloading()
        self._leaving, self._failed = set(self.workers), False
        # At most twice `num_workers` workers may run, including the next worker, because there are sockets and
        # ports for this number only.
        self._most = max(self.num_workers, min(len(self._leaving), 2 * self.num_workers - 1))

    def _replace_next(self) -> None:
        """Start the next new worker, or stop the oldest of the old workers. Do nothing while a new worker is not ready.

        If a new worker ends before it is ready, start another new worker; old workers stop only when it is ready.
        """
        self._leaving &= self.workers.keys()
        new = [worker for pid, worker in self.workers.items() if pid not in self._leaving]
        if not all(worker.answers for worker in new):
            return
        if len(new) < self.num_workers and len(self.workers) <= self._most:
            self.spawn_worker()
        elif self._leaving:
            oldest = min(self._leaving, key=lambda pid: int(self.workers[pid].age))
            if self._stopped != oldest:
                self._stopped = oldest
                self._steps.say("serves", worker=new[-1].id, instead_of=self.workers[oldest].id)
                self.kill_worker(oldest, signal.SIGTERM)
        else:
            self._steps.say("done", version=VERSION, workers=[worker.id for worker in new])
            self._notify.reloaded()
            log.info("workers.replaced", count=len(new))

    _stopped = 0

    def worker_ended(self, worker: WorkerProcess | FormerWorker) -> None:
        """Record a failure if workers are being replaced and this worker has ended before it was ready."""
        if self._leaving and not worker.answers and not self._changes:
            self._failed = True
            self._steps.say("worker_failed", worker=worker.id)

    # --- replacing this program by another version

    @property
    def _changes(self) -> bool:
        """Whether a program is being tried, or will replace this program soon. No worker is replaced at this time."""
        return self._trial is not None or bool(self._next)

    def handle_usr2(self) -> None:
        """Try the program that the request of `greenroom upgrade` names.

        If there is no request, try the program that is now at the path of the running program.
        """
        if self._changes:
            return
        request = self._steps.asked()
        self._steps.say("trying", version=VERSION, process=self.pid, workers=self.num_workers)
        if request is None:
            self._refuse("the server's account cannot read what was asked; use that account")
            return
        if self._leaving and not self._failed:
            self._refuse("workers are being replaced; try again when those before them have ended")
            return
        try:
            self._trial = Trial([*request.program, *sys.argv[1:]], self._handover(trial=True)), request
        except OSError as error:
            self._refuse(f"{request.program[0]} cannot be run ({error.strerror})")

    def _judge(self, trial: Trial, request: Request) -> None:
        """Read the result of a trial that has ended, and arrange that the tried program replaces this program.

        This program stays if the trial failed, or if `request` asks only for the trial.
        """
        self._trial = None
        if problem := trial.problem():
            self._refuse(problem)
        elif request.only_try:
            self._steps.say("tried")
        else:
            self._next = [*request.program, *sys.argv[1:]]

    def _refuse(self, problem: str) -> None:
        self._next = []
        self._steps.say("refused", problem=problem)
        log.error("upgrade.refused")

    def _handover(self, *, trial: bool) -> Handover:
        return self._processes.handover(
            trial=trial,
            listener=self.LISTENERS[0].fileno(),
            store=None if self._store is None else self._store.running,
            workers=[
                FormerWorker(pid, worker.index, worker.id, worker.age, worker.tmp.fileno())
                for pid, worker in self.workers.items()
            ],
        )

    def _become(self, command: list[str]) -> None:
        """Replace this program by `command`, unless a signal is waiting to be handled.

        Signals that come later are blocked until the new program can handle them.
        """
        handover = self._handover(trial=False)
        if self._store is not None and handover.store is None:
            self._refuse("the store does not run at the moment; try again")
            return
        signal.pthread_sigmask(signal.SIG_BLOCK, self.SIGNALS)
        if not self.SIG_QUEUE.empty():
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self.SIGNALS)
            return
        for pid, worker in list(self.workers.items()):
            if not worker.answers:
                # The worker does not serve yet, so it is killed: the next program takes each worker that runs for a
                # worker that serves.
                self.kill_worker(pid, signal.SIGKILL)
        for descriptor in handover.descriptors:
            os.set_inheritable(descriptor, True)
        try:
            os.execve(command[0], command, handover.environment())  # noqa: S606 - no shell is needed
        except OSError as error:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self.SIGNALS)
            for descriptor in handover.descriptors:
                os.set_inheritable(descriptor, False)
            self._refuse(f"{command[0]} cannot be run ({error.strerror})")

    # --- starting and stopping processes

    def stop(self, graceful: bool = True) -> None:
        """Stop the workers, and the process that tries another program, if there is one."""
        self._notify.stopping()
        if self._trial is not None:
            self._trial[0].kill()
        super().stop(graceful)

    def spawn_worker(self) -> Any:
        """Fork a worker; block stop signals until the worker can handle them.

        gunicorn would lose a signal that comes earlier.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            return super().spawn_worker()
        finally:
            if os.getpid() == self.pid:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


class QuietLogger(Logger):
    """Sends gunicorn's messages to the common log, routine messages at debug level."""

    def setup(self, cfg: Config) -> None:
        """Set up nothing, because `web.server.logs` handles all log records."""
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel("WARNING")
