"""The server's processes: a master that keeps the store and the workers running, and the workers that do the work.

Knows sockets, signals and the order of starting and stopping; gunicorn keeps the workers. Knows nothing of what a
worker answers: that is `web.app:create_app`. Master: bind, lock the folder, store, fork. Worker: loop, app, drain.
"""

import asyncio
import errno
import gc
import importlib
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from ssl import SSLContext
from types import FrameType
from typing import Any, NoReturn

import redis
import structlog
from aiohttp import web
from aiohttp.worker import GunicornUVLoopWebWorker
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger
from msgspec.structs import replace

from signalling.rooms.liveness import death_of
from web.config import EXIT_CODE, ConfigError, Settings, refuse_plain_http
from web.keys import WORKER
from web.server import logs, output, tls
from web.server.runner import Runner
from web.server.socket_shares import Shares
from web.server.valkey import EmbeddedStore, LockedFolder, check_own_store

BACKLOG = 2048
"""So many connections wait for a worker that is busy; the system closes further ones without an answer. uvloop takes in
one of them a turn of the loop, so that a crowd at the door waits there, and not those who are in a visit already."""
FROZEN_S = 30
"""A worker whose loop has not turned for this long is replaced."""
REBOOT_PAUSE_S = 1.0
TELL_S = 0.25
"""How long the master waits for the store when it announces a worker's end; everything else waits meanwhile."""
IDLE_S = 15.0
"""A connection without a whole request for this long is closed (a half-sent one, too)."""
STOPPING = {signal.SIGTERM, signal.SIGQUIT, signal.SIGINT}
GARBAGE = (5_000, 10, 10)
"""Python's collector looks after so many new objects, not 700: with 300 visits under way it took 4 % of a worker's
time instead of 0.6 %, in pauses that a claim would wait for."""

log = structlog.get_logger("web.serve")


@dataclass(frozen=True)
class Worker:
    """Which process this is: `index` counts from 0 and is taken over by a replacement, `id` is never used again.

    `shares`: how many sockets each worker holds; None where there is only this process.
    """

    index: int
    id: str
    pid: int
    shares: Shares | None = None


AppFactory = Callable[[Settings], web.Application]


def serve(
    settings: Settings,
    self_signed: bool = False,
    welcome: Callable[[Settings], str] = lambda settings: settings.origin,
    application: str = "web.app:create_app",
) -> NoReturn:
    """Runs the server until it is told to stop, then exits 0; what `welcome` says is printed once it answers.

    `application` names the factory of each worker's app.
    Raises ConfigError when it cannot start as it was told to.
    """
    output.guard()
    logs.setup(settings.log)
    listener = bind(settings.server.host, settings.server.port)
    settings = replace(settings, server=replace(settings.server, port=listener.getsockname()[1]))
    folder = LockedFolder(Path(settings.data.folder))
    if self_signed:
        certificate, key = tls.self_signed(folder.path, datetime.now(UTC))
        settings = replace(settings, tls=replace(settings.tls, certificate=str(certificate), key=str(key)))
    refuse_plain_http(settings)
    if settings.tls.certificate:
        tls.server_context(settings.tls.certificate, settings.tls.key)
    master, store = os.getpid(), None
    if settings.redis.url:
        check_own_store(settings.redis.url, settings.redis.socket_timeout_s)
    else:
        store = EmbeddedStore(folder)
        settings = replace(settings, redis=replace(settings.redis, url=store.url))
        store.begin()
    try:
        # While the store starts, and before the workers are forked, so that they share what it takes in memory.
        module, _, name = application.partition(":")
        create_app: AppFactory = getattr(importlib.import_module(module), name)
        if store is not None:
            store.wait()
        log.info("listening", url=settings.origin, host=settings.server.host, port=settings.server.port)
        Master(Processes(settings, create_app, listener, folder, welcome), store).run()
    except SystemExit as end:
        # gunicorn's code for an app that refuses its settings is ours for settings that cannot be followed; workers,
        # which are forked in the middle of `run`, come by here too, and keep theirs.
        refused = end.code == Arbiter.APP_LOAD_ERROR and os.getpid() == master
        raise SystemExit(EXIT_CODE if refused else end.code) from None
    finally:
        if store is not None:
            store.stop()
    raise SystemExit(0)


