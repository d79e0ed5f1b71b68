"""Tests how the relay's sockets are bound, and which of its addresses browsers are given to try.

The sockets only record calls.
"""

from __future__ import annotations

import errno
import socket
from types import SimpleNamespace
from typing import Any

import ifaddr
import pytest

from media.errors import PortsTakenError
from media.protocols.ice import Candidate
from media.transport import tcp, udp
from media.transport.udp import RelaySettings
from tests.signalling.rooms.apart import Noted

FOUR, SIX = socket.AF_INET, socket.AF_INET6
FREE = 5000  # the port that the kernel chooses first, if port 0 is asked for


class Machine:
    """The ports of a machine. `failing`: (family, port) -> the error of binding it. `made`: the bound UDP sockets.

    `without_tcp`: for how many calls of `listen` another program already uses the first port for TCP.
    """

    def __init__(self) -> None:
        self.failing: dict[tuple[int, int], int] = {}
        self.made: list[Any] = []
        self.listening: list[Any] = []
        self.without_tcp = 0

    def bind(self, family: int, host: str, port: int) -> Any:
        """Return a bound UDP socket, as `_bind_one` does. Port 0 asks for any free port."""
        number = port or FREE + len(self.made)
        if (family, port) in self.failing:
            raise OSError(self.failing[family, port], "")
        sock: Any = Noted()
        sock.family, sock.getsockname = family, lambda: (host, number, 0, 0)
        self.made.append(sock)
        return sock

    def listen(self, wanted: list[tuple[int, str, int]]) -> list[Any]:
        """Return a listening TCP socket for each address, but not for a port that another program uses."""
        if self.without_tcp and wanted:
            self.without_tcp -= 1
            wanted = wanted[1:]
        found: list[Any] = [Noted() for _ in wanted]
        self.listening += found
        return found


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine whose ports are all free."""
    made = Machine()
    monkeypatch.setattr(udp, "_bind_one", made.bind)
    monkeypatch.setattr(tcp, "listen", made.listen)
    return made


def bound(settings: RelaySettings) -> list[tuple[int, str, int]]:
    """Bind the sockets of a relay; return (family, host, port) of each UDP socket."""
    found, _ = udp.bind(settings)
    return [(sock.family, *sock.getsockname()[:2]) for sock in found]


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::"])
def test_both_address_families_use_the_port_that_the_first_one_got(machine: Machine, host: str) -> None:
    assert bound(RelaySettings(host=host)) == [(FOUR, "0.0.0.0", FREE), (SIX, "::", FREE)]
    assert len(machine.listening) == 2


def test_a_machine_without_ipv6_uses_ipv4_alone(machine: Machine) -> None:
    machine.failing[SIX, 40] = errno.EAFNOSUPPORT
    assert bound(RelaySettings(host="::", ports=(40,))) == [(FOUR, "0.0.0.0", 40)]


def test_a_port_that_is_taken_for_one_family_is_used_for_none(machine: Machine) -> None:
    machine.failing |= {(FOUR, 40): errno.EADDRINUSE, (SIX, 41): errno.EADDRINUSE}
    assert bound(RelaySettings(host="::", ports=(40, 41, 42))) == [(FOUR, "0.0.0.0", 42), (SIX, "::", 42)]
    assert [len(sock.named("close")) for sock in machine.made] == [1, 0, 0]
    with pytest.raises(PortsTakenError, match="any address") as refused:
        udp.bind(RelaySettings(host="", ports=(40, 41)))
    assert refused.value.errno == errno.EADDRINUSE
    with pytest.raises(PortsTakenError, match=r"no free port on 127\.0\.0\.1"):
        udp.bind(RelaySettings(ports=(40,)))


def test_an_address_that_is_not_this_machines_is_no_taken_port(machine: Machine) -> None:
    machine.failing[FOUR, 40] = errno.EADDRNOTAVAIL
    with pytest.raises(OSError) as refused:
        udp.bind(RelaySettings(host="192.0.2.1", ports=(40, 41)))
    assert refused.value.errno == errno.EADDRNOTAVAIL


def test_another_free_port_is_tried_if_the_one_of_the_kernel_is_taken_for_tcp(machine: Machine) -> None:
    machine.without_tcp = 2
    assert bound(RelaySettings(host="::")) == [(FOUR, "0.0.0.0", FREE + 4), (SIX, "::", FREE + 4)]
    assert [len(sock.named("close")) for sock in machine.made] == [1] * 4 + [0] * 2
    assert [len(sock.named("close")) for sock in machine.listening] == [1] * 2 + [0] * 2
    machine.without_tcp = 1000
    with pytest.raises(PortsTakenError):
        udp.bind(RelaySettings())
    assert all(sock.named("close") for sock in machine.made[6:])


def test_a_port_of_the_settings_is_kept_without_tcp_and_no_settings_of_tcp_need_none(
    machine: Machine,
) -> None:
    machine.without_tcp = 1
    sockets, listening = udp.bind(RelaySettings(ports=(40, 41)))
    assert ([sock.getsockname()[1] for sock in sockets], listening) == ([40], [])
    assert sockets[0].named("close") == []  # type: ignore[attr-defined]
    assert udp.bind(RelaySettings(tcp=False))[1] == []
    assert machine.without_tcp == 0


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", FOUR), ("::1", SIX)])
def test_a_socket_of_one_family_has_large_buffers_and_takes_no_packets_of_the_other(
    host: str, family: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Any = Noted()
    made.getsockname = lambda: (host, 40)
    made.family = family
    monkeypatch.setattr(socket, "socket", lambda *what: made if what == (family, socket.SOCK_DGRAM) else None)
    assert udp.bind(RelaySettings(host=host, ports=(40,), tcp=False)) == ([made], [])
    options = made.named("setsockopt")
    assert ((socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1) in options) is (family == SIX)
    for name in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        assert (socket.SOL_SOCKET, name, 4 << 20) in options, "for a burst of keyframes of a megabyte"
    assert (made.named("setblocking"), made.named("bind")) == ([(False,)], [((host, 40),)])
    assert made.named("close") == []

    def refuse(_address: object) -> None:
        raise OSError(errno.EADDRNOTAVAIL, "")

    made.bind = refuse
    with pytest.raises(OSError):
        udp.bind(RelaySettings(host=host, ports=(40,), tcp=False))
    assert made.named("close") == [()]


# --- candidates


def adapter(*hosts: str) -> Any:
    """Return a network adapter with these addresses, as ifaddr describes it."""
    ips = [SimpleNamespace(ip=(host, 0, 0) if ":" in host else host) for host in hosts]
    return SimpleNamespace(ips=ips)


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a loopback adapter and two others."""
    adapters = [
        adapter("127.0.0.1", "::1"),
        adapter("2001:db8::5", "192.0.2.5", "fe80::5"),
        adapter("169.254.0.5", "192.0.2.6"),
    ]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)


