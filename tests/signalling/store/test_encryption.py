"""Tests that a stored record can be decrypted only under its own name in the store, and only with a known key.

These are the promises of SECURITY.md row 23.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalling.errors import SealError
from signalling.store.encryption import Seal

OLD, NEW = {b"1": b"a" * 32}, {b"2": b"b" * 32}
PLACE = "riverside/visit/v_1"


def test_a_sealed_record_opens_in_its_place() -> None:
    seal = Seal(OLD)
    assert seal.open(seal.close(b"Ana Ruiz", PLACE), PLACE) == b"Ana Ruiz"


def test_a_record_that_the_first_version_sealed_still_opens() -> None:
    stored = "0131000102030405060708090a0bf67485c002fa2befe31992931cda71649679b5ef307a35e4"
    assert Seal(OLD).open(bytes.fromhex(stored), PLACE) == b"Ana Ruiz"


@pytest.mark.parametrize(
    "elsewhere",
    ["riverside/visit/v_2", "hillside/visit/v_1", "riverside/history/v_1", "riverside/visit/v_1 ", ""],
)
def test_a_ciphertext_that_was_moved_is_refused(elsewhere: str) -> None:
    seal = Seal(OLD)
    with pytest.raises(SealError):
        seal.open(seal.close(b"Ana Ruiz", PLACE), elsewhere)


def test_after_a_rotation_the_new_key_seals_and_the_old_one_still_opens() -> None:
    before = Seal(OLD).close(b"Ana Ruiz", PLACE)
    rotated = Seal({**OLD, **NEW})
    assert rotated.open(before, PLACE) == b"Ana Ruiz"
    after = rotated.close(b"Ana Ruiz", PLACE)
    assert Seal(NEW).open(after, PLACE) == b"Ana Ruiz"
    assert rotated.ids == (*OLD, *NEW)
    rotated.replace(NEW)
    assert rotated.open(after, PLACE) == b"Ana Ruiz"
    with pytest.raises(SealError):
        rotated.open(before, PLACE)
    with pytest.raises(SealError, match="a key that this server does not have"):
        Seal(OLD).open(after, PLACE)


@given(st.integers(min_value=0), st.integers(1, 255))
def test_a_changed_byte_is_noticed(position: int, change: int) -> None:
    seal = Seal(OLD)
    sealed = bytearray(seal.close(b"Ana Ruiz, rash", PLACE))
    sealed[position % len(sealed)] ^= change
    with pytest.raises(SealError):
        seal.open(bytes(sealed), PLACE)


@given(st.binary(max_size=80))
def test_any_bytes_are_refused_with_the_typed_error(data: bytes) -> None:
    with pytest.raises(SealError):
        Seal(OLD).open(data, PLACE)
    with pytest.raises(SealError):
        Seal(OLD).open(b"\x011" + data, PLACE)


def test_nothing_shows_through_and_no_two_are_the_same() -> None:
    seal = Seal(OLD)
    sealed = [seal.close(b"canary " * 50, PLACE) for _ in range(50)]
    assert all(b"canary" not in data for data in sealed)
    assert len(set(sealed)) == 50


@pytest.mark.parametrize("keys", [{}, {b"": b"k" * 32}, {b"1": b"short"}, {b"x" * 17: b"k" * 32}])
def test_invalid_keys_are_refused_at_the_start(keys: dict[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="keys"):
        Seal(keys)
