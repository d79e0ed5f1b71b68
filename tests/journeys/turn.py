"""Runs a real coturn for tests: a TURN server that relays only to this machine."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.limits import WAIT_S
from tests.ports import free_ports

SECRET = "a secret of the tests"


@asynccontextmanager
async def coturn(folder: Path) -> AsyncIterator[int]:
    """Run coturn; yield its port, which is used for UDP and TCP. Skips the test if coturn is not installed."""
    program = shutil.which("turnserver")
    if program is None:
        pytest.skip("coturn is not installed (Debian: apt install coturn)")
    (port,) = free_ports(1)
    options = [
        "--no-tls",
        "--no-dtls",
        "--no-cli",
        "--simple-log",
        "--log-file=stdout",
        "--use-auth-secret",
        "--fingerprint",
        "--listening-ip=127.0.0.1",
        "--relay-ip=127.0.0.1",
        "--realm=greenroom",
        "--allow-loopback-peers",
        "--cli-password=unused",
        "--denied-peer-ip=0.0.0.0-255.255.255.255",
        "--allowed-peer-ip=127.0.0.1",
        f"--static-auth-secret={SECRET}",
        f"--listening-port={port}",
        f"--pidfile={folder / 'coturn.pid'}",
        f"--userdb={folder / 'coturn.db'}",
    ]
    configuration = folder / "turnserver.conf"
    configuration.write_text("")
    output = (folder / "coturn.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        program, "-c", str(configuration), *options, stdout=output, stderr=output
    )
    try:
        async with asyncio.timeout(WAIT_S):
            while not _answers(port):
                assert process.returncode is None, (folder / "coturn.log").read_text()
                await asyncio.sleep(0.05)
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        output.close()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
