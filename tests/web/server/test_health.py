"""Tests when a worker is ready, and that each of its tasks that must never end is supervised.

The tests find in the source code all places that start a task, and all endless loops. They fail if a place is not in
the table `ENDS`, or if a task with an endless loop is not kept by the supervisor.
"""

import ast
import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.signalling.waits import until
from tests.web.site import Site
from web.keys import SUPERVISOR

ROOT = Path(__file__).resolve().parents[3]
# These modules are not parts of the server: the load tester, the Python clients, and synthetic browsers.
NOT_THE_SERVER = ("web/peers/", "signalling/clients/", "media/peers/aiortc_peer.py")
# Functions that start tasks without the supervisor -> what ends the tasks.
ENDS = {
    "signalling/worker.py spawn": "one-off work; ends by itself",
    "signalling/supervision.py keep": "the supervisor's own",
    "signalling/store/mirror.py repair": "ends when nothing is missing; asked for again by the sweep",
    "signalling/hub.py publish": "ends when nothing is pending; started again by the next news",
    "signalling/topics/debounce.py run": "ends when the work is done; tries again until it is",
    "signalling/store/redis_connection.py _connected": "one attempt to connect; its time is limited",
    "signalling/store/redis_transport.py __init__": "ends with its connection",
    "signalling/store/redis_transport.py _run": "both end with the connection",
    "signalling/store/redis_cluster.py _node_at": "reads the slots once; its time is limited",
    "signalling/store/redis_cluster.py send_message": "one message; its time is limited",
    "web/server/redis_client.py reply_received": "asks the Sentinels once, then pauses; `close` cancels it",
    "signalling/store/past_visits.py ready": "ends when all is read; started again by the next search",
    "signalling/store/past_visits.py _give_up": "ends a reader",
    "web/doctor/checks.py look": "one check; its time is limited",
    "web/jobs.py _round": "one job; its time is limited",
    "signalling/ticks.py tick_or": "two waits; both are cancelled when the first of them has ended",
    "web/server/key_rotation.py _alone": "of the command `rotate-keys`, which cancels it at its end",
    "web/server/pages_port.py _serve": "hands one accepted connection over; the TLS handshake has a time limit",
}


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield (module, function) for every function of the server."""
    for package in ("media", "signalling", "web"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if not name.startswith(NOT_THE_SERVER):
                for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                        yield name, node


def is_endless(loop: ast.AST) -> bool:
    """Return whether a statement is a `while True` without anything in it that ends the loop."""
    return (
        isinstance(loop, ast.While)
        and isinstance(loop.test, ast.Constant)
        and loop.test.value is True
        and not any(isinstance(inside, ast.Return | ast.Break) for inside in ast.walk(loop))
    )


def endless() -> set[tuple[str, str]]:
    """Return (module, name) of each coroutine that never ends."""
    return {
        (file.removesuffix(".py").replace("/", "."), node.name)
        for file, node in functions()
        if isinstance(node, ast.AsyncFunctionDef) and any(map(is_endless, ast.walk(node)))
    }


def test_r25_every_place_that_starts_a_task_is_known() -> None:
    starts = {
        f"{file} {node.name}"
        for file, node in functions()
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
        and getattr(call.func, "attr", getattr(call.func, "id", "")) in ("create_task", "ensure_future")
    }
    assert starts == set(ENDS)


async def test_r25_every_endless_task_is_kept_by_the_supervisor(site: Site) -> None:
    kept = set()
    for run in site.app[SUPERVISOR].kept.values():
        function = run.func if isinstance(run, partial) else run
        kept.add((function.__module__, function.__name__))
    assert len(kept) >= 9
    # The app of this test does not start these four: the first two run in the processes of a whole server, the third
    # needs [media] rooms_max, and the fourth would measure the event loop of the test. `_renew` is a task of the
    # command `rotate-keys`, not of a server.
    elsewhere = {
        ("web.server.socket_shares", "run"),
        ("web.server.certificate", "run"),
        ("signalling.rooms.registry", "run"),
        ("web.requests.admission", "watch"),
    }
    assert kept | elsewhere | {("web.server.key_rotation", "_renew")} == endless()


async def test_r25_every_endless_task_that_fails_is_started_again(site: Site) -> None:
    supervisor = site.app[SUPERVISOR]

    def fails(name: str) -> bool:
        """Cancel the operation for which the task waits, so that the task gets an unexpected error.

        Return whether the supervisor has counted a failure of the task.
        """
        waits_for = getattr(supervisor._tasks[name], "_fut_waiter", None)
        if waits_for is not None and not supervisor.failures[name]:
            waits_for.cancel()
        return supervisor.failures[name] > 0

    names = list(supervisor.kept)
    assert {"heartbeat", "bus", "liveness", "sweep", "audit_log"} < set(names)
    for name in names:
        await until(partial(fails, name))
    await asyncio.sleep(0.2)
    assert supervisor.failures == dict.fromkeys(names, 1)
    assert not any(task.done() for task in supervisor._tasks.values())
    answer = await site.person().get("/readyz")
    assert answer.status == 200
    assert (await answer.json())["failures"] == dict.fromkeys(names, 1)


async def test_r25_a_worker_whose_task_keeps_failing_leaves_service(site: Site) -> None:
    someone, supervisor = site.person(), site.app[SUPERVISOR]
    assert (await someone.get("/readyz")).status == 200
    for _ in range(5):
        supervisor.failed("heartbeat", RuntimeError("closed"))
    answer = await someone.get("/readyz")
    assert answer.status == 503
    found = await answer.json()
    assert found["reasons"] == ["task failing: heartbeat"]
    assert found["failures"] == {"heartbeat": 5}
    assert (await someone.get("/healthz")).status == 200
