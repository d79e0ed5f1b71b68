"""Decides when a receiver's network is too weak for pictures beside the sound, and when to send pictures again.

Uses the figures of one receiver only. Times are arguments. Does no I/O.
"""

from __future__ import annotations

from typing import Final

# The bit rate in kbit/s of the smallest pictures that browsers send. If sound suffers even beside such pictures, they
# are paused.
FLOOR_KBPS: Final = 150.0
WHOLE_KBPS: Final = 2500.0  # the highest limit in kbit/s for the video of a sender
GROWTH: Final = 1.15
# If more than this share (0 to 1) of sound packets is lost in spite of retransmissions, the network is weak.
SOUND_LOSS: Final = 0.08
# If the round trip in ms is longer than this, people can hardly talk to each other, and the network is weak.
RTT_MS: Final = 1000.0
# The time in s of a weak network after which a pause begins. It is longer than the 5 s between Chromium's reports on
# sound.
WEAK_S: Final = 6.0
WAIT_S: Final = 10.0
WAIT_MAX_S: Final = 80.0
# If a pause begins less than this time in s after the end of the previous pause, it ends only after the sound has been
# good for twice as long as was needed to end the previous pause (at most WAIT_MAX_S).
PROVEN_S: Final = 30.0


def is_weak(sound_loss: float | None, rtt_ms: float | None, picture_kbps: float) -> bool | None:
    """Return True if the sound suffers although the pictures cannot become smaller; None without a report on sound.

    `sound_loss`: the share (0 to 1) of lost sound in the receiver's newest report, None without a report. `rtt_ms`: the
    round trip to the receiver, None if unknown. `picture_kbps`: the bit rate of pictures that reaches the receiver, 0
    while they are paused. Lost packets alone are no sign of a weak network: some networks lose a fifth of all packets
    at every bit rate, and lost sound and pictures are sent again.
    """
    if sound_loss is None:
        return None
    return picture_kbps <= FLOOR_KBPS and (
        sound_loss > SOUND_LOSS or (rtt_ms is not None and rtt_ms > RTT_MS)
    )


class PicturePause:
    """Decides whether the pictures to one receiver are paused; `paused` is the decision.

    A pause begins after WEAK_S of a weak network, and ends after sound has arrived well for a certain time. This time
    is WAIT_S at first. It is doubled, up to WAIT_MAX_S, if a pause begins less than PROVEN_S after the end of the
    previous pause.
    """

    __slots__ = ("_resumed_s", "_since_s", "_wait_s", "paused")

    def __init__(self) -> None:
        self.paused = False
        # While pictures are sent: the time in s at which the network became weak; None if it is not weak. During a
        # pause: the time in s at which the network became good; None if it is not good.
        self._since_s: float | None = None
        self._resumed_s: float | None = None
        self._wait_s = WAIT_S

    def look(self, weak: bool | None, now_s: float) -> bool:
        """Update `paused` with `weak`, the newest result of `is_weak`; return True if `paused` has changed.

        Call once a second. `now_s`: the monotonic time.
        """
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
    """Return the next limit of a sender's video in a room of two, in kbit/s; None if no limit is needed.

    `kbps`: the previous limit, None if there was none. `paused`: True while the receiver gets no pictures. Then the
    limit is FLOOR_KBPS, so that the video has a low bit rate when it is sent again. After the pause, each call raises
    the limit. Call every LIMIT_S.
    """
    if paused:
        return FLOOR_KBPS
    if kbps is None or kbps >= WHOLE_KBPS:
        return None
    return min(WHOLE_KBPS, kbps * GROWTH)
