"""Counts what a relay does with packets, and logs its unexpected errors at most once a minute."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

logger = logging.getLogger(__name__)
LOG_S = 60.0
"""The time in s in which a relay logs an unexpected error at most once."""


@dataclass(slots=True)
class Counters:
    """Counts the packets and the errors of a relay since it opened.

    `forwarded_octets`: the number of bytes in all forwarded packets, as they were received.
    """

    received: int = 0
    forwarded: int = 0
    forwarded_octets: int = 0
    # packets not forwarded: the gate was closed, the kind of media was not allowed, or no keyframe had come yet
    withheld: int = 0
    # packets that exceeded the endpoint's budget, were unknown or malformed, or were refused by the kernel
    dropped: int = 0
    strays: int = 0  # packets from an address without an ICE check with the right password
    unauthentic: int = 0  # packets whose authentication by SRTP failed
    replayed: int = 0
    rtcp: int = 0
    stun: int = 0
    dtls: int = 0
    faults: int = 0  # unexpected errors of the server's own code
    log_due_s: float = 0.0  # the monotonic time from which such an error is logged again

    def fault(self) -> None:
        """Count the error that is being handled, and log it with its traceback, at most one in LOG_S.

        A party may cause such an error with each of its packets.
        """
        self.faults += 1
        now_s = time.monotonic()
        if now_s >= self.log_due_s:
            self.log_due_s = now_s + LOG_S
            logger.exception("media.fault", extra={"faults": self.faults})
