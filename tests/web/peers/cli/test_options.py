"""Tests that options of `greenroom peers` that cannot be used are refused in one sentence, with exit code 2."""

from pathlib import Path

import pytest

from tests.web.peers.cli.running import refused, run
from web.peers.cli import local
from web.peers.errors import EntryError
from web.peers.people.entry import Clinic


@pytest.fixture
def staff(tmp_path: Path) -> Path:
    """The path of a file with credentials of staff."""
    path = tmp_path / "staff"
    path.write_text("ana@clinic.example a password of nobody\n")
    return path


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["ftp://x"], "expected the address of a server"),
        (["http://a..b/demo"], "expected the address of a server"),
        (["http://[::1/demo"], "expected the address of a server"),
        (["https://ana:secret@x.example/demo"], "without credentials"),
        (["http://127.0.0.1:1/demo"], "nobody answers at http://127.0.0.1:1"),
        (["http://host.invalid/demo"], "host.invalid"),
        (["--seed", "2"], "expected the address of a server, or --local"),
        (["http://x", "-a", "often"], "expected steady:2/s"),
        (["http://x", "-a", "day:/nowhere"], "/nowhere: No such file"),
        (["http://x", "--talk", "long"], "expected a duration"),
        (["http://x", "--media", "loud"], "expected none, light or real for --media; found 'loud'"),
        (["http://x", "--loss", "150%"], "expected a share like 5%"),
        (["http://x", "--network", "/nowhere", "--media", "light"], "/nowhere: No such file"),
        (["http://x", "--network", "/nowhere"], "expected --media light or real with --network"),
        (["http://x", "--network", "/nowhere", "--loss", "1%"], "expected --loss or --network, not both"),
        (["http://x", "--part", "3/2"], "expected a part like 2/5"),
        (["http://x", "--start-at", "soon"], "expected a moment like 14:30"),
        (["http://x", "--fail-if", "pulled_inn.p99>5ms"], "pulled_inn"),
        (["http://x", "--credentials", "/nowhere"], "/nowhere: No such file"),
        (["https://x", "--ca", "/nowhere"], "expected a PEM file"),
        (
            ["ws://x", "--adapter", "jitsi"],
            "expected janus, mediasoup or module:Class for --adapter; found 'jitsi'",
        ),
        (["ws://x", "--adapter", "janus"], "expected --media light with --adapter janus; found none"),
        (
            ["ws://x", "--adapter", "janus", "--media", "light", "--loss", "1%"],
            "expected no --loss with --adapter",
        ),
        (["--local", "--adapter", "janus"], "expected no --local with --adapter"),
        (
            ["calls.example", "--adapter", "janus", "--media", "light"],
            "expected the address of a server, like wss://",
        ),
        (["ws://a..b", "--adapter", "janus", "--media", "light"], "expected the address of a server"),
        (
            ["ws://127.0.0.1:1", "--adapter", "janus", "--media", "light"],
            "nobody answers at ws://127.0.0.1:1",
        ),
    ],
)
def test_what_cannot_be_used_is_one_clear_sentence_and_exit_2(
    words: list[str], sentence: str, staff: Path
) -> None:
    if words and "--credentials" not in words:
        words = [*words, "--credentials", str(staff)]
    assert sentence in refused(run(*words))


def test_a_mistake_in_the_file_of_a_network_is_one_sentence_and_exit_2(staff: Path, tmp_path: Path) -> None:
    network = tmp_path / "network.toml"
    network.write_text("[up]\nloss = 5")
    words = ("--credentials", staff, "--media", "light", "--network", network)
    assert f"{network}, line 2: up.loss: expected a share from 0 to 1; found 5" in refused(
        run("http://x", *words)
    )


@pytest.mark.parametrize(
    "words", [["--media", "loud"], ["--fail-if", "pulled_inn.p99>5ms"], ["--start-at", "soon"]]
)
def test_what_cannot_be_used_is_refused_before_a_server_for_the_trial_is_started(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "local_server", lambda *_: pytest.fail("a server was started"))
    assert words[1].partition(".")[0] in refused(run("--local", *words))


@pytest.mark.parametrize("words", [("--credentials", "{}"), ("-a", "day:{}")])
def test_a_file_that_is_no_text_is_named(words: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "a file"
    path.write_bytes(b"\xff")
    result = run("http://x", *(word.format(path) for word in words))
    assert refused(result) == f"greenroom peers: {path}: expected text in UTF-8"


def test_also_the_first_answer_of_the_server_may_take_no_longer_than_the_time_out(
    staff: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(clinic: Clinic) -> None:
        raise EntryError(f"waits for {clinic.timeout_s} s")

    monkeypatch.setattr(Clinic, "check", check)
    result = run("http://x", "--credentials", staff, "--timeout", "3s")
    assert refused(result) == "greenroom peers: waits for 3.0 s"
