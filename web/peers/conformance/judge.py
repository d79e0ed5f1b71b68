"""Defines the rules for clients, and records the first fault of a client against each rule.

`endpoint.py` plays the server and reports its observations. If a rule could not be observed, its outcome is called
`not told`, and a reason is given.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from web.peers.conformance.table import Outcome
from web.peers.errors import ViolationError


class Rule(NamedTuple):
    """A rule for clients. `needs`: the reason to print if the rule could not be observed."""

    room: str
    name: str
    section: str
    needs: str


NEEDS_TOPIC: Final = "the client held no topic: let it subscribe to one"
NEEDS_RETURN: Final = "the client did not come back"
NEEDS_NACK: Final = "it offered no NACK, or sent no sound or picture"
NEEDS_MEDIA: Final = "it did not join the media, or did not connect"

RULES: Final[dict[str, Rule]] = {
    "subprotocol": Rule(
        "connection", "it offers a subprotocol of version 1", "connection", "it did not connect"
    ),
    "origin": Rule("connection", "it sends an Origin", "connection", "it did not connect"),
    "secret": Rule("connection", "the private token is in no address", "hello-and-welcome", NEEDS_RETURN),
    "hello": Rule("hello", "it says hello first, within 5 s", "hello-and-welcome", "it did not connect"),
    "waits": Rule(
        "hello", "it says nothing more until it is welcomed", "hello-and-welcome", "it said no hello"
    ),
    "shape": Rule("requests", "what it says is as the reference has it", "reference", "it said no hello"),
    "ids": Rule("requests", "ids are unique on a socket", "connection", "it said no hello"),
    "pong": Rule("connection", "it answers WebSocket pings", "connection", "it said no hello"),
    "tolerant": Rule(
        "connection", "it ignores messages and fields that it does not know", "versions", NEEDS_TOPIC
    ),
    "stale": Rule("topics", "it drops what is not above the version it holds", "topics", NEEDS_TOPIC),
    "epoch": Rule(
        "topics", "it takes a new epoch’s whole state, though its version is lower", "topics", NEEDS_TOPIC
    ),
    "again": Rule("topics", "it asks for its topics again when it is back", "resume", NEEDS_TOPIC),
    "drains": Rule("return", "after 1001 it is back within 2 s", "close-codes", "it said no hello"),
    "back": Rule(
        "return", "it comes back when its socket is lost", "close-codes", "it did not come back after 1001"
    ),
    "token": Rule("return", "it comes back with the token of its last welcome", "resume", NEEDS_RETURN),
    "anew": Rule(
        "return",
        "a refused token is followed by hello without one, on the same socket",
        "resume",
        NEEDS_RETURN,
    ),
    "backoff": Rule(
        "return", "it tries again, with pauses, where the server cannot serve", "close-codes", NEEDS_RETURN
    ),
    "away": Rule("return", "after 4201 it stays away", "close-codes", NEEDS_RETURN),
    "repeats": Rule(
        "requests",
        "what may not be repeated is not sent again by itself",
        "errors",
        "it sent no chat.send or visit.invite",
    ),
    "media": Rule("media", "it answers an offer with SDP that can be used", "media", NEEDS_MEDIA),
    "connects": Rule("media", "it connects within 10 s of its answer", "media", NEEDS_MEDIA),
    "consent": Rule("media", "it goes on checking consent (RFC 7675)", "media", NEEDS_MEDIA),
    "framing": Rule(
        "media", "over TCP each packet has its length before it (RFC 4571)", "media", "it used no TCP"
    ),
    "red": Rule("media", "its RED is well formed (RFC 2198)", "media", "it sent no RED"),
    "nack": Rule("media", "it sends again what it says it keeps (NACK)", "media", NEEDS_NACK),
}


class Judge:
    """Records the results of one client. Only the first fault against a rule counts."""

    def __init__(self) -> None:
        self.faults: dict[str, ViolationError] = {}
        self.seen: set[str] = set()

    def kept(self, rule: str) -> None:
        """Record that the client followed this rule."""
        self.seen.add(rule)

    def wrong(self, rule: str, expected: str, got: object, sent: object = "") -> None:
        """Record that the client broke this rule.

        `expected`: what the rule requires; `got`: what the client did; `sent`: what had been sent to the client
        before.
        """
        self.faults.setdefault(rule, ViolationError(expected, got, sent))

    def holds(self, rule: str, holds: bool, expected: str, got: object, sent: object = "") -> None:
        """Record whether the client followed a rule: call `kept` if `holds` is true, otherwise `wrong`.

        `expected`: what the rule requires; `got`: what the client did; `sent`: what had been sent to the client before.
        """
        if holds:
            self.kept(rule)
        else:
            self.wrong(rule, expected, got, sent)

    def outcomes(self) -> list[Outcome]:
        """Return the outcome of each rule for clients: followed, broken, or not observed."""
        return [
            Outcome(
                rule.room,
                rule.name,
                rule.section,
                self.faults.get(key),
                "" if key in self.seen or key in self.faults else rule.needs,
            )
            for key, rule in RULES.items()
        ]
