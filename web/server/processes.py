"""Runs the server's processes: a master (`master.py`), and workers that serve requests.

`web.app:create_app` makes a worker's app. The master binds the port, locks the folder, starts the store and forks. A
worker runs an event loop and the app. When it stops, it first answers its requests, and then closes its connections.
"""

import asyncio
import errno
import gc
import importlib
import mmap
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import redis
import structlog
from aiohttp import web
from aiohttp.worker import GunicornUVLoopWebWorker
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from msgspec.structs import replace

from signalling.rooms.liveness import death_of
from web.config import EXIT_CODE, Settings, refuse_plain_http
from web.errors import ConfigError
from web.keys import DRAINING, WORKER
from web.metrics.boards import Boards
from web.metrics.scrape import port
from web.server import logs, output, tls
from web.server.certificate import Certificate
from web.server.handover import FormerWorker, Handover, received
from web.server.listeners import metrics_listener, pages_listener
from web.server.master import STOPPING, Master, QuietLogger
from web.server.own_store import check_own_store
from web.server.pages_port import plain
from web.server.passed_streams import PassedStreams
from web.server.redis_client import connect_now
from web.server.runner import Runner, works
from web.server.socket_shares import Shares
from web.server.store_contents import check_contents
from web.server.systemd import Notify
from web.server.valkey import EmbeddedStore, LockedFolder, RunningStore

FROZEN_S = 30
"""A worker whose event loop has not run for this number of seconds is replaced."""
REBOOT_PAUSE_S = 1.0
ANNOUNCE_S = 0.25
"""The longest time in s that the master waits for the store when the master announces the end of a worker.

The time is short, because the master can do nothing else while it waits.
"""
IDLE_S = 15.0
"""A worker closes an HTTP connection on which no complete request arrives for this time in s."""
GARBAGE = (5_000, 10, 10)
"""The thresholds of Python's garbage collector (`gc.set_threshold`): it runs after 5,000 new objects. After 700, a
default of Python, it took 4 % of a worker's time at 300 visits, instead of 0.6 %, in pauses that delay a claim."""

log = structlog.get_logger("web.serve")


@dataclass(frozen=True)
class Worker:
    """The identity of a worker process, and the memory and sockets that it shares with other workers.

    `index`: a number from 0; when this worker has ended, a later worker gets the same index. `id`: a name that no later
    worker gets. `shares`: the number of sockets of each worker; None if there is only this process. `streams`: passes
    connections with media between workers. `boards`: the metrics of each worker.
    """

    index: int
    id: str
    pid: int
    shares: Shares | None = None
    streams: PassedStreams | None = None
    boards: Boards | None = None


AppFactory = Callable[[Settings], web.Application]


def serve(
    settings: Settings,
    self_signed: bool = False,
    welcome: Callable[[Settings], str] = lambda settings: settings.origin,
    application: str = "web.app:create_app",
) -> NoReturn:
    """Run the server until a signal stops it, then exit with code 0.

    `self_signed`: True to serve the pages by https with a self-signed certificate. `welcome`: returns the text that is
    printed when the server answers. `application`: "module:function", the function that makes the app of a worker.
    Raises ConfigError if the server cannot start with these settings.
    """
    output.guard()
    logs.setup(settings.log)
    handed, notify = received(os.environ), Notify(os.environ)
    trial = handed is not None and handed.trial
    (host, listener), scraped = (
        pages_listener(settings, os.environ, handed),
        metrics_listener(settings, handed),
    )
    settings = replace(settings, server=replace(settings.server, host=host, port=listener.getsockname()[1]))
    folder = LockedFolder(Path(settings.data.folder), handed.folder if handed else None)
    if self_signed:
        certificate, key = tls.self_signed(folder.path, datetime.now(UTC))
        settings = replace(settings, tls=replace(settings.tls, certificate=str(certificate), key=str(key)))
    refuse_plain_http(settings)
    if settings.tls.certificate:
        tls.server_context(settings.tls.certificate, settings.tls.key)
    if not trial:
        folder.serves(settings.origin)
    master, store = os.getpid(), None
    if handed is not None and bool(settings.redis.url) == (handed.store is not None):
        raise ConfigError(
            "redis.url: the server that runs has another store; stop it, and start this version"
        )
    if settings.redis.url:
        check_own_store(settings.redis)
    else:
        store = EmbeddedStore(folder, handed.store if handed else None)
        settings = replace(settings, redis=replace(settings.redis, url=store.url))
        if trial:
            store = None  # in a trial, this process must not watch or stop the running server's store
        elif handed is None:
            store.begin()
    try:
        # The modules are imported while the store starts, and before the fork, so that workers share their memory.
        module, _, name = application.partition(":")
        create_app: AppFactory = getattr(importlib.import_module(module), name)
        if store is not None:
            store.wait()
        if check_contents(settings) > 1:
            log.warning("key.rotation_unfinished")
        log.info(
            "server.listening", url=settings.origin, host=settings.server.host, port=settings.server.port
        )
        processes = Processes(settings, create_app, listener, folder, notify, welcome, scraped, handed)
        Master(processes, store, handed).run()
    except SystemExit as end:
        # APP_LOAD_ERROR says that the app refuses its settings; the master exits with our own code instead. Workers are
        # forked inside `run`, so they reach this code too, but they keep their exit code.
        refused = end.code == Arbiter.APP_LOAD_ERROR and os.getpid() == master
        raise SystemExit(EXIT_CODE if refused else end.code) from None
    finally:
        if store is not None:
            store.stop()
    raise SystemExit(0)


