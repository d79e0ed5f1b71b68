"""Measures whole visits, from Meet Now to End, as browsers make them. The rate rises until claims are no longer fast.

The load tester is the driver (`greenroom peers`, without media). It plays one run of steps on one server, each step
with a rate. For each step the result has the CPU of the workers and of the store for a visit, and how long a calendar
page, a claim and its arrival at the patient's page took. A run ends early when claims take long.
"""

import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.driver import LIMIT_S
from tests.benchmarks.figures import Figure, Load, Made, Skipped, percentile
from tests.benchmarks.flame import Profile, picture, samples
from tests.benchmarks.process import ChildError, cpu_ns
from tests.benchmarks.visit_tables import PICTURES
from web.peers.cli.local import Local, local_server
from web.peers.report.writing import RAW, read
from web.peers.run.observations import Observations
from web.server.throwaway import GREENROOM

CLAIM_MS = 20.0
"""The claims of a step count as fast if their 99th percentile is at most this."""
GIVE_UP = "claim.p99>250ms"
EDGE_S = 2.0
"""The time in s at the start of a step that is not measured, because the step's first visits are not in a
call yet."""
WARM_S = 6.0
"""The time in s before the first step. Its visits draw each page for the first time, so it is not measured.
"""
CPU_MS, PROVIDERS = 10.3, 60
LOOK_S = 0.1
Tell = Callable[[float], None]


class Size(NamedTuple):
    """How much is measured: the rates of the steps, in visits a second, and the length of each step in s."""

    rates: tuple[float, ...]
    step_s: float
    providers: int = PROVIDERS


WHOLE = Size((1, 2, 5, 10, 15, 20, 30, 40, 50, 60, 80, 100), 6.0)
QUICK = Size((2, 10, 20), 4.0, 20)
OVERLOAD = Size((120,), 10.0, 180)
"""More visits a second than one worker can carry."""
IN_LINE_MS = 100.0
PROFILED = Size((20,), 6.0)
"""The run of the flame graph. It has no figures: py-spy stops the worker 200 times a second, and uses a core itself."""
NEVER = "claim.p99>60s"


class Used(NamedTuple):
    """The CPU time in ns that the workers and the store had used at a moment `at_s` (Unix time)."""

    at_s: float
    workers: int
    store: int


class Run(NamedTuple):
    """A run of the load tester: the figures of its steps, and how many newcomers were asked to wait."""

    loads: list[Load]
    asked_to_wait: int


def measure(size: Size, tell: Tell) -> Made:
    """Make a run on one worker, a run on two workers, an overload of one worker, and a run for the flame graph.

    Return the figures of each step, the published figures, and the flame graph of one worker.

    `tell`: called with the progress (0.0 to 1.0).
    """
    made = Made()
    for number, workers in enumerate((1, 2)):
        with local_server(workers, size.providers) as server:
            run = _run(server, workers, size)
        made.loads += run.loads
        if not run.loads:
            made.skipped.append(Skipped(f"whole visits, workers: {workers}", "the first step has not ended"))
        tell((number + 1) / 4)
    with local_server(1, OVERLOAD.providers) as server:
        made.figures = [*figures(made.loads), *overload(_run(server, 1, OVERLOAD, NEVER))]
    tell(3 / 4)
    with local_server(1, PROFILED.providers) as server, Profile(server.pids[0]) as profile:
        _run(server, 1, PROFILED, NEVER)
    made.flame = picture(samples(profile.raw), PICTURES["visits-flame.svg"]) if profile.raw else ""
    made.skipped += [Skipped("flame graph", profile.problem)] if profile.problem else []
    return made


def overload(run: Run) -> list[Figure]:
    """Return the figures of a run with more visits than one worker can carry."""
    name = f"one worker, {OVERLOAD.rates[0]:.0f} newcomers a second"
    waited = f"{run.asked_to_wait} answers asked a newcomer to wait"
    return [
        figure
        for load in run.loads
        for figure in (
            Figure(
                "overload_claim_p99_ms",
                f"{name}: claim of a patient in line, p99",
                load.claim_p99_ms,
                "ms",
                IN_LINE_MS,
                waited,
            ),
            Figure(
                "overload_pulled_in_p99_ms",
                f"{name}: claim to the patient’s page, p99",
                load.pulled_in_p99_ms,
                "ms",
                IN_LINE_MS,
            ),
            Figure("overload_ended", f"{name}: visits that end", load.ended, "/s"),
        )
    ]


