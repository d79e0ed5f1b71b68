"""Tests random commands of many people over two machines, with faults in between: no rule is broken in any history.

The faults of rows 22 to 28 of docs/RELIABILITY.md happen in random order, by a seed. If a story fails, the fewest steps
with which it fails are printed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

import pytest
from msgspec.structs import replace

from signalling.visit import commands as c
from signalling.visit.record import Actor, Role, Staff, Status, Visit
from signalling.visit.relations import Context, Decided, Event
from signalling.visit.rules import QUIET, decide
from tests.faults.checks import (
    ANSWERS,
    GATE,
    LOST,
    OWNERS,
    ROOMS,
    SCREEN,
    SUPERSEDED,
    UNCAUSED,
    check,
)
from tests.faults.conftest import ALL, Measured, Rounds
from tests.faults.history import Commit, Held, History, Outage, Request, Saw, Wrong
from tests.faults.machine import POLICY
from tests.faults.plans import plan
from tests.faults.stories import RULES, SHOWN_S, Result, in_words, run_story, shortest, shrink
from tests.limits import WAIT_S
from tests.media.duo import StillClock
from tests.signalling.clinic import ANA, ORG

FULL = {"operations": 2500, "chapters": 6, "faults": 5}
QUICK = {"operations": 150, "chapters": 1, "faults": 4}
SHRINK_S = 60.0
QUICK_SHOWN_S = 30.0


async def _result(seed: int) -> Result:
    steps = plan(seed, **(FULL if ALL else QUICK))
    shown_s = SHOWN_S if ALL else QUICK_SHOWN_S
    result = await run_story(steps, seed, shown_s)
    if result.findings:
        print(in_words([], result.findings, seed))
        fewest = await shortest(steps, seed, result.findings[0].kind, shown_s, SHRINK_S)
        print(in_words(fewest, result.findings, seed))
    return result


async def _both(seeds: Sequence[int | None]) -> list[Result]:
    """Run a story for each of these seeds (None: a random one), all at the same time; return the results.

    The stories can run at the same time, because each waits most of the time.
    """
    return list(await asyncio.gather(*(_result(seed) for seed in seeds if seed is not None)))


async def test_the_promises_hold_in_random_histories_with_many_people_and_all_faults(
    rounds: Rounds, measured: Measured
) -> None:
    found: Counter[str] = Counter()
    sent = acknowledged = 0
    settled: list[float] = []
    seeds = range(1, rounds(1, 20) + 1)
    for result in [result for pair in zip_longest(seeds[::2], seeds[1::2]) for result in await _both(pair)]:
        found.update(finding.kind for finding in result.findings)
        sent += len(result.history.requests)
        acknowledged += sum(one.answer == "done" for one in result.history.requests)
        settled += result.settled_s
    print(
        f"{sent} commands, {acknowledged} acknowledged; screens right after {max(settled):.2f} s at the latest"
    )
    owners = found[OWNERS] + found[ROOMS]
    lost = found[LOST] + found[SUPERSEDED]
    measured("F", "histories: owners of a visit or a room beside the one", owners, at_most=0)
    measured(
        "F", "histories: acknowledged commands lost or undone by a superseded connection", lost, at_most=0
    )
    measured("F", f"histories: screens wrong {SHOWN_S:.0f} s after the last fault", found[SCREEN], at_most=0)
    measured("F", "histories: gates open though not both had started", found[GATE], at_most=0)
    others = found[UNCAUSED] + found[ANSWERS]
    measured("F", "histories: changes without a cause, requests answered twice", others, at_most=0)
    least = sent / (3 if ALL else 6)
    assert acknowledged > least, "too little was carried out for the checks to mean anything"


# --- the checker finds each kind of violation

T0 = 1_790_000_000.0
VISIT = "v_1"
PATIENT = Actor(organisation=ORG, id=f"patient:{VISIT}", name="Ana Ruiz", role=Role.PATIENT, visit=VISIT)
OSEI, LIN = (
    Actor(organisation=ORG, id=name, name=name.title(), role=Role.PROVIDER) for name in ("osei", "lin")
)


class Book:
    """A history without violations, which a test can then damage.

    It is made with the product's rules (`decide`), without a server. One second passes with each command.
    """

    def __init__(self) -> None:
        self.history = History(people={actor.id: actor for actor in (PATIENT, OSEI, LIN)})
        self.visit: Visit | None = None
        self.now_s = T0
        self.does(PATIENT, "arrive", c.Open(VISIT, ANA))

    def does(self, actor: Actor, request: str, command: c.Command, **details: Any) -> None:
        """Carry out `command` of `actor` by the product's rules; record it as the message `request`, with its
        answer.

        `details`: other fields of the `Request`.
        """
        self.now_s += 1
        staff = {actor.id: on_call(actor) for actor in (OSEI, LIN)}
        now_ms = round(self.now_s * 1000)
        context = Context(now_ms=now_ms, policy=RULES.policy, guide=RULES.guide, staff=staff)
        decided = decide(self.visit, command, actor, context)
        assert isinstance(decided, Decided)
        assert decided.event is not None
        self.visit = decided.visit
        self.commit(decided.visit, decided.event.kind)
        seq = self.history.commits[-1].seq
        fields = {name: getattr(command, name) for name in command.__struct_fields__}
        self.says(actor, request, fields, answer="done", version=2 * seq, **details)

    def commit(self, visit: Visit, kind: str) -> None:
        """Record that the visit has changed to `visit` by an event of this `kind`, as the store would."""
        seq = len(self.history.commits) + 1
        self.history.commits.append(Commit(seq, self.now_s, kind, round(self.now_s * 1000), visit))
        self.history.finals[visit.id] = visit
        if kind not in QUIET:
            self.history.stories.setdefault(visit.id, []).append(Event(kind, 0))

    def says(self, actor: Actor, request: str, fields: dict[str, Any], **details: Any) -> None:
        """Record the request `request` of a person, with its `fields`. `details`: other fields of the `Request`."""
        details = {"generation": 1, "sent_s": self.now_s, "answered_s": self.now_s, **details}
        number = len(self.history.requests)
        self.history.requests.append(Request(number, actor.id, VISIT, request, fields, **details))

    def kinds(self) -> set[str]:
        return {finding.kind for finding in check(self.history, RULES)}


def on_call(actor: Actor) -> Staff:
    return Staff(id=actor.id, name=actor.name, role=actor.role, on_call=True)


def save(text: str) -> c.Save:
    return c.Save("allergies", text, True)


def live() -> Book:
    """Return a correct history of one visit, from its opening until it is live."""
    book = Book()
    book.does(PATIENT, "visit.save", save("1"))
    book.does(OSEI, "visit.claim", c.Claim())
    book.does(OSEI, "visit.start", c.Start())
    book.does(PATIENT, "visit.start", c.Start())
    return book


def carried(worker: str, from_s: float, until_s: float, gate: bool = False) -> list[Held]:
    """Return samples of a worker, five per second, that carries the visit's room from `from_s` until `until_s`.

    `gate`: True if media may pass.
    """
    count = round((until_s - from_s) / 0.2)
    return [Held(worker, from_s + 0.2 * number, {VISIT: gate}) for number in range(count + 1)]


def test_the_checker_accepts_a_correct_history() -> None:
    book = live()
    book.history.held += [*carried("a0", T0 + 3, T0 + 4), *carried("a0", T0 + 5.2, T0 + 8, gate=True)]
    book.history.saw.append(Saw(PATIENT.id, VISIT, 2 * 3, OSEI.id, book.now_s))
    assert check(book.history, RULES) == []


def _claimed_twice(book: Book) -> None:
    book.history.requests.append(replace_request(book, "visit.claim", person=LIN.id))


def _owner_replaced(book: Book) -> None:
    assert book.visit is not None
    stolen = replace(book.visit, version=book.visit.version + 1, claimant=LIN.person)
    book.commit(stolen, "claimed")


def _seen_with_another(book: Book) -> None:
    book.history.saw.append(Saw(PATIENT.id, VISIT, 2 * 4, LIN.id, book.now_s))


def _two_rooms(book: Book) -> None:
    book.history.held += sorted(
        [*carried("a0", T0 + 3, T0 + 8), *carried("b1", T0 + 5, T0 + 8)], key=lambda held: held.at_s
    )


def _never_written(book: Book) -> None:
    book.says(
        PATIENT, "visit.save", {"step": "allergies", "answer": "2", "left": True}, answer="done", version=98
    )


def _forgotten(book: Book) -> None:
    assert book.visit is not None
    book.history.finals[VISIT] = replace(book.visit, answers={})


def _line_lost(book: Book) -> None:
    book.says(PATIENT, "chat.send", {"text": "line 7"}, answer="done", version=4)


def _story_lost(book: Book) -> None:
    book.history.stories[VISIT].pop()


def _came_late(book: Book) -> None:
    book.does(PATIENT, "visit.save", save("22"), generation=2)
    book.does(PATIENT, "visit.save", save("2"), generation=1)
    book.history.requests[-1].answer = "unknown"


def _nobody_asked(book: Book) -> None:
    book.does(OSEI, "visit.end", c.End())
    book.history.requests.pop()


def _refused_and_done(book: Book) -> None:
    book.does(OSEI, "visit.end", c.End())
    book.history.requests[-1].answer = "not_allowed"


def _against_the_rules(book: Book) -> None:
    book.does(PATIENT, "visit.hang_up", c.HangUp())
    last = book.history.commits[-1]
    assert isinstance(last.record, Visit)
    book.history.commits[-1] = last._replace(record=replace(last.record, status=Status.LIVE))


def _open_before_both_started(book: Book) -> None:
    book.history.held += carried("a0", T0 + 2.5, T0 + 3.5, gate=True)


def _open_for_long_after(book: Book) -> None:
    book.does(PATIENT, "visit.hang_up", c.HangUp())
    book.history.held += carried("a0", book.now_s - 1, book.now_s + 3, gate=True)


def _screen_wrong(book: Book) -> None:
    book.history.wrong.append(Wrong(OSEI.id, "queue", "{}", '{"v_1": ...}', book.now_s))


def _twice(book: Book) -> None:
    book.history.twice.append((book.now_s, "u_0: done once more"))


def replace_request(book: Book, request: str, **changes: Any) -> Request:
    sent = next(sent for sent in book.history.requests if sent.request == request)
    return Request(**{**{name: getattr(sent, name) for name in Request.__slots__}, **changes})


@pytest.mark.parametrize(
    ("break_it", "kind"),
    [
        (_claimed_twice, OWNERS),
        (_owner_replaced, OWNERS),
        (_seen_with_another, OWNERS),
        (_two_rooms, ROOMS),
        (_never_written, LOST),
        (_forgotten, LOST),
        (_line_lost, LOST),
        (_story_lost, LOST),
        (_came_late, SUPERSEDED),
        (_nobody_asked, UNCAUSED),
        (_refused_and_done, UNCAUSED),
        (_against_the_rules, LOST),
        (_open_before_both_started, GATE),
        (_open_for_long_after, GATE),
        (_screen_wrong, SCREEN),
        (_twice, ANSWERS),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_the_checker_rejects_a_wrong_history(break_it: Callable[[Book], None], kind: str) -> None:
    book = live()
    assert book.kinds() == set()
    break_it(book)
    assert kind in book.kinds()


def test_a_worker_that_stood_still_has_a_moment_to_give_its_rooms_up() -> None:
    book = live()
    _two_rooms(book)
    assert ROOMS in book.kinds()
    book.history.outages.append(Outage("a0", T0 + 4, T0 + 7))
    assert book.kinds() == set()
    book.history.held += carried("a0", T0 + 8, T0 + 12) + carried("b1", T0 + 8, T0 + 12)
    book.history.held.sort(key=lambda held: held.at_s)
    assert book.kinds() == {ROOMS}


async def test_a_failing_story_is_shrunk_to_the_steps_that_make_it_fail() -> None:
    tried: list[int] = []

    async def fails(steps: Sequence[int]) -> bool:
        tried.append(len(steps))
        return {17, 171} <= set(steps)

    assert await shrink(range(300), fails, within_s=WAIT_S) == [17, 171]
    assert len(tried) < 120


async def test_shrinking_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StillClock()
    monkeypatch.setattr("tests.faults.stories.time", clock)
    tried: list[int] = []

    async def fails(steps: Sequence[int]) -> bool:
        tried.append(len(steps))
        clock.now_s += 0.05
        return True

    assert len(await shrink(range(1000), fails, within_s=0.18)) < 1000
    assert len(tried) == 4


def test_a_story_is_the_same_for_the_same_seed_and_has_its_operations_and_faults() -> None:
    steps = plan(7, **FULL)
    assert steps == plan(7, **FULL)
    assert sum(step.who not in ("fault", "calm") for step in steps) >= 2490
    assert sum(step.who == "fault" for step in steps) == FULL["chapters"] * FULL["faults"]
    assert POLICY["grace_ms"] > 2500, "no single fault lasts as long as a deadline"
