"""Plays one process's share of a run, from the first sign-in to the last goodbye, and observes it.

It follows each visit from the patient's and the provider's side, and measures the steps. The plan defines when people
come and how long they take. After `stop`, patients leave and running calls are ended.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from random import Random
from typing import Any

from web.peers.errors import EntryError, RefusedError, VisitEndedError
from web.peers.media.media import Sources
from web.peers.people.people import Clinic, Patient, Person, Provider, Room
from web.peers.run.arrivals import Visitor
from web.peers.run.floor import Floor, Meeting
from web.peers.run.observations import Observations
from web.peers.run.plan import Credential, Plan, Share
from web.peers.run.server import Watch
from web.peers.run.tasks import everything, over, to_its_end

# The number of sign-ins at the same time; each costs the server a password hash.
SIGN_INS = 4
GOODBYE_S = 15.0
GAUGE_S = 0.5
AGAIN_S = 1.0
MISHAP_S = 1.0
LOST_CLAIMS = frozenset({"already_claimed"})


class Driver:
    """Plays one share of a run.

    Call `open`, then `play`, and `close` in any case. `stop` may be called at any time.
    """

    def __init__(self, share: Share, clinic: Clinic | None = None) -> None:
        plan = share.plan
        self.share, self.plan = share, plan
        self.clinic = clinic or Clinic(
            plan.url, plan.organisation, ca=plan.ca, insecure=plan.insecure, timeout_s=plan.timeout_s
        )
        self.floor = Floor(plan.race)
        self.staff: list[Provider] = []
        self.seen = Observations()
        self.waiting = self.in_call = 0
        self._random = Random(f"{plan.seed}/{share.index}")  # noqa: S311 - reproducible
        self._signing_in = asyncio.Semaphore(SIGN_INS)
        self._stopped = asyncio.Event()

    async def open(self) -> None:
        """Sign the providers in and set them On-Call.

        Raises EntryError if sign-in fails, and RefusedError if the server refuses On-Call.
        """
        self._sources(0).prepare()
        await everything(
            self._on_duty(number, credential) for number, credential in enumerate(self.share.staff)
        )

    async def _on_duty(self, number: int, credential: Credential) -> None:
        provider = Provider(
            self.clinic,
            credential.email,
            credential.password,
            media=self._sources(number),
            timeout_s=self.plan.timeout_s,
            seed=number,
        )
        provider.on_row = self.floor.row
        self.staff.append(provider)
        async with self._signing_in:
            await provider.sign_in()
            await provider.on_call()

    def _sources(self, number: int) -> Sources:
        return Sources(self.plan.media, self.plan.media_file, self.plan.network, number)

    async def play(self, seen: Observations, *, began: float | None = None) -> None:
        """Play the share, and add what happens to `seen`; return when all patients are done, or soon after `stop`.

        `began`: the time of the run's beginning, of `time.monotonic` in s; None for now.
        """
        self.seen = seen
        zero = time.monotonic() if began is None else began
        gauges = asyncio.create_task(self._gauges())
        staff = [asyncio.create_task(self._provider(provider)) for provider in self.staff]
        patients: set[asyncio.Task[None]] = set()
        try:
            for visitor in self.share.visitors:
                if await self._stopped_within(zero + visitor.arrives_s - time.monotonic()):
                    break
                task = asyncio.create_task(self._patient(visitor))
                patients.add(task)
                task.add_done_callback(patients.discard)
            first: list[asyncio.Future[Any]] = [
                asyncio.gather(*patients, return_exceptions=True),
                asyncio.create_task(self._stopped.wait()),
            ]
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            first[1].cancel()
        finally:
            self.floor.close()
            if self._stopped.is_set():
                for task in staff:
                    task.cancel()
                await over(staff, 2 * GOODBYE_S)
                for task in list(patients):
                    task.cancel()
            await over([*staff, *patients], 2 * GOODBYE_S)
            gauges.cancel()
            self._gauge()
            for provider in self.staff:
                self._problems(provider)

    async def _stopped_within(self, seconds: float) -> bool:
        if seconds <= 0:
            await asyncio.sleep(0)
            return self._stopped.is_set()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        return self._stopped.is_set()

    def stop(self) -> None:
        """Make no further patient arrive, and end the visits that are running."""
        self._stopped.set()

    async def close(self) -> None:
        """Set all providers Off-Call and close their connections."""
        await everything(self._off_duty(provider) for provider in self.staff)

    @staticmethod
    async def _off_duty(provider: Provider) -> None:
        with suppress(RefusedError, EntryError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                if provider.client is not None:
                    await provider.on_call(on=False)
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await provider.leave()

    # --- methods that play a patient

    async def _patient(self, visitor: Visitor) -> None:
        patient = Patient(
            self.clinic,
            number=visitor.number,
            media=self._sources(visitor.seed),
            timeout_s=self.plan.timeout_s,
            seed=visitor.seed,
        )
        visit = ""
        try:
            async with patient:
                await patient.arrive()
                self._step("arrive", patient.at["arrive"], time.monotonic())
                visit = await to_its_end(patient.meet_now())
                await self._visit(patient, visit, visitor)
                self._step("journey", patient.at["arrive"], time.monotonic())
        except Exception as problem:  # noqa: BLE001 - one person's trouble is an observation, whatever it is
            self._wrong(problem)
        finally:
            self.floor.left(visit)
            self._problems(patient)

    async def _visit(self, patient: Patient, visit: str, visitor: Visitor) -> None:
        meeting = Meeting(patient, visitor.talk_s)
        self.floor.entered(visit, meeting)
        self.waiting += 1
        try:
            patient.spawn(patient.fill_in(over_s=visitor.fill_in_s))
            if self.plan.reload or self.plan.vanish:
                patient.spawn(self._mishap(patient))
            await patient.room.reaches("claimed", "live", timeout_s=self.plan.patience_s)
        finally:
            self.waiting -= 1
        self._step("waited", patient.at["meet_now"], patient.room.at["claimed"])
        self.in_call += 1
        try:
            await self._call(patient, meeting)
        finally:
            self.in_call -= 1

    async def _call(self, patient: Patient, meeting: Meeting) -> None:
        room = await patient.pulled_in()
        await room.start()
        await room.live()
        meeting.patient_live.set()
        if room.media is not None:
            await room.first_frame()
            if meeting.provider is not None:
                self._step("first_frame", meeting.second_press, room.flow.first_at)
        await room.ended(self.plan.timeout_s + meeting.talk_s)
        if meeting.provider is not None:
            self._step("hang_up", meeting.provider.at["end"], room.at["ended"])
        self._seen_of(room, room.at["ended"])

    async def _mishap(self, patient: Patient) -> None:
        draw, after_s = patient.random.random(), patient.random.random() * MISHAP_S
        if draw < self.plan.reload:
            await asyncio.sleep(after_s)
            self._count("reloads", 1)
            await patient.reload()
        elif draw < self.plan.reload + self.plan.vanish:
            await asyncio.sleep(after_s)
            self._count("vanished", 1)
            patient.vanish()

    # --- methods that play a provider

    async def _provider(self, provider: Provider) -> None:
        while (meeting := await self.floor.next()) is not None:
            await asyncio.sleep(self.plan.claim_after.draw(self._random))
            room: Room | None = None
            try:
                room = await self._claimed(provider, meeting)
                if room is not None:
                    await self._session(room, meeting)
                    await provider.forget(room)
            except Exception as problem:  # noqa: BLE001 - the next patient waits, whatever it was
                self._wrong(problem)
                await self._give_back(provider, room, meeting)
            except asyncio.CancelledError:
                await self._end_early(provider)
                raise
            self._problems(provider)
            await asyncio.sleep(self.plan.between.draw(self._random))

    async def _claimed(self, provider: Provider, meeting: Meeting) -> Room | None:
        visit = meeting.patient.room.visit
        pressed = time.monotonic()
        try:
            # The claim is finished even if this task is cancelled. Otherwise a claimed visit could be left that
            # nobody ends.
            room = await to_its_end(provider.claim(visit))
        except RefusedError as refused:
            if refused.code not in LOST_CLAIMS:
                raise
            self._count("claims_lost", 1)
            self._step("claim", pressed, time.monotonic())
            return None
        meeting.provider = room
        meeting.taken.set()
        self._step("claim", room.at["claim"], room.at["claim_answered"])
        if meeting.shown_at is not None:
            self._step("queue_seen", meeting.patient.at["meet_now"], meeting.shown_at)
        return room

    async def _session(self, room: Room, meeting: Meeting) -> None:
        patient = meeting.patient
        await room.start()
        await room.live()
        async with asyncio.timeout(self.plan.timeout_s):
            await meeting.patient_live.wait()
        self._step("pulled_in", room.at["claim"], patient.room.at["claimed"])
        second = meeting.second_press
        first = room if room.at["start"] < second else patient.room
        self._step("started", second, first.at["live"])
        if room.media is not None:
            await room.first_frame()
            self._step("first_frame", second, room.flow.first_at)
        await room.talk(meeting.talk_s)
        self._seen_of(room, time.monotonic())
        await room.end()

    async def _give_back(self, provider: Provider, room: Room | None, meeting: Meeting) -> None:
        if room is None:
            if not meeting.taken.is_set():
                # The provider may lack the licence for the patient's region. After a pause, another provider may try.
                await asyncio.sleep(AGAIN_S)
                self.floor.again(meeting.patient.room.visit)
            return
        with suppress(RefusedError, TimeoutError, EntryError):
            if room.status in ("claimed", "live"):
                await room.release()
                self.floor.again(room.visit)
            await provider.forget(room)

    async def _end_early(self, provider: Provider) -> None:
        for room in list(provider.rooms.values()):
            if room.status in ("claimed", "live"):
                with suppress(RefusedError, TimeoutError, EntryError):
                    async with asyncio.timeout(GOODBYE_S):
                        await room.end()

    # --- methods that record observations

    def _step(self, name: str, begin: float, end: float | None) -> None:
        if end is not None:
            self.seen.step(name, max(0.0, end - begin))

    def _seen_of(self, room: Room, ended_at: float) -> None:
        """Count the received picture and sound after the call has ended."""
        room.flow.over(ended_at)
        if room.flow.first_at is not None:
            self.seen.step("longest_gap", room.flow.longest_gap_s)
        self._count("freezes", room.flow.freezes)
        self._count("packets", room.flow.packets)
        self._count("frames", room.flow.frames)

    def _count(self, name: str, number: int) -> None:
        if number:
            self.seen.count(name, number)

    def _wrong(self, problem: Exception) -> None:
        codes = {EntryError: "no_answer", TimeoutError: "too_late"}
        if isinstance(problem, RefusedError):
            code = problem.code
        elif isinstance(problem, VisitEndedError):
            code = f"visit_{problem.outcome}"
        else:
            code = codes.get(type(problem), "driver_" + type(problem).__name__.lower())
        self.seen.error(code, str(problem))

    def _problems(self, person: Person) -> None:
        problems, person.seen.problems = person.seen.problems, []
        for problem in problems:
            self._wrong(problem)
        away_s, person.seen.away_s = person.seen.away_s, []
        for each_s in away_s:
            self.seen.step("back", each_s)
        closes, person.seen.closes = person.seen.closes, []
        for code in closes:
            self.seen.count(f"closed_{code}")

    async def _gauges(self) -> None:
        watch = Watch(self.seen)
        while True:
            at = time.monotonic()
            await asyncio.sleep(GAUGE_S)
            self.seen.gauge("driver_lag", max(0.0, time.monotonic() - at - GAUGE_S))
            watch.tick()
            self._gauge()

    def _gauge(self) -> None:
        self.seen.gauge("waiting", self.waiting)
        self.seen.gauge("in_call", self.in_call)


async def drive(plan: Plan, seen: Observations | None = None) -> Observations:
    """Run a whole plan in this process, add what happens to `seen`, and return it.

    Raises PlanError if the plan is not possible, EntryError if sign-in fails, and RefusedError if On-Call is refused.
    """
    driver = Driver(plan.share(0, 1))
    try:
        await driver.clinic.check()
        await driver.open()
        seen = seen or Observations()
        await driver.play(seen)
    finally:
        await driver.close()
    return seen
