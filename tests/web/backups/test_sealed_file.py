"""Tests that the file of a backup can only be read whole, with its key, and unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest

from web.backups.sealed_file import Writer, about, read_about, read_parts
from web.errors import CommandError

KEY = b"k" * 32
PARTS = [["keys", b"Ana Ruiz"], ["file", "a", b"\0" * 5000], ["end", 1]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of the file of a backup that has three parts."""
    with Writer(tmp_path / "backup", about("2026-11-28", KEY, "1.0", with_key=False), KEY) as writer:
        for part in PARTS:
            writer.part(part)
    return tmp_path / "backup"


def problem(file: Path, key: bytes = KEY) -> str:
    """Return the sentence with which the file is refused; "" if it can be read."""
    with pytest.raises(CommandError) as found:
        list(read_parts(file, key))
    return str(found.value)


def test_a_backup_says_what_it_is_and_shows_nothing_else(file: Path) -> None:
    assert [part for _, part in read_parts(file, KEY)] == PARTS
    assert (read_about(file).made, read_about(file).secret) == ("2026-11-28", b"")
    assert b"Ana" not in file.read_bytes()


def test_another_key_a_changed_byte_and_a_moved_part_are_found(file: Path) -> None:
    assert "encrypted with the data key" in problem(file, b"x" * 32)
    good = file.read_bytes()
    start = good.index(b"\n", good.index(b"\n") + 1) + 1
    first = int.from_bytes(good[start : start + 4], "big") + 4
    for changed in (
        good.replace(b"2026-11-28", b"2026-11-29"),
        good[:-1] + bytes((good[-1] ^ 1,)),
        good[:-1],
        good[:start] + good[start + first :],
    ):
        file.write_bytes(changed)
        assert "changed or cut" in problem(file)
    file.write_bytes(b"something else")
    assert "no backup" in problem(file)
    assert "cannot be read" in problem(file.with_name("none"))


def test_a_full_disk_and_a_missing_folder_are_one_sentence(tmp_path: Path) -> None:
    what = about("2026-11-28", KEY, "1.0", with_key=True)
    assert what.secret == KEY
    with pytest.raises(CommandError, match="No such file or directory"):
        Writer(tmp_path / "none" / "backup", what, KEY)
    writer = Writer(tmp_path / "backup", what, KEY)
    writer._file.close()
    with open("/dev/full", "wb", buffering=0) as full:
        writer._file = full  # type: ignore[assignment]
        with pytest.raises(CommandError, match="No space left on device"):
            writer.part(["keys"])
