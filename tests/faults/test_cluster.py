"""Tests visits on a cluster of six nodes: nothing is lost when a slot moves, nor when a node dies.

This is row 10 of docs/RELIABILITY.md.
"""

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest

from signalling.store import keys
from signalling.store.redis_cluster import slot_of
from tests.conftest import StartServer
from tests.faults.conftest import Measured
from tests.faults.nodes import DOWN_MS, Cluster, cluster
from tests.faults.sentinels import Program
from tests.faults.test_sentinel import USABLE_S, clinic_at, in_store, same, writing
from tests.server import RunningServer
from tests.signalling.clinic import ORG, Clinic
from tests.web.site import FORM

SLOT = slot_of(keys.HEAD(ORG))


def other(nodes: Cluster) -> Program:
    """Return a master of the cluster that does not have the slot (group of keys) of the organisation."""
    owner = nodes.owner(SLOT)
    return next(node for node in nodes.masters if node is not owner)


async def whole_visit(at: Clinic) -> None:
    """Play a visit from Meet Now to its end: the patient is connected to one worker of the clinic, the provider to the
    other.
    """
    patient = await at.arrive(0)
    waits = await at.connect(patient, 0)
    await waits.request("subscribe", topic=f"visit/{patient.visit}")
    await waits.request("visit.enter", visit=patient.visit)
    await waits.request("visit.save", visit=patient.visit, step="allergies", answer="Penicillin", left=True)
    provider = await at.on_call(at.provider(), 1)
    await provider.request("visit.claim", visit=patient.visit)
    await waits.expect("visit.state", lambda m: m["visit"]["status"] == "claimed")
    await waits.request("visit.start", visit=patient.visit)
    await provider.request("visit.start", visit=patient.visit)
    await waits.expect("visit.state", lambda m: m["visit"]["status"] == "live")
    await provider.request("visit.end", visit=patient.visit)
    await waits.expect("visit.state", lambda m: m["visit"]["status"] == "ended")


async def opens_a_visit(server: RunningServer) -> None:
    """Open a visit at the server's demo clinic by sending the patient information form, as a browser does."""
    form = f"{server.url}/demo/information"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        await (await http.get(form)).read()
        origin = {"Origin": server.url}
        async with http.post(form, data=FORM, headers=origin, allow_redirects=False) as answer:
            assert answer.status == 303


@pytest.mark.long
async def test_r10_visits_run_on_a_cluster_and_go_on_while_their_slot_moves(
    tmp_path: Path, measured: Measured, greenroom_server: StartServer
) -> None:
    with cluster(tmp_path / "nodes", copies=False) as nodes:
        server = greenroom_server(redis={"url": nodes.url})
        await opens_a_visit(server)
        await asyncio.to_thread(server.stop)
        async with clinic_at(nodes.url) as at:
            async with writing(at) as writer:
                await writer.more()
                for move in (nodes.move_at_once, nodes.move):
                    writer.away_s = 0.0
                    await asyncio.to_thread(move, SLOT, other(nodes))
                    await writer.more()
                    measured(
                        "R10",
                        f"visits usable while a slot moves ({move.__name__})",
                        writer.away_s,
                        "s",
                        at_most=1,
                    )
            await same(at)
            await whole_visit(at)
            assert set(writer.kept) <= await in_store(at)


@pytest.mark.minutes
async def test_r10_a_node_that_dies_while_visits_run_loses_nothing(
    tmp_path: Path, measured: Measured
) -> None:
    with cluster(tmp_path, down_ms=DOWN_MS) as nodes:
        async with clinic_at(nodes.url) as at:
            async with writing(at) as writer:
                await writer.more()
                nodes.owner(SLOT).end()
                writer.away_s = 0.0
                await writer.more()
            measured(
                "R10", "visits usable after a failover in a cluster", writer.away_s, "s", at_most=USABLE_S
            )
            await same(at)
            await whole_visit(at)
            lost = set(writer.kept) - await in_store(at)
            measured("R10", "acknowledged commands lost by a failover in a cluster", len(lost), at_most=0)


@pytest.mark.minutes
async def test_r10_a_node_that_stands_still_is_left_for_its_copy(tmp_path: Path, measured: Measured) -> None:
    with cluster(tmp_path, down_ms=DOWN_MS) as nodes:
        async with clinic_at(nodes.url) as at, writing(at) as writer:
            await writer.more()
            owner = nodes.owner(SLOT)
            owner.send(signal.SIGSTOP)
            writer.away_s = 0.0
            await writer.more()
            measured("R10", "visits usable after a node stood still", writer.away_s, "s", at_most=USABLE_S)
            assert nodes.owner(SLOT) is not owner
            owner.send(signal.SIGCONT)
            await writer.more()
            await same(at)
            lost = set(writer.kept) - await in_store(at)
            measured("R10", "acknowledged commands lost by a node that stood still", len(lost), at_most=0)
