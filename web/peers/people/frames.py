"""Builds WebSocket frames of a client (RFC 6455 §5), and splits received bytes into frames.

The code uses little CPU, so that one core can play a thousand people: it makes only one function call for
each message. Fragments and control frames are passed to the caller unchanged. Received frames are a server's, which
are not masked, so no code removes a mask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FINAL: Final = 0x80
# A valid mask that leaves the payload unchanged.
NO_MASK: Final = b"\0\0\0\0"


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a complete WebSocket frame of a client with this opcode and payload, and a mask of zeros."""
    size = len(payload)
    if size < 126:
        head = bytes((FINAL | opcode, 0x80 | size))
    elif size < 65536:
        head = bytes((FINAL | opcode, 0xFE)) + size.to_bytes(2)
    else:
        head = bytes((FINAL | opcode, 0xFF)) + size.to_bytes(8)
    return head + NO_MASK + payload


def take(data: bytes, whole: Callable[[bytes], None], other: Callable[[int, bytes], None]) -> bytes:
    """Split `data` into frames: call `whole` with the payload of each complete message, `other` for each other frame.

    `other` receives the frame's first byte and its payload. Returns the bytes that are left, which are the beginning
    of an incomplete frame.
    """
    at, end = 0, len(data)
    while at + 2 <= end:
        size, start = data[at + 1], at + 2
        if size >= 126:
            start += 2 if size == 126 else 8
            if end < start:
                break
            size = int.from_bytes(data[at + 2 : start])
        stop = start + size
        if end < stop:
            break
        first = data[at]
        at = stop
        # This first byte means a complete text or binary message (FIN with opcode 1 or 2).
        if 0x81 <= first <= 0x82:
            whole(data[start:stop])
        else:
            other(first, data[start:stop])
    return data[at:] if at else data
