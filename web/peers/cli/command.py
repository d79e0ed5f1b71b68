"""Defines `greenroom peers`, which plays synthetic patients and providers against any server.

This module defines the options, and prints an error as one sentence. The exit code is 2 if an argument cannot be used
or the run cannot be played, and 1 if a threshold is broken or the server is lost during the run. `greenroom peers
URL …` is short for `greenroom peers run URL …`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from web.peers.cli import examples, options
from web.peers.cli.options import CREDENTIALS
from web.peers.conformance import command as conformance
from web.peers.distributed import command as distributed
from web.peers.report.commands import BROKEN, UNUSABLE, attach

if TYPE_CHECKING:
    from web.peers.cli.scenario import Scenario


class _Short(TyperGroup):
    """A command group that runs the command `run` if the first word is not the name of a command, as in `peers URL`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = [RENAMED[args[0]], *args[1:]] if args[0] in RENAMED else ["run", *args]
        return super().parse_args(ctx, args)


RENAMED = {"--conformance": "conformance", "--conformance-client": "conformance-client"}
"""Option -> the command that is run if this option is the first word."""

peers_app = typer.Typer(
    cls=_Short,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Synthetic patients and providers: load, reports, comparisons. `greenroom peers URL` runs them.",
)
attach(peers_app)
conformance.attach(peers_app)
distributed.attach(peers_app)
examples.attach(peers_app)


@contextmanager
def _sentences() -> Iterator[None]:
    """If the context raises an error of the load tester or of a file, print it and exit with the code UNUSABLE.

    SIGTERM ends the context and all processes that were started in it.
    """
    from web.peers.errors import EntryError, PlanError, RunError, ThresholdError, file_sentence
    from web.server.subprocesses import ended_by_sigterm

    try:
        with ended_by_sigterm():
            yield
    except (PlanError, EntryError, RunError, ThresholdError) as problem:
        sentence = str(problem)
    except OSError as problem:
        sentence = file_sentence(problem)
    else:
        return
    print(f"greenroom peers: {sentence}", file=sys.stderr)  # noqa: T201
    raise typer.Exit(UNUSABLE)


def _use_scenario(context: typer.Context, path: Path | None) -> Path | None:
    """Make the values of a scenario's file the defaults of all other options; keep the scenario in `context.obj`."""
    from web.peers.cli import scenario

    if path is not None:
        with _sentences():
            context.obj = scenario.read(path)
        context.default_map = scenario.defaults(context.obj)
    return path


