"""The wire names of message types, and the small types that client and server messages share. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

RequestId = Annotated[int, Meta(ge=0, le=2**53)]
Id = Annotated[str, Meta(min_length=1, max_length=80)]
Epoch = Annotated[str, Meta(max_length=80)]  # "" if the organisation has no event yet
Topic = Annotated[str, Meta(min_length=1, max_length=120)]
Sdp = Annotated[str, Meta(max_length=32_768)]
Relation = Literal["interpreter", "family", "specialist", "trainee"]


def tag(name: str) -> str:
    """Return the wire name of a message class: `VisitSave` is `visit.save`, `OnCall` is `on_call`."""
    return _TAGS.get(name) or name.lower()


_TAGS = {
    "OnCall": "on_call",
    **{
        f"{room}{word}": f"{room.lower()}.{snake}"
        for room, words in {
            "Visit": "Save Finish Withdraw HangUp Claim Release End Enter Leave Start State "
            "Assign Unassign Decline Transfer Reopen Invite Dismiss History",
            "Media": "Join Answer Restart Mute Offer Muted TakenOver Gone",
            "Queue": "Snapshot Row Gone Staff",
            "Sessions": "Snapshot Row Gone Past",
            "Bell": "Snapshot Item Mark Marked",
            "Chat": "Snapshot Line Send",
            "Case": "State",
            "Place": "State",
        }.items()
        for word in words.split()
        for snake in ["".join(f"_{c.lower()}" if c.isupper() else c for c in word).lstrip("_")]
    },
}
