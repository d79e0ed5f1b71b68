"""Plays people on another machine than the server, on a network that joins the two.

The network of the people is a namespace of this thread. It has the address PEOPLE, and a pair of interfaces to the
machine of the server, which gets the address ADDRESS. No packet of it leaves this machine. The name SITE is one for
which Caddy makes a certificate itself.
"""

from __future__ import annotations

import asyncio
import ctypes
import socket
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from greenroom import Clinic, Patient, Provider, Room
from tests.journeys.namespace import CLONE_NEWNET
from tests.web.pages.setup.desk import Form
from web.peers.people.entry import Browser

SITE, ADDRESS, PEOPLE = "visits.local", "203.0.113.7", "203.0.113.8"
PASSWORD = "a-password-of-ones-own"
INIT = '"Lakeside Clinic" --slug demo --timezone America/Chicago --email ida@lakeside.example --person "Ida Berg"'
"""What `greenroom init` asks for. The people of tests/journeys know the address `demo`."""
JOINED = (
    "ip link set lo up",
    "ip link add people type veth peer name outside netns {pid}",
    f"ip address add {PEOPLE}/24 dev people",
    "ip link set people up",
    f"ip route add default via {ADDRESS} dev people",
    f"nsenter --target {{pid}} --net ip address add {ADDRESS}/24 dev outside",
    "nsenter --target {pid} --net ip link set outside up",
)


@contextmanager
def elsewhere(pid: int) -> Iterator[None]:
    """Move this thread, and the processes that it starts, to the network of the people; move it back at the end.

    `pid`: a process on the machine of the server. Sockets that this process already has stay on their network.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", "rb") as home, pytest.MonkeyPatch.context() as patched:
        assert libc.unshare(CLONE_NEWNET) == 0, "this machine allows no network namespaces"
        try:
            for command in JOINED:
                subprocess.run(command.format(pid=pid).split(), check=True, timeout=10)
            patched.setattr(socket, "getaddrinfo", _resolved)
            yield
        finally:
            if libc.setns(home.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "this thread is on no network any more")


_resolve = socket.getaddrinfo


def _resolved(host: Any, *how: Any, **named: Any) -> Any:
    return _resolve(ADDRESS if host == SITE else host, *how, **named)


async def set_up(clinic: Clinic, link: str) -> None:
    """Set the administrator's password by this one-time link, and open the clinic at all hours."""
    admin = Browser(clinic)
    try:
        assert (await admin.get(urlsplit(link).path)).status == 303
        password = await admin.post(
            f"{clinic.path}/staff/password", {"password": PASSWORD, "again": PASSWORD}
        )
        assert password.status == 303, password.text
        path = f"{clinic.path}/staff/setup/calendar"
        page = await admin.get(path)
        always = {f"{end}-{day}": "00:00" for end in ("opens", "closes") for day in range(7)}
        saved = await admin.post(path, {**dict(Form(page.text, path).fields), **always})
        assert saved.status in (200, 303), saved.text
    finally:
        admin.close()


class Call(NamedTuple):
    """A live call, as its two people see it."""

    patient: Room
    provider: Room

    async def end(self) -> None:
        """End the visit, as the provider; return when the patient knows that it is completed."""
        await self.provider.end()
        assert await self.patient.ended() == "completed"


async def call(stack: AsyncExitStack, clinic: Clinic, email: str, number: int) -> Call:
    """Play a visit from Meet Now until both people receive packets of each other; its people leave with `stack`.

    `email`: the account of the provider. `number`: a number that makes the patient's name unique.
    """
    provider = await stack.enter_async_context(Provider(clinic, email, PASSWORD, media="light"))
    patient = await stack.enter_async_context(Patient(clinic, number=number, media="light"))
    await provider.sign_in()
    await provider.on_call()
    visit = await patient.meet_now()
    claiming = asyncio.create_task(provider.claim(visit))
    room = await patient.pulled_in()
    theirs = await claiming
    assert room.flow.packets == 0, "nobody is seen before both have pressed Start Session"
    await room.start()
    await theirs.start()
    await room.live()
    await room.first_frame()
    await theirs.first_frame()
    return Call(room, theirs)


async def received(calls: list[Call], more: int, timeout_s: float) -> None:
    """Return when each person in the calls has received this many packets from now on. Raises TimeoutError."""
    flows = [room.flow for each in calls for room in each]
    before = [flow.packets for flow in flows]
    async with asyncio.timeout(timeout_s):
        while any(flow.packets < first + more for flow, first in zip(flows, before, strict=True)):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
