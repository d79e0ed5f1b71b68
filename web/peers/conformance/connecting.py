"""Checks how a server handles the upgrade to WebSocket, hello, resume and keep-alive.

A check raises ViolationError if the server breaks the rule, and UntestableError if the check cannot find out whether
the server keeps the rule.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp

from signalling.protocol.codec import JSON_SUBPROTOCOL
from web.peers.conformance.checked_socket import ABNORMAL, CheckedSocket
from web.peers.conformance.people import People
from web.peers.conformance.table import check
from web.peers.errors import UntestableError, ViolationError
from web.peers.people.entry import Browser

HELLO_S, PINGS_S, DEAD_S = 5.0, 25.0, 37.5
SLACK_S = 3.0
TOO_MANY = 4005


@check("connection", "a page of another origin gets 403 instead of the upgrade", "connection")
async def foreign(people: People) -> None:
    for headers in ({"Origin": "https://attacker.example"}, {}):
        try:
            await people.open(None, headers=headers)
        except ViolationError as refused:
            if refused.got != "HTTP 403":
                raise ViolationError(
                    "HTTP 403", refused.got, {"Origin": headers.get("Origin", "none")}
                ) from None
        else:
            raise ViolationError("HTTP 403", "HTTP 101", {"Origin": headers.get("Origin", "none")})


@check("connection", "a client that offers no subprotocol is spoken to in JSON", "connection")
async def no_subprotocol(people: People) -> None:
    line = await people.open(people.staff_browser(), JSON_SUBPROTOCOL, protocols=())
    line.want(line.ws.protocol is None, "no subprotocol in the answer", line.ws.protocol)
    await line.get("hello", "welcome", role="staff")


@check("connection", "messages are not compressed, even where the client offers it", "connection")
async def uncompressed(people: People) -> None:
    line = await people.open(people.staff_browser(), compress=15)
    line.want(not line.ws.compress, "an answer without permessage-deflate", "permessage-deflate")


@check(
    "hello", "welcome has the connection, its private token, and who speaks", "hello-and-welcome", codecs=True
)
async def welcome(people: People) -> None:
    line = await people.staff()
    welcome = line.welcome
    line.want(welcome["resumed"] is False, "`resumed` false", welcome)
    line.want(welcome["me"]["role"] in ("provider", "admin"), "`me.role` provider or admin", welcome)
    line.want(
        welcome["connection"] != welcome["resume"], "a private token that is not the public id", welcome
    )
    line.want(
        abs(welcome["server_ms"] / 1000 - time.time()) < 366 * 86_400, "`server_ms` in ms since 1970", welcome
    )
    patient, line = await people.in_line()
    line.want(line.welcome["me"]["role"] == "patient", "`me.role` patient", line.welcome)
    line.want(bool(line.welcome["visit"]), "`visit` names the patient’s visit", line.welcome)
    del patient


@check(
    "hello", "whoever is not signed in for that role is told so, and closed with 4202", "hello-and-welcome"
)
async def nobody(people: People) -> None:
    for role in ("patient", "staff", "guest"):
        line = await people.open(Browser(people.clinic))
        await line.refused("not_signed_in", "hello", role=role)
        await line.closes(4202)
    line = await people.open(people.staff_browser())
    await line.refused("not_signed_in", "hello", role="patient")
    await line.closes(4202)


@check("hello", "anything before hello is answered, and closed with 4003", "hello-and-welcome", codecs=True)
async def before_hello(people: People) -> None:
    refusals: tuple[tuple[dict[str, Any], str], ...] = (
        ({"type": "ping", "id": 7}, "hello_first"),
        ({"type": "subscribe", "id": 7, "topic": "queue"}, "hello_first"),
        ({"type": "hello", "id": 7, "role": "somebody"}, "bad_message"),
        ({"type": "hello", "id": 7, "role": "staff", "from": "u_boss"}, "bad_message"),
    )
    for message, code in refusals:
        line = await people.open(people.staff_browser())
        await line.send(message)
        line.is_error(await line.answer(7), code)
        await line.closes(4003)


@check("hello", "a socket that says nothing for 5 s is closed with 4003", "hello-and-welcome", waits=True)
async def silent(people: People) -> None:
    line = await people.open(people.staff_browser())
    await line.closes(4003, within_s=HELLO_S + SLACK_S)


@check("hello", "a second hello is a bad message, and the socket stays open", "hello-and-welcome")
async def second_hello(people: People) -> None:
    line = await people.staff()
    await line.refused("bad_message", "hello", role="staff")
    await line.get("ping", "pong")


# --- checks of resuming a connection after its socket was lost


async def lost(people: People, number: int = 0) -> CheckedSocket:
    """Connect a member of staff, cut the TCP connection without a close frame, and return the lost socket.

    `number`: which member, from 0.
    """
    line = await people.staff(number)
    await line.vanish()
    return line


@check("resume", "a connection that lost its socket is the same connection again", "resume", codecs=True)
async def resumed(people: People) -> None:
    before = await lost(people)
    after = await people.hello(people.staff_browser(), "staff", resume=before.welcome["resume"])
    after.want(after.welcome["resumed"] is True, "`resumed` true", after.welcome)
    same = after.welcome["connection"] == before.welcome["connection"]
    after.want(same, f"`connection` {before.welcome['connection']}", after.welcome)
    await after.get("ping", "pong")


@check("resume", "resuming a connection whose socket stands closes that socket with 4203", "resume")
async def taken_over(people: People) -> None:
    older = await people.staff()
    newer = await people.hello(people.staff_browser(), "staff", resume=older.welcome["resume"])
    newer.want(newer.welcome["resumed"] is True, "`resumed` true", newer.welcome)
    older.sent = f"(on a newer socket) {newer.sent}"
    await older.closes(4203)


async def refused_resume(people: People, token: str, number: int, *codes: str) -> None:
    """Check that the server refuses to resume with `token`, and then accepts hello without a token on the same socket.

    `number`: which member of staff, from 0; `codes`: the allowed codes of the refusal. Raises UntestableError if the
    server accepts no further tokens from this address for now.
    """
    line = await people.open(people.staff_browser(number))
    line.is_error(await line.ask("hello", role="staff", resume=token), *codes)
    try:
        again = await line.get("hello", "welcome", role="staff")
    except ViolationError:
        if line.ws.close_code != TOO_MANY:
            raise
        raise UntestableError(
            "too many wrong tokens came from this address; ask again in half an hour"
        ) from None
    line.want(again["resumed"] is False, "`resumed` false on hello without a token", again)


@check("resume", "a public id is no token", "resume")
async def public_id(people: People) -> None:
    line = await lost(people)
    await refused_resume(people, line.welcome["connection"], 0, "resume_invalid")


@check("resume", "a token that somebody made up is refused", "resume")
async def made_up(people: People) -> None:
    token = (await lost(people)).welcome["resume"]
    middle = len(token) // 2
    altered = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
    for wrong in (altered, "r_" + "A" * 46):
        await refused_resume(people, wrong, 0, "resume_invalid")


@check("resume", "another person’s token is refused", "resume")
async def anothers(people: People) -> None:
    people.staff_browser(1)
    token = (await lost(people)).welcome["resume"]
    await refused_resume(people, token, 1, "resume_invalid")


@check("bye", "bye closes with 1000, and its connection cannot be resumed", "bye", codecs=True)
async def bye(people: People) -> None:
    line = await people.staff()
    await line.send({"type": "bye", "id": 99})
    await line.closes(1000)
    # The attempt to resume is repeated, because the server may need a moment to end the connection after `bye`.
    for _ in range(20):
        again = await people.open(people.staff_browser())
        answer = await again.ask("hello", role="staff", resume=line.welcome["resume"])
        if answer["type"] == "error":
            again.is_error(answer, "resume_ended")
            return
        await again.close()
        await asyncio.sleep(0.05)
    raise ViolationError("an error `resume_ended`", answer, again.sent)


# --- checks of pings, which keep a silent connection open


@check("connection", "the server pings a silent socket every 25 s", "connection", waits=True, slow=True)
async def pings(people: People) -> None:
    line = await people.staff(autoping=False)
    try:
        async with asyncio.timeout(PINGS_S + SLACK_S):
            while (await line.ws.receive()).type is not aiohttp.WSMsgType.PING:
                pass
    except TimeoutError:
        raise ViolationError(
            f"a ping within {PINGS_S:g} s", f"none within {PINGS_S + SLACK_S:g} s", "(nothing)"
        ) from None


@check("connection", "a peer that answers no ping is given up", "connection", waits=True, slow=True)
async def unanswered(people: People) -> None:
    line = await people.staff(autoping=False)
    try:
        async with asyncio.timeout(DEAD_S + 2 * SLACK_S):
            while (frame := await line.ws.receive()).type in (aiohttp.WSMsgType.PING, aiohttp.WSMsgType.TEXT):
                pass
    except TimeoutError:
        raise ViolationError(f"an end after {DEAD_S:g} s", "an open socket", "(no pong)") from None
    line.want(frame.type is not aiohttp.WSMsgType.BINARY, f"an end ({ABNORMAL} or a close)", frame.type.name)


@check("connection", "a client’s WebSocket ping is answered", "connection", codecs=True)
async def pong(people: People) -> None:
    line = await people.staff(autoping=False)
    await line.ws.ping(b"here?")
    try:
        async with asyncio.timeout(SLACK_S):
            while (frame := await line.ws.receive()).type is not aiohttp.WSMsgType.PONG:
                pass
    except TimeoutError:
        raise ViolationError("a pong (RFC 6455 §5.5.3)", "none", "a ping with `here?`") from None
    line.want(bytes(frame.data) == b"here?", "a pong with the ping’s data", frame.data)
