"""One party's offers, and what is left of it after it has gone."""

from __future__ import annotations

import re

from tests.media.duo import call, duo, until


async def test_each_offer_of_a_party_is_a_later_version_of_one_session() -> None:
    async with duo() as stage:
        party = stage.room.join("a", lambda event: None)
        origins = [
            re.findall(r"o=- (\d+) (\d+) ", offer)[0] for offer in (party.offer(), party.restart_ice())
        ]
        assert [int(version) for _, version in origins] == [1, 2]
        assert origins[0][0] == origins[1][0]


async def test_media_for_a_party_that_has_left_is_withheld() -> None:
    async with call() as (stage, a, _b):
        stage.parties["b"].leave()
        withheld = stage.relay.stats.withheld
        a.audio(2)
        await until(lambda: stage.relay.stats.withheld == withheld + 1)
