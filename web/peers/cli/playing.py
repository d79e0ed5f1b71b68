"""Plays the run that the options of `greenroom peers run` describe: starts processes, shows figures, writes the report.

`command.py` decides on the exit code.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from web.peers.distributed import command as distributed
from web.peers.report.commands import holds

if TYPE_CHECKING:
    from web.peers.cli.outputs import Outputs
    from web.peers.run.faults import Fault
    from web.peers.run.machines import Crew
    from web.peers.run.observations import Observations
    from web.peers.run.plan import Plan
    from web.peers.run.presence import Presence


class Judgement(NamedTuple):
    """The thresholds of a run.

    A run fails if it breaks one of `fail_if` or `abort_if`. A broken threshold of `abort_if` also ends the run at once,
    but not before `abort_after_s` seconds have passed since the start of the run.
    """

    fail_if: Sequence[str] = ()
    abort_if: Sequence[str] = ()
    abort_after_s: float = 0.0

    @property
    def all(self) -> list[str]:
        """The thresholds that make the run fail: those of `fail_if` and those of `abort_if`."""
        return [*self.fail_if, *(one for one in self.abort_if if one not in self.fail_if)]

    def ends_early(self, seen: Observations) -> str:
        """Return a sentence about the first threshold of `abort_if` that is broken now and so ends the run; ""
        if none is.
        """
        from web.peers.report.thresholds import broken_already

        return broken_already(seen, self.abort_if) if seen.now_s >= self.abort_after_s else ""


def play(
    plan: Plan,
    shown: dict[str, str],
    crew: Crew,
    meeting: distributed.HelperOptions | None,
    begins_at: float | None,
    folder: Path | None,
    judgement: Judgement,
    server_pids: tuple[int, ...],
    outputs: Outputs,
    faults: tuple[Iterator[Fault], Sequence[int]],
) -> bool:
    """Play the plan, show its figures and write the report; return whether all thresholds hold.

    `shown`: the options as the report shows them; `crew`: the processes that play the plan; `meeting`: how helpers on
    other machines join, None without helpers; `begins_at`: the time to begin, by time.monotonic in s, None to begin at
    once; `folder`: the folder for the report, None for no report;
    `judgement`: the thresholds; `server_pids`: processes whose CPU and memory are reported; `outputs`: receives the
    figures during the run; `faults`: (the faults to cause, the process ids of the server).
    """
    from web.peers.cli.live import Live
    from web.peers.errors import RunError, file_sentence
    from web.peers.report import write
    from web.peers.run import server as measured
    from web.peers.run.breaking import Breaker
    from web.peers.run.observations import Observations, readable
    from web.peers.run.presence import Presence

    with ExitStack() as stack:
        coordinator = stack.enter_context(meeting.coordinator(plan, crew.remote_shares)) if meeting else None
        others = meeting.gather(coordinator) if meeting and coordinator else []
        stack.callback(crew.close)
        try:
            crew.open(others)
        except KeyboardInterrupt:
            raise RunError("ended before it began") from None
        in_s = max(0.0, (begins_at or 0.0) - time.monotonic())
        seen = Observations(ago_s=-in_s)
        about = {"server": plan.url, "organisation": plan.organisation, **shown, **plan.in_words()}
        seen.about.plan = {name: readable(value) for name, value in about.items()}
        seen.about.command = readable(shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]))
        seen.about.machine, seen.about.versions = measured.machine(), measured.versions()
        if coordinator:
            seen.about.machine["helpers"] = ", ".join(coordinator.names)
        host, port = where(plan)

        def each_second(so_far: Observations) -> str:
            breaker.tell(so_far)
            outputs.tick(so_far)
            return judgement.ends_early(so_far)

        stack.enter_context(outputs)
        if outputs.address:
            typer.echo(f"The live page is {outputs.address}", err=True)
        breaker = Breaker(*faults, begins_at=time.monotonic() + in_s)
        with Presence(host, port) as presence, Live(seen, crew), breaker:
            crew.play(seen, in_s, server_pids, presence, each_second)
        breaker.tell(seen)
        outputs.tick(seen, last=True)
        problem = _problem(seen, plan, crew, presence)
    for kind, number in breaker.done.items():
        typer.echo(f"Processes of the server that were {kind}: {number}.")
    if crew.interrupted:
        typer.echo("Ended early: what was seen until then is reported.")
    if crew.ended:
        typer.echo(f"Ended early by --abort-if: {crew.ended}.")
    for name in coordinator.left if coordinator else ():
        typer.echo(f"Ended early by {name}: what was seen there until then is reported.")
    if folder is not None:
        try:
            page = write(seen, folder, judgement.all)
        except OSError as unwritten:
            raise RunError(file_sentence(unwritten, folder)) from None
        typer.echo(f"The report is {page}.")
    kept = holds(seen, judgement.all)
    if problem:
        print(f"greenroom peers: {problem}", file=sys.stderr)  # noqa: T201
    return kept and not problem and not crew.ended


def _problem(seen: Observations, plan: Plan, crew: Crew, presence: Presence) -> str:
    """Return a sentence about why the figures of a run must not be trusted; "" if there is no such reason.

    The thresholds do not show this: a run whose server is gone may keep all of them. `seen`: the observations of the
    run; `presence`: the object that has watched the server's port during the run.
    """
    from web.peers.errors import EntryError

    done = len(seen.steps["journey"]) if "journey" in seen.steps else 0
    errors = sum(len(series) for series in seen.errors.values())
    if not errors or crew.interrupted or crew.ended:
        return ""
    visits = f"{done} of {crew.patients} visits came to their end"
    since = presence.gone_since
    if since is not None:
        after_s = seen.now_s - (time.monotonic() - since)
        return f"the server at {plan.url} was gone {after_s:.0f} s after the begin of the run: {visits}"
    try:
        asyncio.run(organisation(plan))
    except EntryError as gone:
        return f"the server no longer answers as it should: {visits} ({gone})"
    return f"no visit came to its end: {errors} errors" if crew.patients and not done else ""


def where(plan: Plan) -> tuple[str, int]:
    """Return the host and port of the plan's server. Raises EntryError or PlanError if its address is not valid."""
    if plan.adapter:
        from web.peers.adapters.adapter import address

        return address(plan.url)
    from web.peers.people.entry import Clinic

    clinic = Clinic(plan.url, plan.organisation)
    return clinic.host, clinic.port


