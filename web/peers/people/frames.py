"""WebSocket frames from a client's side (RFC 6455 §5): one written whole, those that were read taken apart.

Pure. As cheap as Python can have it, for a thousand people on a core and a benchmark that must cost less than what it
measures: payloads go to a callback, one call each. What is no whole message (a part, a control frame) is the caller's.
Servers do not mask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FINAL: Final = 0x80
NO_MASK: Final = b"\0\0\0\0"  # a mask like any other, and the only one that costs nothing


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a whole frame of a client's, its mask nothing but zeros."""
    size = len(payload)
    if size < 126:
        head = bytes((FINAL | opcode, 0x80 | size))
    elif size < 65536:
        head = bytes((FINAL | opcode, 0xFE)) + size.to_bytes(2)
    else:
        head = bytes((FINAL | opcode, 0xFF)) + size.to_bytes(8)
    return head + NO_MASK + payload


def take(data: bytes, whole: Callable[[bytes], None], other: Callable[[int, bytes], None]) -> bytes:
    """Give each frame's payload to `whole`, or with its first byte to `other` if it is a part or a control frame.

    Return what is left: the beginning of a frame that has not come yet.
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
        if 0x81 <= first <= 0x82:  # FINAL, with TEXT or BINARY
            whole(data[start:stop])
        else:
            other(first, data[start:stop])
    return data[at:] if at else data