FOUND = ["192.0.2.5", "192.0.2.6", "2001:db8::5", "127.0.0.1"]


@pytest.mark.usefixtures("local")
def test_ipv4_comes_before_ipv6_and_this_machine_itself_last() -> None:
    assert udp.local_addresses() == FOUND


BOTH = [(FOUR, "0.0.0.0", 40), (SIX, "::", 60)]


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize(
    ("settings", "sockets", "public", "hosts"),
    [
        (RelaySettings(host="::"), BOTH, None, FOUND),
        (RelaySettings(host="::"), BOTH, "198.51.100.1", [*FOUND, "198.51.100.1"]),
        (RelaySettings(host=""), BOTH, "192.0.2.6", FOUND),
        (RelaySettings(host="0.0.0.0"), BOTH[:1], None, [host for host in FOUND if ":" not in host]),
        (RelaySettings(host="::1"), [(SIX, "::1", 60)], "198.51.100.1", ["::1"]),
        (RelaySettings(host="name"), [(FOUR, "192.0.2.9", 40)], None, ["192.0.2.9"]),
        (RelaySettings(announce=("203.0.113.1", "2001:db8::9")), BOTH, "198.51.100.1",
         ["203.0.113.1", "2001:db8::9"]),
    ],
)  # fmt: skip
def test_browsers_try_the_announced_addresses_or_those_of_the_sockets_and_the_public_one(
    settings: RelaySettings, sockets: list[tuple[int, str, int]], public: str | None, hosts: list[str]
) -> None:
    found: list[Any] = [
        SimpleNamespace(family=family, getsockname=lambda host=host, port=port: (host, port))
        for family, host, port in sockets
    ]
    assert udp.candidates(settings, found, public) == [
        Candidate(host, 60 if ":" in host else 40) for host in hosts
    ]
