"""Moves the test into a network namespace in which every datagram is lost, as behind a firewall that blocks UDP."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.limits import WAIT_S

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
TAP_WITHOUT_HEADER = 0x1002
LOST_AFTER_S = 0.3
# If this file contains 1, the kernel does not apply IPsec policies to loopback.
POLICY = Path("/proc/sys/net/ipv4/conf/lo/disable_policy")
INTERFACE = "elsewhere"
SETUP = (
    "ip link set lo up",
    f"ip addr add 192.0.2.1/24 dev {INTERFACE}",
    f"ip link set {INTERFACE} up",
    "ip route add default via 192.0.2.2",
    "ip xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dir in action block",
    "ip xfrm policy add src ::/0 dst ::/0 proto udp dir in action block",
)


@contextmanager
def without_udp() -> Iterator[bool]:
    """Move this thread, and the processes that it starts, into a network namespace without UDP; move it back at the
    end.

    Yield True if datagrams are really lost there, False if this machine does not allow it. It needs root with
    CAP_SYS_ADMIN, /dev/net/tun, and iproute2. Sockets that this process already has stay on their network.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    with ExitStack() as stack:
        home = stack.enter_context(open("/proc/thread-self/ns/net", "rb"))
        if not shutil.which("ip") or libc.unshare(CLONE_NEWNET) != 0:
            yield False
            return
        try:
            blocked = _block(stack)
            if blocked:
                yield True
        finally:
            if libc.setns(home.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "this thread is on no network any more")
        if not blocked:
            yield False  # on the machine's own network, because a part of the setup may have failed


def _block(stack: ExitStack) -> bool:
    """Block UDP in this thread's namespace; return whether datagrams are really lost now."""
    try:
        # The namespace needs another address than loopback, because Chromium uses no loopback address.
        tap = os.open("/dev/net/tun", os.O_RDWR)
        stack.callback(os.close, tap)
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", INTERFACE.encode(), TAP_WITHOUT_HEADER))
        for command in SETUP:
            subprocess.run(command.split(), check=True, capture_output=True, timeout=WAIT_S)
        POLICY.write_text("0")
    except (OSError, subprocess.SubprocessError):
        return False
    return _lost()


def _lost() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(LOST_AFTER_S)
        sock.sendto(b"anybody?", sock.getsockname())
        try:
            return not sock.recv(16)
        except TimeoutError:
            return True
