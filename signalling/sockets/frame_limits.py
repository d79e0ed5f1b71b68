"""Counts the frames and bytes that one client has sent lately, so that a flood is detected while it is read.

Two faults that aiohttp's reader overlooks are detected as well: a frame without a mask (RFC 6455 §5.1), and a message
that begins although another, with only empty fragments so far, has not ended (§5.4). Only the header of a frame is
read (§5.2). Nearly always, the data of one read is a single short frame; one comparison detects this case. Other data
is checked frame by frame, up to the limit. The clock is read only after the limit is exceeded. The caller decides
what happens to a client that exceeds the limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

WINDOW_S = 10.0
IN_HEAD, HOLLOW = -1, -2
BROKEN = -1
Fed = tuple[bool, bytes]
"""The result of aiohttp's reader: (True if the reader has failed, the bytes that the reader did not accept)."""
DROPPED: Fed = (False, b"")


class Bound(NamedTuple):
    """The number of frames and bytes that a client may send in one time window of `WINDOW_S`.

    The windows follow each other, so a burst at the end of one and the start of the next may be twice as large.
    """

    frames: int
    bytes: int


NOTHING = Bound(0, 0)


class Counted:
    """Passes received data on to aiohttp's reader while the client does not exceed the limit `bound`.

    `flooded` is called once if the client exceeds the limit, and `malformed` once if a frame breaks RFC 6455.
    """

    __slots__ = (
        "_bound",
        "_bytes",
        "_feed",
        "_feed_eof",
        "_flooded",
        "_frames",
        "_head",
        "_hollow",
        "_left",
        "_malformed",
        "_over",
        "_since_s",
    )

    def __init__(
        self,
        feed: Callable[[bytes], Fed],
        feed_eof: Callable[[], None],
        bound: Bound,
        flooded: Callable[[], None],
        malformed: Callable[[], None] = lambda: None,
    ) -> None:
        self._feed = feed
        self._feed_eof = feed_eof
        self._bound = bound
        self._flooded = flooded
        self._malformed = malformed
        self._frames = self._bytes = 0
        # The number of bytes of the current frame that have not arrived yet, or one of two special values. IN_HEAD:
        # the header is incomplete. HOLLOW: a frame has ended, and all fragments of its message so far are empty.
        self._left = 0
        self._head = b""  # the first bytes of a frame header of which the rest has not arrived yet
        self._hollow = False  # True while a message has begun, and all its fragments so far are empty
        self._over = False
        self._since_s = time.monotonic()

    def allow(self, bound: Bound) -> None:
        """Use the limit `bound` from now on, and set the counts of frames and bytes to 0."""
        self._bound = bound
        self._frames = self._bytes = 0
        self._since_s = time.monotonic()

    def feed_data(self, data: bytes) -> Fed:
        """Count data that was read; pass it on to aiohttp's reader; return the reader's result. aiohttp calls this
        method.
        """
        size = len(data)
        self._bytes += size
        # If the data is exactly one short masked frame, its second byte is 0x80 + (size - 6). In a longer frame, the
        # second byte is 0xFE, and the next two bytes are the length.
        second = data[1] if self._left == 0 and size > 7 else 0
        short = second == size + 122 and second < 254
        if short or (second == 254 and (data[2] << 8 | data[3]) == size - 8):
            count = 1
        else:
            count = self._walk(data)
            if count == BROKEN:
                self._over, self._bound = True, NOTHING
                self._malformed()
                return DROPPED
        self._frames += count
        frames, most_bytes = self._bound
        if (self._frames > frames or self._bytes > most_bytes) and (
            self._over or self._is_flood(count, size)
        ):
            return DROPPED
        return self._feed(data)

    def feed_eof(self) -> None:
        """Inform aiohttp's reader that the connection has ended. aiohttp calls this method."""
        self._feed_eof()

    def _is_flood(self, count: int, size: int) -> bool:
        now_s = time.monotonic()
        if now_s - self._since_s >= WINDOW_S and count <= self._bound.frames and size <= self._bound.bytes:
            self._since_s, self._frames, self._bytes = now_s, count, size
            return False
        self._over = True
        self._flooded()
        return True

    def _walk(self, data: bytes) -> int:
        """Return how many frames begin in the data; BROKEN for an invalid frame. The count ends as soon as it is
        above the limit.
        """
        if self._over:
            return 1
        at = self._left
        if at == IN_HEAD:
            data, at = self._head + data, 0
        elif at == HOLLOW:
            at = 0
        end, most = len(data), self._bound.frames
        count = 0
        while at < end and count <= most:
            start = at + 2
            if start <= end:
                second = data[at + 1]
                size = second & 0x7F
                if size > 125:
                    wide = start + (2 if size == 126 else 8)
                    size = int.from_bytes(data[start:wide])
                    start = wide
                if second < 128:
                    return BROKEN
                start += 4
            if start > end:
                self._left, self._head = IN_HEAD, data[at:]
                break
            count += 1
            if data[at] & 0x0F < 8 and self._breaks_message(data[at], size):
                return BROKEN
            at = start + size
        else:
            self._left = HOLLOW if at == end and self._hollow else at - end
        return count

    def _breaks_message(self, first: int, size: int) -> bool:
        """Return True if a data frame begins a message although another, with only empty fragments so far, has not
        ended.

        `first`: the frame's first byte; `size`: the size of its payload. aiohttp's reader does not notice this fault.
        """
        begins = bool(first & 0x0F)
        if begins and self._hollow:
            return True
        self._hollow = not size and first < 128 and (begins or self._hollow)
        return False
