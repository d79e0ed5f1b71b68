"""Tests which workers count as dead, with the store's keys in memory and a clock that the tests set."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from signalling.errors import UnavailableError
from signalling.rooms import liveness as module
from signalling.rooms.liveness import ADDRESSES_S, ANNOUNCED, Liveness, death_of
from signalling.store import keys

OWN, OTHER = "w0-own", "w1-other"


class Keys:
    """Replaces the store by keys in memory, which pipelines read and write. `written`: the arguments of each write."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.written: list[tuple[Any, ...]] = []
        self.transactions: list[bool] = []

    def pipeline(self, transaction: bool = True) -> Any:
        self.transactions.append(transaction)
        answers: list[Any] = []

        async def execute() -> list[Any]:
            return answers

        def write(*command: Any) -> None:
            if command[0] == "EVAL":
                answers.append(self.sign(*command))
            else:
                self.written.append(command)

        def keep(key: str, value: bytes, px: int) -> None:
            self.written.append(("set", key, value, px))
            answers.append(True)

        return SimpleNamespace(
            get=lambda key: answers.append(self.values.get(key)),
            set=keep,
            execute_command=write,
            execute=execute,
        )

    async def execute_command(self, *command: Any) -> bytes | None:
        return self.sign(*command)

    def sign(self, *command: Any) -> bytes | None:
        """Write a worker's sign of life, and return the sign that it replaces, or None.

        The list `written` gets the write as "unkept", because a real store keeps the sign in memory only, not in its
        file.

        `command`: an EVAL whose last arguments are a SET.
        """
        _, key, value, px, ms, get = command[command.index("SET") :]
        assert (px, get) == ("PX", "GET")
        self.written.append(("unkept", key, value, ms))
        before, self.values[key] = self.values.get(key), value
        return before

    async def set(self, key: str, value: bytes, px: int | None = None, ex: int | None = None) -> None:
        self.written.append(("set", key, value, px or ex))
        self.values[key] = value


