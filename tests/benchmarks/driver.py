"""Measures the load tester itself: the CPU of one process of `greenroom peers`, which plays people on a server.

There are three runs: whole visits without media, a hundred per second; a hundred calls at once with light
media (real packets, but nothing is encoded or decoded); four calls at once with real media. The result shows
how many people the load tester can play on a core.
"""

import json
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.figures import Figure, Made
from tests.benchmarks.process import ChildError
from web.peers.report.writing import FIGURES
from web.server.throwaway import GREENROOM

PEERS = [*GREENROOM, "peers", "--local"]
LIMIT_S = 300.0
# Time in s after the last arrival and before the first departure in which the load tester's CPU is not counted.
EDGE_S = 1.0
Tell = Callable[[float], None]


class Size(NamedTuple):
    """How much is measured.

    `visits`: the number of visits without media. `light`, `real`: the number of simultaneous calls with light
    and with real media. `talk_s`: the length of these calls in s.
    """

    visits: int
    light: int
    real: int
    talk_s: int


WHOLE = Size(2000, 100, 4, 20)
QUICK = Size(100, 10, 1, 5)


def measure(size: Size, tell: Tell) -> Made:
    """Make all three runs; return the figures.

    `size`: how much is measured. `tell`: called with the progress (0.0 to 1.0).
    """
    visits = run(size.visits, size.visits // 20 + 1, "none", "steady:100/s", fill_in="2s", talk="1s")
    tell(0.4)
    light = run(size.light, size.light, "light", "steady:10/s", talk=f"{size.talk_s}s")
    tell(0.7)
    real = run(size.real, size.real, "real", "at-once", talk=f"{size.talk_s}s")
    runs = (visits, light, real)
    unfinished = sum(run["people"]["arrived"] - run["people"]["done"] for run in runs)
    failed = sum(sum(run["failures"]) for run in runs)
    of_visit, of_light, of_real = visits["driver_cpu_per_visit_s"] * 1000, share(light), share(real)
    return Made(
        [
            Figure(
                "driver_visit_ms",
                "load tester: CPU of a whole visit without media",
                of_visit,
                "ms",
                10.0,
                f"{size.visits} visits at 100 a second; a core drives {1000 / of_visit:.0f} a second",
            ),
            Figure(
                "driver_light_percent",
                "load tester: CPU of a call of light media",
                of_light / size.light * 100,
                "%",
                1.0,
                f"{size.light} at once; a core drives {size.light / of_light:.0f}",
            ),
            Figure(
                "driver_real_percent",
                "load tester: CPU of a call of real media (VP8, Opus)",
                of_real / size.real * 100,
                "%",
                25.0,
                f"{size.real} at once; a core drives {size.real / of_real:.1f}",
            ),
            Figure(
                "driver_unfinished",
                "load tester: visits without their end, errors",
                unfinished + failed,
                "",
                0,
            ),
        ]
    )


def run(patients: int, providers: int, media: str, arrivals: str, **options: str) -> dict[str, Any]:
    """Run the load tester with these numbers of patients and providers; return the content of its report.json.

    `media`: the kind of media that they send ("none", "light" or "real"). `arrivals`: when the patients
    arrive, as the option `--arrivals` expects it, such as "steady:10/s". `options`: other options of
    `greenroom peers`.
    """
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as folder:
        words = {
            "patients": patients,
            "providers": providers,
            "media": media,
            "arrivals": arrivals,
            **options,
        }
        command = [f"--{name.replace('_', '-')}={value}" for name, value in words.items()]
        try:
            subprocess.run(
                [*PEERS, *command, f"--report={folder}"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
                timeout=LIMIT_S,
            )
        except subprocess.CalledProcessError as problem:
            said = problem.stderr.decode("utf-8", "replace").strip().splitlines() or ["it says nothing"]
            raise ChildError(f"greenroom peers: {said[-1]}") from None
        except subprocess.TimeoutExpired:
            raise ChildError(f"greenroom peers did not end within {LIMIT_S:.0f} s") from None
        figures: dict[str, Any] = json.loads((Path(folder) / FIGURES).read_bytes())["figures"]
        return figures


def share(run: dict[str, Any]) -> float:
    """Return the share of a core (1.0: a whole core) that the load tester used while all people of a run were in their
    calls.

    `run`: the report of the run.
    """
    calls, driver = (run["gauges"][name]["over_time"] for name in ("in_call", "driver_cpu"))
    full = [at_s for at_s, people in calls if people == run["people"]["arrived"]]
    first_s, last_s = min(full) + EDGE_S, max(full) - EDGE_S
    return statistics.fmean(share for at_s, share in driver if first_s <= at_s <= last_s)
