"""Measures the cost of a relayed packet and the time to the first picture: our relay, Janus, aiortc's MediaRelay.

Every server is started anew for its turn. It gets calls of two with real ICE, DTLS and AES-128-GCM, from parties that
neither encode nor decode. The time to the first picture begins when the second person presses Start Session, and ends
when a keyframe has reached both sides. On our relay, both parties have connected before that press. On Janus, the
callee accepts at that press; on aiortc's, both parties send their offers then.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from media.transport.dtls import Identity
from tests.benchmarks.figures import Comparison, Made, Skipped, compared, percentile, times
from tests.benchmarks.others import janus, relayed, setup
from tests.benchmarks.others.calls import Clip, Party
from tests.benchmarks.others.stacks import OURS
from tests.benchmarks.others.turns import FAILURES, Field, alternating
from tests.benchmarks.packets import ANSWER_S, SETTLE_S, Load, served
from tests.benchmarks.process import cpu_ns, versions_of

FIRST_LIMIT_S = 8.0
LATENCY_S = 1.5
LOOPBACK = "127.0.0.1"
DECODES = "aiortc MediaRelay"
TARGETS = {"Janus": 1 / 0.65}
Tell = Callable[[float], None]


class Size(NamedTuple):
    """How much a run measures: the number of calls (`few` with aiortc), rounds, and per round the seconds of media and
    the number of first pictures.
    """

    calls: int
    few: int
    rounds: int
    talk_s: float
    firsts: int


WHOLE = Size(20, 1, 5, 5.0, 6)
QUICK = Size(20, 1, 1, 1.0, 2)


@dataclass
class Spent:
    """The figures of one server's turn. `us`: CPU of the server per packet. `call_ms`: CPU per second of a call.
    `setup_ms`: CPU per party that connects.

    `p50_ms` and `p99_ms`: the delay of a packet. `firsts_ms`: the times to the first picture.
    """

    us: float = 0.0
    call_ms: float = 0.0
    setup_ms: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    firsts_ms: list[float] = field(default_factory=list)


class Server(Protocol):
    """A running server that can be measured.

    A call is prepared first, and begins when the second person presses Start Session.
    """

    pid: int

    @property
    def clip(self) -> Clip | None:
        """Return the clip of real video and audio that the parties must send; None if any bytes will do."""

    @property
    def host(self) -> str:
        """Return the IP address of this machine that the parties use."""

    def prepare(self, load: Load, parties: tuple[Party, Party], name: str) -> Callable[[], None]:
        """Prepare the call `name` as far as this server can before the second person presses Start Session.

        `load`: sends and reads for the `parties`. Return a function that makes this press.
        """


class Ours:
    """Our relay.

    Both parties connect before the second press of Start Session, which opens the gate (lets media pass).
    """

    clip, host = None, LOOPBACK

    def __init__(self, pid: int, control: Any) -> None:
        self.pid, self._control = pid, control

    def _ask(self, what: str, room: str, value: object = None) -> Any:
        self._control.send((what, room, value))
        if not self._control.poll(ANSWER_S):
            raise TimeoutError("the relay does not answer")
        return self._control.recv()

    def prepare(self, load: Load, parties: tuple[Party, Party], name: str) -> Callable[[], None]:
        """Connect both `parties` by `load`, with the gate closed (no media passes). Return a function that opens the
        gate.
        """
        for key, party in zip("ab", parties, strict=True):
            self._ask("accept", name, (key, party.answer(str(self._ask("join", name, key)))))
        load.connect(parties)
        return lambda: self._ask("gate", name, True) and None


class Janus:
    """Runs calls on Janus.

    One party calls before the second press of Start Session, at which the other party accepts.
    """

    clip = None

    def __init__(self, pid: int, url: str) -> None:
        self.pid, self._url, self.host = pid, url, janus.address()
        self._kept: list[janus.Handle] = []

    def prepare(self, load: Load, parties: tuple[Party, Party], name: str) -> Callable[[], None]:
        """Make the first of the `parties` call the second one. Return a function by which the second one accepts."""
        caller, callee = (janus.Handle(self._url, f"{name}-{key}") for key in "ab")
        self._kept += [caller, callee]
        caller.call(callee.name, parties[0].offer())
        answer = parties[1].answer_to(callee.incoming())

        def press() -> None:
            callee.pick_up(answer)
            parties[0].accept(caller.accepted())

        return press


class Aiortc:
    """Runs calls on aiortc's MediaRelay. Both parties send their offers at the second press of Start Session."""

    host = LOOPBACK

    def __init__(self, pid: int, control: Any, clip: Clip) -> None:
        self.pid, self._control, self.clip = pid, control, clip

    def prepare(self, load: Load, parties: tuple[Party, Party], name: str) -> Callable[[], None]:
        """Do nothing yet, because both offers are sent at the second press of Start Session. Return a function that
        makes this press.

        `load`: sends and reads for the `parties`. `name`: of the call.
        """

        def press() -> None:
            self._control.send(("call", tuple(party.offer() for party in parties)))
            if not self._control.poll(ANSWER_S):
                raise TimeoutError("aiortc does not answer")
            for party, answer in zip(parties, self._control.recv(), strict=True):
                party.accept(answer)

        return press


