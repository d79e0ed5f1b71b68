"""Tests `greenroom doctor` while a server runs, and before its first start: the lines and the JSON that it
prints, and its exit codes.
"""

import json
from pathlib import Path

from typer.testing import CliRunner

from tests.conftest import StartServer
from web.commands.main import app
from web.doctor import CHECKS


def doctor(config: Path, *options: str) -> tuple[int, str]:
    """Run `greenroom doctor` with this config.toml; return (exit code, output)."""
    done = CliRunner().invoke(app, ["doctor", "--config", str(config), *options])
    return done.exit_code, done.stdout


def test_a_running_server_is_looked_at_through_its_store_and_pages(greenroom_server: StartServer) -> None:
    code, said = doctor(greenroom_server().config)
    assert code == 0, said
    for name in CHECKS:
        assert f"\n{name}" in f"\n{said}".replace("good     ", "").replace("doubtful ", ""), name
    assert "is ready" in said
    assert "WebSockets reach the server" in said
    assert said.splitlines()[-1].endswith("0 wrong")


def test_what_is_wrong_exits_1_and_is_json_for_programs(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[redis]\nurl = "redis://:s3cret@127.0.0.1:1"\n')
    code, said = doctor(config, "--json")
    assert code == 1
    records = {record["check"]: record for record in json.loads(said)}
    assert list(records) == list(CHECKS)
    assert records["store"]["state"] == "wrong"
    assert "s3cret" not in said
    config.write_text('[data]\nfolder = "new"\n')
    assert doctor(config)[0] == 0, "nothing is wrong before the first start"
    assert not (tmp_path / "new").exists(), "it changes nothing"
