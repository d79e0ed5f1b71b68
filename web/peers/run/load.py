"""Plays whole visits on a Greenroom server, and measures their steps.

One process plays both the patient and the provider of a visit. The plan defines when patients arrive and how long each
step takes.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from web.peers.errors import EntryError, RefusedError
from web.peers.media.media import Sources
from web.peers.people.people import Clinic, Patient, Person, Provider, Room
from web.peers.run.arrivals import Visitor
from web.peers.run.driver import GOODBYE_S, Driver
from web.peers.run.floor import Floor, Meeting
from web.peers.run.observations import Observations
from web.peers.run.plan import Credential, Plan, Share
from web.peers.run.tasks import everything, to_its_end

# The number of sign-ins at the same time; each costs the server a password hash.
SIGN_INS = 4
AGAIN_S = 1.0
MISHAP_S = 1.0
LOST_CLAIMS = frozenset({"already_claimed"})


class VisitDriver(Driver):
    """Plays the patients and providers of one process on a Greenroom server: whole visits."""

    def __init__(self, share: Share, clinic: Clinic | None = None) -> None:
        super().__init__(share)
        plan = share.plan
        self.clinic = clinic or Clinic(
            plan.url, plan.organisation, ca=plan.ca, insecure=plan.insecure, timeout_s=plan.timeout_s
        )
        self.floor = Floor(plan.race)
        self.staff: list[Provider] = []
        self._signing_in = asyncio.Semaphore(SIGN_INS)

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

    def staff_work(self) -> list[asyncio.Task[None]]:
        """Start and return a task for each provider, who claims one patient after another.

        The tasks end after a call of `closed`, when no patient waits.
        """
        return [asyncio.create_task(self._provider(provider)) for provider in self.staff]

    def closed(self) -> None:
        """Record that no further patient arrives: each provider's task ends as soon as no patient waits."""
        self.floor.close()

    def finished(self) -> None:
        """Record what the providers have noticed, such as lost sockets. The driver calls this at the end of the run."""
        for provider in self.staff:
            self._problems(provider)

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

    async def patient(self, visitor: Visitor) -> None:
        """Play one patient, from the calendar to the end of the visit."""
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
                self.step("arrive", patient.at["arrive"], time.monotonic())
                visit = await to_its_end(patient.meet_now())
                await self._visit(patient, visit, visitor)
                self.step("journey", patient.at["arrive"], time.monotonic())
        except Exception as problem:  # noqa: BLE001 - any error of this patient is recorded
            self.wrong(problem)
        finally:
            self.count("asked_to_wait", patient.seen.asked_to_wait)
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
        self.step("waited", patient.at["meet_now"], patient.room.at["claimed"])
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
                self.step("first_frame", meeting.second_press, room.flow.first_at)
        await room.ended(self.plan.timeout_s + meeting.talk_s)
        if meeting.provider is not None:
            self.step("hang_up", meeting.provider.at["end"], room.at["ended"])
        self.seen_of(room.flow, room.at["ended"])

    async def _mishap(self, patient: Patient) -> None:
        draw, after_s = patient.random.random(), patient.random.random() * MISHAP_S
        if draw < self.plan.reload:
            await asyncio.sleep(after_s)
            self.count("reloads", 1)
            await patient.reload()
        elif draw < self.plan.reload + self.plan.vanish:
            await asyncio.sleep(after_s)
            self.count("vanished", 1)
            patient.vanish()

    # --- methods that play a provider

    async def _provider(self, provider: Provider) -> None:
        while (meeting := await self.floor.next()) is not None:
            await asyncio.sleep(self.plan.claim_after.draw(self.random))
            room: Room | None = None
            try:
                room = await self._claimed(provider, meeting)
                if room is not None:
                    await self._session(room, meeting)
                    await provider.forget(room)
            except Exception as problem:  # noqa: BLE001 - the provider goes on after any error
                self.wrong(problem)
                await self._give_back(provider, room, meeting)
            except asyncio.CancelledError:
                await self._end_early(provider)
                raise
            self._problems(provider)
            await asyncio.sleep(self.plan.between.draw(self.random))

    async def _claimed(self, provider: Provider, meeting: Meeting) -> Room | None:
        visit = meeting.patient.room.visit
        pressed = time.monotonic()
        try:
            # The claim is finished even if this task is cancelled: `_end_early` can end only a visit whose claim is
            # finished.
            room = await to_its_end(provider.claim(visit))
        except RefusedError as refused:
            if refused.code not in LOST_CLAIMS:
                raise
            self.count("claims_lost", 1)
            self.step("claim", pressed, time.monotonic())
            return None
        meeting.provider = room
        meeting.taken.set()
        self.step("claim", room.at["claim"], room.at["claim_answered"])
        if meeting.shown_at is not None:
            self.step("queue_seen", meeting.patient.at["meet_now"], meeting.shown_at)
        return room

    async def _session(self, room: Room, meeting: Meeting) -> None:
        patient = meeting.patient
        await room.start()
        await room.live()
        async with asyncio.timeout(self.plan.timeout_s):
            await meeting.patient_live.wait()
        self.step("pulled_in", room.at["claim"], patient.room.at["claimed"])
        second = meeting.second_press
        first = room if room.at["start"] < second else patient.room
        self.step("started", second, first.at["live"])
        if room.media is not None:
            await room.first_frame()
            self.step("first_frame", second, room.flow.first_at)
        await room.talk(meeting.talk_s)
        self.seen_of(room.flow, time.monotonic())
        await room.end()

    async def _give_back(self, provider: Provider, room: Room | None, meeting: Meeting) -> None:
        if room is None:
            if not meeting.taken.is_set():
                # The server refused the claim, perhaps because the provider has no licence for the patient's region.
                # After a pause, another provider may claim.
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

    def _problems(self, person: Person) -> None:
        problems, person.seen.problems = person.seen.problems, []
        for problem in problems:
            self.wrong(problem)
        away_s, person.seen.away_s = person.seen.away_s, []
        for each_s in away_s:
            self.seen.step("back", each_s)
        closes, person.seen.closes = person.seen.closes, []
        for code in closes:
            self.seen.count(f"closed_{code}")


async def drive(plan: Plan, seen: Observations | None = None) -> Observations:
    """Run a whole plan in this process, add what happens to `seen`, and return it.

    Raises PlanError if the plan is not possible, EntryError if sign-in fails, and RefusedError if On-Call is refused.
    """
    driver = VisitDriver(plan.share(0, 1))
    try:
        await driver.clinic.check()
        await driver.open()
        seen = seen or Observations()
        await driver.play(seen)
    finally:
        await driver.close()
    return seen