class LivenessApart:
    """What OWN, the worker under test, knows of the other workers. `now_s`: its clock.

    `reached`: the workers whose relays answer a direct request of OWN.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        self.keys = Keys()
        self.watched: list[str] = [OTHER, OWN]
        self.reached: set[str] = set()
        self.asked: list[tuple[Any, ...]] = []
        self.probes: list[tuple[str, str]] = []
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        store: Any = SimpleNamespace(redis=self.keys)
        relay: Any = SimpleNamespace(
            reaches=self._reaches,
            addresses=lambda: [("192.0.2.1", 5000)],
            answer_probes=lambda *how: self.probes.append(how),
        )
        self.liveness = Liveness(store, OWN, lambda: self.watched, relay, b"secret")

    async def _reaches(self, addresses: Any, name: str, password: str) -> bool:
        self.asked.append((addresses, name, password))
        return name in self.reached

    def lives(self, worker: str = OTHER, *, sign: bool = True) -> None:
        """Write the keys of a worker. `sign`: whether it has a sign of life."""
        if sign:
            self.keys.values[keys.WORKER(worker)] = b"1"
        else:
            self.keys.values.pop(keys.WORKER(worker), None)
        self.keys.values[keys.WORKER_ADDRESSES(worker)] = msgspec.msgpack.encode([("192.0.2.2", 6000)])


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> LivenessApart:
    """What a worker that has just started knows of the other workers: whether each is alive."""
    return LivenessApart(monkeypatch)


def test_the_times_after_which_a_worker_counts_as_dead_are_these() -> None:
    assert (module.PERIOD_S, module.SIGN_MS, module.DISTRUST_S) == (0.5, 1200, 3.0)
    assert module.KEPT_S == 5.0
    assert (ADDRESSES_S, ANNOUNCED) == (86_400, 256)


def test_a_death_is_announced_by_three_commands() -> None:
    assert death_of(OTHER) == [
        ("DEL", keys.WORKER(OTHER)),
        ("SET", keys.WORKER_ADDRESSES(OTHER), "", "EX", "86400"),
        ("PUBLISH", keys.DEATHS_CHANNEL, OTHER),
    ]


def test_a_worker_answers_probes_with_a_password_of_its_own(apart: LivenessApart) -> None:
    ((worker, password),) = apart.probes
    assert (worker, len(password)) == (OWN, 32)
    assert password == apart.liveness._password(OWN) != apart.liveness._password(OTHER)
    assert password == "3e49ed740b4e46bc47d2a23b84d32813", (
        "as in earlier releases, which run beside this one during an upgrade"
    )
    assert (apart.liveness.healthy, apart.liveness.problem, apart.liveness.dead) == (False, None, frozenset())


# --- checks of one watched worker


@pytest.mark.parametrize(
    ("sign", "addresses", "answers", "later_s", "dead"),
    [
        (True, True, False, 99.0, False),
        (False, True, False, 2.9, False),
        (False, True, False, 3.0, True),
        (False, True, True, 99.0, False),
        (False, False, True, 99.0, True),
    ],
    ids=["a sign of life", "too soon", "silent", "it answers", "without addresses"],
)
async def test_a_silent_worker_is_asked_and_dead_if_it_does_not_answer(
    apart: LivenessApart, sign: bool, addresses: bool, answers: bool, later_s: float, dead: bool
) -> None:
    apart.lives(sign=sign)
    if not addresses:
        del apart.keys.values[keys.WORKER_ADDRESSES(OTHER)]
    apart.reached = {OTHER} if answers else set()
    apart.now_s += later_s
    assert await apart.liveness.is_dead(OTHER) is dead
    if apart.asked:
        assert apart.asked == [([("192.0.2.2", 6000)], OTHER, apart.liveness._password(OTHER))]


async def test_an_announced_death_is_believed_at_once_and_remembered(apart: LivenessApart) -> None:
    apart.keys.values[keys.WORKER_ADDRESSES(OTHER)] = b""
    assert await apart.liveness.is_dead(OTHER)
    apart.lives()
    assert await apart.liveness.is_dead(OTHER)
    assert apart.liveness.dead == {OTHER}
    apart.watched = []
    assert apart.liveness.dead == frozenset()
    assert not await apart.liveness.is_dead("w2-unknown")


def test_a_death_on_the_channel_is_reported_if_the_worker_is_watched(apart: LivenessApart) -> None:
    reported: list[frozenset[str]] = []
    apart.liveness._changed = reported.append
    apart.liveness.announced(b"w2-unknown")
    apart.liveness.announced(OTHER.encode())
    assert reported == [apart.liveness.dead] == [frozenset({OTHER})]


def test_the_oldest_announced_death_is_forgotten_first(apart: LivenessApart) -> None:
    for number in range(257):
        apart.liveness.announced(b"w%d" % number)
    assert (len(apart.liveness._announced), next(iter(apart.liveness._announced))) == (256, "w1")


# --- the periodic check of all watched workers


async def test_a_round_writes_the_own_sign_and_the_addresses_every_tenth_of_a_day(
    apart: LivenessApart,
) -> None:
    apart.lives()
    await apart.liveness._once()
    sign, unkept = [(how, keys.WORKER(OWN), b"1", 1200) for how in ("set", "unkept")]
    addresses = ("set", keys.WORKER_ADDRESSES(OWN), msgspec.msgpack.encode([("192.0.2.1", 5000)]), 86_400)
    assert apart.keys.written == [unkept, sign, addresses]
    assert (apart.liveness.healthy, apart.asked) == (True, [])
    for passed_s, more in ((4.9, [unkept]), (8_635.1, [unkept, sign]), (0.5, [unkept, addresses])):
        apart.now_s += passed_s
        apart.keys.written.clear()
        await apart.liveness._once()
        assert apart.keys.written == more


@pytest.mark.parametrize("answers", [True, False])
async def test_a_round_finds_silent_workers_that_do_not_answer(apart: LivenessApart, answers: bool) -> None:
    apart.watched = ["w9-alive", OTHER, OWN]
    apart.lives("w9-alive")
    apart.lives(sign=False)
    apart.reached = {OTHER} if answers else set()
    await apart.liveness._once()
    assert apart.liveness.dead == frozenset(), "the store may have been away"
    apart.now_s += 3.0
    assert apart.liveness.dead == (frozenset() if answers else {OTHER})
    assert [asked[1] for asked in apart.asked] == [OTHER]
    assert apart.keys.written[-1] == ("unkept", keys.WORKER(OWN), b"1", 1200), "the requests took time"
    assert apart.keys.transactions == [False, False], "the keys may be at several nodes"


async def test_a_worker_whose_own_sign_expired_trusts_no_silence_and_checks_its_leases(
    apart: LivenessApart,
) -> None:
    returned: list[float] = []
    apart.liveness._returned = lambda: returned.append(apart.now_s)
    for now_s, expired in ((100.0, True), (110.0, False), (120.0, True)):
        apart.now_s = now_s
        if expired:
            apart.keys.values.pop(keys.WORKER(OWN), None)
        await apart.liveness._once()
    assert returned == [100.0, 120.0]
    assert apart.liveness._distrusted_until == 123.0
    assert len([one for one in apart.keys.written if "address" in one[1]]) == 2


async def test_a_worker_that_resigned_writes_no_sign_of_life(apart: LivenessApart) -> None:
    await apart.liveness.resign()
    assert apart.keys.written == death_of(OWN)
    apart.keys.written.clear()
    apart.lives(sign=False)
    apart.lives(OWN)
    await apart.liveness._once()
    apart.now_s += 3.0
    assert apart.keys.written == []
    assert apart.liveness.dead == {OTHER}
    assert apart.keys.transactions == [False] * 3


async def test_the_rounds_go_on_while_the_store_is_away(
    apart: LivenessApart, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: list[Any] = [UnavailableError("store"), None, None]
    reported: list[frozenset[str]] = []
    slept: list[float] = []

    class Over(Exception):  # noqa: N818 - it only ends the test's loop
        pass

    async def once() -> None:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        apart.liveness.healthy = True

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        states.append((apart.liveness.healthy, apart.liveness.problem is not None))
        apart.now_s += 10.0
        apart.liveness._unanswering = frozenset({OTHER})
        if not outcomes:
            raise Over

    states: list[tuple[bool, bool]] = []
    monkeypatch.setattr(apart.liveness, "_once", once)
    monkeypatch.setattr(module, "tick", sleep)
    with pytest.raises(Over):
        await apart.liveness.run(reported.append)
    assert states[0] == (False, True)
    assert states[1][0] is True
    assert (slept, reported) == ([0.5] * 3, [frozenset({OTHER})] * 2)
    assert apart.liveness._distrusted_until == 103.0