Start = Callable[[], Any]


@contextmanager
def ours() -> Iterator[Server]:
    """Yield our relay, which runs in its own process."""
    with served() as (pid, control):
        control.send(("stats", "", None))  # the relay answers this request as soon as it runs
        control.poll(ANSWER_S)
        control.recv()
        yield Ours(pid, control)


def measure(
    size: Size, others: Sequence[str], say: setup.Say, progress: Tell, *, install_janus: bool
) -> Made:
    """Measure our relay and the `others` in all rounds; return the comparisons. Raises TimeoutError if our relay does
    not answer.

    `size`: how much is measured. `say` prints a line. `progress`: called with the share done. `install_janus`: True to
    install Janus if it is missing.
    """
    starts: dict[str, Start] = {OURS: ours}
    made = Made(skipped=[])
    if "janus" in others:
        try:
            program = setup.janus(say, install=install_janus)
        except setup.MissingServerError as problem:
            made.skipped.append(Skipped("janus", str(problem)))
        else:
            made.versions |= program.versions
            starts["Janus"] = lambda: _janus(program.command[0])
    if "aiortc" in others:
        clip = Clip()
        made.versions |= versions_of("aiortc")
        starts[DECODES] = lambda: _aiortc(clip)
    if len(starts) == 1:
        return made
    many: Field[Spent] = Field(name for name in starts if name != DECODES)
    few: Field[Spent] = Field(starts)
    for number, name in alternating(list(starts), size.rounds):
        if name not in few.made:
            continue
        try:
            if name in many.made:
                with starts[name]() as server:
                    many.made[name].append(talk(server, size.calls, size.talk_s, late=True))
            with starts[name]() as server:
                spent = talk(server, size.few, size.talk_s, late=False)
                spent.firsts_ms = [first(server, f"first-{at}") for at in range(size.firsts)]
                few.made[name].append(spent)
        except (*FAILURES, setup.MissingServerError, ValueError) as problem:
            few.drop(name, problem)
            many.made.pop(name, None)
        progress((number + 1) / size.rounds)
    made.skipped += few.out
    made.comparisons = _comparisons(many, few, size)
    return made


@contextmanager
def _janus(program: str) -> Iterator[Server]:
    with janus.running(program) as (pid, url):
        yield Janus(pid, url)


@contextmanager
def _aiortc(clip: Clip) -> Iterator[Server]:
    with relayed.running() as (pid, control):
        control.send(("ready", None))
        control.poll(ANSWER_S)
        control.recv()
        yield Aiortc(pid, control, clip)


