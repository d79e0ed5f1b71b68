"""Measures the cost of a relayed packet and the time to the first picture: our relay, mediasoup, Janus, aiortc's
MediaRelay.

Every server is started anew for its turn. Then it gets calls with real ICE, DTLS and AES-128-GCM, from parties
that neither encode nor decode. The time to the first picture begins when the second person presses Start
Session, and ends when a keyframe has reached both sides. On our relay and on mediasoup, both parties have
connected before that press. On Janus, the callee accepts at that press; on aiortc's, both parties send their
offers then.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from media.transport.dtls import Identity
from media.transport.srtp import AES_128_GCM
from tests.benchmarks.figures import Comparison, Made, Skipped, compared, percentile, times
from tests.benchmarks.others import janus, mediasoup, relayed, setup
from tests.benchmarks.others.calls import Clip, Party
from tests.benchmarks.others.stacks import OURS
from tests.benchmarks.others.turns import FAILURES, Field, alternating
from tests.benchmarks.packets import ANSWER_S, SETTLE_S, Load, served
from tests.benchmarks.process import cpu_ns, resident_bytes, versions_of

FIRST_LIMIT_S = 30.0
LATENCY_S = 1.5
LOOPBACK = "127.0.0.1"
DECODES = "aiortc MediaRelay"
JANUS, MEDIASOUP = "Janus", "mediasoup"
TARGETS = {JANUS: 1 / 0.65, MEDIASOUP: 1.0}
DELAY_TARGETS = {JANUS: 1.0, MEDIASOUP: 1.0}
Tell = Callable[[float], None]


class Scene(NamedTuple):
    """Calls that are measured together. `id` begins the ids of their figures. `others`: the servers that can hold these
    calls.
    """

    id: str
    calls: int
    parties: int
    others: tuple[str, ...]

    @property
    def note(self) -> str:
        """Return these calls in words, with their packets per second."""
        if self.parties > 2:
            return f"a room of {self.parties}, 160 packets/s from each"
        return f"{self.calls} calls of two, 320 packets/s each"


SCENES = (
    Scene("media", 20, 2, (MEDIASOUP, JANUS)),
    Scene("media_60", 60, 2, (MEDIASOUP, JANUS)),
    Scene("media_six", 1, 6, (MEDIASOUP,)),
)


class Size(NamedTuple):
    """How much a run measures: the scenes, the number of calls with aiortc (`few`), rounds, and per round the seconds
    of media and the number of first pictures.
    """

    scenes: tuple[Scene, ...]
    few: int
    rounds: int
    talk_s: float
    firsts: int


WHOLE = Size(SCENES, 1, 3, 5.0, 6)
QUICK = Size(SCENES[:1], 1, 1, 1.0, 2)


@dataclass
class Spent:
    """The figures of one server's turn. `us`: CPU of the server per packet that it sends. `setup_ms`: CPU per party
    that connects. `call_kb`: the growth of its memory per call.

    `p50_ms` and `p99_ms`: the delay of a packet. `firsts_ms`: the times to the first picture.
    """

    us: float = 0.0
    setup_ms: float = 0.0
    call_kb: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    firsts_ms: list[float] = field(default_factory=list)


class Server(Protocol):
    """A running server that can be measured.

    A call is prepared first, and begins when the second person presses Start Session.
    """

    pids: list[int]

    @property
    def clip(self) -> Clip | None:
        """Return the clip of real video and audio that the parties must send; None if any bytes will do."""

    @property
    def host(self) -> str:
        """Return the IP address of this machine that the parties use."""

    def prepare(self, load: Load, parties: Sequence[Party], name: str) -> Callable[[], None]:
        """Prepare the call `name` as far as this server can before the second person presses Start Session.

        `load`: sends and reads for the `parties`. Return a function that makes this press.
        """


class Ours:
    """Our relay.

    Both parties connect before the second press of Start Session, which opens the gate (lets media pass).
    """

    clip, host = None, LOOPBACK

    def __init__(self, pid: int, control: Any) -> None:
        self.pids, self._control = [pid], control

    def _ask(self, what: str, room: str, value: object = None) -> Any:
        self._control.send((what, room, value))
        if not self._control.poll(ANSWER_S):
            raise TimeoutError("the relay does not answer")
        return self._control.recv()

    def prepare(self, load: Load, parties: Sequence[Party], name: str) -> Callable[[], None]:
        """Connect the `parties` by `load`, with the gate closed (no media passes). Return a function that opens the
        gate.
        """
        keys = "abcdef"[: len(parties)]
        offers = [self._ask("join", name, key) for key in keys]
        if len(parties) > 2:  # each further party adds its streams to the offers of the other parties
            offers = [self._ask("offer", name, key) for key in keys]
        for key, party, offer in zip(keys, parties, offers, strict=True):
            self._ask("accept", name, (key, party.answer(str(offer))))
        load.connect(parties)
        return lambda: self._ask("gate", name, True) and None


class Aiortc:
    """Runs calls on aiortc's MediaRelay. Both parties send their offers at the second press of Start Session."""

    host = LOOPBACK

    def __init__(self, pid: int, control: Any, clip: Clip) -> None:
        self.pids, self._control, self.clip = [pid], control, clip

    def prepare(self, load: Load, parties: Sequence[Party], name: str) -> Callable[[], None]:
        """Do nothing yet, because both offers are sent at the second press of Start Session. Return a function that
        makes this press.

        `load`: sends and reads for the `parties`. `name`: the name of the call.
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

    `size`: how much is measured. `say` prints a line. `progress`: called with the progress. `install_janus`: True to
    install Janus if it is missing.
    """
    starts: dict[str, Start] = {OURS: ours}
    made = Made(skipped=[])
    for name, start in (("mediasoup", _mediasoup), ("janus", lambda say: _janus(say, install_janus))):
        if name in others:
            try:
                program, versions = start(say)
            except setup.MissingServerError as problem:
                made.skipped.append(Skipped(name, str(problem)))
            else:
                made.versions |= versions
                starts[MEDIASOUP if name == "mediasoup" else JANUS] = program
    if "aiortc" in others:
        clip = Clip()
        made.versions |= versions_of("aiortc")
        starts[DECODES] = lambda: _aiortc(clip)
    if len(starts) == 1:
        return made
    found: list[Field[Spent]] = [
        Field(name for name in starts if name in (OURS, *scene.others)) for scene in size.scenes
    ]
    few: Field[Spent] = Field(starts)
    for number, name in alternating(list(starts), size.rounds):
        if name not in few.made:
            continue
        try:
            for scene, many in zip(size.scenes, found, strict=True):
                if name in many.made:
                    with starts[name]() as server:
                        many.made[name].append(
                            talk(server, scene.calls, scene.parties, size.talk_s, late=True)
                        )
            with starts[name]() as server:
                spent = talk(server, size.few, 2, size.talk_s, late=False)
                spent.firsts_ms = [first(server, f"first-{at}") for at in range(size.firsts)]
                few.made[name].append(spent)
        except (*FAILURES, setup.MissingServerError, ValueError) as problem:
            few.drop(name, problem)
            for many in found:
                many.made.pop(name, None)
        progress((number + 1) / size.rounds)
    made.skipped += few.out
    made.comparisons = _comparisons(found, few, size)
    return made


