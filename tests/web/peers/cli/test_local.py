"""Tests the staff of a temporary server: there are as many accounts as requested, and their passwords work."""

from __future__ import annotations

from collections import Counter

from redis.asyncio import Redis

from signalling.visit.record import Role
from web.config import parse
from web.identity.accounts import Accounts, Hasher
from web.organisations.documents import Organisations
from web.peers.cli.local import ORGANISATION, WORDS, make_staff


async def test_a_clinic_may_have_more_staff_than_there_are_connections_to_the_store(
    valkey: Redis, valkey_url: str
) -> None:
    staff = await make_staff(parse({"redis": {"url": valkey_url}}, "test"), 120, 2)
    assert Counter(account.role for account in staff) == {Role.PROVIDER: 120, Role.ADMIN: 2}
    assert [account.email for account in staff[:2]] == ["staff0@bench.example", "staff1@bench.example"]
    assert await Organisations(valkey).get(ORGANISATION) is not None
    hasher = Hasher()
    assert await Accounts(valkey, hasher).check(ORGANISATION, staff[-1].email, WORDS) == staff[-1]
    hasher.close()
