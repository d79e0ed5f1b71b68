"""Measures the claim race: fifty providers claim one patient at the same time, many times, over two workers.

The result is the time from the winner's claim to its arrival at the patient's page, which the other worker serves.
Each round must have one winner, and each of the other providers must receive the winner's name.
"""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

import uvloop

from tests.benchmarks.figures import Figure, Made, percentile
from tests.benchmarks.peers import Endpoint, Login, Peer, answers, decode, enter_evenly, refuse_errors
from tests.benchmarks.process import Child
from tests.benchmarks.server import BenchServer
from tests.limits import WAIT_S

PROVIDERS = 50
ROUNDS = 300
WARM_UP = 20
PAUSE_S = 0.01
LIMIT_S = 200.0
Tell = Callable[[float], None]


class Round(NamedTuple):
    """One race. `refused`: how many of the other providers received the winner's name. `version`: the version of the
    patient's topic that shows the claim.

    `worker`: the winner's worker. `sent_ns`: the monotonic time of the winner's request.
    """

    winners: int
    refused: int
    version: int
    worker: str
    sent_ns: int


Seen = dict[int, dict[str, int]]
"""Version of the patient's topic -> worker -> the time (monotonic, ns) at which the page on that worker received it."""


def measure(server: BenchServer, rounds: int, progress: Tell) -> Made:
    """Run `rounds` races on the server; return the figures. `progress`: called with the progress (0.0 to 1.0).

    Raises ChildError if the process of the providers or of the patient fails.
    """
    staff = server.staff(PROVIDERS, PROVIDERS)
    patient, visit = server.patient()
    page = Child(watch, server.endpoint, patient, visit, rounds + WARM_UP)
    try:
        page.wait_for(0.0, WAIT_S)
        races: list[Round] = Child(race, server.endpoint, staff, visit, rounds + WARM_UP).result(
            LIMIT_S, progress
        )
        seen: Seen = page.result(WAIT_S)
    finally:
        page.stop()
    return Made(judge(races[WARM_UP:], seen))


def judge(races: list[Round], seen: Seen) -> list[Figure]:
    """Return the figures of these races. `seen`: the times at which the patient's pages received the claims."""
    late_ms = [
        (at - played.sent_ns) / 1e6
        for played in races
        for worker, at in seen.get(played.version, {}).items()
        if worker != played.worker
    ]
    wrong = sum(played.winners != 1 or played.refused != PROVIDERS - 1 for played in races)
    unseen = len(races) - len(late_ms)
    note = f"{len(races)} rounds of {PROVIDERS} providers, two workers"
    name = "claim to the patient’s page on the other worker"
    return [
        Figure("claim_p50_ms", f"{name}, p50", percentile(late_ms, 50), "ms", note=note),
        Figure("claim_p95_ms", f"{name}, p95", percentile(late_ms, 95), "ms"),
        Figure("claim_p99_ms", f"{name}, p99", percentile(late_ms, 99), "ms", 2.0),
        Figure("claim_wrong", "rounds without one winner and 49 told who", wrong, "", 0, f"of {len(races)}"),
        Figure("claim_unseen", "claims that the page never knew", unseen, "", 0, f"of {len(races)}"),
    ]


def race(tell: Tell, endpoint: Endpoint, logins: list[Login], visit: str, rounds: int) -> list[Round]:
    """Play the providers for `rounds` races to claim the same visit, in this child process; return the races.

    `tell`: called with the progress (0.0 to 1.0). `endpoint`: the server. `logins`: the providers' browsers. `visit`:
    the id of the patient's visit.
    """
    return uvloop.run(_race(tell, endpoint, logins, visit, rounds))


async def _race(tell: Tell, endpoint: Endpoint, logins: list[Login], visit: str, rounds: int) -> list[Round]:
    providers = await enter_evenly(endpoint, logins)
    for answer in await answers([provider.ask("on_call", on=True) for provider in providers]):
        refuse_errors(answer)
    providers = _alternating(providers)
    played = []
    for number in range(rounds):
        start = number % PROVIDERS
        played.append(await _round(providers[start:] + providers[:start], visit))
        tell((number + 1) / rounds)
        await asyncio.sleep(PAUSE_S)
    return played


async def _round(providers: list[Peer], visit: str) -> Round:
    sent_ns, asked = [], []
    for provider in providers:
        sent_ns.append(time.monotonic_ns())
        asked.append(provider.ask("visit.claim", visit=visit))
    found = await answers(asked)
    winners = [at for at, answer in enumerate(found) if answer["type"] == "done"]
    if not winners:
        return Round(0, 0, 0, "", 0)
    winner = winners[0]
    told = [
        answer
        for answer in found
        if answer["type"] == "error"
        and answer["code"] == "already_claimed"
        and answer["details"]["by"]["id"] == providers[winner].me
    ]
    refuse_errors((await answers([providers[winner].ask("visit.release", visit=visit)]))[0])
    return Round(len(winners), len(told), found[winner]["version"], providers[winner].worker, sent_ns[winner])


def _alternating(providers: list[Peer]) -> list[Peer]:
    first = [provider for provider in providers if provider.worker == providers[0].worker]
    second = [provider for provider in providers if provider.worker != providers[0].worker]
    return [provider for pair in zip(first, second, strict=True) for provider in pair]


def watch(tell: Tell, endpoint: Endpoint, login: Login, visit: str, rounds: int) -> Seen:
    """Keep one page of the patient open on each worker, in this child process; return the times at which the
    pages received each claim.

    `tell` is called with 0.0 when both pages have received the visit. `endpoint`: the server. `login`: the
    patient's browser. `visit`: the id of the patient's visit. `rounds`: the number of claims to wait for.
    """
    return uvloop.run(_watch(tell, endpoint, login, visit, rounds))


async def _watch(tell: Tell, endpoint: Endpoint, login: Login, visit: str, rounds: int) -> Seen:
    seen: Seen = {}
    complete = asyncio.Event()

    def news(page: Peer, payload: bytes, now: int) -> None:
        message = decode(payload)
        if message["type"] == "visit.state" and message["visit"]["status"] == "claimed":
            seen.setdefault(message["version"], {})[page.worker] = now
            if len(seen) >= rounds and all(len(workers) == 2 for workers in seen.values()):
                complete.set()

    pages = await enter_evenly(endpoint, [login, login], news)
    for answer in await answers([page.ask("subscribe", topic=f"visit/{visit}") for page in pages]):
        refuse_errors(answer)
    tell(0.0)
    async with asyncio.timeout(LIMIT_S):
        await complete.wait()
    return seen
