"""Writes notes, one sentence each, that warn the reader of a report.

They warn of too few values, and of a machine or load tester that was too busy for exact figures.
"""

from __future__ import annotations

from web.peers.report.figures import Figures
from web.peers.report.units import SHARE, TIME, written

FEW = 100
BUSY = 0.9
LATE_S = 0.02
LATE_OFTEN = 0.1


def notes(found: Figures) -> list[str]:
    """Return the notes (warnings for the reader of the report) on a run, from its figures."""
    made = []
    if 0 < found.people.arrived < FEW:
        made.append(f"Of fewer than {FEW} values, the p99 is the longest that was seen.")
    cores = found.about.machine.get("cores", "")
    machine = found.gauges.get("machine_cpu")
    busy = False
    if machine is not None and cores.isdecimal() and machine.mean >= BUSY * int(cores):
        busy = True
        of = written(int(cores), SHARE)
        made.append(
            f"The driver's machine was busy ({written(machine.mean, SHARE)} of {of} on average): what was measured "
            "includes waiting for a core."
        )
    lag = found.gauges.get("driver_lag")
    if lag is not None and lag.over_time:
        late = [value for _, value in lag.over_time if value > LATE_S]
        if len(late) >= LATE_OFTEN * len(lag.over_time):
            advice = "" if busy else ": use more --processes, or fewer patients at once"
            late_by = written(lag.max, TIME)
            made.append(
                f"The driver's loop was often late, by up to {late_by}, and that is in every figure{advice}."
            )
    return made