def bind(host: str, port: int) -> socket.socket:
    """A listening TCP socket; both families for "::". Raises ConfigError when the address cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        raise ConfigError(
            BIND_ERRORS.get(error.errno or 0, BIND_ERROR).format(host=host, port=port)
        ) from None
    return listener


BIND_ERROR = "server.host: expected an address of this machine; found {host}"
BIND_ERRORS = {
    errno.EADDRINUSE: (
        "server.port: port {port} on {host} is in use by another program; stop it, or choose another port with "
        "server.port or --port"
    ),
    errno.EACCES: "server.port: this account may not use port {port}; choose one above 1023 with server.port or --port",
}


class Processes(BaseApplication):
    """What gunicorn asks for: its own settings, derived from ours, and how a worker makes its app."""

    def __init__(
        self,
        settings: Settings,
        create_app: AppFactory,
        listener: socket.socket,
        folder: LockedFolder,
        welcome: Callable[[Settings], str],
    ) -> None:
        self.settings = settings
        self.create_app = create_app
        self.welcome = welcome
        self.worker = Worker(0, "", 0)
        self._descriptor = listener.detach()
        self._folder = folder
        self._shares = Shares(settings.server.workers)
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
            "certfile": self.settings.tls.certificate or None,
            "keyfile": self.settings.tls.key or None,
            "pre_fork": self._pre_fork,
            "post_fork": self._post_fork,
            "child_exit": self._child_exit,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The coroutine by which a worker makes its app, as aiohttp's gunicorn worker expects it."""
        return self._make_runner

    async def _make_runner(self) -> web.AppRunner:
        app = self.create_app(self.settings)
        app[WORKER] = self.worker
        # What start-up left stays for ever: the collector need not go over it again and again.
        gc.freeze()
        return Runner(
            app,
            access_log_class=logs.AccessLog,
            access_log=logs.ACCESS,
            keepalive_timeout=IDLE_S,
            shutdown_timeout=self.settings.server.drain_s * 0.9,
        )

    @staticmethod
    def _pre_fork(master: Arbiter, worker: "WorkerProcess") -> None:
        taken = {other.index for other in master.WORKERS.values() if isinstance(other, WorkerProcess)}
        worker.index = next(index for index in range(len(taken) + 1) if index not in taken)
        worker.id = f"w{worker.index}-{secrets.token_hex(4)}"

    def _post_fork(self, master: Arbiter, worker: "WorkerProcess") -> None:
        self._folder.close()
        self.worker = Worker(worker.index, worker.id, os.getpid(), self._shares)

    def _child_exit(self, master: Arbiter, worker: "WorkerProcess") -> None:
        """Tells the other workers at once that this one has ended; without this its sign would have to run out."""
        try:
            with redis.Redis.from_url(
                self.settings.redis.url, socket_timeout=TELL_S, socket_connect_timeout=TELL_S
            ) as store:
                for command in death_of(worker.id):
                    store.execute_command(*command)
        except (redis.RedisError, OSError) as error:
            log.info("the end of a worker could not be announced", problem=type(error).__name__)


class WorkerProcess(GunicornUVLoopWebWorker):
    """One worker: aiohttp on uvloop, as gunicorn's child."""

    index = 0
    id = ""
    app: Processes

    def run(self) -> None:
        """Serves until told to stop.

        What goes wrong at start-up ends the server only while the server itself starts; later the worker is tried
        again, not too often, since calls on other workers go on.
        """
        try:
            super().run()
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the master is told by the exit code
            code = self._say(error)
        if not self.booted and self.age <= self.app.settings.server.workers:
            sys.exit(code)
        time.sleep(REBOOT_PAUSE_S)
        sys.exit(1)

    def _say(self, error: Exception) -> int:
        """Says what went wrong, to the owner in words where it is a setting, and returns gunicorn's code for it."""
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            # The master has bound the pages' port; the only ones that a worker binds are the relay's.
            error = ConfigError("media.ports: no port is free there; stop what uses them, or choose others")
        if isinstance(error, ConfigError):
            print(f"greenroom: {error}", file=sys.stderr, flush=True)  # noqa: T201
            return Arbiter.APP_LOAD_ERROR
        log.error("a worker failed", worker=self.index, exc_info=error)
        return Arbiter.WORKER_BOOT_ERROR

    async def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        gc.set_threshold(*GARBAGE)
        asyncio.get_running_loop().set_exception_handler(_unhandled)
        await super()._run()

    def notify(self) -> None:
        """Shows the master that the loop turns; the first time, the server answers, and its owner is told."""
        super().notify()
        output.retry()
        if not self._listens:
            self._listens = True
            for listener in self.sockets:
                listener.listen(BACKLOG)  # aiohttp has just cut it to 128, which a busy second fills
        if self.age == 1 and self._greeting is None:
            self._greeting = self.loop.run_in_executor(None, self._greet)

    _listens = False
    _greeting: "asyncio.Future[None] | None" = None

    def _greet(self) -> None:
        try:
            print(self.app.welcome(self.app.settings), flush=True)  # noqa: T201
        except Exception:
            log.exception("the welcome could not be printed")

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """Begins to drain, and goes on showing that the loop turns while it does."""
        super().handle_quit(sig, frame)
        self._beat()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM drains at once; gunicorn's own would wait for the next heartbeat."""
        self.handle_quit(sig, frame)

    def _beat(self) -> None:
        super().notify()
        self.loop.call_later(1.0, self._beat)

    @staticmethod
    def _create_ssl_context(cfg: Any) -> SSLContext:
        return tls.server_context(cfg.certfile, cfg.keyfile)


def _unhandled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What no task or callback caught: asyncio's own report would quote it word for word."""
    log.error(str(context.get("message", "")).partition("\n")[0], exc_info=context.get("exception"))


class Master(Arbiter):
    """gunicorn's master, which also keeps the store running."""

    def __init__(self, app: Processes, store: EmbeddedStore | None) -> None:
        self._store = store
        super().__init__(app)

    def manage_workers(self) -> None:
        """Replaces what has died, the store first; called at every turn, at the latest after a second."""
        if self._store is not None:
            self._store.keep_running(time.monotonic())
        super().manage_workers()
        output.retry()

    def spawn_worker(self) -> int:
        """Forks a worker, which hears of a stop only once it can act on it; gunicorn's would lose an early one."""
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            return super().spawn_worker()
        finally:
            if os.getpid() == self.pid:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)

    def handle_usr2(self) -> None:
        """gunicorn would start a second master, which would find the data folder in use."""
        log.warning("a signal was ignored", signal="SIGUSR2")


class QuietLogger(Logger):
    """gunicorn's messages on the one log, those about its routine at debug level."""

    def setup(self, cfg: Config) -> None:
        """Leaves all handling to `web.server.logs`."""
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel("WARNING")
