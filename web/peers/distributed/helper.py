"""Takes part, as a helper, in a run that another machine coordinates: starts processes, and passes on their
messages.

A helper joins the run, and checks that the plan makes the same people here as on the coordinator's machine.
Then it passes on the coordinator's orders to its processes, and their observations to the coordinator. If the
coordinator orders it to stop or is gone, or after Ctrl-C, the helper ends its open visits before it stops. The
credentials of its staff stay on this machine.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

import aiohttp

from web.peers.distributed.messages import (
    ANSWER_S,
    CLOSE_S,
    COORDINATORS,
    HEARTBEAT_S,
    LARGEST,
    OTHER_VERSION,
    Address,
    Broken,
    Channel,
    Done,
    FromCoordinator,
    Go,
    Join,
    Leaving,
    Message,
    News,
    Open,
    Over,
    Present,
    Ready,
    Stop,
    Welcome,
    pieces,
)
from web.peers.errors import ChannelLostError, EntryError, PlanError, RunError, UnknownMessageError
from web.peers.people.entry import Clinic
from web.peers.run.machines import DIED, GOODBYE_S, READY_S, SIGNALS, begin, end
from web.peers.run.plan import Credential, Plan, Share

UNAUTHORIZED = 401
OUTBOX = 1000
"""The greatest number of messages that wait to be sent over a slow network: the messages of several minutes. If there
are more, the helper ends with an error.
"""


class Own(NamedTuple):
    """The values of a plan that each helper sets itself, such as credentials; they are not sent to other machines."""

    credentials: tuple[Credential, ...] = ()
    ca: Path | None = None
    insecure: bool = False
    media_file: Path | None = None


class Helper:
    """Plays the patients and providers that this machine has in a run which another machine coordinates.

    The method `run` does all the work. The argument `say` is called with sentences about the progress.
    """

    def __init__(
        self, at: Address, fingerprint: bytes, key: str, processes: int, own: Own, say: Callable[[str], None]
    ) -> None:
        """Prepare a helper; `run` connects it to the coordinator.

        `at`: the coordinator's address; `fingerprint`: the SHA-256 of its certificate; `key`: the key of the run;
        `processes`: how many to start; `own`: this machine's values of the plan; `say`: prints a sentence.
        """
        self.interrupted = False
        self._at, self._fingerprint, self._key = at, fingerprint, key
        self._count, self._own, self._say = processes, own, say
        self._pipes: list[Connection] = []
        self._processes: list[BaseProcess] = []
        self._problem = ""
        self._at_once = False
        self._outbox: asyncio.Queue[Message | None] = asyncio.Queue(OUTBOX)
        self._limit: asyncio.Timeout | None = None

    async def run(self) -> None:
        """Join the run, play this machine's patients and providers, and return when all observations are sent.

        Raises RunError if the run fails or is given up. Raises PlanError if the plan is not possible on this machine.
        Raises EntryError if the tested server does not admit this machine's people.
        """
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        for number in SIGNALS:
            loop.add_signal_handler(number, self._interrupt, task)
        try:
            await self._run()
        except asyncio.CancelledError:
            if not self.interrupted:
                raise
            task.uncancel()
            raise RunError("ended at once" if self._pipes else "left before the run began") from None
        except ChannelLostError as problem:
            gone = f"the coordinator at {self._at} is gone: {problem}"
            raise RunError(self._other_version() if problem.code == OTHER_VERSION else gone) from None
        except UnknownMessageError:
            raise RunError(self._other_version()) from None
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    def _other_version(self, there: str = "") -> str:
        return (
            f"the plan at {self._at} is not understood here: is it the same Greenroom there? Here is "
            f"{version('greenroom')}" + (f", there {there}" if there else "")
        )

    def _interrupt(self, task: asyncio.Task[None]) -> None:
        again, self.interrupted = self.interrupted, True
        if again or not self._pipes:
            self._at_once = again
            task.cancel()
            return
        self._put(Leaving("its user ended it"))
        self._stop()

    async def _run(self) -> None:
        async with aiohttp.ClientSession() as http:
            channel = await self._channel(http)
            try:
                shares, within_s = await self._joined(channel)
                await self._await_everybody(channel, within_s)
                await self._drive(channel, shares)
            except (PlanError, EntryError) as problem:
                await self._leave(channel, str(problem))
                raise
            except asyncio.CancelledError:
                await self._leave(channel, "its user ended it")
                raise
            finally:
                with suppress(TimeoutError):
                    async with asyncio.timeout(CLOSE_S):
                        await channel.close()

    async def _leave(self, channel: Channel[FromCoordinator], why: str) -> None:
        with suppress(ChannelLostError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await channel.send(Leaving(why[:1000]))

    async def _channel(self, http: aiohttp.ClientSession) -> Channel[FromCoordinator]:
        try:
            async with asyncio.timeout(ANSWER_S):
                found = await http.ws_connect(
                    f"https://{self._at}/",
                    ssl=aiohttp.Fingerprint(self._fingerprint),
                    headers={"Authorization": f"Bearer {self._key}"},
                    heartbeat=HEARTBEAT_S,
                    max_msg_size=LARGEST,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
                )
        except aiohttp.ServerFingerprintMismatch:
            raise RunError(f"{self._at} has another certificate than --certificate names") from None
        except aiohttp.ClientResponseError as problem:
            if problem.status == UNAUTHORIZED:
                raise RunError(f"{self._at} does not know this key") from None
            raise RunError(f"{self._at} is no run that waits for helpers") from None
        except aiohttp.ClientSSLError:
            raise RunError(f"{self._at} is no run that waits for helpers") from None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            raise RunError(f"nobody waits for helpers at {self._at}") from None
        return Channel(found, COORDINATORS)

    async def _joined(self, channel: Channel[FromCoordinator]) -> tuple[list[Share], float]:
        await channel.send(Join(socket.gethostname()[:80], version("greenroom"), self._count))
        welcome = await self._received(channel, ANSWER_S)
        if not isinstance(welcome, Welcome):
            raise UnknownMessageError
        plan = Plan.on_this_machine(welcome.plan, **self._own._asdict())
        shares = [plan.share(index, welcome.of) for index in welcome.shares]
        if [share.digest for share in shares] != list(welcome.digests):
            raise PlanError(self._other_version(welcome.greenroom))
        self._say(f"Joined the run at {self._at}, against {plan.url}.")
        clinic = Clinic(
            plan.url, plan.organisation, ca=plan.ca, insecure=plan.insecure, timeout_s=plan.timeout_s
        )
        await clinic.check()
        await channel.send(Present())
        return shares, welcome.within_s

    async def _await_everybody(self, channel: Channel[FromCoordinator], within_s: float) -> None:
        self._say("Waiting for the other helpers.")
        if not isinstance(await self._received(channel, within_s + ANSWER_S), Open):
            raise UnknownMessageError

    async def _received(self, channel: Channel[FromCoordinator], within_s: float | None) -> FromCoordinator:
        message = await channel.receive(within_s)
        if isinstance(message, Over):
            raise RunError(f"the run at {self._at} does without: {message.why}")
        return message

    # --- methods that start and serve the processes

    async def _drive(self, channel: Channel[FromCoordinator], shares: list[Share]) -> None:
        loop = asyncio.get_running_loop()
        try:
            for number, share in enumerate(shares):
                pipe, process = begin(share)
                self._pipes.append(pipe)
                self._processes.append(process)
                loop.add_reader(pipe.fileno(), self._read, number)
            people = sum(len(share.visitors) for share in shares)
            self._say(f"The staff signs in; {people} patients will come from here.")
            await self._pass_on(channel)
        finally:
            for pipe in self._pipes:
                loop.remove_reader(pipe.fileno())
            # A process whose pipe is closed ends its visits by itself. This machine waits for that, except after a
            # second Ctrl-C.
            patience_s = 0.0 if self._at_once else GOODBYE_S
            try:
                await asyncio.to_thread(end, self._pipes, self._processes, patience_s)
            except asyncio.CancelledError:
                for process in self._processes:
                    process.kill()
                raise

    async def _pass_on(self, channel: Channel[FromCoordinator]) -> None:
        receiving = asyncio.create_task(self._receive_orders(channel))
        sending = asyncio.create_task(self._send_outbox(channel))
        try:
            async with asyncio.timeout(None) as self._limit:
                ended, _ = await asyncio.wait((receiving, sending), return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    task.result()
        except TimeoutError:
            raise RunError(self._problem or f"not everybody had left after {GOODBYE_S:.0f} s") from None
        finally:
            self._limit = None
            receiving.cancel()
            sending.cancel()
            await asyncio.gather(receiving, sending, return_exceptions=True)
        if self._problem:
            raise RunError(self._problem)

    async def _receive_orders(self, channel: Channel[FromCoordinator]) -> None:
        """Receive the coordinator's orders and pass them on to the processes; return when the run is over."""
        unbegun = set(range(len(self._pipes)))
        while True:
            # Until all processes have begun, each order of the coordinator must arrive within a time limit. Afterwards
            # the coordinator may send no order for hours.
            match await channel.receive(READY_S + 2 * ANSWER_S if unbegun else None):
                case Over(why):
                    if why:
                        raise RunError(f"the run at {self._at} was ended: {why}")
                    return
                case Go(process, in_s, ago_s) if process in unbegun:
                    unbegun.remove(process)
                    self._order(process, "go", in_s, ago_s)
                    if not unbegun:
                        self._say(f"It begins in {in_s:.0f} s." if in_s >= 1 else "It has begun.")
                case Stop(process) if process < len(self._pipes):
                    self._order(process, "stop")
                    self._goodbye_within()
                case _:
                    raise UnknownMessageError

    async def _send_outbox(self, channel: Channel[FromCoordinator]) -> None:
        """Send each message that is put into the outbox; return when an error on this machine puts None there."""
        while (message := await self._outbox.get()) is not None:
            await channel.send(message)

    def _read(self, process: int) -> None:
        """Pass on the next message of the process with this number. If its pipe is closed, report that it has died."""
        try:
            kind, content = self._pipes[process].recv()
        except (EOFError, OSError):
            kind, content = "failed", DIED
        if kind == "ready":
            self._put(Ready(process))
        elif kind == "failed":
            self._problem = self._problem or content
            self._put(Broken(process, content[:1000]))
        else:
            *most, last = pieces(content)
            for piece in most:
                self._put(News(process, piece))
            self._put((Done if kind == "done" else News)(process, last))
        if kind in ("done", "failed"):
            asyncio.get_running_loop().remove_reader(self._pipes[process].fileno())
        if self._problem:
            self._put(None)

    def _put(self, message: Message | None) -> None:
        try:
            self._outbox.put_nowait(message)
        except asyncio.QueueFull:
            self._problem = f"the network to {self._at} is too slow for what is seen here"
            if self._limit is not None:
                self._limit.reschedule(0)

    def _stop(self) -> None:
        for process in range(len(self._pipes)):
            self._order(process, "stop")
        self._goodbye_within()

    def _goodbye_within(self) -> None:
        if self._limit is not None and self._limit.when() is None:
            self._limit.reschedule(asyncio.get_running_loop().time() + GOODBYE_S + ANSWER_S)

    def _order(self, process: int, *order: object) -> None:
        # An error is ignored: the process may have died. `_read` notices that when the pipe ends.
        with suppress(OSError):
            self._pipes[process].send(order)
