"""Decides when a receiver's network is too weak for a picture beside the sound, and when to send pictures again.

Pure: times are arguments. It uses figures of one receiver only.
"""

from __future__ import annotations

from typing import Final

# in kbit/s; at this rate the sender's browser cannot make the picture smaller, and the picture is poor
FLOOR_KBPS: Final = 150.0
WHOLE_KBPS: Final = 2500.0  # in kbit/s; the most that a picture takes
GROWTH: Final = 1.15
SOUND_LOSS: Final = 0.08  # the share (0 to 1) of sound that may be lost, even after retransmission
RTT_MS: Final = 1000.0  # in ms; with a longer round trip people cannot talk
WEAK_S: Final = 6.0  # in s; longer than the five seconds between two of Chromium's reports on sound
WAIT_S: Final = 10.0
WAIT_MAX_S: Final = 80.0
PROVEN_S: Final = 30.0  # the time in s after which a picture that was sent again counts as stable


def is_weak(sound_loss: float | None, rtt_ms: float | None, picture_kbps: float) -> bool | None:
    """Return True if the sound suffers beside a picture that cannot become smaller; None if that is not known.

    `sound_loss`: the share in the receiver's newest report, None if there is none. `picture_kbps`: the rate that
    reaches the receiver, 0 while paused. Loss of packets alone does not count: on a path that loses a fifth of all
    packets at any rate, lost sound and pictures are sent again.
    """
    if sound_loss is None:
        return None
    return picture_kbps <= FLOOR_KBPS and (sound_loss > SOUND_LOSS or (rtt_ms or 0.0) > RTT_MS)


class PicturePause:
    """Holds whether one receiver's picture is paused.

    A pause begins after WEAK_S of a weak network, and ends after a time in which sound arrives well. That time is
    WAIT_S, and doubles each time that the network is weak again soon after the pause.
    """

    __slots__ = ("_resumed_s", "_since_s", "_wait_s", "paused")

    def __init__(self) -> None:
        self.paused = False
        # the time in s since which the figures ask for a change; None if they do not
        self._since_s: float | None = None
        self._resumed_s: float | None = None
        self._wait_s = WAIT_S

    def look(self, weak: bool | None, now_s: float) -> bool:
        """Apply a result of `is_weak`, once a second; return True if `paused` has changed."""
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
    """Return the next limit of a sender in a room of two, in kbit/s; None if no limit is needed. Call every LIMIT_S.

    While the receiver's picture is paused, the limit is the floor, so that the picture begins small; afterwards the
    limit grows. `kbps`: the limit before, None if there was none.
    """
    if paused:
        return FLOOR_KBPS
    if kbps is None or kbps >= WHOLE_KBPS:
        return None
    return min(WHOLE_KBPS, kbps * GROWTH)
