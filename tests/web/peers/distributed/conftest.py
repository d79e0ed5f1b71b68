"""Starts one real server, with the credentials of its staff, for the tests of runs over several machines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import RunningServer
from tests.web.site import LIND, OSEI
from web.config import parse
from web.organisations import demo


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One running server for all tests in this folder."""
    running = RunningServer(
        tmp_path_factory.mktemp("afar"),
        {"server": {"port": 0}, "limits": {"visits_per_address": 0}},
        quick=True,
    )
    yield running.wait()
    running.stop()


@pytest.fixture(scope="module")
def staff(server: RunningServer) -> Path:
    """The path of a file with credentials of staff."""
    settings = parse({"data": {"folder": str(server.data)}}, "test")
    path = server.folder / "staff"
    path.write_text("".join(f"{email} {demo.password(settings, email)}\n" for email in (OSEI, LIND)))
    return path