async def organisation(plan: Plan) -> str:
    """Check that a Greenroom server with this organisation answers; return the organisation's slug.

    With an adapter, only check that the server accepts a connection, and return the plan's organisation. Raises
    EntryError if the check fails.
    """
    if plan.adapter:
        from web.peers.adapters.adapter import check

        await check(plan.url, plan.timeout_s)
        return plan.organisation
    from web.peers.people.entry import Clinic

    clinic = Clinic(plan.url, plan.organisation, ca=plan.ca, insecure=plan.insecure, timeout_s=plan.timeout_s)
    await clinic.check()
    return clinic.organisation


def live_page(seen: Observations, thresholds: Sequence[str]) -> str:
    """Return the HTML of the page that shows a run in progress. `seen`: the observations so far.

    Thresholds about steps that nobody has carried out yet are left out.
    """
    from web.peers.report.figures import figures
    from web.peers.report.page import report_page
    from web.peers.report.thresholds import verdicts

    found = figures(seen)
    judged = [verdict for verdict in verdicts(seen, thresholds) if verdict.value is not None]
    return report_page(found, judged, live=True)


@contextmanager
def server(wanted: bool, workers: int, providers: int) -> Iterator[Any]:
    """If `wanted`, start a temporary server and yield it; stop it at the end. Otherwise yield None.

    `workers` and `providers`: the numbers of its worker processes and of its providers. Raises RunError if the server
    does not become ready.
    """
    if not wanted:
        yield None
        return
    from web.errors import ServerNotReadyError
    from web.peers.cli.local import local_server
    from web.peers.errors import RunError

    try:
        with local_server(workers, providers) as found:
            yield found
    except ServerNotReadyError as problem:
        raise RunError(str(problem)) from None
