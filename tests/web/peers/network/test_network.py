"""Tests what a simulated network does to each packet: it loses, delays and duplicates packets at given rates.

With the same seed it does the same to each packet.
"""

from __future__ import annotations

import itertools
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from web.peers.network.network import Direction, Network, Phase, Way, lossy, problem

SHARES = st.floats(0, 1)
WAYS = st.builds(
    Way,
    loss=SHARES,
    burst_share=st.floats(0, 0.5),
    burst_packets=st.floats(1, 50),
    burst_loss=SHARES,
    delay_ms=st.floats(0, 500),
    jitter_ms=st.floats(0, 200),
    reorder=SHARES,
    duplicate=SHARES,
    rate_kbit=st.sampled_from([0.0, 100.0, 5000.0]),
    queue_ms=st.floats(0, 500),
)
PACKETS = st.lists(st.tuples(st.floats(0, 0.2), st.integers(1, 1500)), max_size=60)
"""For each packet, the pause in s before it, and its size in bytes."""


def direction(seed: object = 1) -> Direction:
    return Direction(Random(str(seed)).random)


def fates(way: Way, packets: list[tuple[float, int]], seed: int = 1) -> list[tuple[float, tuple[float, ...]]]:
    """Return for each packet (the time at which it is sent, the times at which it arrives).

    A lost packet has no time of arrival, a duplicated one has two. `way`: the settings of the network in one
    direction; `packets`: (pause in s before the packet, its size in bytes); `seed`: of the random numbers.
    """
    goes, moments = direction(seed), itertools.accumulate(pause_s for pause_s, _ in packets)
    return [(at, goes.packet(way, size, at)) for at, (_, size) in zip(moments, packets, strict=True)]


def lost(way: Way, count: int = 5_000) -> list[bool]:
    goes = direction()
    return [not goes.packet(way, 100, number / 100) for number in range(count)]


@settings(max_examples=50)
@given(WAYS, PACKETS, st.integers(0, 9))
def test_the_same_seed_gives_every_packet_the_same_fate(
    way: Way, packets: list[tuple[float, int]], seed: int
) -> None:
    assert fates(way, packets, seed) == fates(way, packets, seed)


def test_another_seed_loses_other_packets() -> None:
    packets = [(0.01, 100)] * 200
    found = [[arrives == () for _, arrives in fates(Way(loss=0.5), packets, seed)] for seed in (1, 2)]
    assert found[0] != found[1]


def test_a_packet_that_a_small_loss_takes_is_lost_in_a_larger_one_too() -> None:
    few, many = lost(Way(loss=0.05)), lost(Way(loss=0.2, delay_ms=50, jitter_ms=10))
    assert all(also for one, also in zip(few, many, strict=True) if one)


@settings(max_examples=50)
@given(WAYS, PACKETS)
def test_nothing_arrives_before_its_delay_or_after_what_its_waits_may_be(
    way: Way, packets: list[tuple[float, int]]
) -> None:
    most_s = (way.delay_ms + way.jitter_ms + way.reorder_ms + way.queue_ms) / 1000
    for at, arrives in fates(way, packets):
        sending_s = 1500 * 8 / (way.rate_kbit * 1000) if way.rate_kbit else 0
        for moment in arrives:
            assert at + way.delay_ms / 1000 - 1e-6 <= moment <= at + most_s + sending_s + 1e-6


@settings(max_examples=50)
@given(WAYS, PACKETS)
def test_no_packet_arrives_twice_or_out_of_order_unless_the_network_says_so(
    way: Way, packets: list[tuple[float, int]]
) -> None:
    calm = Way(
        loss=way.loss,
        delay_ms=way.delay_ms,
        jitter_ms=way.jitter_ms,
        rate_kbit=way.rate_kbit,
        queue_ms=way.queue_ms,
    )
    found = [arrives for _, arrives in fates(calm, packets)]
    assert max(map(len, found), default=0) <= 1
    moments = [moment for arrives in found for moment in arrives]
    assert moments == sorted(moments)


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_as_many_packets_are_lost_as_the_network_says(share: float) -> None:
    assert sum(lost(lossy(share).up)) / 5_000 == pytest.approx(share, rel=0.1)


