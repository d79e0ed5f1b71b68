"""`make bench`: measures on this machine the figures that Greenroom promises, and compares them with other servers.

The server is `greenroom serve` in its own processes, on a real Valkey. The load comes from further processes, so that
its cost is not counted as the server's. Each measurement is a module; `run` makes the measurements and shows the table.
`python -m tests.benchmarks` runs it too; its options are the parameters of `bench`.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tests.benchmarks.options import NAMES, OTHERS, Name, Options, Other
from tests.benchmarks.process import adopt_orphans
from web.config import EXIT_CODE
from web.errors import ConfigError
from web.server.subprocesses import ended_by_sigterm

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def bench(
    only: Annotated[
        list[Name] | None, typer.Option(help="Measure only this; may be repeated.", show_default="all")
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(
            help="Measure only the bad networks with this in their name; may be repeated.", show_default="all"
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Measure less, to try the command.")] = False,
    others: Annotated[
        list[Other] | None,
        typer.Option("--against", help="Compare only with this; may be repeated.", show_default="all"),
    ] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Compare with no other server, no direct call; fetch nothing.")
    ] = False,
    install_janus: Annotated[
        bool,
        typer.Option("--install-janus", help="Install Debian's janus if it is missing (root, apt-get)."),
    ] = False,
    browser: Annotated[bool, typer.Option("--browser", help="Measure a call in Chromium too.")] = False,
    runs: Annotated[int, typer.Option(min=1, max=20, help="How often; medians are shown.")] = 1,
    json: Annotated[Path | None, typer.Option(help="Write the figures to this file as JSON.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the figures to this file as Markdown.")] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Keep the results in tests/benchmarks, and the README's table.")
    ] = False,
    tables: Annotated[
        bool, typer.Option("--tables", help="Measure nothing; write all tables again from the kept results.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 if a target is missed.")] = False,
) -> None:
    """Measure Greenroom on this machine; compare the figures with the targets and with other servers.

    Each parameter is an option of the command line, with its meaning in `help`.
    """
    options = Options(
        only=tuple(name for name in NAMES if name in (only or NAMES)),
        others=() if alone else tuple(name for name in OTHERS if name in (others or OTHERS)),
        networks=tuple(network or ()),
        quick=quick,
        runs=runs,
        browser=browser,
        install_janus=install_janus,
        json=json,
        markdown=markdown,
        publish=publish,
    )
    if tables:
        from tests.benchmarks.publish import write_tables

        write_tables()
        return
    from tests.benchmarks.run import run

    report = run(options)
    if check and (report.missed or report.skipped):
        raise typer.Exit(1)


def main() -> None:
    """Run the command that the command line names. If the command cannot be carried out, print one sentence and
    exit with the code 2.
    """
    adopt_orphans()
    try:
        with ended_by_sigterm():
            app(prog_name="make bench")
    except ConfigError as problem:
        print(problem, file=sys.stderr)
        sys.exit(EXIT_CODE)


if __name__ == "__main__":
    main()