def _mediasoup(say: setup.Say) -> tuple[Start, dict[str, str]]:
    program, folder = setup.mediasoup(say)
    worker = str(folder / "mediasoup-worker")
    return lambda: mediasoup.running(program, worker, str(folder)), program.versions


def _janus(say: setup.Say, install: bool) -> tuple[Start, dict[str, str]]:
    program = setup.janus(say, install=install)

    @contextmanager
    def start() -> Iterator[Server]:
        with janus.running(program.command[0]) as (pid, url):
            yield janus.Janus(pid, url)

    return start, program.versions


@contextmanager
def _aiortc(clip: Clip) -> Iterator[Server]:
    with relayed.running() as (pid, control):
        control.send(("ready", None))
        control.poll(ANSWER_S)
        control.recv()
        yield Aiortc(pid, control, clip)


class Row(NamedTuple):
    """One figure of the measured calls: a field of `Spent`, its unit and its name.

    `targets`: other server -> the lowest ratio of its value to ours that is allowed, or None.
    """

    field: str
    unit: str
    name: str
    targets: dict[str, float] | None


ROWS = (
    Row("us", "µs", "CPU a packet", TARGETS),
    Row("p50_ms", "ms", "delay that the server adds, p50", DELAY_TARGETS),
    Row("p99_ms", "ms", "delay that the server adds, p99", DELAY_TARGETS),
    Row("setup_ms", "ms", "CPU to set up a party", None),
    Row("call_kb", "KB", "memory of a call", None),
)


