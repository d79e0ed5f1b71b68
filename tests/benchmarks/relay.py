"""What the relay's own benchmark says, as figures. It measures, this only puts it into the table."""

from collections.abc import Callable

from tests.benchmarks import packets
from tests.benchmarks.figures import Figure, Made

CALLS = 20


def measure(calls: int, seconds: float, progress: Callable[[float], None]) -> Made:
    """Runs so many calls through a relay for so long. Raises TimeoutError where it does not answer."""
    progress(0.1)
    found = packets.run(calls, seconds)
    note = f"{calls} calls, {found.packets_per_s:.0f} packets/s, {found.binding}"
    return Made(
        [
            Figure("relay_us", "relay, CPU a packet", found.cpu_us_per_packet, "µs", 25.0, note),
            Figure(
                "relay_before_gate",
                "packets that crossed before the gate opened",
                found.packets_before_gate,
                "",
                0,
            ),
            Figure("relay_lost_percent", "packets lost on the way", found.lost_share * 100, "%"),
            Figure("relay_p50_ms", "delay that the relay adds, p50", found.latency_p50_ms, "ms"),
            Figure("relay_p99_ms", "delay that the relay adds, p99", found.latency_p99_ms, "ms"),
        ]
    )
