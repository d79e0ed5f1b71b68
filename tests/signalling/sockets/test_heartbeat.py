"""Tests that every socket gets one ping per round, and that only silent sockets are closed."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from signalling.sockets import heartbeat
from signalling.sockets.heartbeat import ANSWERED_BY, ROUND_S, SLOTS, TICK_S, Heartbeat


class Peer:
    """A socket that records the pings that it gets. `open`: False after the heartbeat has ended it."""

    def __init__(self) -> None:
        self.received_s = 0.0
        self.open = True
        self.pings: list[bytes] = []

    def write(self, data: bytes, /) -> None:
        """Count a ping that is written to this socket."""
        self.pings.append(data)

    def give_up(self) -> None:
        """Record that the heartbeat has ended this socket."""
        self.open = False


def test_a_client_is_pinged_every_25_s_and_has_12_s_to_answer() -> None:
    assert (ROUND_S, ANSWERED_BY * TICK_S) == (25.0, 12.0), "PROTOCOL.md#connection names both"


def test_of_two_sockets_only_the_one_that_answers_pings_stays_open() -> None:
    beat, lively, silent = Heartbeat(), Peer(), Peer()
    beat.watch(lively)
    beat.watch(silent)
    for tick in range(1, 3 * SLOTS):
        beat.tick(tick * TICK_S)
        if lively.pings:
            lively.received_s = tick * TICK_S
        assert silent.open == (tick < SLOTS + ANSWERED_BY)
    assert lively.open
    assert lively.pings == [b"\x89\x00"] * 2
    assert len(silent.pings) == 1


def test_sockets_that_came_one_after_another_are_pinged_one_after_another() -> None:
    beat, peers = Heartbeat(), [Peer() for _ in range(SLOTS)]
    at_once: list[int] = []
    for tick, peer in enumerate(peers):
        beat.watch(peer)
        beat.tick(tick * TICK_S)
    for tick in range(SLOTS, 2 * SLOTS):
        before = sum(len(p.pings) for p in peers)
        for peer in peers:
            peer.received_s = tick * TICK_S
        beat.tick(tick * TICK_S)
        at_once.append(sum(len(p.pings) for p in peers) - before)
    assert max(at_once) == 1


def test_a_worker_that_was_suspended_closes_no_socket_whose_answer_it_has_not_read_yet() -> None:
    beat, peer = Heartbeat(), Peer()
    beat.watch(peer)
    for tick in range(1, SLOTS + ANSWERED_BY):
        beat.tick(tick * TICK_S)
    assert peer.pings
    beat.tick(10_000.0, judge=False)
    assert peer.open


@pytest.mark.parametrize(("slept", "judged"), [(1, True), (1.75, True), (2, False), (9, False)])
async def test_a_sleep_of_two_ticks_or_more_closes_no_socket(
    slept: float, judged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s, asleep, ticks = [64.0], iter((slept, 1)), list[tuple[float, bool]]()

    async def sleep(delay_s: float) -> None:
        ticks_slept = next(asleep, None)
        if ticks_slept is None:
            raise asyncio.CancelledError
        now_s[0] += ticks_slept * delay_s

    beat = Heartbeat()
    monkeypatch.setattr(heartbeat, "asyncio", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(heartbeat, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    monkeypatch.setattr(beat, "tick", lambda at_s, *, judge: ticks.append((at_s, judge)))
    with pytest.raises(asyncio.CancelledError):
        await beat.run()
    first_s = 64.0 + slept * TICK_S
    assert ticks == [(first_s, judged), (first_s + TICK_S, True)]


class Broken(Peer):
    """A socket that raises an error when it is written to."""

    def write(self, data: bytes, /) -> None:
        raise RuntimeError("closed")

    give_up = write  # type: ignore[assignment]


def test_r24_a_socket_that_cannot_be_written_to_does_not_stop_the_heartbeat_of_others() -> None:
    beat, before, broken, lively, silent = Heartbeat(), Peer(), Broken(), Peer(), Peer()
    for peer in (before, broken, lively, silent):
        beat.watch(peer)
    for tick in range(1, 2 * SLOTS):
        beat.tick(tick * TICK_S)
        if lively.pings:
            lively.received_s = before.received_s = tick * TICK_S
    assert (before.open, lively.open, silent.open) == (True, True, False)
    assert before.pings == lively.pings


def test_r25_a_dead_peer_is_closed_within_one_and_a_half_rounds_of_pings() -> None:
    for died in range(2 * SLOTS):
        beat, peer = Heartbeat(), Peer()
        beat.watch(peer)
        tick = 0
        while peer.open:
            tick += 1
            beat.tick(tick * TICK_S)
            if tick <= died:
                peer.received_s = tick * TICK_S
        assert (tick - died) * TICK_S <= 1.5 * ROUND_S - TICK_S, "with a tick to spare for late timers"
