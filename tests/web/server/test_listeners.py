"""Tests the port for metrics in an upgrade, in which a new program replaces the running program.

Before the upgrade, a trial of the new program finds out whether the new program could open the port. An unchanged port
is passed on from the old program to the new one.
"""

import socket
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from web.config import Settings
from web.errors import ConfigError
from web.server.handover import Handover
from web.server.listeners import bind, metrics_listener


def handed(metrics: int | None, *, trial: bool) -> Handover:
    return Handover(
        trial=trial,
        host="",
        listener=0,
        metrics=metrics,
        folder=0,
        streams=[],
        store=None,
        workers=[],
        notify="",
    )


def with_port(port: int) -> Settings:
    settings = Settings()
    return replace(settings, metrics=replace(settings.metrics, host="127.0.0.1", port=port))


@pytest.fixture
def busy() -> Iterator[socket.socket]:
    """A listening socket on a free port of 127.0.0.1."""
    with bind("127.0.0.1", 0) as listener:
        yield listener


@pytest.mark.parametrize("trial", [True, False])
def test_r36_a_new_port_for_metrics_that_is_in_use_is_refused_already_in_the_trial(
    busy: socket.socket, trial: bool
) -> None:
    with pytest.raises(ConfigError, match=r"metrics\.port"):
        metrics_listener(with_port(busy.getsockname()[1]), handed(None, trial=trial))


def test_r36_the_port_of_the_program_before_is_kept_and_left_alone_by_a_trial(busy: socket.socket) -> None:
    settings = with_port(busy.getsockname()[1])
    assert metrics_listener(settings, handed(busy.dup().detach(), trial=True)) is None
    kept = metrics_listener(settings, handed(busy.dup().detach(), trial=False))
    assert kept is not None
    with kept:
        assert kept.getsockname() == busy.getsockname()
