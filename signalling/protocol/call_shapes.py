"""Types for the quality figures of a call, which are maps inside the server's messages.

Does no I/O; the other maps are defined in `shapes.py`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from signalling.protocol.shapes import Name, Part


class UsualPart(Part, frozen=True, kw_only=True):
    """A measured figure of a call, such as the round trip: its usual value, and the value that it exceeds in 5 % of the
    time.
    """

    usual: Annotated[float, Meta(description="the median; of lost packets, the share over the whole call")]
    worse: Annotated[float, Meta(description="the value that is exceeded in the worst twentieth of the time")]


class CallPart(Part, frozen=True, kw_only=True):
    """The quality of one party's call: how long the party was connected, and the figures for lost packets, round
    trip and video.
    """

    party: Annotated[str, Meta(description="the party's key")]
    name: Name
    connected_ms: Annotated[
        int, Meta(description="how long the party was connected while the visit was live")
    ]
    interruptions: Annotated[int, Meta(description="how often the party's connection was lost")]
    heard_lost: Annotated[
        UsualPart | None,
        Meta(description="packets lost on the way to the party, in percent; null if unknown"),
    ]
    sent_lost: Annotated[
        UsualPart | None,
        Meta(description="packets lost on the way from the party, in percent; null if unknown"),
    ]
    round_trip_ms: Annotated[
        UsualPart | None, Meta(description="the round trip to the server, in ms; null if unknown")
    ]
    picture_kbps: Annotated[
        UsualPart | None, Meta(description="the video sent to the party, in kbit/s; null if unknown")
    ]
