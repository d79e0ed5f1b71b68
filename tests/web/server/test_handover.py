"""Tests the file in which `greenroom upgrade` writes its request, and from which the master reads it."""

import fcntl
import os
import sys
import time
from pathlib import Path
from typing import IO

import pytest

from tests.web.server.test_processes import until
from web.server.handover import Handover, Request, Steps, Trial, this_program


def test_a_request_is_read_although_steps_follow_it(tmp_path: Path) -> None:
    steps, request = Steps(tmp_path), Request(["/opt/greenroom"], only_try=True)
    steps.ask(request)
    steps.say("serves")
    assert steps.asked() == request
    assert steps.asked() == Request(this_program()), "a signal without a request"
    steps.say("done")
    assert steps.asked() == Request(this_program()), "steps of an earlier upgrade are no request"
    assert not steps.path.exists()


def test_a_request_that_cannot_be_read_asks_for_nothing(tmp_path: Path) -> None:
    steps = Steps(tmp_path)
    steps.path.write_bytes(b'{"program":')
    assert steps.asked() is None
    steps.path.mkdir()
    assert steps.asked() is None, "any error but a missing file"


def test_a_request_of_root_belongs_to_the_owner_of_the_folder_and_follows_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda _, user, group: owners.append((user, group)))
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "other").write_text("kept")
    (folder / "upgrade.new").symlink_to(tmp_path / "other")
    steps = Steps(folder)
    steps.ask(Request([sys.executable]))
    assert owners == [(folder.stat().st_uid, folder.stat().st_gid)]
    assert (tmp_path / "other").read_text() == "kept"
    assert steps.asked() == Request([sys.executable])


LEAVES_A_CHILD = """
import os, sys, time
if child := os.fork():
    print(child)
    sys.exit("greenroom: no room")
time.sleep(600)
"""


def test_a_trial_that_fails_leaves_no_process_that_holds_the_data_folder(tmp_path: Path) -> None:
    with open(tmp_path / "lock", "w") as lock, open(os.devnull) as port:
        handover = Handover(
            trial=True,
            host="::1",
            listener=port.fileno(),
            metrics=None,
            folder=lock.fileno(),
            streams=[],
            store=None,
            workers=[],
            notify="",
        )
        trial = Trial([sys.executable, "-c", LEAVES_A_CHILD], handover)
        fcntl.flock(lock, fcntl.LOCK_EX)
        while not trial.ended():
            time.sleep(0.01)
        assert trial.problem() == "no room"
    with open(tmp_path / "lock") as again:
        until(lambda: free(again))


def free(lock: IO[str]) -> bool:
    """Lock a file, and return whether that was possible."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
