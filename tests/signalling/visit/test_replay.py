"""Tests random commands at the same time through two workers: the store ends in the state that the pure rules give."""

from __future__ import annotations

import asyncio
import itertools
from typing import ClassVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signalling.service import Accepted, Service
from signalling.store.encryption import Seal
from signalling.store.pubsub import Bus
from signalling.store.records import Store
from signalling.store.redis_connection import SharedRedis
from signalling.visit import commands as c
from signalling.visit.record import Actor, Policy, Visit
from signalling.visit.relations import Context, Decided
from signalling.visit.rules import decide
from signalling.visit.setup_guide import Guide
from tests.limits import WAIT_S
from tests.signalling.visits import ANA, GUIDE, VISIT, people
from tests.signalling.waits import until
from web.server.valkey import EmbeddedStore

POLICY = Policy()
COMMANDS: st.SearchStrategy[c.Command] = st.one_of(
    st.sampled_from(
        [c.Claim(), c.Start(), c.HangUp(), c.Release(), c.End(), c.Reopen(), c.Withdraw(), c.Due()]
    ),
    st.builds(c.Save, st.just("allergies"), st.sampled_from(["a", "b", None]), st.just(False)),
    st.builds(c.Enter, st.sampled_from(["c_1", "c_2"]), st.just("w1")),
    st.builds(c.Leave, st.sampled_from(["c_1", "c_2"]), st.just("w1")),
)
PEOPLE = st.sampled_from(["patient", "claimant", "on call", "admin", "system", "other patient"])
ROUNDS = st.lists(st.lists(st.tuples(PEOPLE, COMMANDS), min_size=1, max_size=6), min_size=1, max_size=8)
_numbers = itertools.count(1)


class Anywhere:
    """The settings of every organisation, which are always the same."""

    policy, guide = POLICY, GUIDE
    area_names: ClassVar[dict[str, str]] = {}

    def guide_of(self, area: str, /) -> Guide:
        return self.guide

    async def get(self, organisation: str, /) -> Anywhere:
        return self

    read = get

    async def list(self) -> list[str]:
        return []


async def live_through(url: str, rounds: list[list[tuple[str, c.Command]]]) -> None:
    """Send the commands of each round through two workers at the same time; check that the store has what the rules
    give.

    `url`: the URL of the store. `rounds`: each a list of (person, command).
    """
    organisation = f"clinic-{next(_numbers)}"
    everybody = people(organisation)
    redis = SharedRedis.from_url(url, socket_timeout=WAIT_S)
    workers, running = [], []
    for _ in range(2):
        bus = Bus(redis)
        workers.append(Service(Store(redis, Seal({b"1": b"k" * 32})), bus, Anywhere()))
        running.append(asyncio.create_task(bus.run()))
    try:
        carried_out: list[tuple[Actor, c.Command, Accepted]] = []

        async def does(worker: int, actor: Actor, command: c.Command) -> None:
            answer = await workers[worker].command(actor, VISIT, command)
            if isinstance(answer, Accepted) and answer.event is not None:
                carried_out.append((actor, command, answer))

        opened = await workers[0].open(everybody["patient"], ANA, VISIT)
        assert isinstance(opened, Accepted)
        carried_out.append((everybody["patient"], c.Open(VISIT, ANA), opened))
        for who in ("claimant", "on call"):
            await workers[0].set_on_call(everybody[who], True)
        mirrors = [await worker.mirrors.get(organisation) for worker in workers]
        staff = mirrors[0].staff
        await until(lambda: mirrors[1].staff == staff)
        for commands in rounds:
            await asyncio.gather(
                *(does(i % 2, everybody[who], command) for i, (who, command) in enumerate(commands))
            )
        model: Visit | None = None
        for actor, command, answer in sorted(carried_out, key=lambda done: done[2].visit.version):
            assert answer.event is not None
            facts = Context(now_ms=answer.event.at_ms, policy=POLICY, guide=GUIDE, staff=staff)
            replayed = decide(model, command, actor, facts)
            assert isinstance(replayed, Decided)
            assert replayed.visit == answer.visit
            model = replayed.visit
        assert model is not None
        kept, _ = await workers[0].store.load(organisation, Visit, VISIT)
        assert kept == model, "the store is the replay"
        assert model.version == len(carried_out), "no version was given twice"
        shown = model if model.is_open else None
        for mirror in mirrors:
            await mirror.catch_up()
            await until(lambda mirror=mirror: mirror.visits.get(VISIT) == shown)  # type: ignore[misc]
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for worker in workers:
            await worker.mirrors.close()
            await worker.bus.close()
        await redis.aclose()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rounds=ROUNDS)
def test_races_through_two_workers_equal_a_replay_by_the_pure_rules(
    embedded_store: EmbeddedStore, rounds: list[list[tuple[str, c.Command]]]
) -> None:
    asyncio.run(live_through(embedded_store.url, rounds))
