"""Lists an organisation's deliveries by receiver (due, late or given up), and has them tried again.

A receiver is "mail", "text", "push", or the id of a webhook. A delivery contains no name of a patient.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from aiohttp import web

from signalling.store.jobs import Job
from web.keys import BREAKERS, JOB_QUEUES, JOBS, SERVICE

LATE_MS = 60_000
MOST = 1_000
"""The greatest number of jobs that are read from a queue. If it has more, the jobs with the earliest times are read."""


class State(StrEnum):
    """The state of a delivery: planned for a later time, due, late, or given up (DEAD)."""

    PLANNED = "planned"
    DUE = "due"
    LATE = "late"
    DEAD = "dead"


class Delivery(NamedTuple):
    """A mail, a short message or a call of a webhook that is not delivered yet, or that was given up.

    `at_ms`: for a delivery that was given up, the time at which it was given up; for a delivery that was tried, the
    time of its first attempt; for any other delivery, the time at which it is due.
    """

    job: Job
    state: State
    at_ms: int
    attempts: int
    reason: str


def state_of(begun: bool, begins_ms: int, now_ms: int) -> State:
    """Return the state of a delivery that is not given up: planned, due or late.

    `begun`: whether it was tried before. `begins_ms`: the time of its first attempt; before that, the time at which it
    is due. `now_ms`: the present time.
    """
    if not begun and begins_ms > now_ms:
        return State.PLANNED
    return State.LATE if now_ms - begins_ms > LATE_MS else State.DUE


def receiver_of(job: Job) -> str:
    """Return the receiver of a job: "mail", "text", "push", or the id of a webhook."""
    return str(job.payload.get("webhook", job.kind))


def of_breaker(name: str) -> str:
    """Return the receiver to which a breaker (a pause after failures) belongs.

    `name`: the breaker's name. It is the receiver itself, except for the receiver "push": each push service has a
    breaker of its own, named `push` and the service.
    """
    return name.partition(" ")[0]


async def deliveries(app: web.Application, organisation: str) -> Mapping[str, list[Delivery]]:
    """Return receiver -> its deliveries that are planned, due, late or given up, in the order of their times (`at_ms`).

    Raises `UnavailableError` if the store does not answer.
    """
    now_ms = app[SERVICE].clock_ms()
    found: list[Delivery] = []
    for queue in app[JOB_QUEUES].values():
        for one in await queue.listed(organisation, MOST):
            state = state_of(one.begun, one.begins_ms, now_ms)
            found.append(Delivery(one.job, state, one.begins_ms, one.attempts, one.reason))
    for at_ms, job in await app[JOBS].dead(organisation):
        found.append(Delivery(job, State.DEAD, at_ms, job.attempts, job.reason))
    by_receiver: dict[str, list[Delivery]] = {}
    for delivery in sorted(found, key=lambda any_of: any_of.at_ms):
        by_receiver.setdefault(receiver_of(delivery.job), []).append(delivery)
    return by_receiver


async def send_again(app: web.Application, organisation: str, receiver: str, job: str = "") -> int:
    """Try deliveries again that are late or given up; return the number of jobs.

    `job`: the id of one job; "" for all jobs of the receiver. If the receiver has a pause after failures, one job is
    tried at once, and the other jobs wait for its result. Raises `UnavailableError` if the store does not answer.
    """

    def chosen(one: Job) -> bool:
        return receiver_of(one) == receiver and job in ("", one.id)

    count, queues, now_ms = 0, app[JOB_QUEUES], app[SERVICE].clock_ms()
    # `probe` allows one delivery during the pause. It is called before the jobs become due: otherwise a worker might
    # take the jobs at once, and put them off until the end of the pause.
    for name in await app[BREAKERS].all_paused(organisation, now_ms):
        if of_breaker(name) == receiver:
            await app[BREAKERS].probe(organisation, name)
    given_up = [one for _, one in await app[JOBS].dead(organisation) if chosen(one)]
    for kind in {one.kind for one in given_up}:
        ids = {one.id for one in given_up if one.kind == kind}
        count += await queues.get(kind, app[JOBS]).again(organisation, ids)
    for queue in queues.values():
        late = [
            one.member
            for one in await queue.listed(organisation, MOST)
            if chosen(one.job) and state_of(one.begun, one.begins_ms, now_ms) is State.LATE
        ]
        if late:
            count += await queue.soon(organisation, late)
    return count