def _comparisons(many: Field[Spent], few: Field[Spent], size: Size) -> list[Comparison]:
    note = f"{size.calls} calls of two, 320 packets/s each, {times(size.rounds, 'round')}"
    one = f"{times(size.few, 'call')}, {times(size.rounds, 'round')}"
    made = []
    if len(many.made) > 1:
        made += [
            compared("media_us", "CPU a packet", "µs", _column(many, "us"), TARGETS, note),
            compared("media_setup_ms", "CPU to set up a party", "ms", _column(many, "setup_ms"), None, note),
            compared(
                "media_p50_ms", "delay that the server adds, p50", "ms", _column(many, "p50_ms"), None, note
            ),
            compared(
                "media_p99_ms", "delay that the server adds, p99", "ms", _column(many, "p99_ms"), None, note
            ),
        ]
    firsts = {name: [statistics.median(s.firsts_ms) for s in found] for name, found in few.made.items()}
    targets = {DECODES: 15.0}
    made += [
        compared(
            "media_call_us", "CPU of one call, each packet sent", "µs", _column(few, "us"), targets, one
        ),
        compared(
            "media_first_ms", "second press to the first picture on both sides", "ms", firsts, None, one
        ),
    ]
    return made


def _column(field: Field[Spent], name: str) -> dict[str, list[float]]:
    return field.column(lambda spent: float(getattr(spent, name)))


def talk(server: Server, calls: int, seconds: float, *, late: bool) -> Spent:
    """Send media in `calls` calls for `seconds`; return the CPU of the server and, if `late`, the delay of packets.

    Raises TimeoutError if the server does not answer or forwards nothing.
    """
    load, identity = Load(), Identity(0.0)
    parties: list[Party] = []
    used = cpu_ns([server.pid])
    try:
        for number in range(calls):
            pair = _pair(server, identity)
            parties += pair
            for party in pair:
                load.add(party)
            server.prepare(load, pair, f"call-{number}")()
            load.connect(pair)
        setup_ms = (cpu_ns([server.pid]) - used) / 1e6 / (2 * calls)
        load.talk(SETTLE_S)
        sent, received = sum(p.sent for p in parties), sum(p.received for p in parties)
        used, began = cpu_ns([server.pid]), time.monotonic()
        load.talk(seconds)
        used, took_s = cpu_ns([server.pid]) - used, time.monotonic() - began
        sent = sum(p.sent for p in parties) - sent
        if sum(p.received for p in parties) == received:
            raise TimeoutError("nothing came through")
        spent = Spent(us=used / 1e3 / sent, call_ms=used / 1e6 / took_s / calls, setup_ms=setup_ms)
        if late:
            for party in parties:
                party.on_rtp = party.heard
            load.talk(LATENCY_S)
            late_ns = [each for party in parties for each in party.latencies_ns]
            spent.p50_ms, spent.p99_ms = percentile(late_ns, 50) / 1e6, percentile(late_ns, 99) / 1e6
        return spent
    finally:
        load.close()


def _pair(server: Server, identity: Identity) -> tuple[Party, Party]:
    return Party(identity, server.clip, server.host), Party(identity, server.clip, server.host)


def first(server: Server, name: str) -> float:
    """Return the time in ms from the second press of Start Session in the call `name` until a keyframe has reached both
    sides.

    Raises TimeoutError if none does.
    """
    load, identity = Load(), Identity(0.0)
    try:
        pair = _pair(server, identity)
        for party in pair:
            load.add(party)
            party.await_picture()
        press = server.prepare(load, pair, name)
        load.talk(0.2)
        began = time.monotonic_ns()
        press()
        load.talk(FIRST_LIMIT_S, until=lambda: all(party.first_ns for party in pair))
        if not all(party.first_ns for party in pair):
            raise TimeoutError(f"no picture after {FIRST_LIMIT_S:.0f} s")
        return (max(party.first_ns for party in pair) - began) / 1e6
    finally:
        load.close()
