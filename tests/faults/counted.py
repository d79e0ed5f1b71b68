"""Runs the server with workers that regularly write their number of tasks: `python -m tests.faults.counted CONFIG`.

The file of a worker is `counted-PID.json`. If a test makes the file `counted-PID.collect`, that worker runs
its garbage collector, so that objects in reference cycles do not count as growth.
"""

import asyncio
import contextlib
import gc
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from web.app import create_app as create
from web.config import Settings, load
from web.server.processes import serve

EVERY_S = 0.5


def create_app(settings: Settings) -> web.Application:
    """Return the product's app, with one more task, which writes the number of tasks to a file."""
    app = create(settings)
    file = Path(settings.data.folder) / f"counted-{os.getpid()}.json"

    wanted = file.with_suffix(".collect")

    async def count() -> None:
        while True:
            with contextlib.suppress(FileNotFoundError):
                wanted.unlink()
                gc.collect()
            fresh = file.with_suffix(".new")
            fresh.write_text(json.dumps({"tasks": len(asyncio.all_tasks())}))
            fresh.replace(file)
            await asyncio.sleep(EVERY_S)

    async def counting(app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(count())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    app.cleanup_ctx.append(counting)
    return app


if __name__ == "__main__":
    serve(load(Path(sys.argv[1])), application="tests.faults.counted:create_app")
