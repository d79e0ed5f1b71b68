"""The error codes and close codes of PROTOCOL.md, each with its text. Does no I/O."""

from __future__ import annotations

from typing import Any, Final

from signalling.protocol.server_messages import Error

TEXTS: Final = {
    "bad_message": "This is not a message of the protocol.",
    "hello_first": "Say hello first.",
    "not_signed_in": "You are not signed in here. Please sign in again.",
    "too_many_sockets": "Too many pages are open. Close some of them, or try again in a moment.",
    "not_allowed": "You may not do this.",
    "not_found": "There is no such visit here.",
    "wrong_status": "This visit has moved on; that is no longer possible.",
    "already_claimed": "Someone else has claimed this visit.",
    "not_on_call": "Go On-Call first.",
    "other_area": "This request is in a waiting area in which you do not work.",
    "in_session": "End or return your live session first.",
    "front_desk": "The front desk looks at this request first.",
    "not_licensed": "You are not licensed where this patient is.",
    "at_capacity": "All places for calls are taken. The patient keeps the place in line. Try again in a moment.",
    "invalid_answer": "This answer cannot be kept.",
    "guide_incomplete": "Some steps of the setup guide are still open.",
    "bad_sdp": "The media description cannot be used.",
    "room_full": "There is no place left in this session.",
    "limit_reached": "No more can be kept in this visit.",
    "too_often": "Please wait a moment before you try again.",
    "no_room": "Join the session's media first.",
    "unavailable": "The server cannot save right now. Please try again in a moment.",
    "resume_expired": "The connection was gone for too long.",
    "resume_ended": "This connection was closed.",
    "resume_invalid": "There is no such connection.",
}
"""Error code -> the sentence for people. The codes do not change."""

CLOSE_CODES: Final[dict[int, str]] = {
    1000: "the client sent `bye`",
    1001: "this worker is about to stop, or has too many sockets: reconnect within 2 s, at a random time",
    1002: "a frame of the client broke RFC 6455",
    1006: "no close frame arrived: the network failed, or the server closed a silent or slow connection",
    1007: "text of the client was not UTF-8",
    1009: "a message of the client was larger than 64 KiB",
    1011: "the server failed to handle a message of the client",
    4002: "the client reads too slowly: more than 1 MiB is unsent; clients see 1006, as no close frame arrives",
    4003: "no `hello` within 5 s, or another message before it",
    4004: "10 bad messages",
    4005: "too many messages (over 200 at once or 50/s), frames (over 2,000 or 4 MiB in 10 s) or wrong resume tokens",
    4006: "too many sockets of this person or from this address; those that are open stay open",
    4201: "the person signed out, or the account was closed or changed",
    4202: "the person is not signed in for that role",
    4203: "a newer socket has resumed this connection",
}
"""Close code -> the reason for which the socket is closed, as in PROTOCOL.md."""


def error(reply_to: int | None, code: str, details: dict[str, Any] | None = None) -> Error:
    """Return the error message with this code, and with its text for people. Raises KeyError if the code is not in
    TEXTS.

    `reply_to`: the id of the request, None if it is not known. `details`: more about the error, for programs.
    """
    details = details or {}
    text = TEXTS[code]
    if code == "already_claimed" and "by" in details:
        text = f"{details['by']['name']} has claimed this visit."
    if code == "invalid_answer" and "problem" in details:
        text = f"This answer {details['problem']}."
    return Error(reply_to=reply_to, code=code, text=text, details=details)
