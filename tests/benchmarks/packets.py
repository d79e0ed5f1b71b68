"""Measures a relayed packet: CPU of the relay process, added delay, and packets forwarded before the gate (which lets
media pass) opens.

The relay runs in a child process. This process plays the browsers, with real ICE, DTLS and AES-128-GCM SRTP over
loopback: it sends 320 packets a second per call, as in a video call of two.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import multiprocessing
import os
import random
import select
import socket
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from struct import Struct
from typing import Final

import uvloop

from media.peers.raw import BROWSER_DELTA, BROWSER_KEYFRAME, RawPeer, ReceivedPacket
from media.protocols import rtp
from media.protocols.codecs import OPUS, VP8
from media.protocols.ice import Transport
from media.relay import Relay
from media.transport.dtls import Identity
from media.transport.srtp import best_binding
from media.transport.udp import RelaySettings
from tests.benchmarks.figures import Figure, Made
from tests.benchmarks.process import cpu_ns
from tests.limits import WAIT_S

CALLS: Final = 20
VIDEO_PER_S: Final = 110
AUDIO_PER_S: Final = 50
FRAMES_PER_S: Final = 30
VIDEO_BYTES: Final = 1188
AUDIO_BYTES: Final = 108
RTCP_S: Final = 0.1
TICK_S: Final = 0.5
CONNECT_S: Final = 0.02
"""The time in s between two attempts of a party to connect. With TICK_S, calls would begin too late."""
TICK: Final = 3
SETTLE_S: Final = 1.0
ANSWER_S: Final = WAIT_S
STOP_S: Final = 5.0
_STAMP = Struct("!Q")
_STAMP_AT: Final = 16  # the place of the time stamp in a payload; a server may rewrite earlier bytes
_REPORT = Struct("!BBHIIIIII")


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one run of the relay. CPU is the user and system time of its process."""

    calls: int
    packets: int
    packets_per_s: float
    cpu_us_per_packet: float
    cpu_share_of_core: float
    lost_share: float
    setup_ms_per_party: float
    packets_before_gate: int
    latency_p50_ms: float
    latency_p99_ms: float
    binding: str


