"""`greenroom peers`: synthetic patients and providers against any server, from the command line.

Knows options and how to say what went wrong: one sentence and exit 2 for what cannot be used, exit 1 for a broken
threshold. `greenroom peers URL …` is short for `greenroom peers run URL …`. What the people do is elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from web.peers.conformance import command as conformance
from web.peers.report.commands import BROKEN, UNUSABLE, attach, holds

if TYPE_CHECKING:
    from web.peers.plan import Credential, Plan

CREDENTIALS = "GREENROOM_PEERS_CREDENTIALS"
EARLY_S = 24 * 3600


class _Short(TyperGroup):
    """A group whose first word may be the address of a server: then `run` is meant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = [RENAMED[args[0]], *args[1:]] if args[0] in RENAMED else ["run", *args]
        return super().parse_args(ctx, args)


RENAMED = {"--conformance": "conformance", "--conformance-client": "conformance-client"}
"""Options that are commands of their own."""

peers_app = typer.Typer(
    cls=_Short,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Synthetic patients and providers: load, reports, comparisons. `greenroom peers URL` runs them.",
)
attach(peers_app)
conformance.attach(peers_app)


@peers_app.command()
def run(
    url: Annotated[
        str, typer.Argument(help="The server, with or without the organisation: https://host/riverside")
    ] = "",
    organisation: Annotated[str, typer.Option("--organisation", "-o", help="The organisation’s slug.")] = "",
    patients: Annotated[int, typer.Option("--patients", "-n", min=1, help="How many patients come.")] = 10,
    arrivals: Annotated[
        str,
        typer.Option(
            "--arrivals",
            "-a",
            help="How: steady:2/s, poisson:30/min, burst:50/10s, at-once, day:FILE (a recorded day; day:FILE@60 is "
            "60 times as fast).",
        ),
    ] = "steady:1/s",
    providers: Annotated[
        int,
        typer.Option(
            "--providers",
            "-p",
            min=0,
            help="How many providers are On-Call; 0: your own staff. Each can hold about five visits a second, for a "
            "server closes sockets that say more than 50 messages a second.",
        ),
    ] = 2,
    credentials: Annotated[
        Path | None,
        typer.Option(
            help=f"A file with the email and password of a provider on each line, or - for standard input; or the "
            f"lines in {CREDENTIALS}. Fewer than --providers are used several times. A server holds back wrong "
            "passwords only."
        ),
    ] = None,
    fill_in: Annotated[
        str, typer.Option(help="How long a setup guide takes: 10s, 5s..20s (evenly), ~8s (exponential).")
    ] = "0s",
    claim_after: Annotated[str, typer.Option(help="How long a provider looks before Claim.")] = "0s",
    talk: Annotated[str, typer.Option(help="How long a call is.")] = "0s",
    between: Annotated[str, typer.Option(help="How long a provider pauses between calls.")] = "0s",
    patience: Annotated[
        str, typer.Option(help="How long a patient waits before leaving the line.")
    ] = "10min",
    timeout: Annotated[str, typer.Option(help="How long any answer may take.")] = "30s",
    media: Annotated[
        str,
        typer.Option(
            help="none: signalling only; light: ICE, DTLS and SRTP of a call’s pace, nothing encoded; real: VP8, Opus."
        ),
    ] = "none",
    media_file: Annotated[
        Path | None, typer.Option(help="A film to show in real media, instead of a test picture.")
    ] = None,
    race: Annotated[int, typer.Option(min=1, help="So many providers press Claim on each patient.")] = 1,
    reload: Annotated[str, typer.Option(help="So many patients reload their page: 5%.")] = "0%",
    vanish: Annotated[str, typer.Option(help="So many patients lose their network for a moment: 5%.")] = "0%",
    loss: Annotated[str, typer.Option(help="So many media packets are lost on the way: 2%.")] = "0%",
    seed: Annotated[int, typer.Option(help="The same seed makes the same people.")] = 1,
    processes: Annotated[int, typer.Option(min=1, max=256, help="Drive from so many processes.")] = 1,
    part: Annotated[
        str, typer.Option(help="This machine’s part of the same plan on several: 2/5. Merge with `report`.")
    ] = "1/1",
    start_at: Annotated[
        str,
        typer.Option(help="When to begin: 14:30 or 2026-05-01T14:30:00, so that machines begin together."),
    ] = "",
    report: Annotated[
        Path | None, typer.Option(help="Write report.html, JSON and CSV to this folder.", show_default=False)
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option("--fail-if", help="Exit 1 if this is so, as in pulled_in.p99>5ms; may be repeated."),
    ] = None,
    server_pid: Annotated[
        int | None, typer.Option(help="A server on this machine, whose CPU and memory to report.")
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="Against a server of its own, thrown away afterwards.")
    ] = False,
    local_workers: Annotated[int, typer.Option(min=1, help="The workers of that server.")] = 1,
    ca: Annotated[Path | None, typer.Option(help="A PEM file with the authority to trust.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Trust any certificate.")] = False,
) -> None:
    """Drive patients and providers through whole visits, and report what they saw."""
    from web.peers.arrivals import Arrivals, PlanError, Span, seconds
    from web.peers.entry import CannotEnter
    from web.peers.machines import Failed
    from web.peers.plan import Plan
    from web.peers.report.thresholds import ThresholdError

    def made(address: str, slug: str, staff: tuple[Credential, ...]) -> Plan:
        return Plan(
            url=address,
            organisation=slug,
            ca=ca,
            insecure=insecure,
            patients=patients,
            providers=providers,
            credentials=staff,
            arrivals=Arrivals.parse(arrivals, _recorded(arrivals)),
            fill_in=Span.parse(fill_in),
            claim_after=Span.parse(claim_after),
            talk=Span.parse(talk),
            between=Span.parse(between),
            patience_s=seconds(patience),
            timeout_s=seconds(timeout),
            media=_one_of(media, ("none", "light", "real"), "--media"),
            media_file=media_file,
            race=race,
            reload=_share(reload),
            vanish=_share(vanish),
            loss=_share(loss),
            seed=seed,
        )

    told = {"arrivals": arrivals, "fill in": fill_in, "talk": talk, "processes": str(processes), "part": part}
    if local:
        told["server"] = "its own"  # another port each time, which is no difference between two runs
    try:
        if local == bool(url):
            raise PlanError("expected the address of a server, or --local for one of its own")
        staff = () if local or not providers else _credentials(credentials)
        with _server(local, local_workers, providers) as found:
            plan = (
                made(found.url, found.organisation, found.credentials)
                if found
                else made(url, organisation, staff)
            )
            pids = found.pids if found else _watched(server_pid)
            kept = _play(plan, told, processes, _part(part), _moment(start_at), report, fail_if or [], pids)
    except (PlanError, CannotEnter, Failed, ThresholdError) as problem:
        print(f"greenroom peers: {problem}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(UNUSABLE) from None
    except OSError as problem:
        print(f"greenroom peers: {problem.filename}: {problem.strerror}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(UNUSABLE) from None
    if not kept:
        raise typer.Exit(BROKEN)


def _play(
    plan: Plan,
    told: dict[str, str],
    processes: int,
    part: tuple[int, int],
    start_at: float | None,
    folder: Path | None,
    fail_if: list[str],
    server_pids: tuple[int, ...],
) -> bool:
    """Plays the plan, shows it, reports it; returns whether all thresholds hold."""
    from web.peers import server
    from web.peers.live import Live
    from web.peers.machines import Crew
    from web.peers.observations import Observations
    from web.peers.report import parse, write

    for threshold in fail_if:
        parse(threshold)
    # One look from here, so that what is wrong with the address is said once, and at once.
    plan = replace(plan, organisation=asyncio.run(_organisation(plan)))
    crew = Crew(plan, processes, part)
    try:
        crew.open()
        seen = Observations(started_at=max(start_at or 0.0, time.time()))
        seen.about.plan = {"server": plan.url, "organisation": plan.organisation, **told, **plan.told()}
        seen.about.command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
        seen.about.machine, seen.about.versions = server.machine(), server.versions()
        with Live(seen, crew):
            crew.play(seen, start_at, server_pids)
    finally:
        crew.close()
    if crew.interrupted:
        typer.echo("Ended early: what was seen until then is reported.")
    if folder is not None:
        typer.echo(f"The report is {write(seen, folder, fail_if)}.")
    return holds(seen, fail_if)


async def _organisation(plan: Plan) -> str:
    """The organisation's slug, once it is sure that there is a Greenroom with it. Raises CannotEnter."""
    from web.peers.entry import Clinic

    clinic = Clinic(plan.url, plan.organisation, ca=plan.ca, insecure=plan.insecure)
    await clinic.check()
    return clinic.organisation


@contextmanager
def _server(wanted: bool, workers: int, providers: int) -> Iterator[Any]:
    if not wanted:
        yield None
        return
    from web.bench.stage import NotReady
    from web.peers.local import local_server
    from web.peers.machines import Failed

    try:
        with local_server(workers, providers) as found:
            yield found
    except NotReady as problem:
        raise Failed(str(problem)) from None


def _credentials(path: Path | None) -> tuple[Credential, ...]:
    """From a file, standard input or the environment: never from an option, which everybody on the machine can read."""
    from web.peers.plan import credentials

    if path is None:
        return credentials(os.environ[CREDENTIALS]) if CREDENTIALS in os.environ else ()
    return credentials(sys.stdin.read() if str(path) == "-" else path.read_text("utf-8"))


def _watched(pid: int | None) -> tuple[int, ...]:
    """The process whose use is to be reported. Raises PlanError where this machine does not tell it."""
    from web.peers.arrivals import PlanError
    from web.peers.server import sample

    if pid is None:
        return ()
    if sample(pid) is None:
        raise PlanError(f"expected for --server-pid a process that this machine tells about; found {pid}")
    return (pid,)


def _recorded(arrivals: str) -> str:
    kind, _, rest = arrivals.partition(":")
    return Path(rest.partition("@")[0]).read_text("utf-8") if kind == "day" and rest else ""


def _share(text: str) -> float:
    from web.peers.arrivals import PlanError

    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise PlanError(f"expected a share like 5%; found {text!r}")
    return share


def _part(text: str) -> tuple[int, int]:
    from web.peers.arrivals import PlanError

    one, _, of = text.partition("/")
    if not (one.isdecimal() and of.isdecimal() and 1 <= int(one) <= int(of)):
        raise PlanError(f"expected a part like 2/5; found {text!r}")
    return int(one), int(of)


def _moment(text: str) -> float | None:
    """A time of today (tomorrow, if it has passed), or a date and time, in s since 1970, in this machine's zone."""
    from web.peers.arrivals import PlanError

    if not text:
        return None
    now = datetime.now().astimezone()
    try:
        if "T" in text or "-" in text:
            at = datetime.fromisoformat(text).astimezone()
        else:
            at = datetime.combine(now.date(), clock.fromisoformat(text), now.tzinfo)
            at += timedelta(days=at < now)
    except ValueError:
        raise PlanError(f"expected a moment like 14:30 or 2026-05-01T14:30:00; found {text!r}") from None
    if not 0 <= at.timestamp() - now.timestamp() <= EARLY_S:
        raise PlanError(f"expected a moment within a day from now; found {text!r}")
    return at.timestamp()


def _one_of(text: str, known: tuple[str, ...], option: str) -> str:
    from web.peers.arrivals import PlanError

    if text not in known:
        raise PlanError(f"expected {', '.join(known[:-1])} or {known[-1]} for {option}; found {text!r}")
    return text
