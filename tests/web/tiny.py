"""Makes a minimal app that replaces `web.app` in tests of the server's processes.

It answers with the id of its worker. It fails at its start if a test has put a certain file into the data
folder, such as `refuse` or `break`.
"""

import asyncio
import os
import sys
from pathlib import Path

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from signalling.supervision import Supervisor
from tests.limits import WAIT_S
from web.config import Settings, load
from web.errors import ConfigError
from web.keys import DRAINING, SUPERVISOR, WORKER
from web.server import processes as module
from web.server import runner
from web.server.processes import serve

MARK = "first"
"""The version of this code; a test changes it in another program."""


def create_app(settings: Settings) -> web.Application:
    """Return an app with the paths /healthz, /slow, /form and /fail.

    /healthz answers with the worker's id, /slow after the given time, and /form after it has read the whole
    body; /fail raises an error. A request to /slow or /form makes the file `begun` in the data folder; a
    worker that stops makes the file `stops`.
    """

    async def healthz(request: web.Request) -> web.Response:
        worker = request.app[WORKER]
        return web.json_response(
            {
                "index": worker.index,
                "id": worker.id,
                "pid": worker.pid,
                "store": settings.redis.url,
                "mark": MARK,
            }
        )

    async def slow(request: web.Request) -> web.Response:
        (folder / "begun").touch()
        await asyncio.sleep(float(request.query["seconds"]))
        return web.Response(text="done")

    async def form(request: web.Request) -> web.Response:
        (folder / "begun").touch()
        return web.Response(body=await request.read())

    async def fail(request: web.Request) -> web.Response:
        raise ValueError("Jane Doe")

    async def stops(app: web.Application) -> None:
        (folder / "stops").touch()

    folder = Path(settings.data.folder)
    if (folder / "refuse").exists():
        raise ConfigError("media.ports: no port is free")
    if (folder / "break").exists():
        raise RuntimeError("Jane Doe")
    # If the file `late` exists, a worker of the new program starts in the trial of an upgrade, but fails in the
    # upgrade itself. Only in the upgrade, the worker's parent process is the server, whose process id is in the
    # file `lock`.
    if (
        MARK != "first"
        and (folder / "late").exists()
        and (folder / "lock").read_text().startswith(f"{os.getppid()}\n")
    ):
        raise RuntimeError("Jane Doe")
    app = web.Application()
    app[SUPERVISOR] = Supervisor()
    app[DRAINING] = asyncio.Event()
    app.on_shutdown.append(stops)
    app.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/slow", slow),
            web.post("/form", form),
            web.get("/fail/{token}", fail),
        ]
    )
    return app


def main() -> None:
    """Serve with the settings file that the first argument names.

    Options change the times in s for which a server waits: `--impatient` for a request; `--patient` for a request and
    for the rest of one that is already answered; `--late` for the first request on a connection, after the stop.
    """
    if "--impatient" in sys.argv:
        module.IDLE_S = 1.0
    if "--patient" in sys.argv:
        module.IDLE_S = 10 * WAIT_S
        (RequestHandler.__init__.__kwdefaults__ or {})["lingering_time"] = 10 * WAIT_S
    if "--late" in sys.argv:
        runner.FIRST_S = 10 * WAIT_S
    try:
        serve(load(Path(sys.argv[1])), "--self-signed" in sys.argv, application="tests.web.tiny:create_app")
    except ConfigError as problem:
        sys.exit(f"refused: {problem}")


if __name__ == "__main__":
    main()
