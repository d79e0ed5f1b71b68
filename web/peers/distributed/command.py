"""Defines the options of `run` about helpers (other machines that take part), and the command `join`.

The channel between machines is defined in `web.peers.distributed.messages`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from web.peers.cli import options
from web.peers.report.commands import UNUSABLE

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from web.peers.distributed.coordinator import Coordinator
    from web.peers.distributed.messages import Address
    from web.peers.run.plan import Plan, Share

PORT = 7700
WITHIN = "10min"


def attach(app: typer.Typer) -> None:
    """Add the command `join` to the command group `greenroom peers`."""
    app.command("join")(join)


class HelperOptions(NamedTuple):
    """The options of a run about its helpers (other machines that take part).

    `at`: the address at which helpers can join; `key`: the secret that a helper must send; `shown`: the text
    about the key that is printed after the command `join`; `within_s`: how many seconds to wait for all helpers.
    """

    at: Address
    key: str
    shown: str
    within_s: float

    def coordinator(self, plan: Plan, shares: Sequence[Share]) -> Coordinator:
        """Return the coordinator, a context manager. While it is open, helpers can join.

        `shares`: the parts of the plan (patients and staff) that the helpers play, one for each of their processes.
        """
        from web.peers.distributed.coordinator import Coordinator

        return Coordinator(self.at, self.key, plan, shares, say)

    def gather(self, coordinator: Coordinator) -> list[Connection]:
        """Print the command for the other machines, and wait for them; return a pipe to each of their processes.

        Raises RunError if they have not all joined in time.
        """
        say(f"{coordinator.joined}. On the other machines, in Greenroom’s folder:")
        at = f"{_reached(coordinator.at)} --certificate {coordinator.fingerprint}"
        say(f"  greenroom peers join {at}{self.shown}")
        return coordinator.gather(self.within_s)


def meeting(helpers: int, listen: str, within: str, *, alone: bool) -> HelperOptions | None:
    """Check the options of `run` about helpers and return them as `HelperOptions`; None if there are no helpers.

    `helpers`: how many; `listen`: where they join; `within`: how long to wait for them; `alone`: True if the
    run uses --part or --local. Raises PlanError if the options cannot be used together.
    """
    from web.peers.errors import PlanError
    from web.peers.run.arrivals import seconds

    if not helpers:
        if listen or within:
            raise PlanError("expected --helpers with --listen and --join-within")
        return None
    if alone:
        raise PlanError("expected --helpers without --part or --local: they take part in the whole of a run")
    from web.peers.distributed.messages import address

    given = options.key()
    key = given or secrets.token_hex(16)
    shown = f"    (with {options.KEY} as it is here)" if given else f" --key {key}"
    return HelperOptions(address(listen or f"0.0.0.0:{PORT}"), key, shown, seconds(within or WITHIN))


def join(
    at: Annotated[str, typer.Argument(help="Where the other machine waits for helpers: HOST:PORT.")],
    certificate: Annotated[
        str, typer.Option(help="The fingerprint of its certificate, which it shows.", show_default=False)
    ] = "",
    key: Annotated[str, typer.Option(help=f"The key that it shows; or {options.KEY}.")] = "",
    processes: Annotated[
        int, typer.Option(min=1, max=256, help="Drive from so many processes: each is a helper.")
    ] = 1,
    credentials: Annotated[
        Path | None,
        typer.Option(
            help=f"Staff who sign in from here, as with `run`: a file, - for standard input, or "
            f"{options.CREDENTIALS}. They stay on this machine."
        ),
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="A PEM file with the authority to trust.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Trust any certificate.")] = False,
    media_file: Annotated[
        Path | None, typer.Option(help="A film to show in real media, instead of a test picture.")
    ] = None,
) -> None:
    """Help another machine's run: play a share of its patients and providers on this machine."""
    from web.peers.distributed.helper import Helper, Own
    from web.peers.distributed.messages import address
    from web.peers.errors import EntryError, PlanError, RunError, file_sentence

    try:
        known = options.key(key)
        if not known:
            raise PlanError(f"expected the key that the other machine shows, with --key or in {options.KEY}")
        own = Own(options.staff(credentials), ca, insecure, media_file)
        helper = Helper(address(at), options.fingerprint(certificate), known, processes, own, say)
        asyncio.run(helper.run())
    except (PlanError, EntryError, RunError) as problem:
        say(f"greenroom peers: {problem}")
        raise typer.Exit(UNUSABLE) from None
    except OSError as problem:
        say(f"greenroom peers: {file_sentence(problem)}")
        raise typer.Exit(UNUSABLE) from None
    if helper.interrupted:
        typer.echo("Ended early: what was seen until then is told.")
    else:
        typer.echo(f"All is over; the report is made by {at}.")


def say(sentence: str) -> None:
    """Print a sentence for the person at the terminal, and flush it at once."""
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201


def _reached(at: Address) -> Address:
    """Return the address that people type on other machines to reach `at`.

    If the host of `at` means all addresses of this machine (0.0.0.0 or ::), one of its own addresses replaces
    it.
    """
    from web.server.tls import local_addresses

    try:
        anywhere = ipaddress.ip_address(at.host).is_unspecified
    except ValueError:
        anywhere = False
    found = local_addresses() if anywhere else []
    return at._replace(host=str(found[0])) if found else at
