"""Runs the command `greenroom peers` in the process of the test."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from web.peers.cli.command import peers_app


def run(*words: object) -> Result:
    """Run the command `greenroom peers` with these arguments; return what it printed, and its exit code."""
    return CliRunner().invoke(peers_app, [str(word) for word in words])


def refused(result: Result) -> str:
    """Return the error sentence of a command that cannot be carried out."""
    assert result.exit_code == 2, result.output
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 1, result.output
    return lines[0]