class Processes(BaseApplication):
    """The application that gunicorn runs: sets gunicorn's options from our settings, and makes the app of a worker."""

    def __init__(
        self,
        settings: Settings,
        create_app: AppFactory,
        listener: socket.socket,
        folder: LockedFolder,
        notify: Notify,
        welcome: Callable[[Settings], str],
        scraped: socket.socket | None = None,
        handed: Handover | None = None,
    ) -> None:
        self.settings = settings
        self.create_app = create_app
        self.welcome = welcome
        self.worker = Worker(0, "", 0)
        self.notify = notify
        self._descriptor = listener.detach()
        self._listeners: list[socket.socket] = []
        self.folder = folder
        self._shares = Shares(settings.server.workers)
        self._streams = PassedStreams(settings.server.workers, handed.streams if handed else ())
        self._boards = Boards(settings.server.workers)
        self._scraped = scraped
        self._is_trial = handed is not None and handed.trial
        files = settings.tls
        self._certificate = Certificate(files.certificate, files.key) if files.certificate else None
        super().__init__()

    def load_config(self) -> None:
        server = self.settings.server
        options: dict[str, Any] = {
            "bind": f"fd://{self._descriptor}",
            "workers": server.workers,
            "worker_class": WorkerProcess,
            "logger_class": QuietLogger,
            "timeout": FROZEN_S,
            "graceful_timeout": max(1, round(server.drain_s)),
            "control_socket_disable": True,
            "pre_fork": self._pre_fork,
            "post_fork": self._post_fork,
            "child_exit": self._child_exit,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the coroutine function that makes a worker's app, as aiohttp's gunicorn worker expects it."""
        return self._make_runner

    async def _make_runner(self) -> web.AppRunner:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        gc.set_threshold(*GARBAGE)
        asyncio.get_running_loop().set_exception_handler(_unhandled)
        app = self.create_app(self.settings)
        app[WORKER] = self.worker
        if self._is_trial:
            # The flag is set now: even the worker's first report to the store must say that it accepts no calls.
            app[DRAINING].set()
        if self._certificate is not None:
            app.cleanup_ctx.append(self._certificate.following)
        if self._scraped is not None:
            app.cleanup_ctx.append(partial(port, self._scraped))
        # The objects that exist now stay until the worker ends, so the garbage collector need not check them.
        gc.freeze()
        return Runner(
            app,
            self._listeners,
            plain if self._certificate is None else self._certificate.newest,
            self._streams.send,
            prefix=self.settings.path_prefix,
            private=await works(),
            access_log_class=logs.AccessLog,
            access_log=logs.ACCESS,
            keepalive_timeout=IDLE_S,
            shutdown_timeout=self.settings.server.drain_s * 0.9,
        )

    def handover(
        self, *, trial: bool, listener: int, store: RunningStore | None, workers: list[FormerWorker]
    ) -> Handover:
        """Return the values that the next program needs to replace this program, or to be tried beside this server.

        `trial`: True if the next program is only tried; `listener`: the descriptor of the pages' port; `store`: the
        embedded store, None if the operator runs the store; `workers`: the workers that still serve.
        """
        return Handover(
            trial=trial,
            host=self.settings.server.host,
            listener=listener,
            metrics=None if self._scraped is None else self._scraped.fileno(),
            folder=self.folder.descriptor,
            # In the trial of an upgrade, no connections are passed between workers.
            streams=[] if trial else self._streams.descriptors,
            store=store,
            workers=workers,
            notify=self.notify.address,
        )

    @staticmethod
    def _pre_fork(master: Master, worker: "WorkerProcess") -> None:
        worker.index = master.free_index()
        worker.id = f"w{worker.index}-{secrets.token_hex(4)}"

    def _post_fork(self, master: Master, worker: "WorkerProcess") -> None:
        self.folder.close()
        # In the trial of an upgrade, the worker gets no `PassedStreams`: it receives no connections.
        streams = None if master.is_trial else self._streams
        self.worker = Worker(worker.index, worker.id, os.getpid(), self._shares, streams, self._boards)
        # `Runner` listens in place of aiohttp's gunicorn worker, with our TLS and backlog. A trial does not listen.
        self._listeners, worker.sockets = [] if master.is_trial else worker.sockets, []

    def _child_exit(self, master: Master, worker: "WorkerProcess | FormerWorker") -> None:
        """Announce to the other workers that `worker` has ended.

        Without the announcement, they notice its end only when its sign of life in the store expires.
        """
        master.worker_ended(worker)
        try:
            with connect_now(self.settings.redis, ANNOUNCE_S) as store:
                for command in death_of(worker.id):
                    store.execute_command(*command)
        except (redis.RedisError, OSError) as error:
            log.info("worker.death_not_announced", problem=type(error).__name__)


class WorkerProcess(GunicornUVLoopWebWorker):
    """One worker process: aiohttp on uvloop, a child of gunicorn's master."""

    index = 0
    id = ""
    app: Processes

    def __init__(self, *how: Any) -> None:
        super().__init__(*how)
        # One byte of memory that the master and this worker share: 1 when the event loop has run.
        self._answers = mmap.mmap(-1, 1)

    @property
    def answers(self) -> bool:
        """Whether the event loop of the worker has run since the worker started."""
        return bool(self._answers[0])

    def run(self) -> None:
        """Serve requests until a signal stops this worker.

        If the worker cannot start while the server starts, the server ends. Later, the master starts another worker
        after a pause, because calls on the other workers must continue.
        """
        try:
            super().run()
            return
        except Exception as error:  # noqa: BLE001 - any error is reported to the master, by the exit code
            code = self._say(error)
        if not self.booted and self.age <= self.app.settings.server.workers:
            sys.exit(code)
        time.sleep(REBOOT_PAUSE_S)
        sys.exit(1)

    def _say(self, error: Exception) -> int:
        """Print or log the error because of which this worker could not start; return gunicorn's exit code for it.

        An error in the settings is printed as a sentence; any other error is logged.
        """
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            # A port of the media relay is in use. It cannot be the pages' port, because the master binds that port.
            error = ConfigError("media.ports: no port is free there; stop what uses them, or choose others")
        if isinstance(error, ConfigError):
            print(f"greenroom: {error}", file=sys.stderr, flush=True)  # noqa: T201
            return Arbiter.APP_LOAD_ERROR
        log.error("worker.failed", worker=self.index, exc_info=error)
        return Arbiter.WORKER_BOOT_ERROR

    def notify(self) -> None:
        """Show the master that the event loop runs. The first call prints the welcome text, too."""
        super().notify()
        self._answers[0] = 1
        output.retry()
        if self.age == 1 and self._greeting is None:
            self._greeting = self.loop.run_in_executor(None, self._greet)

    _greeting: "asyncio.Future[None] | None" = None

    def _greet(self) -> None:
        try:
            print(self.app.welcome(self.app.settings), flush=True)  # noqa: T201
        except Exception:
            log.exception("server.welcome_not_printed")

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end this worker's connections, and keep showing the master that the event loop runs."""
        super().handle_quit(sig, frame)
        self._beat()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end the connections at once on SIGTERM; gunicorn's own handler would wait for the next heartbeat."""
        self.handle_quit(sig, frame)

    def _beat(self) -> None:
        super().notify()
        self.loop.call_later(1.0, self._beat)


def _unhandled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an exception that no task or callback caught; asyncio's own report would quote its text."""
    reason = str(context.get("message", "")).partition("\n")[0]
    log.error("loop.exception", reason=reason, exc_info=context.get("exception"))
