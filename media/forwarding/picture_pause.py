"""Decides when a receiver's network is too weak for a picture beside the sound, and when it gets the picture again.

Pure: times are arguments. Knows figures of one receiver; knows no packet and no party.
"""

from __future__ import annotations

from typing import Final

FLOOR_KBPS: Final = 150.0  # the sender's browser has made the picture as small as it can, and it is poor
WHOLE_KBPS: Final = 2500.0  # the most that a picture takes
GROWTH: Final = 1.15
SOUND_LOSS: Final = 0.08  # the share of sound that is lost even after retransmission
RTT_MS: Final = 1000.0  # sound that waits so long in a queue allows no talk
WEAK_S: Final = 6.0  # Chromium reports on sound every five seconds
WAIT_S: Final = 10.0
WAIT_MAX_S: Final = 80.0
PROVEN_S: Final = 30.0  # the time in s after which a picture that came back is not on trial any more


def is_weak(sound_loss: float | None, rtt_ms: float | None, picture_kbps: float) -> bool | None:
    """Return True if the sound suffers beside a picture that cannot become smaller; None if that is not known.

    `sound_loss`: the receiver's newest report, None if there is none. `picture_kbps`: what reaches it, 0 while paused.
    Losses alone do not count: on a path that loses a fifth of all packets at any rate, sound and picture are mended.
    """
    if sound_loss is None:
        return None
    return picture_kbps <= FLOOR_KBPS and (sound_loss > SOUND_LOSS or (rtt_ms or 0.0) > RTT_MS)


class PicturePause:
    """Whether one receiver's picture is paused.

    It is after WEAK_S, and no more after a time in which sound arrives well. That time is WAIT_S, and doubles each time
    that the network turns out to be weak soon after the picture came back.
    """

    __slots__ = ("_resumed_s", "_since_s", "_wait_s", "paused")

    def __init__(self) -> None:
        self.paused = False
        self._since_s: float | None = None  # since when the figures speak for a change
        self._resumed_s: float | None = None
        self._wait_s = WAIT_S

    def look(self, weak: bool | None, now_s: float) -> bool:
        """Take a result of `is_weak`, once a second; return True if `paused` has changed."""
        if weak is None or weak == self.paused:
            self._since_s = None
            return False
        if self._since_s is None:
            self._since_s = now_s
        if now_s - self._since_s < (self._wait_s if self.paused else WEAK_S):
            return False
        self.paused, self._since_s = not self.paused, None
        if not self.paused:
            self._resumed_s = now_s
        elif self._resumed_s is not None and now_s - self._resumed_s < PROVEN_S:
            self._wait_s = min(WAIT_MAX_S, 2 * self._wait_s)
        else:
            self._wait_s = WAIT_S
        return True


def next_limit(kbps: float | None, paused: bool) -> float | None:
    """Return the next limit of a sender in a room of two, in kbit/s; None if it needs none. Call every LIMIT_S.

    While its receiver's picture is paused it sends no more than the floor, so that the picture begins small; afterwards
    the limit grows. `kbps`: the limit before, None if there was none.
    """
    if paused:
        return FLOOR_KBPS
    if kbps is None or kbps >= WHOLE_KBPS:
        return None
    return min(WHOLE_KBPS, kbps * GROWTH)
