"""Tests the sentences that the installation prints, which follow pip's output and what pip has written to the disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from requirements import install

OLD_PIP = """\
Ignoring colorama: markers 'sys_platform == "win32"' don't match your environment
Collecting aiohttp==3.14.3 (from -r requirements/run.txt (line 5))
  Downloading aiohttp-3.14.3-cp313-cp313-manylinux_2_17_x86_64.whl (1.7 MB)
Collecting http-ece==1.2.1 (from -r requirements/run.txt (line 9))
  Using cached http_ece-1.2.1.tar.gz (8.8 kB)
  Preparing metadata (pyproject.toml): started
Requirement already satisfied: idna==3.15 in ./.venv/lib (from -r requirements/run.txt (line 12)) (3.15)
"""
NEW_PIP = """\
Collecting aiohttp==3.14.3 (from -r requirements/run.txt (line 5))
  Downloading aiohttp-3.14.3-cp313-cp313-manylinux_2_17_x86_64.whl.metadata (8.1 kB)
Collecting idna==3.15 (from -r requirements/run.txt (line 12))
  Using cached idna-3.15-py3-none-any.whl.metadata (7.4 kB)
Downloading aiohttp-3.14.3-cp313-cp313-manylinux_2_17_x86_64.whl (1.7 MB)
"""
INSTALLING = "Installing collected packages: aiohttp, http-ece, idna\n"


@pytest.mark.parametrize(
    ("said", "installed", "sentence"),
    [
        ("", 0, "0 of 76 packages fetched"),
        (OLD_PIP, 0, "4 of 76 packages fetched"),
        (NEW_PIP, 0, "1 of 76 packages fetched"),
        (NEW_PIP + INSTALLING, 2, "2 of 3 packages installed"),
    ],
)
def test_the_progress_is_read_from_the_output_of_old_and_new_pips(
    said: str, installed: int, sentence: str
) -> None:
    assert install.progress(said, 76, installed) == sentence


def test_an_installation_that_fails_ends_with_the_exit_code_and_the_reason_of_pip(tmp_path: Path) -> None:
    lock = tmp_path / "run.txt"
    lock.write_text("no-such-package-of-greenroom==1 --hash=sha256:00\n", "utf-8")
    program = (
        f"from pathlib import Path; from requirements import install; install.BUILD = Path({str(lock)!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{program}install.main(install.BUILD, [])"],
        env={"PIP_NO_INDEX": "1"},
        cwd=Path(install.__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 1
    assert "0 of 1 packages fetched" in done.stdout
    assert "no-such-package-of-greenroom" in done.stderr
