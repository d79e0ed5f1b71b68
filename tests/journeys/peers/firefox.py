"""A Firefox without a window, as a peer of process.py.

Its page sends and receives the messages of process.py over a WebSocket; this process passes them on to standard input
and output.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from aiohttp import WSMsgType, web

HERE = Path(__file__).parent
PREFERENCES = {
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.autoplay.default": 0,
    "media.gmp-manager.updateEnabled": False,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "browser.aboutwelcome.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "http://127.0.0.1:1",
    "extensions.update.enabled": False,
    "browser.safebrowsing.update.enabled": False,
    "dom.min_background_timeout_value": 4,
    "fission.autostart": False,
    "dom.ipc.processPrelaunch.enabled": False,
}


def say(text: str) -> None:
    """Write a line to standard output, from which the test reads it."""
    print(text, flush=True)


class Bridge:
    """The WebSocket to the page in Firefox. Lines for the page wait until the page has connected."""

    def __init__(self) -> None:
        self.page: asyncio.Future[web.WebSocketResponse] = asyncio.get_running_loop().create_future()

    async def lines(self, request: web.Request) -> web.WebSocketResponse:
        """Pass the messages of the page on to the test."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.page.set_result(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                say(message.data)
        return socket

    async def file(self, request: web.Request) -> web.FileResponse:
        """Return the page, or its script."""
        return web.FileResponse(HERE / (request.match_info["name"] or "firefox.html"))


def write_preferences(file: Path) -> None:
    """Write the preferences file that Firefox reads at its start."""
    values = (f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items())
    file.write_text("\n".join(values), "utf-8")


async def main(program: str) -> None:
    """Run Firefox until standard input ends. `program`: its path."""
    bridge = Bridge()
    app = web.Application()
    app.router.add_get("/lines", bridge.lines)
    app.router.add_get("/{name:(?:firefox\\.js)?}", bridge.file)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = "http://{}:{}/".format(*runner.addresses[0][:2])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        write_preferences(Path(folder, "user.js"))
        browser = await asyncio.create_subprocess_exec(
            program,
            *("--headless", "--no-remote", "--profile", folder, url),
            env={**os.environ, "HOME": folder},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            loop = asyncio.get_running_loop()
            while line := await loop.run_in_executor(None, sys.stdin.readline):
                await (await bridge.page).send_str(line)
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            await browser.wait()
            await runner.cleanup()


asyncio.run(main(sys.argv[1]))
