"""Tests one party: its offers, credentials and address, and that the relay forgets a party that has left."""

from __future__ import annotations

import re
import socket

import pytest

from tests.media.duo import call, duo, until


async def test_each_offer_of_a_party_is_a_later_version_of_one_session() -> None:
    async with duo() as peers:
        party = peers.room.join("a", lambda event: None)
        origins = [
            re.findall(r"o=- (\d+) (\d+) ", offer)[0] for offer in (party.offer(), party.restart_ice())
        ]
        assert [int(version) for _, version in origins] == [1, 2]
        assert origins[0][0] == origins[1][0]


async def test_the_credentials_of_the_browser_are_those_of_its_answer() -> None:
    async with call() as (peers, a, _b):
        answer = peers.parties["a"].answer
        assert answer is not None
        assert (answer.ufrag, answer.password) == (a.ufrag, a.password)
        assert peers.room.join("c", lambda event: None).answer is None


async def test_media_for_a_party_that_has_left_is_withheld() -> None:
    async with call() as (peers, a, _b):
        peers.parties["b"].leave()
        withheld = peers.relay.stats.withheld
        a.audio(2)
        await until(lambda: peers.relay.stats.withheld == withheld + 1)


async def test_a_party_that_has_left_keeps_no_keys() -> None:
    async with call() as (peers, _a, _b):
        party = peers.parties["b"]
        assert None not in (party.endpoint.rx, party.endpoint.tx)
        party.leave()
        assert (party.endpoint.rx, party.endpoint.tx) == (None, None)


async def test_the_path_moves_back_to_a_proven_address_from_which_media_comes() -> None:
    async with call() as (peers, a, _b):
        endpoint, first = peers.parties["a"].endpoint, a.sock
        second = a.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        second.bind(("127.0.0.1", 0))
        a.check()
        await until(lambda: endpoint.address == second.getsockname())
        a.sock, number = first, 2

        def moved() -> bool:
            nonlocal number
            number += 1
            a.audio(number)
            return bool(endpoint.address == first.getsockname())

        await until(moved)
        second.close()


async def test_after_an_ice_restart_the_old_password_works_until_the_new_one_was_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with call() as (peers, a, _b):
        party, removed = peers.parties["a"], list[str]()
        remove_ufrag = peers.relay.remove_ufrag

        def remove(ufrag: str) -> None:
            removed.append(ufrag)
            remove_ufrag(ufrag)

        monkeypatch.setattr(peers.relay, "remove_ufrag", remove)
        old = a.remote_ufrag, a.remote_password
        a.answer(party.restart_ice())
        new = a.remote_ufrag, a.remote_password

        async def answered(ufrag: str, password: str) -> None:
            checks = a.answered_checks
            a.check(ufrag=ufrag, password=password)
            await until(lambda: a.answered_checks > checks)

        await answered(*old)
        assert removed == []
        await answered(*new)
        assert removed == [old[0]], "or each restart would take memory"
        seen, checks = peers.relay.stats.stun, a.answered_checks
        a.check(ufrag=old[0], password=old[1])
        await until(lambda: peers.relay.stats.stun > seen)
        await peers.quiet()
        assert a.answered_checks == checks
        await answered(*new)
