"""Watches the files of `[tls]`, so that a renewed certificate is used for new connections without a restart.

Open connections keep the certificate with which they began.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator

import structlog
from aiohttp import web

from web.errors import ConfigError
from web.keys import SUPERVISOR, WORKER
from web.server.tls import server_context

EVERY_S = 2.0
NAME = "web.server.certificate"

log = structlog.get_logger("web.serve")

Stamp = tuple[tuple[int, int, int], ...]


class Certificate:
    """Holds the TLS context made from the two PEM files of `[tls]`. Raises ConfigError if the files cannot be used.

    The master process reads the files once, before it starts workers. So a worker that is started again later can
    serve even if the files are broken by then. Each worker checks the files for changes by itself; only the
    worker with the index 0 logs.
    """

    def __init__(self, certificate: str, key: str) -> None:
        self._files, self._logs = (certificate, key), True
        self._tried = self._found = self._stamp()
        self._context = server_context(certificate, key)

    def newest(self) -> ssl.SSLContext:
        """Return the TLS context for a new connection, with the certificate that was read last."""
        return self._context

    async def following(self, app: web.Application) -> AsyncIterator[None]:
        """Check the files of `[tls]` for changes as long as the worker's app runs: a clean-up context of the app."""
        self._logs = app[WORKER].index == 0
        app[SUPERVISOR].keep(NAME, self.run)
        yield
        await app[SUPERVISOR].stop(NAME)

    async def run(self) -> None:
        """Check every EVERY_S seconds whether the certificate's files have changed, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(EVERY_S)

    def look(self) -> None:
        """Read the files again if they have changed and two checks in a row find the same contents.

        Two checks are needed, because a renewal writes one file after the other. If the new files cannot be used, this
        is logged once, and the previous certificate stays in use.
        """
        before, self._found = self._found, self._stamp()
        if self._found == self._tried or self._found != before:
            return
        self._tried = self._found
        try:
            self._context = server_context(*self._files)
        except (ConfigError, OSError) as error:
            if self._logs:
                hint = "the certificate before it is used until the files are right"
                log.error("tls.certificate_refused", problem=str(error), hint=hint)
            return
        if self._logs:
            log.info("tls.certificate_renewed")

    def _stamp(self) -> Stamp | None:
        """Return a value that changes with the files' contents; None while a file is missing.

        Symbolic links are followed.
        """
        try:
            found = [os.stat(path) for path in self._files]
        except OSError:
            return None
        return tuple((file.st_ino, file.st_size, file.st_ctime_ns) for file in found)
