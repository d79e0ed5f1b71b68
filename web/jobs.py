"""Runs jobs, such as mails to send: runners in every worker pass each job that is due to the handler of its kind.

Jobs that call external servers have a queue and runners of their own, so that a slow receiver delays no mail. This
module decides when a job is tried again and when it is given up. Mail, webhooks and other parts of `web` register a
handler in `app[HANDLERS]`, and in `app[CONSEQUENCES]` the jobs that a visit's events cause.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from itertools import chain

import structlog
from aiohttp import web
from msgspec.structs import replace

from signalling import service
from signalling.errors import UnavailableError
from signalling.store.jobs import Jobs, Taken, last_try_ms, next_try_ms
from signalling.store.records import Extra
from signalling.ticks import tick_or
from signalling.visit.record import Visit
from signalling.visit.relations import Event
from web.config import Settings
from web.errors import DeliveryError, PermanentJobError, PutOffError
from web.keys import (
    CONSEQUENCES,
    HANDLERS,
    JOB_QUEUES,
    JOBS,
    ORGANISATIONS,
    REDIS,
    REPORTS,
    SEAL,
    SERVICE,
    SIGNALLING,
    SUPERVISOR,
)
from web.languages.i18n import N_
from web.metrics import counts
from web.organisations.documents import Organisations

Handler = Callable[[str, Taken], Awaitable[bool | None]]
"""Carries out a job. Its arguments: the organisation's id, and the job. Returns False if there was nothing to do.

If it raises `PermanentJobError`, the job is given up. After any other error the job is tried again, until it has
failed for too long; `PutOffError` does not count as an attempt.
"""

Report = Callable[[str, Taken, str], Awaitable[None]]
"""Receives an organisation's id, a job, and its result: "sent", "retried" (tried again later) or "failed"."""

QUEUES = ("mail", "webhook", "text", "push")
"""The names of the queues. Each has the jobs of the kind with its name; "mail" has also those of all other kinds."""

PERIOD_S = 1.0
EVERYWHERE_S = 10.0
AT_ONCE = 8
"""The greatest number of jobs from one queue of jobs that a worker runs at the same time."""
EACH_S = 60.0
"""The longest time in s that a job may take. It is shorter than the time for which a worker reserves the job."""
FINISH_S = 5.0

RECEIVER_FAILED = N_("its receiver failed for too long")

log = structlog.get_logger("web.jobs")


def cause_of(error: Exception) -> str:
    """Return why a job failed, for the list of deliveries: a text, or the name of the error's class."""
    return (str(error) if isinstance(error, DeliveryError) else "") or type(error).__name__


