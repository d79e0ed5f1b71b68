"""Tests that a VP8 packet with the beginning of a keyframe is distinguished from other packets."""

from __future__ import annotations

import pytest

from tests.benchmarks.others.calls import is_keyframe


@pytest.mark.parametrize(
    ("payload", "keyframe"),
    [
        # The header of a VP8 packet with a keyframe: no extensions, first partition, bit 0 not set.
        (b"\x10\x00", True),
        (b"\x10\x01", False),
        (b"\x00\x00", False),  # a packet in which no frame begins
        (b"\x90\x80\x81\x23\x00", True),  # a header with a picture id of two bytes
        (b"\x90\x80\x12\x01", False),  # a header with a picture id of one byte
        # A header with the field TL0PICIDX and a temporal layer (RFC 7741).
        (b"\x90\xe0\x12\x01\x40\x00", True),
        (b"\x90", False),
        (b"", False),
    ],
)
def test_a_keyframe_is_recognised_whatever_header_extensions_there_are(
    payload: bytes, keyframe: bool
) -> None:
    assert is_keyframe(payload) is keyframe
