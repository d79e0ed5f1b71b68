"""`greenroom upgrade`: replaces the code of a running server by the code that is installed now, while visits go on.

The server's master process does the work (`web.server.master`). This module sends it the request, and prints the steps
that the master reports.
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import typer

from web.commands.backups import taken
from web.commands.organisations import located, sentences
from web.config import Settings
from web.errors import CommandError, ConfigError
from web.server.handover import LAST, TRIAL_S, Request, Steps, this_program
from web.server.valkey import running_process

LOOK_S = 0.1
ANSWERS_S = 20.0
"""The time in s in which the master must report its first step. A master of an older release reports no step."""
STARTS_S = 60.0
"""The time in s in which a new worker must report that it is ready."""


def run(settings: Settings, backup: Path | None, *, only_try: bool, as_json: bool) -> None:
    """Carry out the command `greenroom upgrade`. Raises ConfigError if no server runs.

    `backup`: the file to which a backup is written first, None for no backup; `only_try`: True to try the new program
    beside the server, without replacing it; `as_json`: True to print JSON.
    """
    folder = Path(settings.data.folder)
    process = running_process(folder)
    if process is None:
        raise ConfigError(f"no Greenroom is running on {folder}: start it with `greenroom serve`")
    with sentences(settings):
        if backup is not None and not only_try:
            taken(located(settings), backup, quiet=as_json)
        began_s = time.monotonic()
        found = follow(folder, process, settings.server.drain_s, only_try=only_try, quiet=as_json)
    found["seconds"] = round(time.monotonic() - began_s, 1)
    running, installed = found["running"], found["installed"]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif only_try:
        typer.echo(f"{installed} starts beside {running}, and can take the server over.")
    else:
        typer.echo(
            f"The server on {folder} runs {installed} now; it ran {running} before. {found['seconds']} s."
        )


def follow(folder: Path, process: int, drain_s: float, *, only_try: bool, quiet: bool) -> dict[str, Any]:
    """Ask the master to replace its program by this command's program, or only to try that program; print the steps
    that the master reports.

    Return the result. `folder`: the server's data folder; `process`: the id of the master's process; `drain_s`: the
    longest time in s that old workers have to end their calls; `only_try`: True to try this program without replacing
    the master's; `quiet`: True to print no steps. Raises CommandError if the upgrade fails; its sentence names the
    problem.
    """
    steps, installed = Steps(folder), metadata.version("greenroom")
    if steps.busy(TRIAL_S):
        raise CommandError(f"another upgrade of the server on {folder} goes on; wait for its end")
    steps.ask(Request(this_program(), only_try))
    try:
        os.kill(process, signal.SIGUSR2)
    except OSError:
        raise CommandError(
            f"process {process} takes no signal of this account; use that of the server"
        ) from None
    running, workers, ready = "", 0, 0
    for step in _reported(steps, {"": ANSWERS_S, "trying": TRIAL_S + STARTS_S}, drain_s + STARTS_S):
        match step["step"]:
            case "trying":
                running, workers = step["version"], step["workers"]
                said = f"{running} runs in process {process}; {installed} is tried beside it."
            case "refused":
                raise CommandError(f"{installed} does not start, and {running} goes on: {step['problem']}")
            case "taken_over":
                workers = step["workers"]
                if step["version"] != installed:
                    raise CommandError(
                        f"the server runs {step['version']} now, and not {installed}: see its log"
                    )
                said = f"Process {process} runs {step['version']} now."
            case "serves":
                ready += 1
                said = f"{step['worker']} serves; {step['instead_of']} stops ({ready} of {workers})."
            case "worker_failed":
                raise CommandError(
                    f"a worker of {installed} has ended at its start, and the workers before it go on: see the log. "
                    "The server tries again; `greenroom upgrade` of the version before leads back"
                )
            case _:
                said = ""
        if said and not quiet:
            typer.echo(said, err=True)
    return {
        "running": running,
        "installed": installed,
        "process": process,
        "workers": step.get("workers", []),
        "changed": not only_try,
    }


def _reported(steps: Steps, patience_s: dict[str, float], other_s: float) -> Iterator[dict[str, Any]]:
    """Yield each step as soon as the master reports it, until the upgrade has ended.

    `steps`: the file with the steps. After each step, the next step must be reported within a time in s. `patience_s`:
    name of a step -> the time after this step; `other_s`: the time after any other step. Raises CommandError if the
    next step is not reported in time.
    """
    seen, last, end_s = 0, "", time.monotonic() + patience_s[""]
    while last not in LAST:
        for step in steps.read()[seen:]:
            seen, last = seen + 1, step["step"]
            end_s = time.monotonic() + patience_s.get(last, other_s)
            yield step
        if time.monotonic() > end_s:
            raise CommandError(
                "the server did not answer: it is of a version that cannot be upgraded while it runs; start it anew"
                if not last
                else "the next worker is not ready: those before it go on; see the log"
            )
        time.sleep(LOOK_S)
