"""`greenroom doctor`: prints the findings of `web.doctor`, as lines for people or as JSON for programs."""

import asyncio
import json
from pathlib import Path
from textwrap import indent
from urllib.parse import urlsplit

import typer
from msgspec.structs import replace

from web.commands.organisations import located
from web.config import Settings
from web.doctor import Finding, State, look
from web.server import logs
from web.server.valkey import address_file, running_origin

COLOURS = {State.GOOD: "green", State.DOUBTFUL: "yellow", State.WRONG: "red"}
BEFORE = 9 + 15  # the number of columns before the text of a finding


def run(settings: Settings, as_json: bool) -> int:
    """Carry out all checks; print each result when its check has ended, or with `as_json` all results at the end.

    Return the exit code: 1 if something is wrong, otherwise 0.
    """
    # Logs go to standard error, findings to standard output.
    logs.setup(settings.log)
    found = asyncio.run(_run(reached(settings), as_json))
    if as_json:
        typer.echo(json.dumps([_record(name, each) for name, each in found], indent=2))
    else:
        count = {state: sum(each.state == state for _, each in found) for state in State}
        typer.echo(", ".join(f"{number} {state}" for state, number in count.items()))
    return int(any(each.state == State.WRONG for _, each in found))


def reached(settings: Settings) -> Settings:
    """Return the settings with the address of the embedded store, and with the port on which the server really listens.

    If no server runs, the address and the port are unchanged.
    """
    folder = Path(settings.data.folder)
    if not settings.redis.url and address_file(folder).exists():
        settings = replace(settings, redis=located(settings).redis)
    port = urlsplit(running_origin(folder) or "").port
    if port and not settings.server.public_url:
        settings = replace(settings, server=replace(settings.server, port=port))
    return settings


async def _run(settings: Settings, quiet: bool) -> list[tuple[str, Finding]]:
    found = []
    async for name, each in look(settings):
        found.append((name, each))
        if not quiet:
            typer.echo(f"{typer.style(f'{each.state:<9}', fg=COLOURS[each.state])}{name:<15}{each.found}")
            if each.advice:
                typer.echo(indent(each.advice, " " * BEFORE))
    return found


def _record(name: str, finding: Finding) -> dict[str, str]:
    return {"check": name, "state": finding.state, "found": finding.found, "advice": finding.advice}