class Runner:
    """Runs the due jobs of one queue, in one worker.

    `looks_after` returns True for the organisations whose jobs this worker takes when they are due. Every EVERYWHERE_S
    seconds this worker also takes the due jobs of all other organisations, so that these jobs run even if the
    worker that usually takes them fails.
    """

    def __init__(
        self,
        jobs: Jobs,
        organisations: Organisations,
        handlers: dict[str, Handler],
        reports: Sequence[Report] = (),
        looks_after: Callable[[str], bool] = lambda organisation: True,
    ) -> None:
        self._jobs = jobs
        self._reports = reports
        self._organisations = organisations
        self._handlers = handlers
        self._looks_after = looks_after
        self._all_s = -EVERYWHERE_S
        self._busy: set[asyncio.Task[None]] = set()
        self._last = ""  # the id of the organisation whose jobs this runner took last
        self._awake = asyncio.Event()

    async def run(self) -> None:
        """Run the due jobs of the queue, again and again, until this task is cancelled."""
        while True:
            # an error of the store is already in the log; the jobs are looked at again a moment later
            with contextlib.suppress(UnavailableError):
                await self._round()
            await tick_or(self._awake, PERIOD_S)  # a job that ends sets `_awake`, so this wait ends early
            self._awake.clear()

    async def _round(self) -> None:
        organisations, now_s = await self._organisations.list(), time.monotonic()
        if now_s - self._all_s < EVERYWHERE_S:
            organisations = [name for name in organisations if self._looks_after(name)]
        else:
            self._all_s = now_s
        organisations = await self._jobs.due(organisations)
        # The loop begins after the organisation that was served last, so that an organisation with many jobs does not
        # delay the jobs of the other organisations.
        after = [organisation for organisation in organisations if organisation > self._last]
        for organisation in (*after, *organisations[: len(organisations) - len(after)]):
            free = AT_ONCE - len(self._busy)
            if free <= 0:
                # AT_ONCE jobs are running, and more are not allowed; the next jobs are taken when one of these ends
                return
            try:
                found = await self._jobs.take(organisation, max(1, free // 2))
            except UnavailableError:
                raise
            except Exception:
                # A record that cannot be read must not stop the jobs of the other organisations.
                log.exception("job.not_taken", organisation=organisation)
                continue
            if found:
                self._last = organisation
            for taken in found:
                task = asyncio.create_task(self._do(organisation, taken))
                self._busy.add(task)
                task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        self._awake.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("job.end_not_kept", exc_info=task.exception())

    async def _do(self, organisation: str, taken: Taken) -> None:
        kind = taken.job.kind
        try:
            handler = self._handlers.get(kind)
            if handler is None:
                raise PermanentJobError(N_("there is no handler for this kind"))
            async with asyncio.timeout(EACH_S):
                did = await handler(organisation, taken)
        except PermanentJobError as why:
            log.error(
                "job.given_up",
                reason=str(why),
                attempt=taken.attempt,
                organisation=organisation,
                kind=kind,
            )
            await self._report(organisation, taken, "failed")
            await self._jobs.give_up(organisation, taken, str(why))
        except PutOffError as pause:
            await self._put_off(organisation, taken, pause.due_ms)
        except Exception as error:  # noqa: BLE001 - after any error, the job is tried again or given up
            await self._failed(organisation, taken, error)
        else:
            if did is not False:
                await self._report(organisation, taken, "sent")
            await self._jobs.done(organisation, taken)

    async def _report(self, organisation: str, taken: Taken, result: str) -> None:
        counts.JOBS[taken.job.kind if taken.job.kind in self._handlers else "unknown", result] += 1
        for report in self._reports:
            await report(organisation, taken, result)

    async def _put_off(self, organisation: str, taken: Taken, due_ms: int) -> None:
        if due_ms > last_try_ms(taken):
            unattempted = replace(taken, attempt=taken.attempt - 1)
            await self._gave_up(organisation, unattempted, RECEIVER_FAILED, "PutOffError", RECEIVER_FAILED)
        else:
            await self._jobs.put_off(organisation, taken, due_ms)

    async def _gave_up(self, organisation: str, taken: Taken, reason: str, error: str, cause: str) -> None:
        log.error(
            "job.given_up",
            reason=reason,
            error=error,
            attempt=taken.attempt,
            organisation=organisation,
            kind=taken.job.kind,
        )
        await self._report(organisation, taken, "failed")
        await self._jobs.give_up(organisation, taken, cause)

    async def _failed(self, organisation: str, taken: Taken, error: Exception) -> None:
        kind, attempt, what = taken.job.kind, taken.attempt, type(error).__name__
        due_ms = next_try_ms(taken, taken.now_ms)
        if due_ms is None:
            await self._gave_up(organisation, taken, "it failed for too long", what, cause_of(error))
            return
        log.warning(
            "job.failed",
            error=what,
            attempt=attempt,
            organisation=organisation,
            kind=kind,
        )
        await self._report(organisation, taken, "retried")
        await self._jobs.later(organisation, taken, due_ms, cause_of(error))

    async def close(self) -> None:
        """Wait FINISH_S seconds for running jobs, then cancel them.

        A cancelled job is due again after its reservation ends.
        """
        if self._busy:
            await asyncio.wait(self._busy, timeout=FINISH_S)
        for task in self._busy:
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)


def setup(app: web.Application, settings: Settings) -> None:
    """Create the queues of jobs, and the empty collections in `app[HANDLERS]`, `app[CONSEQUENCES]` and `app[REPORTS]`.

    Other modules add their functions to these collections before the app starts.
    """
    redis, seal = app[REDIS], app[SEAL]
    first, *others = QUEUES
    app[JOBS] = Jobs(redis, seal)
    app[JOB_QUEUES] = {first: app[JOBS], **{name: Jobs(redis, seal, name) for name in others}}
    app[HANDLERS], app[CONSEQUENCES], app[REPORTS] = {}, [], []


def consequences(app: web.Application) -> service.Consequences:
    """Return a function that returns all jobs that an event causes: those of all functions in `app[CONSEQUENCES]`."""

    def of(
        settings: service.Organisation, before: Visit | None, after: Visit, event: Event
    ) -> Iterable[Extra]:
        return chain.from_iterable(found(settings, before, after, event) for found in app[CONSEQUENCES])

    return of


async def running(app: web.Application) -> AsyncIterator[None]:
    """Run jobs from the start of the app to its end.

    The app must open this context after the context of signalling, because it uses signalling.
    """
    app[SERVICE].consequences = consequences(app)
    reports = app[REPORTS]
    runners = {
        f"web.jobs.{name}": Runner(
            jobs, app[ORGANISATIONS], app[HANDLERS], reports, app[SIGNALLING].shares.has
        )
        for name, jobs in app[JOB_QUEUES].items()
    }
    for name, runner in runners.items():
        app[SUPERVISOR].keep(name, runner.run)
    yield
    for name in runners:
        await app[SUPERVISOR].stop(name)
    await asyncio.gather(*(runner.close() for runner in runners.values()))
