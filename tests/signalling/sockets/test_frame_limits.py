"""Tests SECURITY.md row 30: each frame is counted, whatever its kind, and wherever reads from the network split it."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signalling.sockets.frame_limits import DROPPED, WINDOW_S, Bound, Counted

FED = (False, b"fed")
MANY = Bound(10**9, 10**12)


def counted(bound: Bound) -> tuple[Counted, list[bytes], list[str]]:
    taken: list[bytes] = []
    floods: list[str] = []

    def feed(data: bytes) -> tuple[bool, bytes]:
        taken.append(data)
        return FED

    return Counted(feed, lambda: None, bound, lambda: floods.append("flood")), taken, floods


def raw(first: int, payload: bytes, mask: bytes, wide: int) -> bytes:
    """Return a WebSocket frame.

    `first`: its first byte. `wide`: the number of extended length bytes (0, 2 or 8). A payload that is too
    long for 0 of them gets 2.
    """
    flag = 0x80 if mask else 0
    size = len(payload)
    least = 0 if size < 126 else 2
    if wide == 0 and not least:
        length = bytes((flag | size,))
    elif wide == 8:
        length = bytes((flag | 127,)) + size.to_bytes(8)
    else:
        length = bytes((flag | 126,)) + size.to_bytes(2)
    return bytes((first,)) + length + mask + payload


def test_s30_a_read_that_ends_inside_a_frame_is_not_taken_for_a_whole_one() -> None:
    frame = raw(0x82, bytes(256 + 5), b"mask", 2)
    reader, taken, _ = counted(MANY)
    # The first part ends where the frame would end if only the last byte of its length (0x0105) were read.
    for part in (frame[:13], frame[13:], frame):
        reader.feed_data(part)
    assert reader._frames == 2
    for part in (frame[:-16], frame[-16:], frame):
        reader.feed_data(part)
    assert (reader._frames, b"".join(taken)) == (4, 4 * frame), "no part was refused as malformed"


def test_s30_a_read_that_begins_inside_a_frame_is_not_taken_for_a_whole_one() -> None:
    frame = raw(0x82, b"x", b"mask", 0)
    reader, _, _ = counted(MANY)
    for part in (
        frame[:-1],
        frame[-1:] + frame,
        frame,
        frame,
        frame,
    ):  # the second part can be read as one whole frame, because its second byte, 0x82, can be read as a length
        reader.feed_data(part)
    assert reader._frames == 5


FRAMES = st.builds(
    raw,
    st.integers(128, 255),
    st.one_of(st.binary(max_size=6), st.integers(0, 500).map(lambda size: b"x" * size)),
    st.just(b"mask"),
    st.sampled_from([0, 2, 8]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(FRAMES, min_size=1, max_size=20), st.lists(st.integers(1, 300), max_size=40))
def test_s30_frames_are_counted_however_their_bytes_are_split(frames: list[bytes], cuts: list[int]) -> None:
    data = b"".join(frames)
    reader, taken, floods = counted(MANY)
    at = 0
    for cut in [*cuts, len(data)]:
        if data[at : at + cut]:
            assert reader.feed_data(data[at : at + cut]) == FED
        at += cut
    # The last frame counts as soon as its header has arrived, so all frames are counted by now.
    assert (reader._frames, reader._bytes) == (len(frames), len(data))
    assert (b"".join(taken), floods) == (data, [])


@pytest.mark.parametrize("size", [0, 1, 124, 125, 126, 127, 255, 256])
def test_s30_a_frame_is_one_frame_wherever_a_read_ends_in_it(size: int) -> None:
    frame = raw(0x82, b"x" * size, b"mask", 0)
    for end in range(1, len(frame)):
        reader, taken, _ = counted(MANY)
        for part in (frame[:end], frame[end:] + frame, frame):
            reader.feed_data(part)
        assert (reader._frames, b"".join(taken)) == (3, 3 * frame), end


def test_s30_one_frame_too_many_is_a_flood_and_nothing_more_is_read() -> None:
    for chunk in (b"\x8a\x80mask", b"\x00\x80mask", b"\x81\x81maskx" * 3, b"\x8a\x80mask" * 50_000):
        reader, taken, floods = counted(Bound(1000, 10**6))
        for _ in range(3000):
            reader.feed_data(chunk)
        assert len(floods) == 1
        assert reader.feed_data(chunk) == DROPPED
        assert sum(map(len, taken)) <= 1000 * 7


def test_s30_bytes_count_even_if_no_frame_is_complete() -> None:
    reader, taken, floods = counted(Bound(1000, 100_000))
    reader.feed_data(b"\x82\xff" + (10**9).to_bytes(8) + b"mask")
    for _ in range(200):
        reader.feed_data(b"x" * 1000)
    assert (len(floods), len(taken)) == (1, 100)


def test_the_end_of_the_connection_is_passed_on() -> None:
    ended: list[str] = []
    Counted(lambda _: FED, lambda: ended.append("end"), MANY, lambda: None).feed_eof()
    assert ended == ["end"]


def test_s30_a_client_may_send_the_same_amount_again_after_the_interval() -> None:
    assert WINDOW_S == 10, "PROTOCOL.md#connection names ten seconds"
    reader, _, floods = counted(Bound(10, 10**6))
    for _ in range(3):
        for _ in range(10):
            assert reader.feed_data(b"\x8a\x80mask") == FED
        reader._since_s = time.monotonic() - WINDOW_S
    assert not floods
    reader.allow(Bound(20, 10**6))
    for _ in range(20):
        assert reader.feed_data(b"\x8a\x80mask") == FED
    assert (reader.feed_data(b"\x8a\x80mask"), floods) == (DROPPED, ["flood"])


EMPTY = raw(0x01, b"", b"mask", 0)  # the first fragment of a text, without an octet
MESSAGE = raw(0x81, b"{}", b"mask", 0)
PING = raw(0x89, b"?", b"mask", 0)


def at_malformed(data: bytes, size: int) -> tuple[int, bool]:
    """Read `data` in parts of `size` bytes; return (how often it was reported as malformed, whether all was read)."""
    malformed: list[str] = []
    reader = Counted(
        lambda _: FED, lambda: None, MANY, lambda: pytest.fail("no flood"), lambda: malformed.append("")
    )
    fed = [reader.feed_data(data[at : at + size]) for at in range(0, len(data), size)]
    return len(malformed), fed[-1] == FED


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("wide", [0, 2, 8])
def test_a_frame_without_a_mask_is_malformed_and_nothing_more_is_read(wide: int, size: int) -> None:
    payload = b"x" * (300 if wide == 2 else 7)
    data = MESSAGE + raw(0x81, payload, b"", wide) + 3 * MESSAGE
    assert at_malformed(data, size) == (1, False)


@pytest.mark.parametrize("size", [1, 6, 8, 1000])
@pytest.mark.parametrize(
    ("frames", "malformed"),
    [
        ([EMPTY, MESSAGE], True),
        ([EMPTY, EMPTY], True),
        ([EMPTY, PING, raw(0x82, b"x", b"mask", 0)], True),
        ([EMPTY, raw(0x00, b"", b"mask", 0), MESSAGE], True),
        ([EMPTY, raw(0x80, b"", b"mask", 0), MESSAGE], False),
        ([EMPTY, PING, raw(0x80, b"{}", b"mask", 0), MESSAGE], False),
        # After a fragment that has octets, `Counted` does not check the frames that follow, but aiohttp's reader
        # checks them.
        ([EMPTY, raw(0x00, b"{", b"mask", 0), raw(0x00, b"", b"mask", 0), MESSAGE], False),
        ([raw(0x01, b"{", b"mask", 0), MESSAGE], False),
        ([raw(0x81, b"", b"mask", 0), MESSAGE], False),
    ],
)
def test_a_message_that_begins_before_the_end_of_an_empty_one_is_malformed(
    frames: list[bytes], malformed: bool, size: int
) -> None:
    assert at_malformed(b"".join(frames), size) == (int(malformed), not malformed)
