"""Tests those scripts of the pages that need no browser: `node --test` runs the test files in this folder.

The scripts are JavaScript modules. Node loads modules only if there is a package.json, and the folder
web/static, which the server publishes, has none. So the tests run in a copy of web/static and
tests/web/static, with a package.json above both.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.limits import WAIT_S

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
NO_NODE = "no Node here: install nodejs"


def test_the_pure_modules_pass_their_javascript_tests(tmp_path: Path) -> None:
    if not shutil.which("node"):
        pytest.skip(NO_NODE)
    for folder in ("web/static", "tests/web/static"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    files = sorted(str(path.relative_to(HERE.parents[2])) for path in HERE.rglob("*.test.js"))
    assert len(files) > 8
    document = tmp_path / "tests/web/static/no_document.js"
    done = subprocess.run(
        ["node", "--import", document, "--test", "--test-reporter", "tap", *files],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=3 * WAIT_S,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "\n# fail 0\n" in done.stdout
