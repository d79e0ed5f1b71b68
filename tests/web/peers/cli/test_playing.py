"""Tests runs against a temporary server: its worker is killed, the disk is full, a file has an odd name."""

from pathlib import Path

import msgspec

from tests.web.peers.cli.running import refused, run

LOCAL = ("--local", "-n", 1, "-p", 1)


def test_a_temporary_server_can_be_used_for_a_trial_in_which_its_worker_is_killed(tmp_path: Path) -> None:
    words = ("--local", "-n", 2, "-a", "at-once", "-p", 2, "--talk", "8s", "--report", tmp_path / "r")
    result = run(*words, "--kill", "4s", "--fail-if", "killed<1", "--fail-if", "back.count<2")
    assert result.exit_code == 0, result.output
    assert "Processes of the server that were killed: 1." in result.stdout
    assert "killed" in (tmp_path / "r" / "report.html").read_text()


def test_a_folder_that_cannot_be_made_is_named_before_the_run_and_not_after_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run(*LOCAL, "--report", tmp_path / "file" / "r")
    assert refused(result) == f"greenroom peers: {tmp_path / 'file' / 'r'}: Not a directory"


def test_a_disk_that_is_full_after_the_run_is_one_sentence_with_the_folder(tmp_path: Path) -> None:
    (tmp_path / "observations.jsonl").symlink_to("/dev/full")
    result = run(*LOCAL, "--report", tmp_path)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"greenroom peers: {tmp_path}: No space left on device"


def test_lines_that_cannot_be_written_do_not_end_the_run(tmp_path: Path) -> None:
    result = run(*LOCAL, "--lines", "/dev/full", "--report", tmp_path)
    assert result.exit_code == 0, result.output
    assert result.stderr.count("no more lines are written: /dev/full: No space left on device") == 1
    assert (tmp_path / "report.html").exists()


def test_a_run_of_a_file_whose_name_is_not_utf_8_is_reported(tmp_path: Path) -> None:
    day = tmp_path / "a day \udcff.csv"
    day.write_text("09:00")
    result = run(*LOCAL, "-a", f"day:{day}", "--report", tmp_path / "r")
    assert result.exit_code == 0, result.output
    written = msgspec.json.decode((tmp_path / "r" / "report.json").read_bytes())
    assert written["figures"]["about"]["plan"]["arrivals"] == f"day:{tmp_path}/a day ?.csv"
