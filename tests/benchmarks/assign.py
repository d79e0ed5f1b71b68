"""Measures the time from an administrator's Assign until the assigned provider's page has the notification.

The two people are connected to different workers. The time begins when the request is sent, and ends when the
provider's socket has read the notification. This time includes the store, the decision and both workers. The
assignment is taken back at the end of each round, which causes no further notification.
"""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

import redis.asyncio
import uvloop

from signalling.visit.record import Role
from tests.benchmarks.figures import Figure, Made, percentile
from tests.benchmarks.peers import Endpoint, Login, Peer, answers, decode, enter_evenly, refuse_errors
from tests.benchmarks.process import Child
from tests.benchmarks.server import BenchServer
from tests.limits import WAIT_S
from web.identity import sessions
from web.identity.accounts import Accounts, Hasher
from web.peers.cli.local import WORDS

ROUNDS = 300
WARM_UP = 20
# The length of a round in s. An administrator may send fifty messages a second, and a round has two.
PAUSE_S = 0.04
LATE_S = 20.0
LIMIT_S = 200.0
Tell = Callable[[float], None]


class Heard(NamedTuple):
    """What the assigned provider's socket received: the delay of each notification in ms, and the number of rounds
    in which no notification arrived.
    """

    late_ms: list[float]
    unheard: int


def measure(server: BenchServer, rounds: int, progress: Tell) -> Made:
    """Make `rounds` assignments on the server; return the figures. `progress`: called with the progress (0.0 to 1.0).

    Raises ChildError if the process that plays both people fails.
    """
    (assignee,) = server.staff(1, 1)
    admin = asyncio.run(_admin(server))
    _, visit = server.patient()
    heard: Heard = Child(assign, server.endpoint, admin, assignee, visit, rounds).result(LIMIT_S, progress)
    name, note = "assign to the assignee’s bell on the other worker", f"{rounds} rounds, two workers"
    figures = [
        Figure("assign_p50_ms", f"{name}, p50", percentile(heard.late_ms, 50), "ms", note=note),
        Figure("assign_p99_ms", f"{name}, p99", percentile(heard.late_ms, 99), "ms", 50.0),
        Figure("assign_unheard", "assignments that the bell never told", heard.unheard, "", 0),
    ]
    return Made(figures=figures)


async def _admin(server: BenchServer) -> Login:
    """Add an administrator to the organisation; return a browser in which this account is signed in."""
    client = redis.asyncio.Redis.from_url(server.settings.redis.url, socket_timeout=WAIT_S)
    hasher = Hasher()
    try:
        account = await Accounts(client, hasher).add(
            server.organisation, email="desk@bench.example", name="Desk", role=Role.ADMIN, password=WORDS
        )
        return await server.browser(sessions.storage(client, server.settings), account)
    finally:
        hasher.close()
        await client.aclose()


def assign(tell: Tell, endpoint: Endpoint, admin: Login, assignee: Login, visit: str, rounds: int) -> Heard:
    """Play the administrator and the assigned provider for `rounds` rounds, in this child process; return what was
    received.

    `tell`: called with the progress (0.0 to 1.0). `endpoint`: the server. `admin`, `assignee`: their browsers.
    `visit`: the id of the visit that is assigned.
    """
    return uvloop.run(_assign(tell, endpoint, admin, assignee, visit, rounds))


async def _assign(
    tell: Tell, endpoint: Endpoint, admin: Login, assignee: Login, visit: str, rounds: int
) -> Heard:
    rung: asyncio.Queue[int] = asyncio.Queue()

    def news(peer: Peer, payload: bytes, now_ns: int) -> None:
        message = decode(payload)
        if message["type"] == "bell.item" and message["item"]["kind"] == "assigned":
            rung.put_nowait(now_ns)

    peers = {peer.login: peer for peer in await enter_evenly(endpoint, [admin, assignee], news)}
    desk, provider = peers[admin], peers[assignee]
    for answer in await answers([provider.ask("subscribe", topic="bell"), provider.ask("on_call", on=True)]):
        refuse_errors(answer)
    late_ms, unheard = [], 0
    for number in range(WARM_UP + rounds):
        sent_ns = time.monotonic_ns()
        refuse_errors((await answers([desk.ask("visit.assign", visit=visit, to=provider.me)]))[0])
        try:
            async with asyncio.timeout(LATE_S):
                at_ns = await rung.get()
        except TimeoutError:
            unheard += 1
        else:
            if number >= WARM_UP:
                late_ms.append((at_ns - sent_ns) / 1e6)
        refuse_errors((await answers([desk.ask("visit.unassign", visit=visit)]))[0])
        tell((number + 1) / (WARM_UP + rounds))
        await asyncio.sleep(PAUSE_S)
    return Heard(late_ms, unheard)
