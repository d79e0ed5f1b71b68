"""Tests resume tokens on a real store: who can redeem one, and what the store keeps of the token's connection."""

from __future__ import annotations

import base64

import pytest
from redis.asyncio import Redis

from signalling.errors import ResumeError, SupersededError
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.records import Origin, Store
from signalling.store.resume_tokens import LOST_MS, OPEN_MS, Tokens
from signalling.visit.record import Actor, Role

OSEI = Actor(organisation="riverside", id="u_osei", name="Dr M. Osei", role=Role.PROVIDER)
LIN = Actor(organisation="riverside", id="u_lin", name="Dr B. Lin", role=Role.PROVIDER)


@pytest.fixture
def workers(valkey: Redis) -> list[Tokens]:
    """The tokens of two workers that have the same secret."""
    store = Store(valkey, Seal({b"1": b"k" * 32}))
    return [Tokens(store, b"s" * 32, worker) for worker in ("w1", "w2")]


async def refused(tokens: Tokens, token: str, actor: Actor = OSEI) -> str:
    """Return the code with which a token is refused."""
    with pytest.raises(ResumeError) as refusal:
        await tokens.redeem(token, actor)
    return refusal.value.code


async def test_a_token_is_redeemed_at_any_worker_and_again_and_each_time_by_a_newer_generation(
    workers: list[Tokens],
) -> None:
    first, second = workers
    token, origin = await first.issue("c_1", OSEI)
    assert origin == Origin(keys.RESUME("riverside", keys.hashed(token)), 1)
    held, later = await second.redeem(token, OSEI)
    assert (held.connection, held.worker, held.pages, held.ended) == ("c_1", "w1", (), False)
    assert later == Origin(origin.key, 2)
    held, latest = await second.redeem(token, OSEI)
    assert (held.worker, latest.generation) == ("w2", 3)
    assert await first.holder(latest) == "w2"
    assert len({(await first.issue("c_1", OSEI))[0] for _ in range(9)}) == 9


async def test_a_token_has_18_random_bytes_and_16_of_their_signature(workers: list[Tokens]) -> None:
    token, _ = await workers[0].issue("c_1", OSEI)
    assert len(base64.urlsafe_b64decode(token[2:] + "==")) == 18 + 16


async def test_a_token_that_was_forged_or_belongs_to_another_person_is_invalid(
    workers: list[Tokens], valkey: Redis
) -> None:
    tokens, _ = workers
    token, _ = await tokens.issue("c_1", OSEI)
    altered = token[:9] + ("A" if token[9] != "A" else "B") + token[10:]
    for made_up in ("", "r_", "r_ü", "x_" + token[2:], altered, token + "AAAA", token.swapcase()):
        assert await refused(tokens, made_up) == "resume_invalid", made_up
    other = Tokens(Store(valkey, Seal({b"1": b"k" * 32})), b"t" * 32, "w3")
    assert await refused(other, token) == "resume_invalid", "another secret"
    assert await refused(tokens, token, LIN) == "resume_invalid"


async def test_a_token_expires_after_a_day_or_soon_after_its_socket_was_lost(
    workers: list[Tokens], valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, _ = workers
    token, origin = await tokens.issue("c_1", OSEI)
    assert LOST_MS < await valkey.pttl(origin.key) <= OPEN_MS
    await tokens.lost(origin)
    assert 0 < await valkey.pttl(origin.key) <= LOST_MS
    await tokens.redeem(token, OSEI)
    assert LOST_MS < await valkey.pttl(origin.key) <= OPEN_MS
    data = await valkey.hget(origin.key, "held")
    await valkey.delete(origin.key)
    assert await refused(tokens, token) == "resume_expired"
    assert await tokens.holder(origin) is None

    async def hget(*_: object) -> object:
        return data  # this read happens just before the token expires

    monkeypatch.setattr(valkey, "hget", hget)
    assert await refused(tokens, token) == "resume_expired"


async def test_a_token_whose_client_said_goodbye_is_ended(workers: list[Tokens], valkey: Redis) -> None:
    tokens, other = workers
    token, origin = await tokens.issue("c_1", OSEI)
    await tokens.ended(origin, "c_1", OSEI)
    assert await refused(other, token) == "resume_ended"
    assert 0 < await valkey.pttl(origin.key) <= LOST_MS


async def test_the_pages_of_a_connection_are_remembered_unless_a_newer_socket_has_it(
    workers: list[Tokens],
) -> None:
    first, second = workers
    token, origin = await first.issue("c_1", OSEI)
    await first.on_pages(origin, "c_1", OSEI, ["v_1", "v_2"])
    held, later = await second.redeem(token, OSEI)
    assert held.pages == ("v_1", "v_2")
    with pytest.raises(SupersededError):
        await first.on_pages(origin, "c_1", OSEI, [])
    await first.lost(origin)
    await first.ended(origin, "c_1", OSEI)
    await second.on_pages(later, "c_1", OSEI, ["v_2"])
    held, _ = await first.redeem(token, OSEI)
    assert (held.pages, held.ended) == (("v_2",), False), "an older generation changes nothing"


def test_a_client_may_resume_for_60_seconds_and_for_a_day_if_its_worker_could_not_record_the_loss() -> None:
    # PROTOCOL.md#resume names the 60 s: clients try for that long.
    assert (LOST_MS, OPEN_MS) == (60_000, 24 * 60 * 60_000)
