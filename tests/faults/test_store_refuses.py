"""Tests a store that answers but accepts no writes: the reason is logged, commands are refused, calls continue.

This is row 33 of docs/RELIABILITY.md.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from signalling.clients.client import SignallingClient
from signalling.errors import RequestError
from tests.conftest import StartServer
from tests.faults.conftest import ALL, Measured
from tests.faults.test_store_with_less import connected, valkey_in
from tests.limits import WAIT_S
from tests.signalling.clinic import clinic
from tests.signalling.waits import until
from tests.web.site import FORM

WITHIN_S = 2.0
SOON_S = WITHIN_S if ALL else WAIT_S
Step = Callable[[Redis, Path], Awaitable[None]]


async def _full(redis: Redis, folder: Path) -> None:
    await redis.config_set("maxmemory", "1")


async def _has_room(redis: Redis, folder: Path) -> None:
    await redis.config_set("maxmemory", "0")


async def _a_replica(redis: Redis, folder: Path) -> None:
    await redis.execute_command("REPLICAOF", "127.0.0.1", "1")  # type: ignore[no-untyped-call]


async def _a_primary(redis: Redis, folder: Path) -> None:
    await redis.execute_command("REPLICAOF", "NO", "ONE")  # type: ignore[no-untyped-call]


async def _may_not_write(redis: Redis, folder: Path) -> None:
    await redis.execute_command("ACL", "SETUSER", "default", "-@write")  # type: ignore[no-untyped-call]


async def _may_write(redis: Redis, folder: Path) -> None:
    await redis.execute_command("ACL", "SETUSER", "default", "+@all")  # type: ignore[no-untyped-call]


async def _cannot_save(redis: Redis, folder: Path) -> None:
    (folder / "valkey" / "dump.rdb").mkdir()
    await redis.config_set("save", "3600 1")
    await redis.bgsave()

    async def failed() -> bool:
        return bool((await redis.info("persistence"))["rdb_last_bgsave_status"] == "err")

    await until(failed)


async def _need_not_save(redis: Redis, folder: Path) -> None:
    await redis.config_set("save", "")
    (folder / "valkey" / "dump.rdb").rmdir()


REFUSALS: dict[str, tuple[Step, Step]] = {
    "OOM": (_full, _has_room),
    "READONLY": (_a_replica, _a_primary),
    "NOPERM": (_may_not_write, _may_write),
    "MISCONF": (_cannot_save, _need_not_save),
}


async def test_r33_a_store_that_refuses_writes_is_named_and_those_who_wait_go_on(tmp_path: Path) -> None:
    with valkey_in(tmp_path) as own:
        async with connected(own.url) as operator, connected(own.url) as redis, clinic(redis, 1) as one:
            liveness = one.workers[0].liveness
            patient = await one.arrive()
            visit = f"{patient.visit}"
            waiting = await one.connect(patient)
            provider = await one.on_call(one.provider())
            for reason, (breaks, heals) in REFUSALS.items():

                def named(reason: str = reason) -> bool:
                    problem = liveness.problem
                    return problem is not None and (problem.reason, problem.refused) == (reason, True)

                await breaks(operator, tmp_path)
                await until(named, SOON_S)
                with pytest.raises(RequestError) as refused:
                    await provider.request("visit.claim", visit=visit)
                assert refused.value.code == "unavailable"
                assert (await waiting.request("subscribe", topic=f"place/{visit}"))["type"] == "subscribed"
                await until(lambda: any(m["type"] == "place.state" for m in waiting.backlog))
                waiting.backlog.clear()
                assert (await waiting.request("ping"))["type"] == "pong"
                await heals(operator, tmp_path)
                await until(lambda: liveness.problem is None, SOON_S)
                await provider.request("visit.claim", visit=visit)
                await provider.request("visit.release", visit=visit)
            assert waiting.closed_with is None


async def test_r33_a_full_store_is_reported_at_readyz_and_once_in_the_log_and_forms_are_refused(
    tmp_path: Path, greenroom_server: StartServer, measured: Measured
) -> None:
    with valkey_in(tmp_path / "own") as own:
        server = greenroom_server(redis={"url": own.url})
        origin = {"Origin": server.url}

        async def readiness(http: aiohttp.ClientSession) -> dict[str, Any]:
            async with http.get(f"{server.url}/readyz") as answer:
                return {"code": answer.status, **await answer.json()}

        async def shows(http: aiohttp.ClientSession, code: int) -> bool:
            return bool((await readiness(http))["code"] == code)

        async def opened(http: aiohttp.ClientSession) -> tuple[int, str]:
            form = f"{server.url}/demo/information"
            await (await http.get(form)).read()
            async with http.post(form, data=FORM, headers=origin, allow_redirects=False) as answer:
                return answer.status, await answer.text()

        def jar() -> aiohttp.CookieJar:
            return aiohttp.CookieJar(unsafe=True)

        async with (
            connected(own.url) as operator,
            aiohttp.ClientSession(cookie_jar=jar()) as patient,
            aiohttp.ClientSession(cookie_jar=jar()) as later,
        ):
            assert (await opened(patient))[0] == 303
            client = await SignallingClient.connect(
                patient, f"{server.url}/demo/ws", "patient", headers=origin, timeout_s=WAIT_S
            )
            save = {"visit": client.welcome["visit"], "step": "devices", "answer": None, "left": False}
            await until(partial(shows, later, 200))
            before = len(server.events)
            began_s = time.monotonic()
            await operator.config_set("maxmemory", "1")
            await until(partial(shows, later, 503))
            measured(
                "R33", "a full store is told at /readyz", time.monotonic() - began_s, "s", at_most=WITHIN_S
            )
            assert (await readiness(later))["status"] == "store refuses writes: OOM"
            status, text = await opened(later)
            assert (status, "was not taken" in text) == (503, True)
            assert (await client.request("ping"))["type"] == "pong"
            with pytest.raises(RequestError, match="unavailable"):
                await client.request("visit.withdraw", visit=save["visit"])
            await asyncio.sleep(0.8)
            said = server.events[before:]
            assert [e["reason"] for e in said if e["event"] == "store.unavailable"] == ["OOM"]
            assert len(said) < 12 + 2 * (time.monotonic() - began_s), [e["event"] for e in said]
            await operator.config_set("maxmemory", "0")
            await until(partial(shows, later, 200), SOON_S)
            assert (await opened(later))[0] == 303
            assert client.closed_with is None
            await client.close()


@pytest.mark.minutes
async def test_r33_an_embedded_store_on_a_full_disk_is_named_and_comes_back_with_what_was_acknowledged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = await asyncio.create_subprocess_exec(
        "mount", "-t", "tmpfs", "-o", "size=8m", "none", str(small), stderr=asyncio.subprocess.DEVNULL
    )
    if await mount.wait():
        pytest.skip("no disk may be mounted here")
    try:
        with valkey_in(small) as own:
            async with connected(own.url) as redis:
                filler, kept = small / "filler", 0
                await redis.set("kept", kept)
                with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                    while True:
                        file.write(b"x" * 4096)
                with contextlib.suppress(RedisError):
                    while True:
                        await redis.set("kept", f"{kept + 1:01000}")
                        kept += 1
                await until(lambda: own.pid is None)
                own.keep_running(time.monotonic())
                assert "ENOSPC" in "".join(capsys.readouterr())
                filler.unlink()

                async def back() -> bool:
                    own.keep_running(time.monotonic() + 10)
                    return own.answers()

                await until(back)
                assert int(await redis.get("kept") or 0) >= kept
    finally:
        await (await asyncio.create_subprocess_exec("umount", "-l", str(small))).wait()
