"""Plays calls on a server that is not Greenroom, by an adapter (`web/peers/adapters`); measures the same steps
as on Greenroom.

Patients enter and wait; a free provider of the same process calls the patient who has waited longest. Steps:
`arrive` (until the patient has entered), `waited` (from then until the patient receives the call), `claim`
(from the provider's call to the patient's answer), `pulled_in` (from the provider's call until the patient
receives it), `first_frame` (from the patient's answer to the first picture), `longest_gap` (without media),
`hang_up` (until the patient has received the end) and `journey` (the whole visit). Times are of time.monotonic, in s.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

from web.peers.adapters.adapter import Adapter, Server, load
from web.peers.errors import EntryError, RefusedError
from web.peers.media.calls import CallMedia, open_media
from web.peers.media.flow import Flow, until
from web.peers.people.entry import trust
from web.peers.run.arrivals import Visitor
from web.peers.run.driver import GOODBYE_S, Driver
from web.peers.run.plan import Share
from web.peers.run.tasks import everything, over

T = TypeVar("T")


@dataclass(slots=True)
class Call:
    """One patient's call, with the data that patient and provider share in this process.

    `lost`: a future that is completed when the provider's side has ended, after the call or after an error. `ready`: an
    event that is set when the patient has received the provider's first picture, or has left.
    """

    name: str
    talk_s: float
    lost: asyncio.Future[None]
    called_at: float = 0.0
    answered_at: float | None = None
    ended_at: float = 0.0
    ready: asyncio.Event = field(default_factory=asyncio.Event)


class Side:
    """One side of a call: the patient's or the provider's.

    `media`: None if the run plays no media; `flow`: the numbers of packets, frames and freezes that this side received.
    """

    def __init__(self, kind: str) -> None:
        self.flow = Flow()
        self._changed = asyncio.Event()
        self.media: CallMedia | None = open_media(kind, self._changed.set, self.flow)
        if self.media is not None:
            self.media.start()

    async def first_frame(self, timeout_s: float) -> None:
        """Wait until the media is connected and the other side's first frame has arrived.

        Raises TimeoutError if the media is not connected within `timeout_s` seconds, or if the first frame does not
        arrive within `timeout_s` seconds after that. Without media, return at once.
        """
        if self.media is not None:
            await self.media.wait_connected(timeout_s)
            await until(lambda: self.flow.first_at is not None, self._changed, timeout_s)

    async def close(self) -> None:
        """Close the media of this side."""
        if self.media is not None:
            await self.media.close()


class CallDriver(Driver):
    """Plays the patients and providers of one process on a server that is not Greenroom, through an adapter."""

    def __init__(self, share: Share) -> None:
        """Load the adapter. Raises PlanError if that is not possible."""
        super().__init__(share)
        self._kind = load(share.plan.adapter)
        # This random text is a part of each person's name. Without it, two processes, or two runs, would use the same
        # names on a server that remembers them.
        self._run = secrets.token_hex(4)
        self._server: Server | None = None
        self._staff: list[Adapter] = []
        self._line: asyncio.Queue[Call | None] = asyncio.Queue(len(share.visitors) + len(share.staff))

    async def open(self) -> None:
        """Connect all providers to the server. Raises EntryError or RefusedError if one of them cannot enter."""
        context = trust(self.plan.ca, self.plan.insecure)
        http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=context))
        self._server = Server(self.plan.url, http, self.plan.timeout_s)
        self._staff = [self._person(f"provider-{number}") for number in range(len(self.share.staff))]
        await everything(self._within(provider.enter()) for provider in self._staff)

    async def close(self) -> None:
        """Close the connections of all providers."""
        await everything(self._leave(provider) for provider in self._staff)
        if self._server is not None:
            await self._server.http.close()

    def closed(self) -> None:
        """Record that no further patient arrives: each provider's task ends as soon as no patient waits."""
        for _ in self._staff:
            self._line.put_nowait(None)

    def finished(self) -> None:
        """Do nothing, because this driver has recorded all observations of providers already."""

    def staff_work(self) -> list[asyncio.Task[None]]:
        """Start and return a task for each provider, who calls one patient after another.

        The tasks end after a call of `closed`, when no patient waits.
        """
        return [asyncio.create_task(self._provider(provider)) for provider in self._staff]

    def _person(self, role: str) -> Adapter:
        assert self._server is not None
        return self._kind(self._server, f"{role}-{self._run}")

    async def _within(self, work: Coroutine[Any, Any, T], more_s: float = 0.0) -> T:
        """Return the result of `work`. Raises TimeoutError after the plan's `timeout_s` plus `more_s` seconds."""
        async with asyncio.timeout(self.plan.timeout_s + more_s):
            return await work

    @staticmethod
    async def _leave(person: Adapter) -> None:
        with suppress(RefusedError, EntryError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await person.leave()

    # --- methods that play a patient

    async def patient(self, visitor: Visitor) -> None:
        """Play one patient, from the connection to the end of the call."""
        person = self._person(f"patient-{visitor.number}")
        call = Call(person.name, visitor.talk_s, asyncio.get_running_loop().create_future())
        arrived_at = time.monotonic()
        try:
            await self._within(person.enter())
            self.step("arrive", arrived_at, time.monotonic())
            await self._called(person, call)
            self.in_call += 1
            try:
                await self._answer(person, call)
            finally:
                self.in_call -= 1
            self.step("journey", arrived_at, time.monotonic())
        except Exception as problem:  # noqa: BLE001 - any error of this patient is recorded
            self.wrong(problem)
        finally:
            call.ready.set()
            await self._leave(person)

    async def _called(self, person: Adapter, call: Call) -> None:
        waits_since = time.monotonic()
        self._line.put_nowait(call)
        self.waiting += 1
        called = asyncio.ensure_future(person.called())
        try:
            async with asyncio.timeout(self.plan.patience_s):
                await asyncio.wait((called, call.lost), return_when=asyncio.FIRST_COMPLETED)
            if not called.done():
                raise RefusedError("call_lost", "the provider could not call")
            called.result()
        finally:
            self.waiting -= 1
            await over([called], 0)
        now = time.monotonic()
        self.step("waited", waits_since, now)
        self.step("pulled_in", call.called_at, now)

    async def _answer(self, person: Adapter, call: Call) -> None:
        side = Side(self.plan.media)
        try:
            if side.media is not None:
                person.media = side.media
            call.answered_at = time.monotonic()
            await self._within(person.answer())
            await side.first_frame(self.plan.timeout_s)
            self.step("first_frame", call.answered_at, side.flow.first_at)
            call.ready.set()
            await self._within(person.ended(), call.talk_s)
            now = time.monotonic()
            if call.ended_at:
                self.step("hang_up", call.ended_at, now)
            self.seen_of(side.flow, now)
        finally:
            await side.close()

    # --- methods that play a provider

    async def _provider(self, provider: Adapter) -> None:
        while (call := await self._line.get()) is not None:
            await asyncio.sleep(self.plan.claim_after.draw(self.random))
            side = Side(self.plan.media)
            try:
                await self._call(provider, call, side)
            except Exception as problem:  # noqa: BLE001 - the provider goes on after any error
                self.wrong(problem)
                await self._hang_up(provider)
            except asyncio.CancelledError:
                await self._hang_up(provider)
                raise
            finally:
                if not call.lost.done():
                    call.lost.set_result(None)
                await side.close()
            await asyncio.sleep(self.plan.between.draw(self.random))

    async def _call(self, provider: Adapter, call: Call, side: Side) -> None:
        if side.media is not None:
            provider.media = side.media
        call.called_at = time.monotonic()
        await self._within(provider.call(call.name))
        self.step("claim", call.called_at, time.monotonic())
        await side.first_frame(self.plan.timeout_s)
        self.step("first_frame", call.answered_at or call.called_at, side.flow.first_at)
        await self._within(call.ready.wait())
        await asyncio.sleep(call.talk_s)
        call.ended_at = time.monotonic()
        self.seen_of(side.flow, call.ended_at)
        await self._within(provider.hang_up())

    @staticmethod
    async def _hang_up(provider: Adapter) -> None:
        with suppress(RefusedError, EntryError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await provider.hang_up()
