"""Tests the relay's timer: at each tick, every party that is present is served.

If there are many parties, the relay serves some of them at a time, so that packets do not wait for all.
"""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from media import Relay, RelaySettings
from media.party import Party
from media.relay import PART_MIN, TICK_S
from tests.media.duo import until


async def test_a_tick_of_many_parties_is_done_in_parts_and_reaches_each_party(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reached: list[tuple[float, str]] = []
    monkeypatch.setattr(Party, "tick", lambda party, now_s: reached.append((now_s, party.party_id)))
    relay = await Relay.open(RelaySettings(tcp=False))
    everyone = {str(number) for number in range(4 * PART_MIN)}
    for name in everyone:
        relay.room(name).join(name, lambda event: None)
    await until(lambda: len(reached) >= 2 * len(everyone))
    await relay.close()
    first, second = reached[: len(everyone)], reached[len(everyone) : 2 * len(everyone)]
    assert {name for _, name in first} == {name for _, name in second} == everyone
    assert [now_s for now_s, _ in first].count(first[0][0]) == PART_MIN


@pytest.mark.parametrize(
    ("parties", "part", "pauses"), [(1, 1, 1), (PART_MIN - 1, PART_MIN - 1, 1), (11 * PART_MIN, 7, 10)]
)
async def test_a_tick_has_one_part_for_few_parties_and_ten_at_most(
    parties: int, part: int, pauses: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[Party] = []
    monkeypatch.setattr(Party, "tick", lambda party, now_s: reached.append(party))
    relay = await Relay.open(RelaySettings(tcp=False))
    for number in range(parties):
        relay.room(str(number)).join("a", lambda event: None)
    pauses_s: list[float] = []
    loop = SimpleNamespace(call_later=lambda pause_s, tick: pauses_s.append(pause_s))
    with monkeypatch.context() as changed:
        changed.setattr(relay, "_loop", loop)
        relay._tick()
    await relay.close()
    assert len(reached) == part
    assert pauses_s == [TICK_S / pauses]


async def test_parts_of_a_tick_that_are_late_are_done_together(monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[Party] = []
    monkeypatch.setattr(Party, "tick", lambda party, now_s: reached.append(party))
    relay = await Relay.open(RelaySettings(tcp=False))
    for number in range(5 * PART_MIN):
        relay.room(str(number)).join("a", lambda event: None)
    began_s, done = time.monotonic(), []
    for after_s in (0.0, TICK_S / 5, TICK_S * 0.7, TICK_S * 2):
        monkeypatch.setattr(time, "monotonic", lambda now_s=began_s + after_s: now_s)
        relay._tick()
        done.append(len(reached) // PART_MIN)
    monkeypatch.undo()
    await relay.close()
    assert done == [1, 2, 4, 5]


async def test_a_party_that_left_during_a_tick_is_not_reached_by_its_later_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    relay = await Relay.open(RelaySettings(tcp=False))
    parties = [relay.room(str(number)).join("a", lambda event: None) for number in range(2 * PART_MIN)]
    reached: list[Party] = []

    def tick(party: Party, now_s: float) -> None:
        reached.append(party)
        if len(reached) == 1:
            parties[-1].leave()

    monkeypatch.setattr(Party, "tick", tick)
    await until(lambda: len(reached) >= 3 * PART_MIN)
    await relay.close()
    assert parties[-1] not in reached
