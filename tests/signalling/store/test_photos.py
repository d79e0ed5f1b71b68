"""Tests photos in the store: each is encrypted for its own key only, and gone after it was erased."""

from typing import Any

import pytest
from redis.asyncio import Redis

from signalling.errors import SealError
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.photos import Photos
from signalling.store.records import Store
from tests.signalling.visits import ORG


@pytest.fixture(autouse=True)
async def visit(valkey: Redis) -> None:
    """Store a visit: without its record, no photo is stored."""
    client: Any = valkey
    await client.hset(keys.VISIT(ORG, "v_1"), "record", "sealed")


async def test_a_photo_is_sealed_for_its_place_and_read_there_alone(valkey: Redis) -> None:
    photos = Photos(Store(valkey, Seal({b"1": bytes(32)})))
    await photos.keep(ORG, "v_1", "p_1", b"canary of a picture")
    sealed = await valkey.hget(keys.PHOTOS(ORG, "v_1"), "p_1")
    assert isinstance(sealed, bytes)
    assert b"canary" not in sealed
    assert await photos.get(ORG, "v_1", "p_1") == b"canary of a picture"
    assert await photos.get(ORG, "v_1", "p_2") is None
    for visit, photo in (("v_1", "p_2"), ("v_2", "p_1")):
        await valkey.hset(keys.PHOTOS(ORG, visit), photo, sealed)
        with pytest.raises(SealError):
            await photos.get(ORG, visit, photo)


async def test_an_erased_photo_is_gone_and_the_others_stay(valkey: Redis) -> None:
    photos = Photos(Store(valkey, Seal({b"1": bytes(32)})))
    for photo in ("p_1", "p_2"):
        await photos.keep(ORG, "v_1", photo, photo.encode())
    for _ in range(2):
        await photos.erase(ORG, "v_1", "p_1")
    assert [await photos.get(ORG, "v_1", photo) for photo in ("p_1", "p_2")] == [None, b"p_2"]
