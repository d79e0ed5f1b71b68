"""`greenroom peers examples`: lists the examples to copy, and copies them to a folder."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Annotated, Final

import typer

from web.peers.report.commands import refuse

FOLDER: Final = Path(__file__).parents[1] / "examples"


def attach(app: typer.Typer) -> None:
    """Add the command `examples` to the command group `greenroom peers`."""
    app.command("examples")(examples)


def examples(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which to copy, such as rush.toml.", show_default=False)
    ] = None,
    into: Annotated[Path, typer.Option(help="The folder to copy them to.")] = Path(),
) -> None:
    """List the examples (scenarios, and scripts in Python), or copy some of them to a folder."""
    found = {path.name: path for path in paths()}
    if not names:
        width = max(map(len, found))
        for name, path in found.items():
            typer.echo(f"{name:<{width}}  {about(path)}")
        typer.echo(
            "\nTo copy one: greenroom peers examples NAME. To run a scenario: greenroom peers run --scenario NAME"
        )
        return
    chosen = [
        found[name]
        if name in found
        else refuse(f"there is no example {name!r}; there are {', '.join(found)}")
        for name in names
    ]
    for path in chosen:
        if (into / path.name).exists():
            refuse(f"{into / path.name} exists already")
    for path in chosen:
        try:
            into.mkdir(parents=True, exist_ok=True)
            (into / path.name).write_bytes(path.read_bytes())
        except OSError as problem:
            refuse(f"{problem.filename}: {problem.strerror}")
        typer.echo(into / path.name)


def paths() -> list[Path]:
    """Return the files of all examples: first the scenarios, then the scripts, both sorted by name."""
    scripts = [path for path in sorted(FOLDER.glob("*.py")) if path.name != "__init__.py"]
    return [*sorted(FOLDER.glob("*.toml")), *scripts]


def about(path: Path) -> str:
    """Return the sentence that describes an example: the key `about` of its file, or its docstring's first line."""
    text = path.read_text("utf-8")
    if path.suffix == ".toml":
        return str(tomllib.loads(text)["about"])
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