@peers_app.command()
def run(
    context: typer.Context,
    url: Annotated[
        str, typer.Argument(help="The server, with or without the organisation: https://host/riverside")
    ] = "",
    scenario: Annotated[
        Path | None,
        typer.Option(
            help="A TOML file that describes the run; options that are given as well override it.",
            callback=_use_scenario,
            is_eager=True,
        ),
    ] = None,
    adapter: Annotated[
        str,
        typer.Option(
            help="Against a server that is no Greenroom: janus (its videocall plugin), mediasoup (a room a call), "
            "or module:Class of your own."
        ),
    ] = "",
    organisation: Annotated[str, typer.Option("--organisation", "-o", help="The organisation’s slug.")] = "",
    patients: Annotated[
        int | None,
        typer.Option(
            "--patients",
            "-n",
            min=1,
            help="How many patients come: 10 unless said, or as many as arrive within --duration or the stages.",
        ),
    ] = None,
    arrivals: Annotated[
        str,
        typer.Option(
            "--arrivals",
            "-a",
            help="How: steady:2/s, poisson:30/min, burst:50/10s, at-once, stages:5/s@30s,5/s@10min,0/s@30s (up to this "
            "rate within 30 s, held, and down), day:FILE (a recorded day; day:FILE@60 is 60 times as fast).",
        ),
    ] = "steady:1/s",
    duration: Annotated[
        str, typer.Option(help="How long patients come: 10min. Those who are there then end their visits.")
    ] = "",
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
    race: Annotated[
        int, typer.Option(min=1, help="The number of providers who press Claim on each patient.")
    ] = 1,
    reload: Annotated[str, typer.Option(help="The share of patients who reload their page: 5%.")] = "0%",
    vanish: Annotated[
        str, typer.Option(help="The share of patients who lose their network for a moment: 5%.")
    ] = "0%",
    kill: Annotated[
        list[str] | None,
        typer.Option(
            help="Kill a worker of the server (--local or --server-pid) at this moment, or at random ones: 30s, "
            "random:2/min; may be repeated."
        ),
    ] = None,
    freeze: Annotated[
        list[str] | None,
        typer.Option(help="Stop a worker for a time: 30s/5s, random:2/min/5s; may be repeated."),
    ] = None,
    cut: Annotated[
        list[str] | None,
        typer.Option(
            help="Cut the server off from its store, which is stopped for a time: 30s/5s; may be repeated."
        ),
    ] = None,
    loss: Annotated[
        str,
        typer.Option(help="The share of the media’s packets that is lost on the way, in each direction: 2%."),
    ] = "0%",
    network: Annotated[
        Path | None,
        typer.Option(
            help="A TOML file with the network that everybody’s media crosses: losses, delays, outages."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed makes the same people.")] = 1,
    processes: Annotated[
        int, typer.Option(min=1, max=256, help="The number of processes that play the people.")
    ] = 1,
    part: Annotated[
        str,
        typer.Option(
            help="This machine’s part of the same plan on several without a connection: 2/5. See `report`."
        ),
    ] = "1/1",
    start_at: Annotated[
        str,
        typer.Option(help="When to begin: 14:30 or 2026-05-01T14:30:00, so that machines begin together."),
    ] = "",
    helpers: Annotated[
        int,
        typer.Option(
            min=0,
            max=1024,
            help="Wait for this number of processes on other machines, which `join` this run.",
        ),
    ] = 0,
    listen: Annotated[
        str, typer.Option(help=f"Where --helpers find this machine: 0.0.0.0:{distributed.PORT} unless said.")
    ] = "",
    join_within: Annotated[
        str, typer.Option(help="How long --helpers are waited for: 10min unless said.")
    ] = "",
    report: Annotated[
        Path | None,
        typer.Option(help="Write report.html, JSON, CSV and JUnit to this folder.", show_default=False),
    ] = None,
    lines: Annotated[
        Path | None,
        typer.Option(
            help="Write the figures as a line of JSON each second to this file, or to standard output (-)."
        ),
    ] = None,
    live: Annotated[
        str,
        typer.Option(
            help="Show the report meanwhile at this address, and /metrics for Prometheus: 127.0.0.1:8090."
        ),
    ] = "",
    otlp: Annotated[
        str, typer.Option(help="Send the figures by OTLP over HTTP to this receiver: http://127.0.0.1:4318.")
    ] = "",
    fail_if: Annotated[
        list[str] | None,
        typer.Option("--fail-if", help="Exit 1 if this is so, as in pulled_in.p99>5ms; may be repeated."),
    ] = None,
    abort_if: Annotated[
        list[str] | None,
        typer.Option(
            "--abort-if", help="As --fail-if, and end the run as soon as it is so; may be repeated."
        ),
    ] = None,
    abort_after: Annotated[
        str, typer.Option(help="How long after the begin --abort-if is checked for the first time.")
    ] = "5s",
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
    """Play whole visits of synthetic patients and providers, and report what they measured."""
    from web.peers.cli import playing
    from web.peers.cli.outputs import Outputs
    from web.peers.errors import PlanError
    from web.peers.report.thresholds import parse
    from web.peers.report.writing import check_folder
    from web.peers.run import breaking, faults
    from web.peers.run.arrivals import Arrivals, Span, seconds
    from web.peers.run.machines import Crew
    from web.peers.run.plan import Plan

    shown = {
        "arrivals": arrivals,
        "fill in": fill_in,
        "talk": talk,
        "processes": str(processes),
        "part": part,
    }
    if helpers:
        shown["helpers"] = str(helpers)
    if network is not None:
        shown["network"] = str(network)
    elif loss != "0%":
        shown["loss"] = loss
    if local:
        # The URL is not shown, because the temporary server has a new port in each run. A comparison of two runs would
        # show the port as a difference.
        shown["server"] = "its own"
    if duration:
        shown["duration"] = duration
    for name, many in (("kill", kill), ("freeze", freeze), ("cut", cut)):
        if many:
            shown[name] = ", ".join(many)
    if scenario is not None:
        shown["scenario"] = str(scenario)
    described: Scenario | None = context.obj
    with _sentences():
        if described is not None and local and url:
            # The scenario's file sets `local` and the command line sets `url`, or the reverse. The option that the
            # command line sets is used.
            source = context.get_parameter_source("local")
            local, url = (True, "") if source and source.name == "COMMANDLINE" else (False, url)
        if local == bool(url):
            raise PlanError("expected the address of a server, or --local for one of its own")
        if adapter:
            left_out = options.check_adapter(
                adapter,
                media,
                {"local": local, "helpers": helpers, "network": network, "loss": loss != "0%"},
                {
                    "fill_in": fill_in != "0s",
                    "race": race > 1,
                    "reload": reload != "0%",
                    "vanish": vanish != "0%",
                },
            )
            shown |= {"left out": left_out} if left_out else {}
        meeting = distributed.meeting(helpers, listen, join_within, alone=local or part != "1/1")
        coming = Arrivals.parse(arrivals, options.recorded(arrivals))
        plan = Plan(
            url=url,
            organisation=organisation,
            ca=ca,
            insecure=insecure,
            patients=options.patients(patients, coming, duration, seed),
            providers=providers,
            credentials=() if local or adapter or not providers else options.staff(credentials),
            adapter=adapter,
            arrivals=coming,
            fill_in=Span.parse(fill_in),
            claim_after=Span.parse(claim_after),
            talk=Span.parse(talk),
            between=Span.parse(between),
            patience_s=seconds(patience),
            timeout_s=seconds(timeout),
            media=options.one_of(media, ("none", "light", "real"), "--media"),
            media_file=media_file,
            race=race,
            reload=options.share(reload),
            vanish=options.share(vanish),
            network=options.network(
                network, options.share(loss), seed, media, described.network if described else None
            ),
            seed=seed,
        )
        pids = options.watched(server_pid)
        parts, begins_at = options.part(part), options.moment(start_at)
        judgement = playing.Judgement(fail_if or (), abort_if or (), seconds(abort_after))
        to_do = faults.planned(kill or (), freeze or (), cut or (), seed)
        kinds = [kind for kind, many in zip(faults.KINDS, (kill, freeze, cut), strict=True) if many]
        for threshold in judgement.all:
            parse(threshold)
        if report is not None:
            check_folder(report)
        with playing.server(local, local_workers, providers) as found:
            if found:
                staff = {"organisation": found.organisation, "credentials": found.credentials}
                plan, pids = replace(plan, url=found.url, **staff), found.pids
            roots = found.roots if found else pids
            breaking.check(roots, kinds)
            # The address is checked at this point, so that an error in it is reported once, before anything starts.
            plan = replace(plan, organisation=asyncio.run(playing.organisation(plan)))
            crew = Crew(plan, processes, parts, helpers)
            outputs = Outputs(
                crew.patients,
                lambda seen: playing.live_page(seen, judgement.all),
                lines=lines,
                live=live,
                otlp=otlp,
            )
            kept = playing.play(
                plan, shown, crew, meeting, begins_at, report, judgement, pids, outputs, (to_do, roots)
            )
    if not kept:
        raise typer.Exit(BROKEN)
