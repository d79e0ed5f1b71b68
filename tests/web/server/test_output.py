"""Tests standard streams that never raise an error and never wait: lost lines are counted, and reported later."""

import fcntl
import os
import pty
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.limits import WAIT_S
from web.server.output import Output

Read = Callable[[], bytes]
Pair = tuple[Output, Read]
F_SETPIPE_SZ = 1031


def drained(descriptor: int) -> bytes:
    """Return all bytes that can be read now."""
    os.set_blocking(descriptor, False)
    found = b""
    try:
        while data := os.read(descriptor, 65536):
            found += data
    except OSError:
        pass
    return found


@pytest.fixture(params=["pipe", "pipe that cannot be opened again", "terminal", "socket"])
def pair(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """An output stream of each kind, one after another, and a function that returns what has arrived."""
    if request.param == "terminal":
        reader, writer = pty.openpty()
    elif request.param == "socket":
        reader, writer = (end.detach() for end in socket.socketpair())
    else:
        reader, writer = os.pipe()
        fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
    if request.param == "pipe that cannot be opened again":
        monkeypatch.setattr("web.server.output.NO_WAIT", os.O_RDONLY | os.O_DIRECTORY)
    yield Output(writer, lambda count: f"lost {count}\n"), lambda: drained(reader)
    os.close(reader)
    os.close(writer)


def test_r29_a_reader_that_does_not_read_delays_nothing_and_gets_the_number_of_lost_lines(pair: Pair) -> None:
    output, read = pair
    for number in range(10_000):
        output.write(f"line {number} {'x' * 80}\n")
    missed = output.lost
    assert missed > 1000
    found = read()
    until = time.monotonic() + WAIT_S
    while output.lost and time.monotonic() < until:
        output.retry()
        found += read()
    output.write("at last\n")
    while not found.endswith(b"at last\n") and time.monotonic() < until:
        found += read().replace(b"\r", b"")
    lines = found.replace(b"\r", b"").splitlines()
    assert lines.pop() == b"at last"
    reports = [int(line.split()[1]) for line in lines if line.startswith(b"lost ")]
    assert reports[-1] == missed
    whole = [line for line in lines if line.startswith(b"line ") and line.endswith(b"x" * 80)]
    assert len(whole) == len(lines) - len(reports) == 10_000 - sum(reports)


def test_r29_a_line_that_was_cut_is_finished_before_the_next_one() -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
    output = Output(writer)
    output.write("a" * 6000 + "\n")
    output.write("b\n")
    found = drained(reader)
    output.retry()
    output.write("c\n")
    assert (found + drained(reader)).decode() == "a" * 6000 + "\n" + "c\n"
    os.close(reader)
    output.write("nobody reads\n")
    assert output.lost == 2, "this one and b"
    os.close(writer)


def test_r29_a_full_disk_is_no_error_and_every_line_counts() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    output = Output(descriptor)
    print("one", file=output)
    output.write("two\nthree\n")
    assert output.lost >= 3
    os.close(descriptor)


def test_r29_a_forked_process_counts_its_own_losses() -> None:
    output = Output(os.open("/dev/full", os.O_WRONLY))
    output.write("lost\n")
    child = os.fork()
    if child == 0:
        os._exit(output.lost)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert output.lost == 1


def test_r29_the_descriptor_itself_goes_on_to_wait_for_others_who_write_to_it() -> None:
    reader, writer = os.pipe()
    Output(writer)
    assert os.get_blocking(writer)
    os.close(reader)
    os.close(writer)


def test_r29_closed_standard_streams_become_the_null_device(tmp_path: Path) -> None:
    program = (
        "import os, sys; from web.server.output import guard; guard(); sys.stderr.write('lost\\n'); print('lost'); "
        f"open({str(tmp_path / 'names')!r}, 'w').write(' '.join(os.readlink(f'/proc/self/fd/{{n}}') for n in (1, 2)))"
    )
    closed = ["sh", "-c", 'exec >&- 2>&-; exec "$0" -c "$1"', sys.executable, program]
    assert subprocess.run(closed, timeout=WAIT_S, check=False).returncode == 0
    assert (tmp_path / "names").read_text() == "/dev/null /dev/null"
