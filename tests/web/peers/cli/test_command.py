"""Tests `greenroom peers` on the command line: runs and reports, invalid options, lost servers, Ctrl-C, several
machines.
"""

import asyncio
import contextlib
import http.server
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.docs.marked import DOCS
from tests.limits import WAIT_S
from tests.server import RunningServer
from tests.web.peers.cli.running import refused, run
from tests.web.site import LIND, OSEI
from web.config import parse
from web.organisations import demo
from web.peers.people.people import Provider
from web.peers.run.observations import Observations
from web.server import tls

GREENROOM = str(Path(sys.executable).with_name("greenroom"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One running server for all tests of this file."""
    running = RunningServer(
        tmp_path_factory.mktemp("peers"),
        {"server": {"port": 0}, "limits": {"visits_per_address": 0}},
        quick=True,
    )
    yield running.wait()
    running.stop()


def password(server: RunningServer, email: str) -> str:
    return demo.password(parse({"data": {"folder": str(server.data)}}, "test"), email)


@pytest.fixture
def staff(server: RunningServer, tmp_path: Path) -> Path:
    """The path of a file with credentials of staff."""
    path = tmp_path / "staff"
    path.write_text("".join(f"{email} {password(server, email)}\n" for email in (OSEI, LIND)))
    return path


def test_whole_visits_are_played_by_several_processes_and_reported(
    server: RunningServer, staff: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    result = run(
        f"{server.url}/demo",
        *("--patients", 12, "--arrivals", "steady:20/s", "--providers", 4, "--processes", 2),
        *("--fill-in", "10ms..50ms", "--credentials", staff, "--report", report, "--seed", 3),
        *("--fail-if", "errors>0", "--server-pid", server.process.pid),
        *("--lines", tmp_path / "lines", "--live", "127.0.0.1:0"),
    )
    assert result.exit_code == 0, result.output
    assert "The live page is http://127.0.0.1:" in result.stderr
    last = json.loads((tmp_path / "lines").read_text().splitlines()[-1])
    assert last["people"]["done"] == last["planned"] == 12
    seen = Observations.load(report / "observations.jsonl")
    steps = {name: len(series) for name, series in seen.steps.items()}
    names = "arrive queue_seen waited claim pulled_in started hang_up journey"
    assert steps == dict.fromkeys(names.split(), 12)
    assert {"waiting", "in_call", "driver_cpu", "server_cpu"} <= set(seen.gauges)
    assert seen.about.plan["patients"] == "12"
    secret = password(server, OSEI)
    for file in report.iterdir():
        assert secret not in file.read_text()
        assert "Synthetic Patient" not in file.read_text()


def test_a_broken_threshold_is_named_and_ends_with_1(
    server: RunningServer, staff: Path, tmp_path: Path
) -> None:
    race = ("-n", 1, "-p", 2, "--race", 2, "--credentials", staff, "--report", tmp_path / "r")
    result = run(server.url, *race, "--fail-if", "waited.p50>1ms")
    assert result.exit_code == 1
    assert "waited.p50" in result.stderr.splitlines()[-1]
    seen = Observations.load(tmp_path / "r" / "observations.jsonl")
    assert sum(seen.counts["claims_lost"].values) == 1


def test_a_run_ends_early_when_a_threshold_is_broken_that_ends_it(
    server: RunningServer, staff: Path, tmp_path: Path
) -> None:
    soak = (
        "--duration",
        "10min",
        "-a",
        "steady:5/s",
        "-p",
        2,
        "--credentials",
        staff,
        "--report",
        tmp_path / "r",
    )
    result = run(server.url, *soak, "--abort-if", "journey.count>0", "--abort-after", "100ms")
    assert result.exit_code == 1
    assert "Ended early by --abort-if: journey.count>0: it was " in result.stdout
    assert "broken: journey.count>0" in result.stderr
    seen = Observations.load(tmp_path / "r" / "observations.jsonl")
    assert 0 < len(seen.steps["arrive"]) < 3000
    assert not seen.errors


def test_light_media_is_measured_from_the_second_start_to_the_first_packet_through_the_documented_network(
    server: RunningServer, staff: Path, tmp_path: Path
) -> None:
    network = tmp_path / "bad.toml"
    page = (DOCS / "LOAD-TESTER.md").read_text("utf-8")
    network.write_text("".join(re.findall(r"```toml\n(.*?)```", page, re.DOTALL)))
    result = run(
        server.url,
        *("-n", 2, "-p", 2, "-a", "at-once", "--media", "light", "--talk", "200ms", "--network", network),
        *("--credentials", staff, "--report", tmp_path / "r", "--fail-if", "errors>0"),
    )
    assert result.exit_code == 0, result.output
    assert len(Observations.load(tmp_path / "r" / "observations.jsonl").steps["first_frame"]) == 4


def test_machines_play_parts_of_one_plan_and_one_report_is_made_of_them(
    server: RunningServer, staff: Path, tmp_path: Path
) -> None:
    parts = [tmp_path / "one", tmp_path / "two"]
    for number, folder in enumerate(parts, 1):
        plan = ("-n", 5, "-p", 2, "-a", "steady:20/s", "--credentials", staff)
        result = run(server.url, *plan, "--part", f"{number}/2", "--report", folder)
        assert result.exit_code == 0, result.output
    assert [len(Observations.load(part / "observations.jsonl").steps["journey"]) for part in parts] == [3, 2]
    assert run("report", *parts, "--into", tmp_path / "both", "--fail-if", "errors>0").exit_code == 0
    assert json.loads((tmp_path / "both" / "report.json").read_text())["figures"]


def test_one_account_serves_in_several_processes_until_the_last_of_them_is_done(
    server: RunningServer, staff: Path
) -> None:
    staff.write_text(staff.read_text().splitlines()[0])
    result = run(
        server.url,
        *("-n", 3, "-p", 2, "--processes", 2, "-a", "steady:1/s", "--patience", "60s"),
        *("--credentials", staff, "--fail-if", "errors>0"),
    )
    assert result.exit_code == 0, result.output


def test_faults_on_purpose_are_part_of_a_run(server: RunningServer, staff: Path, tmp_path: Path) -> None:
    result = run(
        server.url,
        *(
            "-n",
            4,
            "-p",
            1,
            "-a",
            "at-once",
            "--reload",
            "100%",
            "--fill-in",
            "1500ms",
            "--claim-after",
            "500ms",
        ),
        *("--credentials", staff, "--report", tmp_path / "r"),
    )
    assert result.exit_code == 0, result.output
    seen = Observations.load(tmp_path / "r" / "observations.jsonl")
    assert sum(seen.counts["reloads"].values) >= 1
    assert len(seen.steps["journey"]) == 4, seen.examples


def test_ctrl_c_ends_cleanly_and_still_reports(server: RunningServer, staff: Path, tmp_path: Path) -> None:
    command = [GREENROOM, "peers", f"{server.url}/demo", "-n", "1000", "-a", "steady:20/s", "-p", "2"]
    command += [
        "--talk",
        "30s",
        "--processes",
        "2",
        "--report",
        str(tmp_path / "r"),
        "--credentials",
        str(staff),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        arrived = re.search(r"(\d+) of 1000 arrived", line)
        if arrived and int(arrived[1]) >= 3:
            break
    else:
        raise AssertionError(said)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, err
    assert "Ended early" in out
    assert "Traceback" not in err
    seen = Observations.load(tmp_path / "r" / "observations.jsonl")
    assert len(seen.steps["arrive"]) > 2
    assert asyncio.run(_queue(server)) == {}


async def _queue(server: RunningServer) -> dict[str, object]:
    async with Provider(f"{server.url}/demo", OSEI, password(server, OSEI)) as provider:
        await provider.sign_in()
        return dict(provider.rows)


# --- tests of invalid options, and of servers that are not Greenroom


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def listening(context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Yield the URL of a web server that is not Greenroom. `context`: the SSL context for TLS."""
    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    if context is not None:
        found.socket = context.wrap_socket(found.socket, server_side=True)
    thread = threading.Thread(target=found.serve_forever, args=(0.05,))
    thread.start()
    yield f"{'https' if context else 'http'}://127.0.0.1:{found.server_port}"
    found.shutdown()
    thread.join()
    found.server_close()


def test_a_server_that_is_no_greenroom_is_called_that(staff: Path) -> None:
    with listening() as url:
        assert "is not a Greenroom server" in refused(run(f"{url}/demo", "--credentials", staff))
        assert "does not speak TLS" in refused(
            run(f"{url.replace('http', 'https')}/demo", "--credentials", staff)
        )


def test_an_untrusted_certificate_is_reported_with_what_to_do(staff: Path, tmp_path: Path) -> None:
    certificate, key = tls.self_signed(tmp_path, datetime.now(UTC))
    with listening(tls.server_context(str(certificate), str(key))) as url:
        sentence = refused(run(f"{url}/demo", "--credentials", staff))
        assert "is not trusted" in sentence
        assert "--ca" in sentence
        for trusted in (["--ca", certificate], ["--insecure"]):
            assert "is not a Greenroom server" in refused(
                run(f"{url}/demo", "--credentials", staff, *trusted)
            )


def test_an_organisation_that_is_not_there_is_named(server: RunningServer, staff: Path) -> None:
    assert "no organisation nowhere" in refused(run(f"{server.url}/nowhere", "--credentials", staff))


def test_a_credential_that_is_refused_is_named_without_its_password(
    server: RunningServer, tmp_path: Path
) -> None:
    wrong = tmp_path / "staff"
    wrong.write_text(f"{LIND} not-the-password\n")
    sentence = refused(run(server.url, "-p", 1, "--credentials", wrong))
    assert LIND in sentence
    assert "not-the-password" not in sentence


def test_staff_can_be_named_in_the_environment(
    server: RunningServer, staff: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENROOM_PEERS_CREDENTIALS", staff.read_text())
    assert run(server.url, "-n", 1, "-p", 1).exit_code == 0
    monkeypatch.delenv("GREENROOM_PEERS_CREDENTIALS")
    assert "expected credentials of staff" in refused(run(server.url, "-n", 1, "-p", 1))


# --- tests of the examples that users can copy


@pytest.fixture
def example(server: RunningServer) -> Callable[..., str]:
    """A function that runs an example's command, and returns its output."""
    given = {
        "GREENROOM_URL": f"{server.url}/demo",
        "GREENROOM_EMAIL": OSEI,
        "GREENROOM_PASSWORD": password(server, OSEI),
    }

    def play(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            env={**os.environ, **given},
            capture_output=True,
            text=True,
            timeout=3 * WAIT_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return play


EXAMPLES = Path("web/peers/examples")


def test_the_example_of_a_story_runs(example: Callable[..., str]) -> None:
    said = example(str(EXAMPLES / "story.py"))
    assert "pulled in after" in said
    assert "first picture" in said


def test_the_example_with_plain_pytest_runs(example: Callable[..., str]) -> None:
    assert "2 passed" in example(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLES / "test_with_pytest.py")
    )


def test_the_example_of_a_locust_user_runs(example: Callable[..., str]) -> None:
    said = example(
        *("-m", "locust", "-f", str(EXAMPLES / "locustfile.py"), "--headless", "--only-summary"),
        *("-u", "2", "-r", "2", "-t", "4s", "--stop-timeout", "120", "--exit-code-on-error", "1"),
    )
    assert "whole visit" in said
    assert "pulled in" in said