class FramedSocket(socket.socket):
    """A TCP connection with the frames of RFC 4571 and the methods of a UDP socket; it needs no event loop."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_STREAM)
        self.connect(address)
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._input = bytearray()

    def sendto(self, packet: bytes | memoryview, _address: object) -> int:  # type: ignore[override]
        """Send a packet with its length in front (RFC 4571); return when the kernel has accepted it."""
        self.sendall(len(packet).to_bytes(2, "big") + packet)
        return len(packet)

    def recvfrom_into(self, buffer: bytearray) -> tuple[int, None]:  # type: ignore[override]
        """Copy the next packet into `buffer`; return (its length, None). Raises BlockingIOError if no whole packet has
        arrived.
        """
        while len(self._input) < 2 + (size := int.from_bytes(self._input[:2], "big")):
            received = self.recv(65_536, socket.MSG_DONTWAIT)
            if not received:
                raise ConnectionResetError
            self._input += received
        buffer[:size] = self._input[2 : 2 + size]
        del self._input[: 2 + size]
        return size, None


class Speaker(RawPeer):
    """A peer that sends packets of the sizes in a real call. Each video packet contains the time at
    which it was sent.
    """

    def __init__(self, identity: Identity, host: str = "127.0.0.1", transport: Transport = "udp") -> None:
        super().__init__(best_binding(), identity, host, transport)
        self.latencies_ns: list[int] = []
        self._sequence = itertools.count(random.getrandbits(14))
        self._audio_sequence = itertools.count(random.getrandbits(14))
        self._noise = os.urandom(VIDEO_BYTES)
        self._owed = 0.0
        self._frames = 0

    def connect_tcp(self) -> None:
        """Connect over TCP instead of UDP. `Load` reads the new socket in the same way."""
        self.sock.close()
        self.sock = FramedSocket(self.remote)

    def frame(self, at_s: float) -> None:
        """Send one video frame: three or four packets. The first frame of each second is a keyframe. `at_s`: the time
        that its timestamp gets.
        """
        self._owed += VIDEO_PER_S / FRAMES_PER_S
        count, self._owed = int(self._owed), self._owed % 1
        key = self._frames % FRAMES_PER_S == 0
        self._frames += 1
        for place in range(count):
            stamp = _STAMP.pack(time.monotonic_ns())
            head = BROWSER_KEYFRAME if key and place == 0 else BROWSER_DELTA
            payload = head + self._noise[len(head) : _STAMP_AT] + stamp + self._noise[_STAMP_AT + 8 :]
            timestamp, last = int(at_s * VP8.clock_rate), place == count - 1
            packet = rtp.build(
                VP8.payload_type, next(self._sequence), timestamp, self.video_ssrc, payload, marker=last
            )
            self.send_rtp(packet)

    def sound(self, at_s: float) -> None:
        """Send 20 ms of audio. `at_s`: the time that its timestamp gets."""
        timestamp = int(at_s * OPUS.clock_rate)
        payload = self._noise[:AUDIO_BYTES]
        self.send_rtp(
            rtp.build(OPUS.payload_type, next(self._audio_sequence), timestamp, self.audio_ssrc, payload)
        )

    def report(self) -> None:
        """Send a sender report."""
        self.send_rtcp(
            _REPORT.pack(0x80, 200, 6, self.video_ssrc, int(time.time()) & 0xFFFFFFFF, 0, 0, self.sent, 0)
        )

    def heard(self, packet: ReceivedPacket) -> None:
        """Record the delay of a video packet that has arrived."""
        if packet.payload_type == VP8.payload_type:
            sent_ns = _STAMP.unpack_from(packet.payload, _STAMP_AT)[0]
            self.latencies_ns.append(packet.received_ns - sent_ns)


class Load:
    """All speakers of a run. One epoll object reads their sockets."""

    def __init__(self) -> None:
        self.poll = select.epoll()
        self.speakers: dict[int, Speaker] = {}

    def add(self, speaker: Speaker) -> None:
        """Add a speaker, and read its socket from now on."""
        self.poll.register(speaker.sock.fileno(), select.EPOLLIN)
        self.speakers[speaker.sock.fileno()] = speaker

    def close(self) -> None:
        """Close the epoll object and all sockets."""
        self.poll.close()
        for speaker in self.speakers.values():
            speaker.close()

    def wait(self, timeout_s: float) -> None:
        """Read the packets that arrive within `timeout_s`, or within 50 ms if that is less."""
        for descriptor, _ in self.poll.poll(max(0.0, min(timeout_s, 0.05))):
            self.speakers[descriptor].readable()

    def connect(self, speakers: Sequence[Speaker], limit_s: float = WAIT_S) -> None:
        """Send ICE checks until all speakers are connected. Raises TimeoutError after `limit_s`."""
        end_s = time.monotonic() + limit_s
        while not all(speaker.ready for speaker in speakers):
            if time.monotonic() > end_s:
                raise TimeoutError("the relay did not answer")
            for speaker in speakers:
                speaker.tick(time.monotonic())
            self.wait(0.01)

    def talk(self, duration_s: float, until: Callable[[], bool] | None = None) -> None:
        """Send the media of all speakers for `duration_s`, or until the function `until` returns True."""
        now_s = time.monotonic()
        end_s = now_s + duration_s
        due: list[tuple[float, int, int]] = []
        intervals = (1 / FRAMES_PER_S, 1 / AUDIO_PER_S, RTCP_S, TICK_S)
        for descriptor in self.speakers:
            for what, interval_s in enumerate(intervals):
                heapq.heappush(due, (now_s + random.random() * interval_s, descriptor, what))
        while (now_s := time.monotonic()) < end_s and not (until is not None and until()):
            while due[0][0] <= now_s:
                at_s, descriptor, what = heapq.heappop(due)
                speaker = self.speakers[descriptor]
                if what == 0:
                    speaker.frame(at_s)
                elif what == 1:
                    speaker.sound(at_s)
                elif what == 2:
                    speaker.report()
                else:
                    speaker.tick(now_s)
                connecting = what == TICK and not speaker.ready
                heapq.heappush(due, (at_s + (CONNECT_S if connecting else intervals[what]), descriptor, what))
            self.wait(due[0][0] - time.monotonic())
        if until is None:
            self.wait(0.05)


async def _serve(control: Connection) -> None:
    """Run the relay in this process, and carry out the commands that arrive by the pipe `control`, until "stop"."""
    relay = await Relay.open(RelaySettings())
    loop = asyncio.get_running_loop()
    stopped = loop.create_future()

    def command() -> None:
        what, name, value = control.recv()
        room = relay.room(name) if name else None
        if what == "join" and room is not None:
            control.send(room.join(value, lambda event: None).offer())
        elif what == "offer" and room is not None:
            control.send(room.parties[value].offer())
        elif what == "accept" and room is not None:
            party, answer = value
            room.parties[party].accept(answer)
            control.send(None)
        elif what == "gate" and room is not None:
            room.set_gate(value)
            control.send(None)
        elif what == "stats":
            control.send((relay.stats, relay.binding.name))
        elif not stopped.done():
            stopped.set_result(None)

    loop.add_reader(control.fileno(), command)
    await stopped
    await relay.close()


Serve = Callable[[Connection], Coroutine[None, None, None]]


def _serve_in_child(serve: Serve, control: Connection) -> None:
    uvloop.run(serve(control))


@contextmanager
def in_child(serve: Serve, stop: tuple[object, ...]) -> Iterator[tuple[int, Connection]]:
    """Run the function `serve` in a child process; yield (process id, pipe for commands).

    At the end, the child gets the command `stop`, and is killed if it does not end.
    """
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve_in_child, args=(serve, there), daemon=True
    )
    process.start()
    assert process.pid is not None
    try:
        yield process.pid, here
        here.send(stop)
    finally:
        process.join(STOP_S)
        if process.is_alive():
            process.kill()


def served() -> AbstractContextManager[tuple[int, Connection]]:
    """Run a relay in a child process; yield (process id, pipe for commands). `_serve` defines the commands."""
    return in_child(_serve, ("stop", "", None))


def run(
    calls: int = 20, duration_s: float = 5.0, *, latency: bool = True, transport: Transport = "udp"
) -> Figures:
    """Measure `calls` calls for `duration_s`; return the figures.

    First the relay's CPU is measured; meanwhile this process does not decrypt the packets that it receives,
    so that it needs little CPU itself. Then, if `latency`, it decrypts and times all packets for two more
    seconds. `transport`: the transport of all parties. Raises TimeoutError if the relay does not answer.
    """
    load = Load()
    identity = Identity(0.0)
    with served() as (pid, control):

        def ask(what: str, room: str = "", value: object = None) -> object:
            control.send((what, room, value))
            if not control.poll(ANSWER_S):
                raise TimeoutError("the relay process does not answer")
            return control.recv()

        try:
            ask("stats")
            used_ns = cpu_ns([pid])
            for call in range(calls):
                pair = {name: Speaker(identity, transport=transport) for name in "ab"}
                for name, speaker in pair.items():
                    offer = ask("join", f"call-{call}", name)
                    ask("accept", f"call-{call}", (name, speaker.answer(str(offer))))
                    load.add(speaker)
                load.connect(list(pair.values()))
            setup_ns = cpu_ns([pid]) - used_ns
            everyone = list(load.speakers.values())
            load.talk(SETTLE_S)
            before_gate = sum(speaker.received for speaker in everyone)
            for call in range(calls):
                ask("gate", f"call-{call}", True)
            load.talk(SETTLE_S)
            sent, received = sum(s.sent for s in everyone), sum(s.received for s in everyone)
            used_ns, began_s = cpu_ns([pid]), time.monotonic()
            load.talk(duration_s)
            used_ns, took_s = cpu_ns([pid]) - used_ns, time.monotonic() - began_s
            sent = sum(s.sent for s in everyone) - sent
            received = sum(s.received for s in everyone) - received
            latencies_ns = [0]
            if latency:
                for speaker in everyone:
                    speaker.on_rtp = speaker.heard
                load.talk(2.0)
                latencies_ns = sorted(itertools.chain.from_iterable(s.latencies_ns for s in everyone)) or [0]
            binding = ask("stats")
            assert isinstance(binding, tuple)
        finally:
            load.close()
    return Figures(
        calls=calls,
        packets=received,
        packets_per_s=round(received / took_s),
        cpu_us_per_packet=round(used_ns / 1000 / max(received, 1), 2),
        cpu_share_of_core=round(used_ns / 1e9 / took_s, 3),
        lost_share=round(max(0.0, 1 - received / max(sent, 1)), 4),
        setup_ms_per_party=round(setup_ns / 1e6 / (2 * calls), 2),
        packets_before_gate=before_gate,
        latency_p50_ms=round(latencies_ns[len(latencies_ns) // 2] / 1e6, 3),
        latency_p99_ms=round(latencies_ns[int(len(latencies_ns) * 0.99)] / 1e6, 3),
        binding=binding[1],
    )


def measure(calls: int, seconds: float, progress: Callable[[float], None]) -> Made:
    """Measure `calls` calls through a relay for `seconds`; return the figures. `progress`: called with the progress.

    Raises TimeoutError if the relay does not answer.
    """
    progress(0.1)
    found = run(calls, seconds)
    progress(0.6)
    over_tcp = run(calls, seconds, latency=False, transport="tcp")
    ratio = over_tcp.cpu_us_per_packet / found.cpu_us_per_packet
    note = f"{calls} calls, {found.packets_per_s:.0f} packets/s, {found.binding}"
    return Made(
        [
            Figure("relay_us", "relay, CPU a packet", found.cpu_us_per_packet, "µs", 25.0, note),
            Figure(
                "relay_tcp_ratio",
                "relay, CPU a packet over TCP, as a multiple of that over UDP",
                round(ratio, 2),
                "×",
                1.6,
                f"{over_tcp.cpu_us_per_packet} µs, both parties over TCP",
            ),
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
