"""Makes hostile inputs from valid inputs. A seed decides all random choices, so that each input can be made again.

It changes bytes without knowing their meaning; the caller gives valid samples, and tokens (parts of inputs) to insert.
"""

import random
from collections.abc import Sequence

BYTES = (0x00, 0x01, 0x0A, 0x0D, 0x20, 0x22, 0x25, 0x26, 0x3A, 0x3D, 0x7F, 0x80, 0xFE, 0xFF)
WORDS = (0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
# On average, one of this number of inputs is made as long as is allowed, by repeating a part of it.
GROWS = 40


class Mutator:
    """Makes hostile inputs of at most `longest` bytes from the valid `samples`; inserts `tokens` at random places."""

    def __init__(
        self, seed: str, samples: Sequence[bytes], tokens: Sequence[bytes] = (), longest: int = 1500
    ) -> None:
        self._random = random.Random(seed)
        self.samples = list(samples)
        self._tokens = list(tokens) or [b"\x00" * 4, b"\xff" * 4]
        self._longest = longest
        self._changes = (
            self._bit,
            self._byte,
            self._word,
            self._cut,
            self._double,
            self._token,
            self._token,
            self._truncate,
            self._splice,
            self._noise,
        )

    def next(self) -> bytes:
        """Return the next hostile input."""
        pick = self._random.random
        samples, changes = self.samples, self._changes
        data = bytearray(samples[int(pick() * len(samples))])
        for _ in range(1 + int(pick() ** 2 * 5)):
            changes[int(pick() * len(changes))](data)
        if pick() * GROWS < 1:
            self._grow(data)
        return bytes(data[: self._longest])

    def _at(self, data: bytearray) -> int:
        return int(self._random.random() * len(data))

    def _slice(self, data: bytearray) -> tuple[int, int]:
        begin = self._at(data)
        return begin, begin + 1 + int(self._random.random() ** 2 * (len(data) - begin))

    def _bit(self, data: bytearray) -> None:
        if data:
            data[self._at(data)] ^= 1 << int(self._random.random() * 8)

    def _byte(self, data: bytearray) -> None:
        if data:
            data[self._at(data)] = self._random.choice(BYTES)

    def _word(self, data: bytearray) -> None:
        size = self._random.choice((2, 2, 4, 8))
        begin = self._at(data)
        data[begin : begin + size] = self._random.choice(WORDS).to_bytes(size, "big")

    def _cut(self, data: bytearray) -> None:
        begin, end = self._slice(data)
        del data[begin:end]

    def _double(self, data: bytearray) -> None:
        begin, end = self._slice(data)
        at = self._at(data)
        data[at:at] = data[begin:end]

    def _token(self, data: bytearray) -> None:
        begin, end = self._slice(data) if self._random.random() < 0.5 else (self._at(data),) * 2
        data[begin:end] = self._random.choice(self._tokens)

    def _truncate(self, data: bytearray) -> None:
        del data[self._at(data) :]

    def _splice(self, data: bytearray) -> None:
        other = self._random.choice(self.samples)
        begin = int(self._random.random() * len(other))
        data[self._at(data) :] = other[begin:]

    def _noise(self, data: bytearray) -> None:
        at = self._at(data)
        data[at:at] = self._random.randbytes(1 + int(self._random.random() ** 3 * 60))

    def _grow(self, data: bytearray) -> None:
        begin, end = self._slice(data)
        part = bytes(data[begin : min(end, begin + 64)])
        if part:
            data[begin:begin] = part * ((self._longest - len(data)) // len(part))
