"""Tests scenarios as files: what they may contain, the sentence about each mistake, and that each example runs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.docs.marked import DOCS
from tests.server import RunningServer
from tests.web.peers.cli.running import run
from tests.web.site import LIND, OSEI
from web.config import parse
from web.organisations import demo
from web.peers.cli import playing
from web.peers.cli.examples import FOLDER, paths
from web.peers.cli.scenario import defaults, read
from web.peers.errors import PlanError
from web.peers.network.network import Phase
from web.peers.run import breaking
from web.peers.run.arrivals import Span
from web.peers.run.load import drive
from web.peers.run.plan import Plan

EXAMPLES = sorted(FOLDER.glob("*.toml"))
DOCUMENTED = re.findall(
    r"```toml scenario\n(.*?)```", (DOCS / "LOAD-TESTER.md").read_text("utf-8"), re.DOTALL
)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The arguments of each run that a command would play; nothing is played."""
    calls: list[Any] = []

    async def organisation(plan: Plan) -> str:
        return plan.organisation or "demo"

    monkeypatch.setattr(playing, "organisation", organisation)

    def play(*given: object) -> bool:
        calls.append(given)
        return True

    monkeypatch.setattr(playing, "play", play)
    monkeypatch.setattr(breaking, "check", lambda *_: None)
    return calls


def scenario(folder: Path, text: str) -> Path:
    path = folder / "scenario.toml"
    path.write_text(text)
    return path


def test_a_file_says_what_the_options_say_and_the_command_line_overrides_it(
    tmp_path: Path, planned: list[Any]
) -> None:
    (tmp_path / "staff").write_text("osei@example.org secret\n")
    path = scenario(
        tmp_path,
        'url = "http://127.0.0.1:1/demo"\ncredentials = "staff"\npatients = 7\ntalk = "1s..2s"\nmedia = "light"\n'
        'fail_if = ["errors>0"]\nabort_if = ["errors>9"]\n[[network.phases]]\nfrom_s = 1\nudp = false\n',
    )
    assert run("run", "--scenario", path, "--seed", 5, "--talk", "3s").exit_code == 0
    assert run("--scenario", path, "-n", 2, "--loss", "2%").exit_code == 0
    plan, shown, _, _, _, _, judgement, *_ = planned[0]
    assert (plan.url, plan.patients, plan.seed, plan.talk) == ("http://127.0.0.1:1/demo", 7, 5, Span(3, 3))
    assert [one.email for one in plan.credentials] == ["osei@example.org"]
    assert plan.network.phases == (Phase(1, udp=False),)
    assert shown["scenario"] == str(path)
    assert judgement.all == ["errors>0", "errors>9"]
    assert planned[1][0].patients == 2
    assert planned[1][0].network.up.loss == 0.02


def test_stages_and_a_duration_decide_how_many_come(tmp_path: Path, planned: list[Any]) -> None:
    path = scenario(
        tmp_path,
        'url = "http://127.0.0.1:1/demo"\nproviders = 0\n'
        '[[stages]]\nover = "10s"\nto = "2/s"\n[[stages]]\nover = "10s"\nto = "0/s"\n',
    )
    for words in (
        (),
        ("--duration", "10s"),
        ("-n", 3),
        ("-a", "steady:3/s", "--duration", "4s"),
        ("-a", "at-once"),
    ):
        assert run("--scenario", path, *words).exit_code == 0
    assert [call[0].patients for call in planned] == [20, 10, 3, 12, 10]


