"""Tests which pages a connection has open, after its requests and after a resume on another worker."""

from __future__ import annotations

from redis.asyncio import Redis

from tests.signalling.clinic import clinic
from tests.signalling.waits import until


async def test_a_page_that_was_left_is_not_open_again_after_a_resume(valkey: Redis) -> None:
    async with clinic(valkey) as two:
        actor, visits = two.provider(), [f"{(await two.arrive()).visit}" for _ in range(2)]
        client = await two.on_call(actor, 0)
        for visit in visits:
            await client.request("visit.claim", visit=visit)
            await client.request("visit.enter", visit=visit)
        connection, held = client.welcome["connection"], two.workers[0].connections
        assert held[connection].entered == set(visits)
        await client.request("visit.leave", visit=visits[0])
        await client.request("visit.leave", visit="v_unknown")
        client.vanish()
        await until(lambda: connection not in held)
        back = await two.connect(actor, 1, resume=client.welcome["resume"])
        assert two.workers[1].connections[connection].entered == {visits[1]}
        await back.close()
