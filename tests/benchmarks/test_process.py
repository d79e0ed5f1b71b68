"""Tests which processes count as other programs during a measurement."""

from __future__ import annotations

import subprocess
import sys

from tests.benchmarks.process import others_s, others_ticks


def stat(pid: int, parent: int, name: str, used: int = 0, waited: int = 0) -> str:
    """Return the content of /proc/PID/stat of a process. `parent`: the process id of its parent.

    `used`: its own clock ticks in user mode, and as many in the kernel. `waited`: in the same way, the ticks
    of its ended children for which it has waited.
    """
    return f"{pid} ({name}) S {parent} 0 0 0 -1 0 0 0 0 0 {used} {used} {waited} {waited} 20 0 1 0"


def test_own_processes_and_threads_of_the_kernel_are_no_other_programs() -> None:
    stats = [
        stat(1, 0, "init", 1, waited=1_000_000),
        stat(2, 0, "kthreadd", 1_000_000),
        stat(3, 2, "kworker/0:1", 1_000_000),
        stat(10, 1, "an editor :) S 1", 10, waited=100),
        stat(20, 1, "make", 1_000),
        stat(21, 20, "python", 1_000_000),
        stat(22, 21, "greenroom", 1_000_000),
        stat(23, 22, "worker", 1_000_000),
    ]
    assert others_ticks(stats, own=21) == 2 * (1 + 110 + 1_000)


def test_the_time_of_a_program_is_the_same_before_and_after_its_parent_has_waited_for_it() -> None:
    before = [stat(10, 1, "make", 1), stat(11, 10, "compiler", 7, waited=5)]
    assert others_ticks(before, own=99) == others_ticks([stat(10, 1, "make", 1, waited=12)], own=99)


def test_the_processes_of_this_machine_are_read() -> None:
    assert others_s() > 0


ORPHAN = """
import os, subprocess, sys
from pathlib import Path
from tests.benchmarks.process import adopt_orphans
adopt_orphans()
shell = subprocess.Popen(["sh", "-c", "sleep 60 >/dev/null & echo $!"], stdout=subprocess.PIPE, text=True)
orphan = int(shell.stdout.readline())
shell.wait()
parent = int(Path(f"/proc/{orphan}/stat").read_text().rpartition(")")[2].split()[1])
os.kill(orphan, 9)
print(parent == os.getpid())
"""


def test_a_process_whose_parent_has_ended_counts_as_a_process_of_the_benchmark() -> None:
    ran = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, text=True, check=False)
    assert ran.stdout == "True\n", ran.stderr
