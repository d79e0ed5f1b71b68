"""Pauses the pictures to a receiver whose network is too weak, and limits the bit rate of video that senders send.

Reads the RTCP reports of receivers, and sends senders their limits (REMB). The decisions are in `picture_pause.py` and
`subscriptions.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from media.events import PicturePaused
from media.forwarding.endpoint import Endpoint
from media.forwarding.picture_pause import is_weak, next_limit
from media.forwarding.subscriptions import limit_kbps
from media.party import Party
from media.protocols import rtcp

# the time in s between two checks whether a receiver's network is too weak for pictures
LOOK_S: Final = 1.0
# the time in s after which the limit of a sender's bit rate of video is calculated again and sent to the sender
LIMIT_S: Final = 0.5


class Pictures:
    """Pauses pictures and limits their bit rate in the rooms of a relay.

    `send_rtcp` is the method of `Forwarder` with this name.
    """

    def __init__(self, send_rtcp: Callable[[Endpoint, bytes], None]) -> None:
        self._send_rtcp = send_rtcp

    def tick(self, party: Party, now_s: float) -> None:
        """Do the work that is due for a party: pause or resume the pictures to it, and limit the video that it sends.

        The first is due every LOOK_S, the second every LIMIT_S. Called every 50 ms. `now_s`: the monotonic time.
        """
        endpoint = party.endpoint
        if now_s - endpoint.looked_s >= LOOK_S:
            endpoint.looked_s = now_s
            if endpoint.pause.look(_weak(endpoint, now_s), now_s):
                party.room.reroute()
                party.notify(PicturePaused(endpoint.pause.paused))
        if now_s - endpoint.limited_s >= LIMIT_S:
            endpoint.limited_s = now_s
            self._limit(endpoint, len(party.room.parties), now_s)

    def _limit(self, endpoint: Endpoint, parties: int, now_s: float) -> None:
        """Limit the bit rate of the video that an endpoint sends; in a room of more than two, also choose the layers
        of this video for each receiver.

        `parties`: the number of parties in the room. `now_s`: the monotonic time.
        """
        video = endpoint.current.get("video")
        if video is None:
            return
        if endpoint.subscribers:
            if video.shares is not None:
                video.shares.sample(now_s)
            for subscription in endpoint.subscribers.values():
                subscription.choose_layers()
            endpoint.limit_kbps = limit_kbps(endpoint, parties)
        else:
            paused = endpoint.peer is not None and endpoint.peer.pause.paused
            endpoint.limit_kbps = next_limit(endpoint.limit_kbps, paused)
        if endpoint.limit_kbps is not None:
            self._send_rtcp(
                endpoint, rtcp.bitrate_limit(endpoint.sinks["video"].ssrc, video.ssrc, endpoint.limit_kbps)
            )


def _weak(endpoint: Endpoint, now_s: float) -> bool | None:
    """Return True if a receiver's network is too weak for pictures, False if not; None if that is not known.

    Without sound the result is False, because pictures cannot harm the sound then. `now_s`: the monotonic time.
    """
    received = [
        (subscription.current, subscription.estimate.kbps)
        for other in endpoint.subscribers
        if (subscription := other.subscribers.get(endpoint)) is not None and subscription.open
    ]
    if endpoint.peer is not None and endpoint.gate:
        lost = endpoint.meter.loss("video", now_s) or 0.0
        received = [(endpoint.peer.current, endpoint.peer.meter.kbps("video") * (1 - lost))]
    if not received or not endpoint.ready:
        return None
    sounds = [current["audio"] for current, _ in received if "audio" in current]
    if not any(sound.forward for sound in sounds):
        return False
    kbps = 0.0 if endpoint.pause.paused else min(kbps for _, kbps in received)
    return is_weak(endpoint.meter.loss("audio", now_s), endpoint.meter.rtt_ms, kbps)
