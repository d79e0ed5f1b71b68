"""Tests a small run of the packet benchmark: it measures, and no packet passes before the gate (which lets media pass)
opens.
"""

from tests.benchmarks.packets import run


def test_the_benchmark_relays_packets_but_none_before_the_gate_opens() -> None:
    figures = run(calls=2, duration_s=1.0)
    assert figures.packets > 50
    assert figures.packets_before_gate == 0
    assert figures.cpu_us_per_packet > 0
    assert 0 < figures.latency_p50_ms <= figures.latency_p99_ms


def test_the_benchmark_relays_over_tcp_too() -> None:
    figures = run(calls=1, duration_s=1.0, latency=False, transport="tcp")
    assert figures.packets > 20
    assert figures.packets_before_gate == 0
    assert figures.cpu_us_per_packet > 0
