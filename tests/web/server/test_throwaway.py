"""Tests that a temporary server starts, answers, and leaves nothing behind."""

from __future__ import annotations

import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.limits import WAIT_S
from web.errors import ServerNotReadyError
from web.server import throwaway


def folders(of: Path) -> list[str]:
    """Return the names of the folders that temporary servers have made in the folder `of`."""
    return [path.name for path in of.iterdir() if path.name.startswith("greenroom-")]


def test_a_server_for_a_trial_answers_until_its_end_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with throwaway.throwaway(2) as running:
        with urllib.request.urlopen(f"{running.url}/readyz", timeout=WAIT_S) as answer:
            assert answer.status == 200
        assert len(running.workers) == 2
        assert all(Path(f"/proc/{pid}").exists() for pid in (*running.workers, running.store))
        assert folders(tmp_path)
    assert not any(Path(f"/proc/{pid}").exists() for pid in (*running.workers, running.store))
    assert folders(tmp_path) == []
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{running.url}/readyz", timeout=WAIT_S)


def test_a_server_that_does_not_start_is_reported_with_the_end_of_its_log_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(throwaway, "SERVE", [sys.executable, "-c", "import sys; sys.exit('no such port')"])
    with pytest.raises(ServerNotReadyError, match="no such port"), throwaway.throwaway(1):
        pass
    assert folders(tmp_path) == []
