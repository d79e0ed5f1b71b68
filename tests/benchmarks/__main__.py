"""`make bench`: measures on this machine the figures that Greenroom promises, and compares them with other servers.

The server is `greenroom serve` in processes of its own, on a real Valkey. The load comes from further processes, so
that its cost is not counted. Each measurement is a module; `run` calls them and shows the table. Run as
`python -m tests.benchmarks`; the options are those of `bench`.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tests.benchmarks.options import NAMES, OTHERS, Options
from web.config import EXIT_CODE, ConfigError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def bench(
    only: Annotated[
        list[str] | None, typer.Option(help=f"Only this: {', '.join(NAMES)}; may be repeated.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Less of everything, to try it.")] = False,
    others: Annotated[
        list[str] | None,
        typer.Option("--against", help=f"Compare with this only: {', '.join(OTHERS)}; may be repeated."),
    ] = None,
    alone: Annotated[bool, typer.Option("--alone", help="Compare with nobody, fetch nothing.")] = False,
    install_janus: Annotated[
        bool,
        typer.Option("--install-janus", help="Install Debian's janus where it is missing (root, apt-get)."),
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser", help="The figures of the call in Chromium too.")
    ] = False,
    runs: Annotated[int, typer.Option(min=1, max=20, help="How often; medians are shown.")] = 1,
    json: Annotated[Path | None, typer.Option(help="Write the figures to this file as JSON.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the figures to this file as Markdown.")] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Keep the results in tests/benchmarks, and the README's table.")
    ] = False,
    tables: Annotated[
        bool, typer.Option("--tables", help="Measure nothing: write all tables anew from the kept results.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 where a target is missed.")] = False,
) -> None:
    """Measure what this machine makes of Greenroom, against the figures that it promises and against others."""
    options = Options(
        only=_known("--only", only, NAMES),
        others=() if alone else _known("--against", others, OTHERS),
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


def _known(option: str, asked: list[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := [name for name in asked or () if name not in known]:
        raise ConfigError(f"bench: {option} expects {', '.join(known)}; found {', '.join(unknown)}")
    return tuple(name for name in known if not asked or name in asked)


def main() -> None:
    """Run the command. Exits 2 with one sentence if it cannot be carried out as asked."""
    try:
        app(prog_name="make bench")
    except ConfigError as problem:
        print(problem, file=sys.stderr)
        sys.exit(EXIT_CODE)


if __name__ == "__main__":
    main()
