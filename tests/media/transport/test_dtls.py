"""Tests which datagrams are DTLS records, and how records are packed into datagrams."""

from __future__ import annotations

import pytest

from media.transport.dtls import datagrams, is_record


def record(size: int, first: int = 22, version: int = 0xFE) -> bytes:
    """Return a DTLS record with `size` bytes of content. `first`: the first byte, which is the record's type."""
    return bytes((first, version, 0xFD)) + bytes(8) + size.to_bytes(2, "big") + b"x" * size


@pytest.mark.parametrize(
    ("datagram", "is_one"),
    [
        (record(0), True),
        (record(0)[:-1], False),
        (record(5), True),
        (record(5)[:-1], False),
        (record(5) + b"more", True),
        (record(256), True),
        (record(256)[:-1], False),
        (record(1, 19), False),
        (record(1, 20), True),
        (record(1, 25), True),
        (record(1, 26), False),
        (record(1, version=0xFF), False),
        (b"", False),
    ],
)
def test_a_record_has_a_known_type_a_version_and_its_whole_content(datagram: bytes, is_one: bool) -> None:
    assert is_record(datagram) is is_one


@pytest.mark.parametrize(
    ("sizes", "packed"),
    [
        ([], []),
        ([10], [23]),
        ([10, 10], [46]),
        ([10, 11], [23, 24]),
        ([100], [113]),
        ([10, 100, 10], [23, 113, 23]),
        ([10, 300, 10], [23, 313, 23]),
    ],
)
def test_records_share_a_datagram_as_long_as_they_fit(sizes: list[int], packed: list[int]) -> None:
    assert [len(one) for one in datagrams(b"".join(map(record, sizes)), 46)] == packed
    assert b"".join(datagrams(b"".join(map(record, sizes)), 46)) == b"".join(map(record, sizes))


def test_a_rest_that_is_no_record_is_sent_as_it_is() -> None:
    assert datagrams(record(1) + b"rest", 1200) == [record(1) + b"rest"]