def test_an_address_on_the_command_line_is_used_instead_of_a_local_server(
    tmp_path: Path, planned: list[Any]
) -> None:
    path = scenario(tmp_path, "local = true\nproviders = 0\n")
    assert run("http://127.0.0.1:1/demo", "--scenario", path).exit_code == 0
    assert planned[0][0].url == "http://127.0.0.1:1/demo"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('local = true\ntalk = "fast"', "line 2: talk: expected a duration like 250ms, 30s or 2min; found 'fast'"),
        ("\npatients = 0", "line 2: patients: expected a whole number from 1 to 1000000; found 0"),
        ("patient = 3", "line 1: patient: there is no such key; did you mean patients?"),
        ("talk = 3", "line 1: talk: expected durations like 10s"),
        ('media = "loud"', 'line 1: media: expected "none", "light" or "real"; found loud'),
        ('arrivals = "rush:1/s"', "line 1: arrivals: expected steady:2/s"),
        ('fail_if = ["speed>3"]', "line 1: fail_if: 'speed>3': there is no 'speed'"),
        ('kill = ["soon"]', "line 1: kill: expected a duration like 250ms"),
        ('freeze = ["3s"]', "line 1: freeze: expected when and for how long, like 30s/5s"),
        ('reload = "120%"', "line 1: reload: expected a share like 5%; found '120%'"),
        ('[[stages]]\nover = "1s"\nto = "1/s"\n[[stages]]\nover = "1s"\nto = "2"',
         "line 6: stages[1].to: expected a rate"),
        ('[[stages]]\nto = "1/s"', "line 1: stages[0]: expected over, a duration"),
        ('[[stages]]\nover = "x"\nto = "1/s"', "line 2: stages[0].over: expected a duration"),
        ('[[stages]]\nover = "5s"\nto = "0/s"', "line 1: stages: expected a way to arrive"),
        ('arrivals = "at-once"\n[[stages]]\nover = "5s"\nto = "1/s"', "line 2: stages: expected arrivals or stages"),
        ('local = true\nurl = "http://x"', "line 1: local: expected url or local, not both"),
        ("[network.up]\nloss = 2", "line 2: network.up.loss: expected a share from 0 to 1; found 2"),
        ("[network]\nup = { loss = 2 }", "line 2: network.up.loss: expected a share from 0 to 1; found 2"),
        ("[[network.phases]]\nfrom_s = 2\nto_s = 1\nudp = true", "line 3: network.phases[0].to_s: expected a time"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_a_mistake_is_one_sentence_with_line_key_and_what_is_expected_and_ends_with_2(
    text: str, sentence: str, tmp_path: Path
) -> None:
    path = scenario(tmp_path, text)
    with pytest.raises(PlanError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}, {sentence}")
    result = run("--scenario", path)
    assert result.exit_code == 2
    assert result.stderr == f"greenroom peers: {caught.value}\n"


def test_a_file_that_does_not_exist_or_is_not_toml_is_one_sentence(tmp_path: Path) -> None:
    result = run("--scenario", tmp_path / "none.toml")
    assert (result.exit_code, result.stderr) == (
        2,
        f"greenroom peers: {tmp_path}/none.toml: No such file or directory\n",
    )
    result = run("--scenario", scenario(tmp_path, "patients"))
    assert result.exit_code == 2
    assert "expected TOML" in result.stderr


def test_paths_in_a_file_are_seen_from_its_folder(tmp_path: Path) -> None:
    found = read(scenario(tmp_path, 'report = "out"\nca = "/etc/ca.pem"\narrivals = "day:monday.txt@60"'))
    assert defaults(found) == {
        "report": str(tmp_path / "out"),
        "ca": "/etc/ca.pem",
        "arrivals": f"day:{tmp_path}/monday.txt@60",
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One running server for all examples."""
    running = RunningServer(
        tmp_path_factory.mktemp("scenarios"),
        {"server": {"port": 0}, "limits": {"visits_per_address": 0}},
        quick=True,
    )
    yield running.wait()
    running.stop()


def test_each_example_runs_against_a_real_server_as_its_file_says(
    server: RunningServer, tmp_path: Path, planned: list[Any]
) -> None:
    passwords = parse({"data": {"folder": str(server.data)}}, "test")
    staff = tmp_path / "staff"
    staff.write_text("".join(f"{email} {demo.password(passwords, email)}\n" for email in (OSEI, LIND)))
    assert len(EXAMPLES) > 3
    assert len(DOCUMENTED) == 1
    for name in [*EXAMPLES, scenario(tmp_path, DOCUMENTED[0])]:
        planned.clear()
        result = run(f"{server.url}/demo", "--scenario", name, "--credentials", staff)
        assert result.exit_code == 0, result.output
        plan, judgement = planned[0][0], planned[0][6]
        assert judgement.all, name
        # The test shortens the times of the people in the plan, so that it takes a second and not ten minutes.
        short = dict.fromkeys(("fill_in", "claim_after", "talk", "between"), Span(0.0, 0.05))
        seen = asyncio.run(drive(replace(plan, patients=2, providers=2, race=min(plan.race, 2), **short)))
        assert not seen.errors, (name, seen.examples)
        assert len(seen.steps["journey"]) == 2, name


def test_examples_are_listed_with_a_sentence_each_and_copied_by_name(tmp_path: Path) -> None:
    listed = run("examples").output
    for path in paths():
        assert f"{path.name} " in listed
    copied = run("examples", "race.toml", "story.py", "--into", tmp_path / "mine")
    assert copied.exit_code == 0
    for name in ("race.toml", "story.py"):
        assert (tmp_path / "mine" / name).read_bytes() == (FOLDER / name).read_bytes()
    again = run("examples", "race.toml", "--into", tmp_path / "mine")
    assert (again.exit_code, again.stderr) == (
        2,
        f"greenroom peers: {tmp_path}/mine/race.toml exists already\n",
    )
    unknown = run("examples", "nothing.toml")
    assert unknown.exit_code == 2
    assert "there is no example 'nothing.toml'; there are bad_network.toml, chaos.toml" in unknown.stderr