def _comparisons(found: Sequence[Field[Spent]], few: Field[Spent], size: Size) -> list[Comparison]:
    made = []
    for scene, many in zip(size.scenes, found, strict=True):
        note = f"{scene.note}, {times(size.rounds, 'round')}"
        if len(many.made) > 1:
            made += [
                compared(
                    f"{scene.id}_{row.field}", row.name, row.unit, _column(many, row.field), row.targets, note
                )
                # The figures of one call alone would include what a server allocates and compiles for its first call.
                for row in (ROWS if scene.calls > 1 else ROWS[:3])
            ]
    one = f"{times(size.few, 'call')}, {times(size.rounds, 'round')}"
    firsts = {name: [statistics.median(s.firsts_ms) for s in spent] for name, spent in few.made.items()}
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


def talk(server: Server, calls: int, parties: int, seconds: float, *, late: bool) -> Spent:
    """Send media in `calls` calls of `parties` each for `seconds`; return the CPU and memory of the server and, if
    `late`, the delay of packets.

    Raises TimeoutError if the server does not answer or forwards nothing.
    """
    load, identity = Load(), _identity()
    everyone: list[Party] = []
    used, held = cpu_ns(server.pids), resident_bytes(server.pids)
    try:
        for number in range(calls):
            people = _parties(server, identity, parties)
            everyone += people
            for party in people:
                load.add(party)
            server.prepare(load, people, f"call-{number}")()
            load.connect(people)
        setup_ms = (cpu_ns(server.pids) - used) / 1e6 / len(everyone)
        load.talk(SETTLE_S)
        sent, received = sum(p.sent for p in everyone), sum(p.received for p in everyone)
        used = cpu_ns(server.pids)
        load.talk(seconds)
        used = cpu_ns(server.pids) - used
        sent = (sum(p.sent for p in everyone) - sent) * (parties - 1)
        if sum(p.received for p in everyone) == received:
            raise TimeoutError("nothing came through")
        held = resident_bytes(server.pids) - held
        spent = Spent(us=used / 1e3 / sent, setup_ms=setup_ms, call_kb=held / 1024 / calls)
        if late:
            for party in everyone:
                party.on_rtp = party.heard
            load.talk(LATENCY_S)
            late_ns = [each for party in everyone for each in party.latencies_ns]
            spent.p50_ms, spent.p99_ms = percentile(late_ns, 50) / 1e6, percentile(late_ns, 99) / 1e6
        return spent
    finally:
        load.close()


def _identity() -> Identity:
    """Return a certificate whose DTLS offers only AES-128-GCM, so that all servers use the same cipher."""
    identity = Identity(0.0)
    identity.context.set_tlsext_use_srtp(AES_128_GCM.name)
    return identity


def _parties(server: Server, identity: Identity, number: int) -> tuple[Party, ...]:
    return tuple(Party(identity, server.clip, server.host) for _ in range(number))


def first(server: Server, name: str) -> float:
    """Return the time in ms from the second press of Start Session in the call `name` until a keyframe has reached both
    sides.

    Raises TimeoutError if one side gets no keyframe.
    """
    load, identity = Load(), _identity()
    try:
        pair = _parties(server, identity, 2)
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
