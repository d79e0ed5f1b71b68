"""Defines `greenroom peers conformance URL`, which checks a server, and `conformance-client`, which checks a client.

The exit code 1 means that a check found a fault; 2 means that there is no such server, or that sign-in failed.
"""

from __future__ import annotations

import asyncio
import json as to_json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from web.peers.report.commands import BROKEN, UNUSABLE

if TYPE_CHECKING:
    from web.peers.cli.local import Local
    from web.peers.conformance.table import Outcome

Json = Annotated[Path | None, typer.Option(help="Write what came of each check to this file.")]
Report = Callable[["Outcome"], None]


def attach(app: typer.Typer) -> None:
    """Add the commands `conformance` and `conformance-client` to the command group `greenroom peers`."""
    app.command("conformance")(conformance)
    app.command("conformance-client")(conformance_client)


def conformance(
    url: Annotated[str, typer.Argument(help="The server and its organisation: https://host/riverside")] = "",
    organisation: Annotated[str, typer.Option("--organisation", "-o", help="The organisation’s slug.")] = "",
    credentials: Annotated[
        Path | None,
        typer.Option(
            help="A file with the email and password of a member of staff on each line (two providers and an admin for "
            "all checks), or - for standard input; or the lines in GREENROOM_PEERS_CREDENTIALS."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only this room (resume, media …) or part of a name; may be repeated."),
    ] = None,
    slow: Annotated[bool, typer.Option("--slow", help="Also what takes half a minute.")] = False,
    json: Json = None,
    lines: Annotated[
        Path | None,
        typer.Option(
            help="Write what came of each check as a line of JSON to this file, or to standard output (-), as soon as "
            "it is done."
        ),
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="Against a Greenroom of its own, thrown away afterwards.")
    ] = False,
    ca: Annotated[Path | None, typer.Option(help="A PEM file with the authority to trust.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Trust any certificate.")] = False,
) -> None:
    """Check whether a server keeps to PROTOCOL.md. The check opens some made-up visits, and ends them."""
    from web.peers.cli import options
    from web.peers.conformance import server
    from web.peers.errors import EntryError, PlanError, file_sentence
    from web.peers.people.entry import Clinic

    async def checked(
        address: str, slug: str, staff: Sequence[tuple[str, str]], report: Report
    ) -> list[Outcome]:
        async with Clinic(address, slug or None, ca=ca, insecure=insecure) as clinic:
            return await server.run(clinic, staff, only=only or (), slow=slow, on_outcome=report)

    try:
        if local == bool(url):
            raise PlanError("expected the address of a server, or --local for one of its own")
        with _a_server() if local else nullcontext() as found:
            if found is not None:
                url, organisation, staff = found.url, found.organisation, found.credentials
            else:
                staff = options.staff(credentials)
            with _reporting(lines) as report:
                outcomes = asyncio.run(
                    checked(url, organisation, [(each.email, each.password) for each in staff], report)
                )
    except (PlanError, EntryError) as problem:
        _refuse(str(problem))
    except OSError as problem:
        _refuse(file_sentence(problem, lines))
    _finish(outcomes, json, to_stderr=str(lines) == "-")


@contextmanager
def _reporting(lines: Path | None) -> Iterator[Report]:
    """Yield a function that prints an outcome as a line, and writes it as a line of JSON to `lines`, if that is given.

    With "-", the JSON goes to standard output and the other lines to standard error. Raises OSError if the file cannot
    be written.
    """
    from rich.console import Console

    from web.peers.conformance.table import as_json, print_outcome

    to_stdout = str(lines) == "-"
    console = Console(highlight=False, stderr=to_stdout)
    with lines.open("w", encoding="utf-8") if lines and not to_stdout else nullcontext(sys.stdout) as file:

        def report(outcome: Outcome) -> None:
            print_outcome(console, outcome)
            if lines is not None:
                file.write(to_json.dumps(as_json(outcome), ensure_ascii=False) + "\n")
                file.flush()

        yield report


@contextmanager
def _a_server() -> Iterator[Local]:
    """Start a temporary server with two providers and an administrator; yield it.

    Raises EntryError if the server does not start.
    """
    from web.errors import ServerNotReadyError
    from web.peers.cli.local import local_server
    from web.peers.errors import EntryError

    try:
        with local_server(1, 2, admins=1) as found:
            yield found
    except ServerNotReadyError as problem:
        raise EntryError(str(problem)) from None


def conformance_client(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The TCP port; 0 takes any free one.")] = 0,
    json: Json = None,
) -> None:
    """Play a server to which your client connects, and print what the client does wrong."""
    from web.peers.conformance.endpoint import Endpoint

    async def played() -> list[Outcome]:
        async with AsyncExitStack() as stack:
            try:
                endpoint = await stack.enter_async_context(Endpoint(host, port, say=typer.echo))
            except (OSError, UnicodeError) as problem:
                why = problem.strerror if isinstance(problem, OSError) else "this is no host"
                _refuse(f"cannot listen on {host}, port {port}: {why}")
            typer.echo(f"Connect your client to {endpoint.url}")
            return await endpoint.run()

    outcomes = asyncio.run(played())
    if not any(outcome.word != "not told" for outcome in outcomes):
        _refuse("no client came")
    from rich.console import Console

    from web.peers.conformance.table import print_table

    print_table(Console(highlight=False), outcomes)
    _finish(outcomes, json)


def _finish(outcomes: Sequence[Outcome], file: Path | None, *, to_stderr: bool = False) -> None:
    """Print the faults and the totals, write the outcomes to `file`, and exit with the code BROKEN after a fault."""
    from rich.console import Console

    from web.peers.conformance.table import as_json, print_totals
    from web.peers.errors import file_sentence

    print_totals(Console(highlight=False, stderr=to_stderr), outcomes)
    if file is not None:
        found = [as_json(outcome) for outcome in outcomes]
        try:
            file.write_text(to_json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")
        except OSError as problem:
            _refuse(file_sentence(problem, file))
    if any(outcome.fault is not None for outcome in outcomes):
        raise typer.Exit(BROKEN)


def _refuse(sentence: str) -> NoReturn:
    print(f"greenroom peers: {sentence}", file=sys.stderr)  # noqa: T201
    raise typer.Exit(UNUSABLE) from None
