"""Tests a run against a temporary server. One process of the server is killed during the run."""

from pathlib import Path

from tests.web.peers.cli.running import run


def test_a_temporary_server_can_be_used_for_a_trial_in_which_its_worker_is_killed(tmp_path: Path) -> None:
    words = ("--local", "-n", 2, "-a", "at-once", "-p", 2, "--talk", "8s", "--report", tmp_path / "r")
    result = run(*words, "--kill", "4s", "--fail-if", "killed<1", "--fail-if", "back.count<2")
    assert result.exit_code == 0, result.output
    assert "Processes of the server that were killed: 1." in result.stdout
    assert "killed" in (tmp_path / "r" / "report.html").read_text()
