"""Tests that WebSocket frames are parsed correctly, wherever their bytes are cut into pieces."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from web.peers.people.frames import (
    BINARY,
    CLOSE,
    CONTINUED,
    FINAL,
    NO_MASK,
    PING,
    TEXT,
    frame,
    take,
)

SIZES = (0, 1, 125, 126, 65_535, 65_536)


def served(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """Return a frame as the server sends it, which has no mask. `final`: it is the last frame of its message."""
    masked = frame(opcode, payload)
    head = masked[: len(masked) - len(payload) - len(NO_MASK)]
    return bytes((head[0] if final else opcode, head[1] & 0x7F)) + head[2:] + payload


@given(
    st.lists(
        st.tuples(
            st.sampled_from((TEXT, BINARY, CONTINUED, CLOSE, PING)), st.sampled_from(SIZES), st.booleans()
        ),
        max_size=5,
    ),
    st.lists(st.integers(0, 200_000), max_size=6),
)
def test_frames_are_the_same_however_their_bytes_are_cut(
    sent: Sequence[tuple[int, int, bool]], cuts: Sequence[int]
) -> None:
    data = b"".join(served(opcode, b"x" * size, final=final) for opcode, size, final in sent)
    heard: list[tuple[int, int]] = []
    left = b""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for begin, end in pairwise(edges):
        left = take(
            left + data[begin:end],
            lambda payload: heard.append((0, len(payload))),
            lambda first, payload: heard.append((first, len(payload))),
        )
    whole = [final and opcode in (TEXT, BINARY) for opcode, _, final in sent]
    expected = [
        (0 if one else (FINAL if final else 0) | opcode, size)
        for one, (opcode, size, final) in zip(whole, sent, strict=True)
    ]
    assert (heard, left) == (expected, b"")
