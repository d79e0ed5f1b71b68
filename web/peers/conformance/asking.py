"""Checks a server's answers to requests and to malformed messages, and its limits for one client."""

from __future__ import annotations

import contextlib
from typing import Any

from web.peers.conformance.checked_socket import CheckedSocket
from web.peers.conformance.people import People
from web.peers.conformance.table import check
from web.peers.errors import ViolationError

MOST_BAD, BURST, MESSAGE_BYTES = 10, 200, 65_536
FLOOD_S = 15.0


@check("requests", "ids from 0 to 2^53 come back as reply_to", "connection", codecs=True)
async def ids(people: People) -> None:
    line = await people.staff()
    for request_id in (0, 2**31, 2**53, 77):
        await line.send({"type": "ping", "id": request_id})
        answer = await line.answer(request_id)
        line.want(answer["type"] == "pong", "`pong`", answer)


@check("requests", "many at once are each answered once, in order", "connection", codecs=True)
async def in_order(people: People) -> None:
    line = await people.staff()
    asked = list(range(100, 140))
    for request_id in asked:
        await line.send({"type": "ping", "id": request_id})
    answered = [(await line.receive("40 answers"))["reply_to"] for _ in asked]
    line.want(answered == asked, f"answers to {asked[0]} … {asked[-1]} in that order", answered)
    await line.quiet("exactly one answer to each request")


@check("requests", "an unknown type is a bad message, and the socket stays open", "connection", codecs=True)
async def unknown_type(people: People) -> None:
    line = await people.staff()
    await line.refused("bad_message", "no.such.request")
    await line.get("ping", "pong")


@check(
    "requests",
    "a field that the document does not have is a bad message; a “from” is never read",
    "connection",
)
async def unknown_field(people: People) -> None:
    line = await people.staff()
    await line.refused("bad_message", "on_call", on=True, **{"from": "u_boss"})
    await line.refused("bad_message", "ping", pad="x")
    await line.get("ping", "pong")


@check("requests", "missing and malformed fields are bad messages that say where", "connection", codecs=True)
async def malformed(people: People) -> None:
    line = await people.staff()
    wrong: tuple[tuple[str, dict[str, Any]], ...] = (
        ("visit.claim", {}),
        ("visit.claim", {"visit": 7}),
        ("on_call", {"on": "yes"}),
        ("subscribe", {"topic": ""}),
        ("media.mute", {"visit": "v", "kind": "smell", "muted": True}),
        ("chat.send", {"visit": "v", "text": "x" * 2001}),
    )
    for kind, fields in wrong:
        details = await line.refused("bad_message", kind, **fields)
        line.want(isinstance(details.get("path"), str), "`details.path`", details)


@check(
    "requests", "a message whose id cannot be read is answered with reply_to null", "connection", codecs=True
)
async def no_id(people: People) -> None:
    line = await people.staff()
    for message in ({"type": "ping"}, {"type": "ping", "id": "7"}, {"type": "ping", "id": -1}, [1, 2]):
        await line.send_frame(line.encoded(message), text=line.codec.text, shown=message)
        line.is_error(await line.answer(None), "bad_message")
    await line.send_frame(b"\xc1" if not line.codec.text else b"{", text=line.codec.text)
    line.is_error(await line.answer(None), "bad_message")
    await line.get("ping", "pong")


@check("requests", "frames of the other kind are bad messages", "connection", codecs=True)
async def other_frames(people: People) -> None:
    line = await people.staff()
    await line.send_frame(b'{"type":"ping","id":1}', text=not line.codec.text)
    line.is_error(await line.answer(None), "bad_message")
    await line.get("ping", "pong")


@check("requests", "what a person may not do is refused, and what they may not see does not exist", "errors")
async def not_allowed(people: People) -> None:
    patient, line = await people.in_line()
    await line.refused("not_allowed", "on_call", on=True)
    await line.refused("not_allowed", "visit.claim", visit=patient.visit)
    await line.refused("not_allowed", "sessions.past")
    await line.refused("not_allowed", "visit.history", visit=patient.visit)
    staff = await people.staff()
    answer = await staff.ask("visit.claim", visit="v_nosuchvisit")
    staff.is_error(answer, "not_found")
    await staff.refused("not_found", "visit.history", visit="v_nosuchvisit")
    await staff.refused("not_found", "chat.send", visit="v_nosuchvisit", text="Hello?")


@check("limits", "nine bad messages are forgiven, the tenth closes with 4004", "close-codes", codecs=True)
async def bad_messages(people: People) -> None:
    line = await people.staff()
    for _ in range(MOST_BAD - 1):
        await line.refused("bad_message", "no.such.request")
    await line.get("ping", "pong")
    await line.send({"type": "no.such.request", "id": 9000})
    await line.closes(4004)


@check("limits", "a message of 64 KiB is read, one above closes with 1009", "connection", codecs=True)
async def large(people: People) -> None:
    line = await people.staff()
    await line.refused("bad_message", "ping", pad="x" * (MESSAGE_BYTES - 200))
    await flood(line, [{"type": "ping", "id": 9000, "pad": "x" * (MESSAGE_BYTES + 200)}])
    await line.closes(1009)


@check("limits", "a flood is closed with 4005; 200 at once are not one", "close-codes")
async def flooded(people: People) -> None:
    line = await people.staff()
    await flood(line, [{"type": "ping", "id": n} for n in range(1000, 1000 + BURST - 5)])
    for _ in range(BURST - 5):
        await line.receive("an answer to each of 195 pings at once")
    await flood(line, [{"type": "ping", "id": n} for n in range(5000, 5000 + 2 * BURST)])
    await line.closes(4005, within_s=FLOOD_S)


async def flood(line: CheckedSocket, messages: list[dict[str, Any]]) -> None:
    """Send all of these messages at once; ignore the error if the server closes the socket meanwhile."""
    with contextlib.suppress(ViolationError):
        for message in messages:
            await line.send(message)
    line.sent = (
        f"{len(messages)} messages at once, such as {messages[0]['type']}" if len(messages) > 1 else line.sent
    )