def figures(loads: Sequence[Load]) -> list[Figure]:
    """Return the published figures: the CPU of a visit, and the most visits a second at which claims are
    fast.

    `loads`: the figures of each step.
    """
    found = []
    for workers in sorted({load.workers for load in loads}):
        these = [load for load in loads if load.workers == workers]
        fast = [load for load in these if load.claim_p99_ms <= CLAIM_MS]
        best = max(fast, key=lambda load: load.ended, default=these[0])
        name = f"whole visits on {'one worker' if workers == 1 else f'{workers} workers'}"
        note = f"at {best.ended:.0f} visits a second, 60 providers, without media"
        found += [
            Figure(
                f"visits_ms_{workers}",
                f"{name}: the server’s CPU of a visit",
                best.workers_ms,
                "ms",
                CPU_MS,
                note,
            ),
            Figure(f"visits_store_ms_{workers}", f"{name}: the store’s CPU of a visit", best.store_ms, "ms"),
            Figure(
                f"visits_most_{workers}",
                f"{name}: the most visits a second with a p99 of claims of at most {CLAIM_MS:.0f} ms",
                best.ended if fast else 0.0,
                "/s",
                None,
                "the load tester on the same cores",
            ),
        ]
    return found


def _run(server: Local, workers: int, size: Size, give_up: str = GIVE_UP) -> Run:
    """Play a run on `server`, which has this number of workers. The run ends early if `give_up` is true."""
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as folder:
        report, secret = Path(folder) / "report", Path(folder) / "staff"
        secret.write_text("\n".join(f"{one.email} {one.password}" for one in server.credentials), "utf-8")
        options = {
            "organisation": server.organisation,
            "credentials": secret,
            "providers": size.providers,
            "arrivals": arrivals(size),
            "media": "none",
            "fill-in": "1s",
            "claim-after": "0.1s",
            "talk": "0.5s",
            "abort-if": give_up,
            "report": report,
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        *ids, store = server.pids
        with sampled(ids, store) as used:
            ended = subprocess.run(
                [*GREENROOM, "peers", server.url, *words], capture_output=True, timeout=LIMIT_S, check=False
            )
        if not (report / RAW).is_file():
            said = ended.stderr.decode("utf-8", "replace").strip().splitlines() or ["it says nothing"]
            raise ChildError(f"greenroom peers: {said[-1]}")
        seen = read(report)
        waits = round(sum(seen.counts["asked_to_wait"].values)) if "asked_to_wait" in seen.counts else 0
        return Run(loads(seen, used, size, workers), waits)


def arrivals(size: Size) -> str:
    """Return the option `--arrivals` for a run: a few first visits, a pause, then the steps of `size`."""
    parts = ["2/s@0.01s", f"2/s@{WARM_S / 2}s", "0/s@0.01s", f"0/s@{WARM_S / 2}s"]
    for rate in size.rates:
        parts += [f"{rate:g}/s@0.01s", f"{rate:g}/s@{size.step_s}s"]
    return "stages:" + ",".join(parts)


@contextmanager
def sampled(workers: Sequence[int], store: int) -> Iterator[list[Used]]:
    """Record the CPU time of these processes every LOOK_S seconds until the context ends.

    Yield the list to which each record is appended. `workers` and `store`: process ids.
    """
    found: list[Used] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_S):
            found.append(Used(time.time(), cpu_ns(workers), cpu_ns([store])))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def loads(seen: Observations, used: Sequence[Used], size: Size, workers: int) -> list[Load]:
    """Return the figures of each step that ended before the run did.

    `seen`: the load tester's observations. `used`: the CPU times, one after another. `size`: the steps of the
    run. `workers`: the number of workers of the server.
    """
    found = []
    for number, rate in enumerate(size.rates):
        begin_s = WARM_S + number * size.step_s + EDGE_S
        end_s = begin_s + size.step_s - EDGE_S

        def ms(name: str, begin_s: float = begin_s, end_s: float = end_s) -> list[float]:
            series = seen.steps.get(name, ())
            return [value * 1000 for at_s, value in series if begin_s <= at_s < end_s]

        ended = len(ms("journey"))
        if not ended or seen.duration_s < end_s:
            break
        first, last = (_near(used, seen.started_at + at_s) for at_s in (begin_s, end_s))
        found.append(
            Load(
                workers=workers,
                rate=rate,
                ended=ended / (end_s - begin_s),
                workers_ms=(last.workers - first.workers) / 1e6 / ended,
                store_ms=(last.store - first.store) / 1e6 / ended,
                claim_p50_ms=percentile(ms("claim"), 50),
                claim_p99_ms=percentile(ms("claim"), 99),
                pulled_in_p99_ms=percentile(ms("pulled_in"), 99),
                arrive_p50_ms=statistics.median(ms("arrive") or [0.0]),
                arrive_p99_ms=percentile(ms("arrive"), 99),
            )
        )
        if found[-1].claim_p99_ms > CLAIM_MS:
            break
    return found


def _near(used: Sequence[Used], at_s: float) -> Used:
    return min(used, key=lambda one: abs(one.at_s - at_s))