def test_bursts_hold_their_share_of_the_packets_and_have_their_mean_length() -> None:
    found = lost(Way(burst_share=0.1, burst_packets=8), 30_000)
    assert sum(found) / len(found) == pytest.approx(0.1, rel=0.1)
    lengths = [len(list(run)) for gone, run in itertools.groupby(found) if gone]
    assert sum(lengths) / len(lengths) == pytest.approx(8, rel=0.1)


def test_a_burst_that_loses_a_part_leaves_the_loss_outside_of_it_as_it_is() -> None:
    found = lost(Way(loss=0.01, burst_share=0.2, burst_packets=20, burst_loss=0.5), 30_000)
    assert sum(found) / len(found) == pytest.approx(0.8 * 0.01 + 0.2 * 0.5, rel=0.1)


def test_reordered_and_doubled_packets_are_as_many_as_the_network_says() -> None:
    packets = [(0.001, 100)] * 3_000
    found = fates(Way(reorder=0.1, reorder_ms=50, duplicate=0.2), packets)
    assert sum(arrives[0] - at > 0.04 for at, arrives in found) / 3_000 == pytest.approx(0.1, rel=0.1)
    assert sum(len(arrives) == 2 for _, arrives in found) / 3_000 == pytest.approx(0.2, rel=0.1)


def test_a_slow_link_carries_its_rate_and_drops_what_would_wait_longer_than_its_queue() -> None:
    way, goes = Way(rate_kbit=300, queue_ms=200), direction()
    # 1000 packets of 1000 bytes in 10 s are 800 kbit/s.
    found = [(n / 100, goes.packet(way, 1000, n / 100)) for n in range(1000)]
    carried = [(at, arrives[0]) for at, arrives in found if arrives]
    # A packet has 8 kbit. The link carries 300 kbit/s for 10 s, and the queue then holds packets for another 0.2 s.
    assert len(carried) * 8 == pytest.approx(300 * 10.2, rel=0.02)
    assert max(moment - at for at, moment in carried) <= 0.2 + 0.03
    assert goes.counts["queue_full"] == 1000 - len(carried)


def test_what_tcp_loses_arrives_later_and_is_never_gone() -> None:
    goes = direction()
    waits = [goes.segment(Way(loss=0.3, delay_ms=20), 1448, float(n)) - n for n in range(2000)]
    assert min(waits) == pytest.approx(0.02)
    assert sum(wait > 0.2 for wait in waits) / 2000 == pytest.approx(0.3, rel=0.15)
    assert direction().segment(Way(loss=1.0), 1448, 0.0) < 60


def test_phases_replace_parts_of_the_network_for_their_time_and_later_ones_win() -> None:
    network = Network(
        down=Way(delay_ms=5),
        phases=(Phase(10, 20, udp=False, up=Way(loss=1)), Phase(15, tcp=False), Phase(16, 17, udp=True)),
    )
    assert [network.at(now).udp for now in (9.9, 10, 16, 17, 20)] == [True, False, True, False, True]
    assert [network.at(now).tcp for now in (14, 15, 9999)] == [True, False, False]
    assert network.at(12).up.loss == 1
    assert network.at(12).down.delay_ms == 5


def test_phases_say_when_addresses_change() -> None:
    assert Network(phases=(Phase(3, rebind=True), Phase(4, udp=False))).rebinds_s == [3]


def test_a_phase_that_changes_nothing_or_ends_before_it_begins_is_a_mistake() -> None:
    assert problem(Network(phases=(Phase(1, 2, udp=True),))) == ""
    assert problem(Network(phases=(Phase(1, 2),))).startswith("phases[0]: expected at least one of udp")
    assert "phases[1].to_s: expected a time after from_s (3)" in problem(
        Network(phases=(Phase(1, udp=False), Phase(3, 3, udp=False)))
    )


@settings(max_examples=50)
@given(WAYS, PACKETS)
def test_every_packet_is_counted_by_what_became_of_it(way: Way, packets: list[tuple[float, int]]) -> None:
    goes, at = direction(), 0.0
    arrived = [goes.packet(way, size, at := at + pause_s) for pause_s, size in packets]
    assert goes.counts["passed"] == sum(bool(one) for one in arrived)
    assert goes.counts["passed"] + goes.counts["lost"] + goes.counts["queue_full"] == len(packets)
    assert goes.counts["doubled"] == sum(len(one) == 2 for one in arrived)
