"""The running story: carries out each step, knows the active faults, and compares the screens with the store.

It uses `people.py`, `machine.py` and the store. `checks.py` judges everything except the screens.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Sequence
from typing import Any

import aiohttp
import redis.asyncio
import redis.exceptions
from msgspec.structs import replace

from signalling.clients.client import JSON, MSGPACK
from signalling.service import new_id
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.event_stream import decode_entry
from signalling.store.records import Store
from signalling.visit.record import Actor, Role, Visit
from tests.faults.history import NOTICE_S, Commit, History, Outage, Request, Wrong
from tests.faults.link import Link
from tests.faults.machine import Machine, WorkerOf
from tests.faults.people import PATIENCE_S, Somebody
from tests.faults.plans import MACHINES, PROVIDERS, WORKERS, Step
from tests.faults.screens import difference, stored_of
from tests.signalling.clinic import ORG
from web.config import Settings
from web.server.redis_client import connect
from web.server.valkey import EmbeddedStore

PACE_S = 0.004
QUEUED_STEPS = 2
STEP_S = 60.0  # the limit in s for one step of a story


class Run:
    """Carries out a story (random commands with faults) on real processes. `history` gets all records of the story."""

    def __init__(
        self,
        store: EmbeddedStore,
        machines: list[Machine],
        links: list[Link],
        http: aiohttp.ClientSession,
        history: History,
        seed: int,
        shown_s: float,
    ) -> None:
        self._store_process, self._machines, self._links = store, machines, links
        self._http, self.history = http, history
        self._chance = random.Random(f"doors {seed}")
        self._shown_s = shown_s
        settings = Settings()
        patient = replace(settings.redis, url=store.url, socket_timeout_s=30.0)
        self._redis = connect(replace(settings, redis=patient))
        self._store = Store(self._redis, Seal({b"1": b"k" * 32}))
        self._people: dict[str, Somebody] = {}
        self._queues: dict[str, asyncio.Queue[Step]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._faults: set[asyncio.Task[None]] = set()
        self._last_fault_s = 0.0
        self._numbers = 0
        self._problems: list[Exception] = []
        self.settled_s: list[float] = []  # for each wait for correct screens, its length in s

    # --- beginning the story

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        return task

    def worker_url(self) -> str | None:
        """Return the URL of a worker that has not been killed, but may be frozen; None if there is none."""
        alive = [
            worker.url for machine in self._machines for worker in machine.workers.values() if worker.alive
        ]
        return self._chance.choice(alive) if alive else None

    async def open(self) -> None:
        """Open the pages of the staff, and put the providers on call."""
        self._spawn(self._read_stream())
        for number in range(PROVIDERS + 1):
            admin = number == PROVIDERS
            name = "admin" if admin else f"provider {number}"
            role = Role.ADMIN if admin else Role.PROVIDER
            actor = Actor(organisation=ORG, id=f"u_{number}", name=name.title(), role=role)
            person = self._somebody(name, actor)
            await asyncio.gather(person.hold("queue"), person.hold("bell"))
            self._spawn(person.run())
        await asyncio.gather(
            *(self._people[f"provider {number}"].say("on_call", on=True) for number in range(PROVIDERS))
        )

    def _somebody(self, name: str, actor: Actor) -> Somebody:
        subprotocol = (MSGPACK, JSON)[len(self.history.people) % 2]
        person = Somebody(actor, self._http, self.history, self.worker_url, subprotocol)
        self._people[name] = person
        return person

    async def _read_stream(self) -> None:
        """Copy all events of the store into the history. They are read from the store, and not from a worker."""
        client: Any = redis.asyncio.Redis.from_url(self._store_process.url, socket_timeout=30)
        key, last = keys.EVENTS(ORG), b"0"
        try:
            while True:
                try:
                    streams = await client.xread({key: last}, block=100, count=500)
                except redis.exceptions.RedisError:
                    continue  # on a busy machine the read may time out; it is repeated
                for _, entries in streams:
                    for number, fields in entries:
                        last = number
                        entry = decode_entry(fields[b"e"])
                        record = self._store.unseal(ORG, entry.what, entry.member, entry.record)
                        seq = int(number.split(b"-")[0])
                        self.history.commits.append(Commit(seq, time.time(), entry.kind, entry.at_ms, record))
        finally:
            await client.aclose()

    # --- carrying out the steps

    async def carry_out(self, steps: Sequence[Step]) -> None:
        """Carry out the steps. The people work at the same time, each on their own steps in order."""
        for step in steps:
            if step.who == "calm":
                await self._calm()
            elif step.who == "fault":
                task = asyncio.get_running_loop().create_task(self._break(step))
                self._faults.add(task)
                task.add_done_callback(self._faults.discard)
            else:
                queue = self._queues.get(step.who)
                if queue is None:
                    queue = self._queues[step.who] = asyncio.Queue(QUEUED_STEPS)
                    self._spawn(self._live(step.who, queue))
                await queue.put(step)
                await asyncio.sleep(PACE_S)
        await self._calm()
        # Wait until every worker has had time to give up rooms and connections that another worker has taken over.
        await asyncio.sleep(max(0.0, self._last_fault_s + NOTICE_S + 1.0 - time.time()))
        await self._calm()

    async def _live(self, name: str, queue: asyncio.Queue[Step]) -> None:
        while True:
            step = await queue.get()
            try:
                async with asyncio.timeout(STEP_S):
                    if name.startswith("patient"):
                        await self._patient(name, step)
                    else:
                        await self._staff(self._people[name], step)
            except Exception as problem:  # noqa: BLE001 - the story goes on, and is not taken for a good one
                self._problems.append(RuntimeError(f"{step}: {problem!r}"))
                self._problems[-1].__cause__ = problem
            finally:
                queue.task_done()

    async def _patient(self, name: str, step: Step) -> None:
        person = self._people.get(name)
        shown = person.screens[f"visit/{person.actor.visit}"].shown if person is not None else None
        if person is None or (shown is not None and shown["status"] == "ended"):
            await self._arrive(name)
            return
        visit = person.actor.visit
        assert visit is not None
        what = step.what
        if what == "save":
            # `say` replaces the answer "" by a text that only this request has; the test finds this text in the store.
            other = {0: ("fever", True), 1: ("consent", True)}.get(step.b % 12)
            guide_step, answer = other or ("allergies", "")
            await person.say("visit.save", visit, step=guide_step, answer=answer, left=step.b % 2 == 0)
        elif what in ("finish", "start", "hang up", "withdraw"):
            await person.say(f"visit.{what.replace(' ', '_')}", visit)
        else:
            await self._anybody(person, step, visit)

    async def _arrive(self, name: str) -> None:
        before = self._people.pop(name, None)
        if before is not None:
            await before.leave()
        self._numbers += 1
        patient, visit = f"Patient {self._numbers}", new_id("v")
        actor = Actor(organisation=ORG, id=f"patient:{visit}", name=patient, role=Role.PATIENT, visit=visit)
        self.history.people[actor.id] = actor
        sent = Request(len(self.history.requests), actor.id, visit, "arrive", {}, 0, time.time())
        self.history.requests.append(sent)
        url = self.worker_url()
        if url is None:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                asked = {"visit": visit, "patient": patient}
                async with self._http.post(url.replace("/ws", "/arrive"), params=asked) as response:
                    answer = await response.json()
        except (TimeoutError, aiohttp.ClientError, OSError):
            return
        sent.answered_s, sent.answer, sent.version = time.time(), answer["answer"], answer["version"]
        if sent.answer != "done":
            return
        person = self._somebody(name, actor)
        for topic in ("visit", "case", "place", "chat"):
            await person.hold(f"{topic}/{visit}")
        person.page = visit
        self._spawn(person.run())

    async def _anybody(self, person: Somebody, step: Step, visit: str) -> None:
        what = step.what
        if what == "chat":
            await person.say("chat.send", visit)
        elif what == "join":
            await person.enter(visit)
        elif what == "leave page":
            person.page = None
            await person.say("visit.leave", visit)
            person.page = visit
            await person.enter(visit)
        elif what == "vanish":
            person.vanish()
        elif what == "reload":
            await person.reload()

    async def _staff(self, person: Somebody, step: Step) -> None:
        what, mine = step.what, person.page
        shown = person.screens["queue"].shown
        rows = sorted(shown["rows"]) if shown is not None else []
        chosen = rows[step.a % len(rows)] if rows else None
        if mine is not None:
            of_mine = person.screens[f"visit/{mine}"].shown
            if of_mine is not None and (of_mine["claimant"] or {}).get("id") != person.actor.id:
                await self._lose(person)
                mine = None
        if what == "on call":
            await person.say("on_call", on=step.b % 3 > 0)
        elif what == "mark":
            await person.say("bell.mark", until_ms=round(time.time() * 1000))
        elif what == "assign" and chosen is not None:
            await person.say("visit.assign", chosen, to=f"u_{step.b % PROVIDERS}")
        elif what in ("unassign", "decline") and chosen is not None:
            await person.say(f"visit.{what}", chosen)
        elif what == "claim":
            if chosen is not None:
                await self._claim(person, chosen)
        elif what == "reopen":
            if person.ended is not None and mine is None:
                await self._claim(person, person.ended, "visit.reopen")
        elif mine is None:
            if what == "chat" and chosen is not None:
                await person.say("chat.send", chosen)
            elif what in ("vanish", "reload"):
                await self._anybody(person, step, "")
        elif what == "start":
            await person.say("visit.start", mine)
        elif what in ("release", "end", "transfer"):
            to = {"to": f"u_{step.b % PROVIDERS}"} if what == "transfer" else {}
            sent = await person.say(f"visit.{what}", mine, **to)
            if sent is not None and sent.answer == "done":
                person.ended = mine if what == "end" else person.ended
                await self._lose(person)
        else:
            await self._anybody(person, step, mine)

    async def _claim(self, person: Somebody, visit: str, request: str = "visit.claim") -> None:
        sent = await person.say(request, visit)
        if sent is None or sent.answer != "done" or visit == person.page:
            return
        if person.page is not None:
            await self._lose(person)
        person.page = visit
        await person.hold(f"visit/{visit}")
        await person.hold(f"chat/{visit}")
        await person.enter(visit)

    async def _lose(self, person: Somebody) -> None:
        visit, person.page = person.page, None
        await person.let_go(f"visit/{visit}")
        await person.let_go(f"chat/{visit}")

    # --- making and ending faults

    async def _break(self, step: Step) -> None:
        what, for_s = step.what, step.b / 1000
        number = step.a % MACHINES
        machine, link = self._machines[number], self._links[number]
        index = step.a // MACHINES % WORKERS
        worker = machine.workers[index]
        begin_s, touched = time.time(), [worker]
        if what == "kill":
            await self._kill(machine, index)
        elif what == "kill the machine":
            touched = []
            for other in machine.workers.values():
                other.kill()
            await asyncio.gather(*(self._kill(machine, other) for other in range(WORKERS)))
        elif what == "freeze":
            worker.send(signal.SIGSTOP)
            await asyncio.sleep(for_s)
            worker.send(signal.SIGCONT)
        elif what == "freeze the store":
            touched = [worker for machine in self._machines for worker in machine.workers.values()]
            assert self._store_process.pid is not None
            os.kill(self._store_process.pid, signal.SIGSTOP)
            await asyncio.sleep(min(for_s, 1.5))
            os.kill(self._store_process.pid, signal.SIGCONT)
        else:
            touched = list(machine.workers.values())
            if what == "deafen":
                touched = [worker for machine in self._machines for worker in machine.workers.values()]
                await self._redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")  # type: ignore[no-untyped-call]
            elif what == "reset":
                link.reset()
            elif what == "cut":
                link.cut()
            elif what == "stall":
                link.stall()
            elif what == "slow":
                link.delay_s = 0.04
            if what in ("cut", "stall", "slow"):
                await asyncio.sleep(for_s)
                link.delay_s = 0.0
                link.heal()
        self._last_fault_s = time.time()
        self._outage(touched, begin_s)

    def _outage(self, workers: Sequence[WorkerOf], begin_s: float) -> None:
        self.history.outages += [Outage(worker.name, begin_s, time.time()) for worker in workers]

    async def _kill(self, machine: Machine, index: int) -> None:
        machine.workers[index].kill()
        self._last_fault_s = time.time()
        await machine.start(index)

    # --- comparing the screens with the store

    async def _calm(self) -> None:
        """Wait until no fault is active and all screens match the store; record the screens that do not."""
        for queue in self._queues.values():
            await queue.join()
        while self._faults:
            await asyncio.wait(self._faults)
        begin_s = max(self._last_fault_s, time.time())
        wrong: list[Wrong] = []
        left = 3
        while left:
            wrong = await self._wrong()
            if not wrong:
                break
            if time.time() > begin_s + self._shown_s:
                left -= 1
            await asyncio.sleep(0.1)
        self.settled_s.append(time.time() - begin_s)
        self.history.wrong += wrong

    async def _wrong(self) -> list[Wrong]:
        snapshot = await self._store.snapshot(ORG)
        found, now_s = [], time.time()
        for person in list(self._people.values()):
            if not person.here:
                found.append(Wrong(person.actor.id, "its socket", "none", "one", now_s))
                continue
            for screen in list(person.screens.values()):
                if screen.over:
                    continue
                stored = await stored_of(screen, person.actor, self._store, snapshot)
                if stored is not None and screen.refused:
                    found.append(Wrong(person.actor.id, screen.topic, "refused", "theirs to see", now_s))
                elif stored is not None and (differs := difference(screen.shown, stored)):
                    found.append(Wrong(person.actor.id, screen.topic, *differs, now_s))
        return found

    # --- the end of the story

    async def close(self) -> None:
        """Copy the visits to `history`, disconnect all people, end all tasks; raise the error of a failed task."""
        ids = {commit.record.id for commit in self.history.commits if isinstance(commit.record, Visit)}
        for _ in range(3):  # if an event arrived during the reads, read all visits again
            known = len(self.history.commits)
            for visit in ids:
                self.history.finals[visit] = (await self._store.load(ORG, Visit, visit))[0]
                self.history.stories[visit] = await self._store.history(ORG, visit)
            await asyncio.sleep(0.15)
            if len(self.history.commits) == known:
                break
        for person in list(self._people.values()):
            await person.leave()
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._redis.aclose()
        for problem in (*self._problems, *ended):
            if isinstance(problem, Exception):
                raise problem
