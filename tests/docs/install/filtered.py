"""Runs a program with the system calls that the service's unit allows, as systemd would: filtered.py UNIT PROGRAM ...

Refused calls fail with EPERM. Names that this machine's kernel or library does not know are left out, as systemd does.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import subprocess
import sys
from pathlib import Path

ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
ALWAYS = {"execve", "exit", "exit_group", "getrlimit", "rt_sigreturn", "sigreturn"}
"""The calls that systemd allows in any case."""


def members(name: str) -> set[str]:
    """Return the system calls of a group such as @system-service, also those of the groups inside it.

    If `name` is a system call itself, return it alone.
    """
    if not name.startswith("@"):
        return {name}
    said = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True
    )
    found = re.findall(r"^ {4}(@?[\w-]+)$", said.stdout, re.MULTILINE)
    return {call for each in found for call in members(each)}


def allowed(unit: str) -> set[str]:
    """Return the system calls that the text of a unit allows."""
    found = set(ALWAYS)
    for line in re.findall(r"^SystemCallFilter=(.+)$", unit, re.MULTILINE):
        calls = {call for name in line.removeprefix("~").split() for call in members(name)}
        found = found - calls | ALWAYS if line.startswith("~") else found | calls
    return found


def main() -> None:
    """Set the filter for this process, and run the program in place of this one."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(REFUSE))
    for name in allowed(Path(sys.argv[1]).read_text("utf-8")):
        if (number := library.seccomp_syscall_resolve_name(name.encode())) >= 0:
            library.seccomp_rule_add(context, ALLOW, number, 0)
    if library.seccomp_load(context) != 0:
        sys.exit("the filter cannot be set")
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
