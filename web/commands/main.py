"""The command line: `greenroom serve`, `init`, `organisation`, `user`, `key`, `audit`, `status` and more.

This module defines the options and prints errors; other modules carry out the commands. Modules that are not always
needed are imported when their command is called, so that each command starts fast.
"""

import importlib.metadata
import sys
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from web.commands.audit import audit_app
from web.commands.backups import backup as take_backup
from web.commands.backups import restore
from web.commands.first_setup import init
from web.commands.keys import key_app
from web.commands.options import ConfigOption, DataOption, JsonOption, data_folder, settings_from
from web.commands.organisations import organisation_app, user_app
from web.commands.patients import erase, export
from web.commands.roles import set_role
from web.commands.rotation import rotate_keys
from web.config import EXIT_CODE, Settings, is_loopback, refuse_plain_http
from web.errors import ConfigError
from web.server import output

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(organisation_app, name="organisation")
user_app.command("role")(set_role)
app.add_typer(user_app, name="user")
app.add_typer(key_app, name="key")
app.add_typer(audit_app, name="audit")
app.command("init")(init)
app.command("backup")(take_backup)
app.command("restore")(restore)
app.command("rotate-keys")(rotate_keys)
app.command("export")(export)
app.command("erase")(erase)


@app.command()
def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The TCP port; 0 takes any free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="How many worker processes.")] = None,
    data: DataOption = None,
    self_signed: Annotated[
        bool, typer.Option("--self-signed", help="Serve https on this network with a certificate made here.")
    ] = False,
    demo: Annotated[
        bool | None,
        typer.Option(
            "--demo/--no-demo", help="Begin with a demo organisation, also if others can reach it; or never."
        ),
    ] = None,
) -> None:
    """Start the server."""
    folder = data_folder(data)
    settings = settings_from(
        config,
        server__host=host,
        server__port=port,
        server__workers=workers,
        server__demo=None if demo is None else "yes" if demo else "no",
        data__folder=folder,
    )
    if self_signed and host is None and is_loopback(settings.server.host):
        settings = replace(
            settings,
            server=replace(settings.server, host="::"),
            # A self-signed certificate is for phones on the same network, so the server must listen on the
            # network.
        )
    from web.server.processes import serve as run

    run(settings, self_signed, welcome)


@app.command("check-config")
def check_config(config: ConfigOption = None) -> None:
    """Check the settings file and print the resulting settings."""
    from rich.console import Console
    from rich.table import Table

    from web.server.tls import server_context

    settings = settings_from(config)
    refuse_plain_http(settings)
    if settings.tls.certificate:
        server_context(settings.tls.certificate, settings.tls.key)
    table = Table("key", "value", box=None)
    for section in settings.__struct_fields__:
        for key, value in getattr(settings, section).shown().items():
            table.add_row(f"{section}.{key}", value, style=None)
    Console(markup=False).print(table)
    typer.echo(f"Time zones: tzdata {importlib.metadata.version('tzdata')}, not the system’s.")
    typer.echo("The settings are good.")


@app.command()
def doctor(
    config: ConfigOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Check the server's data folder, store, pages, media and mail, before or while it runs; say what is wrong and what
    to do.
    """
    from web.commands.doctor import run

    raise typer.Exit(run(settings_from(config, data__folder=data_folder(data)), json))


@app.command()
def status(
    config: ConfigOption = None,
    data: DataOption = None,
    json: JsonOption = False,
    live: Annotated[bool, typer.Option("--live", help="Print it every two seconds, until Ctrl-C.")] = False,
) -> None:
    """Show the workers of all machines, their load, and their store; exit 1 if something is wrong."""
    from web.commands.status import run

    raise typer.Exit(run(settings_from(config, data__folder=data_folder(data)), json, live))


@app.command()
def upgrade(
    check: Annotated[
        bool, typer.Option("--check", help="Only try whether the installed code can take the server over.")
    ] = False,
    backup: Annotated[
        Path | None, typer.Option("--backup", help="Write a backup into this file first.")
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Replace the code of a running server by the code that is installed now: calls go on, workers are replaced in
    turn.
    """
    from web.commands.upgrade import run

    run(settings_from(config, data__folder=data_folder(data)), backup, only_try=check, as_json=json)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"greenroom {importlib.metadata.version('greenroom')}")


def _version(asked: bool) -> None:
    if asked:
        version()
        raise typer.Exit


@app.callback()
def options(
    asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Greenroom: a waiting room and video visits for clinics."""


@app.command()
def asyncapi(
    origin: Annotated[str, typer.Argument(help="Where the server is reached.")] = "https://greenroom.example",
    organisation: Annotated[str, typer.Option(help="Only this one’s address.")] = "",
) -> None:
    """Print the WebSocket’s protocol as AsyncAPI, for programs that make clients or documents of it."""
    from web.api.protocol_page import described

    if not origin.startswith(("http://", "https://")):
        raise typer.BadParameter("an origin begins with http:// or https://")
    typer.echo(described(origin.rstrip("/"), organisation).decode())


@app.command(
    add_help_option=False,
    context_settings={
        "ignore_unknown_options": True,
        "allow_extra_args": True,
        "allow_interspersed_args": False,
    },
)
def peers(context: typer.Context) -> None:
    """Drive synthetic patients and providers against a server; report and compare their measurements."""
    from web.peers.cli.command import peers_app

    peers_app(args=context.args, prog_name="greenroom peers")


def welcome(settings: Settings) -> str:
    """Return the text for the person who started the server.

    The modules that this text needs are imported only in this call, so that other commands start fast.
    """
    from web.commands.welcome import welcome as text

    return text(settings)


def main() -> None:
    """Run the console script. Exits 2 with one sentence if the settings are not valid."""
    try:
        app()
    except ConfigError as problem:
        # With this guard, the exit code still reports an error when standard error cannot be written.
        output.guard()
        print(f"greenroom: {problem}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_CODE)
