"""Tests the relay's timer: a tick of many parties is done in parts, and reaches each party that is present."""

from __future__ import annotations

from collections import Counter

import pytest

from media import Relay, RelaySettings
from media.party import Party
from media.relay import PART_MIN
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
    assert set(Counter(now_s for now_s, _ in first).values()) == {PART_MIN}


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
