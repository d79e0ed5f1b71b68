"""Makes the reference in docs/LOAD-TESTER.md from the load tester's own docstrings and options."""

from __future__ import annotations

import inspect

import typer

from web.peers.adapters.adapter import Adapter
from web.peers.adapters.json_socket import JsonSocket
from web.peers.cli.command import peers_app
from web.peers.media.calls import CallMedia
from web.peers.people.people import Patient, Person, Provider, Room

PEOPLE = (Patient, Provider, Person, Room)
ADAPTER = (Adapter, CallMedia, JsonSocket)
OF_EACH_OTHER = frozenset({"drop_media", "refused", "returned", "spawn"})
"""Methods that only the load tester's own classes call (PEOPLE). No user's script calls them, so the document
leaves them out."""


def parts() -> dict[str, str]:
    """Return the parts of docs/LOAD-TESTER.md that this file generates: name of a part -> its text."""
    return {
        "people": "\n\n".join(map(_methods, PEOPLE)),
        "options": _options(),
        "adapter": "\n\n".join(map(_methods, ADAPTER)),
    }


def _methods(kind: type) -> str:
    rows = []
    for name, value in vars(kind).items():
        text = inspect.getdoc(value) if not name.startswith("_") and name not in OF_EACH_OTHER else None
        if text is None or not (callable(value) or isinstance(value, property)):
            continue
        rows.append(
            f"| `{name}{'' if isinstance(value, property) else _parameters(value)}` | {_first(text)} |"
        )
    about = _first(inspect.getdoc(kind) or "")
    return "\n".join([f"**{kind.__name__}**: {about}", "", f"| {kind.__name__} | |", "|---|---|", *rows])


def _parameters(method: object) -> str:
    assert callable(method)
    given = [p for name, p in inspect.signature(method).parameters.items() if name != "self"]
    names = [
        ("*" if p.kind is p.VAR_POSITIONAL else "**" if p.kind is p.VAR_KEYWORD else "") + p.name
        for p in given
    ]
    return f"({', '.join(names)})"


def _first(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def _options() -> str:
    command = typer.main.get_command(peers_app).commands["run"]  # type: ignore[attr-defined]
    rows = [
        f"| {', '.join(f'`{name}`' for name in option.opts)} | {_first(option.help or '')} |"
        for option in command.params
        if option.param_type_name == "option" and not option.hidden
    ]
    return "\n".join(["| option | meaning |", "|---|---|", *rows])
