"""`greenroom bench` as it stands on the command line: options in, exit code out."""

from pathlib import Path
from typing import Annotated

import typer

from web.bench.options import NAMES, OTHERS, Options
from web.config import ConfigError


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
        from web.bench.publish import write_tables

        write_tables()
        return
    from web.bench.run import run

    report = run(options)
    if check and (report.missed or report.skipped):
        raise typer.Exit(1)


def _known(option: str, asked: list[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := [name for name in asked or () if name not in known]:
        raise ConfigError(f"bench: {option} expects {', '.join(known)}; found {', '.join(unknown)}")
    return tuple(name for name in known if not asked or name in asked)
