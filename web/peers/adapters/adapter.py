"""Defines what an adapter is: a class whose objects each play one person on a server that is not Greenroom.

`greenroom peers run URL --adapter module:Class` makes an object for each patient and each provider. A patient enters
and waits; a free provider calls the patient who has waited longest; the provider ends the call. The load tester itself
decides who calls whom, so the server needs no queue.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

import aiohttp

from web.peers.errors import EntryError, PlanError
from web.peers.people.entry import sentence

if TYPE_CHECKING:
    from web.peers.media.calls import CallMedia

PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
BUILT_IN: Final = {
    "janus": "web.peers.adapters.janus:JanusCall",
    "mediasoup": "web.peers.adapters.mediasoup:MediasoupCall",
}
"""Name of an adapter that is part of the load tester -> the module and the class that define it."""


class Server(NamedTuple):
    """A server under test: the URL that the user typed, one aiohttp session for all people, and the time limit in s."""

    url: str
    http: aiohttp.ClientSession
    timeout_s: float


class Adapter(ABC):
    """One person on a server that is not Greenroom: one connection, and at most one call at a time.

    `server`: the server to connect to; `name`: the name of this person, unique in the run; `media`: the media
    of the present call. The load tester sets new media before each `call` and `answer`. It cancels a method that
    takes longer than `server.timeout_s` seconds. Only `called` may take as long as a patient is willing to wait, and
    `ended` longer by the duration of the call. A method raises RefusedError if the server refuses something, and
    EntryError if the server does not answer as expected; both are counted in the report.
    """

    media: CallMedia
    media_kinds: ClassVar[tuple[str, ...]] = ("light",)
    """The values of --media with which this adapter can be used."""

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name = server, name

    @abstractmethod
    async def enter(self) -> None:
        """Connect to the server and register `self.name`, so that calls to this name arrive on this connection."""

    @abstractmethod
    async def call(self, name: str) -> None:
        """Call the patient `name`, as the provider; return when the patient has answered.

        Before it returns, this method passes the patient's SDP answer to `media`.
        """

    @abstractmethod
    async def called(self) -> None:
        """Wait until a call for this person, a patient, arrives."""

    @abstractmethod
    async def answer(self) -> None:
        """Answer the call that has arrived, as the patient, and connect `media`."""

    @abstractmethod
    async def hang_up(self) -> None:
        """End the present call, as the provider."""

    @abstractmethod
    async def ended(self) -> None:
        """Wait, as the patient, until the provider has ended the call."""

    @abstractmethod
    async def leave(self) -> None:
        """Close the connection, if there is any. This method is also called if `enter` has failed or was not called."""


def load(name: str) -> type[Adapter]:
    """Return the class of the adapter `name`: a key of BUILT_IN, or `module:Class`.

    The module may be in the current folder.

    Raises PlanError if there is no such class, or if it cannot be used as an adapter.
    """
    module, colon, attribute = BUILT_IN.get(name, name).partition(":")
    if not (colon and module and attribute):
        raise PlanError(f"expected {', '.join(BUILT_IN)} or module:Class for --adapter; found {name!r}")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as problem:  # noqa: BLE001 - the module is the user's, and may raise anything when it is imported
        raise PlanError(f"cannot load the adapter {name}: {problem}") from None
    if not (isinstance(found, type) and issubclass(found, Adapter)):
        raise PlanError(f"expected a class derived from greenroom.Adapter for --adapter; found {name}")
    if missing := sorted(found.__abstractmethods__):
        raise PlanError(f"the adapter {name} lacks {', '.join(missing)}")
    return found


def address(url: str) -> tuple[str, int]:
    """Return the host and port that a server's address names. Raises PlanError if `url` is not an address."""
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme)
        (parts.hostname or "").encode("idna")  # fails if the network cannot look this name up
    except ValueError:
        port = None
    if port is None or not parts.hostname:
        raise PlanError(f"expected the address of a server, like wss://calls.example.org; found {url}")
    if parts.username or parts.password:
        raise PlanError("expected an address without credentials")
    return parts.hostname, port


async def check(url: str, timeout_s: float) -> None:
    """Connect once to the port of `url`. Raises EntryError if that fails, and PlanError if `url` is not an address."""
    host, port = address(url)
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as problem:
        raise EntryError(sentence(problem, url)) from None
    writer.close()
