"""Defines a locust user that plays whole visits, shown by locust's own figures and web page.

Run it: `locust -f locustfile.py`. locust uses gevent, but `Patient` and `Provider` use asyncio. So each visit
runs in a real thread, with an event loop of uvloop: gevent has replaced the system calls that asyncio's own
event loop needs.
"""

import os
import time
from typing import Any

import uvloop
from gevent.threadpool import ThreadPool
from locust import User, constant, events, task

from greenroom import Patient, Provider

EMAIL, PASSWORD = os.environ["GREENROOM_EMAIL"], os.environ["GREENROOM_PASSWORD"]
MOST_USERS = 1000
THREADS = ThreadPool(MOST_USERS)


async def visit(url: str) -> dict[str, float]:
    """Play a whole visit; return its steps: name -> duration in s."""
    async with Provider(url, EMAIL, PASSWORD) as provider, Patient(url) as patient:
        await provider.sign_in()
        await provider.on_call()
        waiting = await patient.meet_now()
        theirs = await provider.claim(waiting)
        room = await patient.pulled_in()
        await room.start()
        await theirs.start()
        await room.live()
        await theirs.end()
        await room.ended()
        return {
            "waited": patient.waited_s,
            "claim": theirs.at["claim_answered"] - theirs.at["claim"],
            "pulled in": room.at["claimed"] - theirs.at["claim"],
        }


def _last_visits_end(**_: object) -> None:
    THREADS.join()


events.quitting.add_listener(_last_visits_end)  # type: ignore[no-untyped-call]


class PatientUser(User):
    """A locust user that plays one visit after another, each with a new patient and the provider of EMAIL."""

    host = os.environ["GREENROOM_URL"]
    wait_time = constant(0.1)

    @task
    def whole_visit(self) -> None:
        """Play a visit and report its steps to locust."""
        began, problem = time.monotonic(), None
        steps: dict[str, float] = {}
        try:
            steps = THREADS.apply(uvloop.run, (visit(self.host),))
        except Exception as error:  # noqa: BLE001 - locust counts every exception
            problem = error
        self._report("whole visit", time.monotonic() - began, problem)
        for name, seconds in steps.items():
            self._report(name, seconds, None)

    def _report(self, name: str, seconds: float, problem: Exception | None) -> None:
        event: dict[str, Any] = {"request_type": "greenroom", "name": name, "response_time": 1000 * seconds}
        self.environment.events.request.fire(**event, response_length=0, exception=problem)
