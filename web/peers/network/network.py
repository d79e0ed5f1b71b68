"""Describes a network as data, and decides what happens to each packet in it.

This module does no I/O: the same random numbers and times give the same result. A `Network` holds the usual
values and those of its phases; a `Direction` decides about each packet.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

DRAWS: Final = 5
"""The number of random numbers that are drawn for each packet, even if a network needs fewer.

So packet n gets the same random numbers in all networks with the same seed.
"""
RESEND_S: Final = 0.2
"""The shortest time in s after which TCP sends a lost segment again (the kernel's TCP_RTO_MIN)."""
RESENDS: Final = 6

Side = Literal["up", "down"]
"""The direction of a packet: "up" from the peer to the server, "down" from the server to the peer."""

Share = Annotated[float, Meta(ge=0, le=1, description="a share from 0 to 1")]
Fewer = Annotated[float, Meta(ge=0, le=0.5, description="a share from 0 to 0.5")]
Milliseconds = Annotated[float, Meta(ge=0, le=10_000, description="milliseconds from 0 to 10000")]
Moment = Annotated[float, Meta(ge=0, le=86_400, description="seconds from 0 to 86400")]
Switch = Annotated[bool, Meta(description="true or false")]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base of all tables in a file that describes a network; unknown keys are refused."""


class Way(Table, frozen=True):
    """Describes what happens to packets in one direction.

    Losses are independent; with `burst_share` and `burst_packets` there are also bursts with losses of their own (the
    model of Gilbert and Elliott). `burst_share` of all packets are in bursts, whose mean length is `burst_packets`;
    the share `burst_loss` of the packets in bursts is lost. A packet first waits in a queue for the link (`rate_kbit`;
    0: no limit), and is dropped if this wait would be longer than `queue_ms`. Then it is delayed by `delay_ms` and a
    random time up to `jitter_ms`. Packets keep their order, but the share `reorder` arrives `reorder_ms` later.
    """

    loss: Share = 0.0
    burst_share: Fewer = 0.0
    burst_packets: Annotated[
        float, Meta(ge=1, le=10_000, description="a number of packets from 1 to 10000")
    ] = 1.0
    burst_loss: Share = 1.0
    delay_ms: Milliseconds = 0.0
    jitter_ms: Milliseconds = 0.0
    reorder: Share = 0.0
    reorder_ms: Milliseconds = 20.0
    duplicate: Share = 0.0
    rate_kbit: Annotated[
        float, Meta(ge=0, le=10_000_000, description="kbit/s up to 10000000, or 0 for no limit")
    ] = 0.0
    queue_ms: Milliseconds = 300.0


class Phase(Table, frozen=True):
    """The values of a network that differ from its usual values, from `from_s` until `to_s` (None: until the end).

    `rebind`: True if the peer gets a new address when the phase begins.
    """

    from_s: Moment
    to_s: Moment | None = None
    udp: Switch | None = None
    tcp: Switch | None = None
    rebind: Switch = False
    up: Way | None = None
    down: Way | None = None


Phases = Annotated[tuple[Phase, ...], Meta(max_length=1000, description="at most 1000 phases")]


class Network(Table, frozen=True):
    """A network between a peer and a server. `up` is for the packets that the peer sends, `down` for the packets that
    it receives.

    `phases` replace some of the other values for a time. If two phases set the same value at the same time, the phase
    that is later in the list counts. `udp`, `tcp`: False blocks the whole protocol. Times count from the beginning of
    the call.
    """

    seed: Annotated[int, Meta(ge=0, le=1 << 53, description="a whole number from 0")] = 1
    udp: Switch = True
    tcp: Switch = True
    up: Way = Way()
    down: Way = Way()
    phases: Phases = ()

    def at(self, now_s: float) -> Network:
        """Return a network without phases: the values that this network has `now_s` seconds after the start of the
        call.
        """
        if not self.phases:
            return self
        found = msgspec.structs.replace(self, phases=())
        for phase in self.phases:
            if phase.from_s <= now_s < (math.inf if phase.to_s is None else phase.to_s):
                changes = {key: getattr(phase, key) for key in ("udp", "tcp", "up", "down")}
                found = msgspec.structs.replace(
                    found, **{key: value for key, value in changes.items() if value is not None}
                )
        return found

    def way(self, side: Side) -> Way:
        """Return the values (`Way`) that decide what happens to packets in this direction."""
        return self.up if side == "up" else self.down

    @property
    def rebinds_s(self) -> list[float]:
        """Return the times in s since the start of the call at which the peer gets a new address (`Phase.rebind`)."""
        return [phase.from_s for phase in self.phases if phase.rebind]


def problem(network: Network) -> str:
    """Return a sentence about the first phase of a network that is not valid; "" if all are valid.

    A phase is not valid if its end is not after its start, or if it changes nothing.
    """
    for number, phase in enumerate(network.phases):
        if phase.to_s is not None and phase.to_s <= phase.from_s:
            return f"phases[{number}].to_s: expected a time after from_s ({phase.from_s:g}); found {phase.to_s:g}"
        if phase == Phase(phase.from_s, phase.to_s):
            return f"phases[{number}]: expected at least one of udp, tcp, rebind, up, down"
    return ""


def lossy(share: float, seed: int = 1) -> Network:
    """Return a network that loses a share (0 to 1) of the packets of each direction.

    `seed`: determines its random numbers.
    """
    return Network(seed=seed, up=Way(loss=share), down=Way(loss=share))


class Direction:
    """Decides whether and when each packet of one direction arrives. `draw` returns a random number, 0 <= number < 1.

    `counts`: the number of packets by what happened to them: `passed`, `lost`, `queue_full`, `doubled`.
    """

    def __init__(self, draw: Callable[[], float]) -> None:
        self.counts: Counter[str] = Counter()
        self._draw = draw
        self._in_burst = False
        self._free_s = -math.inf
        self._last_s = -math.inf

    def packet(self, way: Way, size: int, now_s: float) -> tuple[float, ...]:
        """Return the times in s at which a packet of `size` bytes that is sent at `now_s` arrives.

        `way`: what happens to packets now. The result is () if the packet is lost, and has two times if it is
        doubled.
        """
        left_s, jitter, late, double = self._left(way, size, now_s)
        if left_s is None:
            return ()
        arrives_s = max(left_s + (way.delay_ms + jitter * way.jitter_ms) / 1000, self._last_s)
        if late < way.reorder:
            arrives_s += way.reorder_ms / 1000
        else:
            self._last_s = arrives_s
        twice = double < way.duplicate
        self.counts["doubled"] += twice
        return (arrives_s,) * (1 + twice)

    def segment(self, way: Way, size: int, now_s: float) -> float:
        """Return the time in s at which `size` bytes of a TCP stream that are sent at `now_s` arrive.

        `way`: what happens to packets now. Lost bytes are sent again after a round trip.
        """
        waited_s, again_s = 0.0, max(RESEND_S, 2 * way.delay_ms / 1000)
        for _ in range(RESENDS):
            left_s, jitter, _, _ = self._left(way, size, now_s)
            if left_s is not None:
                return left_s + waited_s + (way.delay_ms + jitter * way.jitter_ms) / 1000
            waited_s, again_s = waited_s + again_s, 2 * again_s
        return now_s + waited_s

    def _left(self, way: Way, size: int, now_s: float) -> tuple[float | None, float, float, float]:
        """Return the time in s at which a packet has left the queue, and three random numbers.

        `way`: what happens to packets now; `size`: the packet's length in bytes; `now_s`: the time at which it is sent.
        The returned time is None if the packet is lost or dropped. The three numbers decide on its jitter, its
        reordering and its doubling, in this order.
        """
        turn, luck, jitter, late, double = (self._draw() for _ in range(DRAWS))
        self._in_burst = turn < (1 - 1 / way.burst_packets if self._in_burst else _begins(way))
        if luck < (way.burst_loss if self._in_burst else way.loss):
            self.counts["lost"] += 1
            return None, jitter, late, double
        left_s = now_s
        if way.rate_kbit:
            begins_s = max(now_s, self._free_s)
            if begins_s - now_s > way.queue_ms / 1000:
                self.counts["queue_full"] += 1
                return None, jitter, late, double
            left_s = self._free_s = begins_s + size * 8 / (way.rate_kbit * 1000)
        self.counts["passed"] += 1
        return left_s, jitter, late, double


def _begins(way: Way) -> float:
    """Return the probability that a burst begins at a packet, so that bursts contain `burst_share` of all packets."""
    return way.burst_share / (way.burst_packets * (1 - way.burst_share))
