"""Tests the built wheel in an environment that cannot see the sources.

Tests the modules that load testers and clients import, and a server with its pages.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from pathlib import Path

import pytest

import greenroom
from tests.conftest import StartServer
from tests.limits import WAIT_S
from tests.web.site import OSEI
from web.config import parse
from web.organisations import demo

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("greenroom", "media", "signalling", "web")
BUILT_FROM = ("pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the sources, so that it contains nothing of an earlier build."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, sources / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BUILT_FROM:
        shutil.copy(ROOT / name, sources)
    pip = [sys.executable, "-m", "pip", "wheel", "-qq", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--no-cache-dir"]
    subprocess.run([*pip, *offline, "--wheel-dir", str(folder), str(sources)], check=True, timeout=200)
    return next(folder.glob("greenroom-*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path) -> Path:
    """The path of the Python in a new environment with this wheel, and with the dependencies that the tests have."""
    folder = wheel.parent / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=200)
    packages = next(folder.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    # This .pth file adds the folder of the tests' dependencies to the new environment. That folder may have
    # another .pth file, which names our sources (an editable install). Python does not read a .pth file in a
    # folder that is added in this way, so the new environment does not find the sources.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "python"


def run(python: Path, *words: str, **environment: str) -> str:
    """Return the output of this Python with these arguments, run outside of this folder. `environment`: further
    variables.

    Raises CalledProcessError if it fails.
    """
    done = subprocess.run(
        [str(python), *words],
        cwd=python.parent,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if not name.startswith("greenroom-")}
    sources = wheel.parent / "sources"
    ours = {
        str(path.relative_to(sources))
        for package in PACKAGES
        for path in (sources / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == ours


def test_the_wheel_holds_no_test_and_no_benchmark(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        wrong = [name for name in archive.namelist() if re.search(r"(^|/)(tests?|bench(marks?)?)\b", name)]
    assert not wrong


def test_every_public_name_is_imported_from_the_wheel(python: Path) -> None:
    program = (
        "import sys, greenroom\n"
        "assert 'aiortc' not in sys.modules and 'redis' not in sys.modules\n"
        "import signalling, media, web\n"
        "for module in (greenroom, signalling, media, web):\n"
        "    assert module.__file__.startswith(sys.prefix), module.__file__\n"
        "for name in greenroom.__all__: print(getattr(greenroom, name).__name__)"
    )
    assert run(python, "-c", program).split() == greenroom.__all__


def test_a_name_that_is_not_public_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="Nurse"):
        greenroom.Nurse  # noqa: B018


def test_an_example_runs_from_the_wheel_against_a_server(
    python: Path, greenroom_server: StartServer, tmp_path: Path
) -> None:
    server = greenroom_server()
    story = shutil.copy(ROOT / "web" / "peers" / "examples" / "story.py", tmp_path)
    password = demo.password(parse({"data": {"folder": str(server.data)}}, "test"), OSEI)
    said = run(
        *(python, str(story)),
        GREENROOM_URL=f"{server.url}/demo",
        GREENROOM_EMAIL=OSEI,
        GREENROOM_PASSWORD=password,
    )
    assert "pulled in after" in said


def test_a_server_from_the_wheel_serves_pages_with_scripts_styles_and_translations(
    python: Path, start_server: StartServer
) -> None:
    program = [str(python), "-P", "-c", "from web.commands.main import main; main()", "serve", "--config"]
    server = start_server(command=program, quick=False).wait()
    request = urllib.request.Request(f"{server.url}/demo", headers={"Accept-Language": "es"})
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        page = answer.read().decode()
    assert "Consultar ahora" in page
    parts = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    assert {Path(part).suffix for part in parts} >= {".js", ".css"}
    assert {part: server.status(part) for part in parts} == dict.fromkeys(parts, 200)
