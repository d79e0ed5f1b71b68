"""A proxy for tests, which changes messages between the real server and its clients to break the protocol.

It makes one fault at a time, and handles JSON frames only. The attribute `fault` has the name of this fault.
`FAULTS` has a small function for each fault.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict

Message = dict[str, Any]


class Broken:
    """A proxy that breaks the protocol; use it by `async with`.

    With an empty `fault` it changes nothing. It also serves `files` (name -> content) below the path /our/.
    """

    def __init__(self, origin: str, files: Mapping[str, str] | None = None) -> None:
        self.origin = origin
        self.files = files or {}
        self.fault = ""
        # the token that the client gets instead of the real token -> the real token
        self.tokens: dict[str, str] = {}
        self.ended: set[str] = set()
        self.asked: dict[int | None, Message] = {}
        """Request id -> request, of the client whose message from the server is now changed."""
        self._last: dict[str, int] = {}
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._pass)
        self.server = TestServer(app)

    async def __aenter__(self) -> Broken:
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        await self.server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()
        await self.http.close()

    @property
    def url(self) -> str:
        """The address of the demo organisation, through this proxy."""
        return str(self.server.make_url("/demo"))

    @property
    def origin_here(self) -> str:
        """The origin of this proxy, which takes the place of the server's origin."""
        return str(self.server.make_url("")).rstrip("/")

    def _headers(self, request: web.Request) -> dict[str, str]:
        kept = {k: v for k, v in request.headers.items() if k in ("Cookie", "Content-Type", "Origin")}
        if (
            "Origin" in kept
            and (
                self.fault == "takes any origin"
                or kept["Origin"] == str(self.server.make_url("")).rstrip("/")
            )
        ) or self.fault == "takes any origin":
            kept["Origin"] = self.origin
        return kept

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade") == "websocket":
            return await self._socket(request)
        name = request.path.rpartition("/")[2]
        if request.path.startswith("/our/") and name in self.files:
            kind = "text/javascript" if name.endswith(".js") else "text/html"
            return web.Response(text=self.files[name], content_type=kind)
        if self.fault == "a link that never ends" and "/join/" in request.path:
            if request.path in self.ended:
                return web.Response(status=303, headers={"Location": "/demo/guest"})
            self.ended.add(request.path)
        if self.fault == "asks for a code" and request.path.endswith("/sign-in"):
            return web.Response(status=303, headers={"Location": "/demo/staff/code"})
        async with self.http.request(
            request.method,
            self.origin + request.path_qs,
            headers=self._headers(request),
            data=await request.read(),
            allow_redirects=False,
        ) as answer:
            headers = [
                (k, v) for k, v in answer.headers.items() if k in ("Set-Cookie", "Location", "Content-Type")
            ]
            return web.Response(status=answer.status, body=await answer.read(), headers=CIMultiDict(headers))

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        try:
            there = await self.http.ws_connect(
                self.origin + request.path,
                protocols=("greenroom.v1.json",),
                headers=self._headers(request),
                max_msg_size=0,
            )
        except aiohttp.WSServerHandshakeError as refused:
            return web.Response(status=refused.status)
        here = web.WebSocketResponse(protocols=("greenroom.v1.json",), max_msg_size=0, compress=False)
        await here.prepare(request)
        alter = FAULTS.get(self.fault)

        asked: dict[int | None, Message] = {}

        async def up() -> None:
            async for frame in here:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    await there.send_str(self.rise(frame.data, asked))
                else:
                    await there.send_bytes(frame.data)
            await there.close()

        task = asyncio.create_task(up())
        async for frame in there:
            message = json.loads(frame.data)
            if message["type"] == "welcome":
                self.tokens[message["connection"]] = message["resume"]
            self.asked = asked
            for altered in alter(self, message) if alter is not None else [message]:
                await here.send_str(altered if isinstance(altered, str) else json.dumps(altered))
        code = there.close_code or 1000
        await here.close(
            code=1000 if self.fault == "closes with 1000 always" else code if code != 1006 else 1011
        )
        task.cancel()
        return here

    def answers(self, message: Message) -> Message:
        """Return the request to which a message of the server is the answer; {} if it is no answer."""
        return self.asked.get(message.get("reply_to"), {})

    def rise(self, text: str, asked: dict[int | None, Message]) -> str:
        """Return the client's message `text`, changed if the present fault changes messages of clients.

        A request is also recorded in `asked`.
        """
        try:
            message = json.loads(text)
        except ValueError:
            return text
        if isinstance(message, dict) and isinstance(message.get("id"), int):
            asked[message["id"]] = message
        if (
            self.fault == "takes a public id"
            and isinstance(message, dict)
            and message.get("resume") in self.tokens
        ):
            message["resume"] = self.tokens[message["resume"]]
        elif self.fault == "takes unknown fields" and isinstance(message, dict):
            message = {k: v for k, v in message.items() if k not in ("from", "pad")}
        else:
            return text
        return json.dumps(message)


def _without(field: str, kind: str) -> Callable[[Broken, Message], list[Any]]:
    def alter(_: Broken, message: Message) -> list[Any]:
        return [{k: v for k, v in message.items() if k != field} if message["type"] == kind else message]

    return alter


def _with(kind: str, **fields: Any) -> Callable[[Broken, Message], list[Any]]:
    def alter(_: Broken, message: Message) -> list[Any]:
        return [{**message, **fields} if message["type"] == kind else message]

    return alter


def _same_version(broken: Broken, message: Message) -> list[Any]:
    if message["type"] == "queue.row":
        message = {**message, "version": broken._last.setdefault("queue", message["version"])}
    return [message]


def _twice(_: Broken, message: Message) -> list[Any]:
    return [message, message] if message["type"] == "pong" else [message]


def _instead(text: str) -> Callable[[Broken, Message], list[Any]]:
    """Return a function that replaces each `pong` by a text frame with this text."""

    def alter(_: Broken, message: Message) -> list[Any]:
        return [text] if message["type"] == "pong" else [message]

    return alter


def _offer(_: Broken, message: Message) -> list[Any]:
    if message["type"] == "media.offer":
        message = {**message, "sdp": message["sdp"].replace("a=ice-lite\r\n", "")}
    return [message]


def _code(_: Broken, message: Message) -> list[Any]:
    return [{**message, "code": "teapot"} if message["type"] == "error" else message]


def _other_reply(_: Broken, message: Message) -> list[Any]:
    return [{**message, "reply_to": 4711} if message["type"] == "pong" else message]


def _within(kind: str, part: str, /, **fields: Any) -> Callable[[Broken, Message], list[Any]]:
    """Return a function that puts `fields` into the map `part` of each message of the type `kind`.

    If `part` is a list of maps, the function puts them into each map.
    """

    def alter(_: Broken, message: Message) -> list[Any]:
        if message["type"] != kind:
            return [message]
        held = message[part]
        new = [{**each, **fields} for each in held] if isinstance(held, list) else {**held, **fields}
        return [{**message, part: new}]

    return alter


def _allows(request: str) -> Callable[[Broken, Message], list[Any]]:
    """Return a function that replaces the refusal of a request of type `request` by the answer `done`."""

    def alter(broken: Broken, message: Message) -> list[Any]:
        if message["type"] != "error" or broken.answers(message).get("type") != request:
            return [message]
        return [{"type": "done", "reply_to": message["reply_to"], "version": 0}]

    return alter


def _refuses(request: str, code: str) -> Callable[[Broken, Message], list[Any]]:
    """Return a function that replaces the answer `done` to a request of type `request` by a refusal with this code."""

    def alter(broken: Broken, message: Message) -> list[Any]:
        if message["type"] == "error" or broken.answers(message).get("type") != request:
            return [message]
        answer = {"type": "error", "reply_to": message["reply_to"], "code": code}
        return [{**answer, "text": "No.", "details": {}}]

    return alter


def _later(_: Broken, message: Message) -> list[Any]:
    if message["type"] == "queue.row":
        row = message["row"]
        message = {**message, "row": {**row, "arrived_ms": row["arrived_ms"] + row["returned"]}}
    return [message]


def _rings_twice(_: Broken, message: Message) -> list[Any]:
    again = {**message, "version": message.get("version", 0) + 1}
    return [message, again] if message["type"] == "bell.item" else [message]


def _rings_for_the_admin(broken: Broken, message: Message) -> list[Any]:
    request = broken.answers(message)
    if message["type"] != "done" or request["type"] != "visit.assign":
        return [message]
    item = {"id": "n_0", "kind": "assigned", "at_ms": 1, "visit": request["visit"]}
    item |= dict.fromkeys(("name", "by", "note"))
    told = {
        "type": "bell.item",
        "topic": "bell",
        "version": message["version"] + 1,
        "unread": 1,
        "item": item,
    }
    return [message, told]


def _oldest_first(_: Broken, message: Message) -> list[Any]:
    if message["type"] == "bell.snapshot":
        message = {**message, "items": message["items"][::-1]}
    return [message]


def _unread_again(_: Broken, message: Message) -> list[Any]:
    if message["type"] == "bell.snapshot":
        message = {**message, "unread": max(1, message["unread"])}
    return [message]


def _shows_anybody(broken: Broken, message: Message) -> list[Any]:
    """Replace a refused subscription by an accepted one, as if a person could see the case of a colleague."""
    request = broken.answers(message)
    if message["type"] != "error" or request.get("type") != "subscribe":
        return [message]
    answer = {"type": "subscribed", "reply_to": message["reply_to"], "topic": request["topic"]}
    return [{**answer, "epoch": "e_1", "version": 1}]


def _ends_silently(_: Broken, message: Message) -> list[Any]:
    return [] if message["type"] == "gone" else [message]


def _goes_on_telling(_: Broken, message: Message) -> list[Any]:
    if message["type"] != "gone":
        return [message]
    line = {"id": "m_0", "at_ms": 1, "party": "patient", "name": "Ana Ruiz", "text": "For my provider alone."}
    visit = message["topic"].partition("/")[2]
    told = {"type": "chat.line", "topic": f"chat/{visit}", "version": 2**40, "line": line}
    return [message, told]


SOMEBODY = {"id": "u_somebody", "name": "Dr Some Body"}
# Fault -> a function that gets each message of the server in order, and returns the messages to send instead.
FAULTS: dict[str, Callable[[Broken, Message], list[Any]]] = {
    "no reply_to": _without("reply_to", "pong"),
    "another’s reply_to": _other_reply,
    "answers twice": _twice,
    "one version for two changes": _same_version,
    "an epoch in subscribed that is not the snapshot’s": _with("subscribed", epoch="e_wrong"),
    "no epoch in snapshots": _without("epoch", "queue.snapshot"),
    "a code of its own": _code,
    "no JSON": _instead("{pong!}"),
    "an empty frame": _instead(""),
    "a list": _instead("[]"),
    "null": _instead("null"),
    "no type": _instead('{"reply_to":1}'),
    "a type that is a number": _instead('{"type":1,"reply_to":1}'),
    "a type that nobody knows": _instead('{"type":"nonsense","reply_to":1}'),
    "a reply to a list": _instead('{"type":"nonsense","reply_to":[1]}'),
    "a very deep list": _instead("[" * 60_000),
    "a very long number": _instead('{"type":"pong","reply_to":' + "9" * 5_000 + "}"),
    "an offer of a full ICE agent": _offer,
    "never fresh": _with("queue.row", fresh=False),
    "always resumed": _with("welcome", resumed=True),
    "its clock in seconds": _with("welcome", server_ms=1_790_000_000),
    "names no assignee": _within("queue.row", "row", assignee=None),
    "always assigned": _within("queue.row", "row", assignee=SOMEBODY),
    "anybody assigns anybody": _allows("visit.assign"),
    "anybody declines anything": _allows("visit.decline"),
    "anybody transfers to anybody": _allows("visit.transfer"),
    "anybody returns": _allows("visit.release"),
    "anybody ends": _allows("visit.end"),
    "anybody invites": _allows("visit.invite"),
    "anybody dismisses": _allows("visit.dismiss"),
    "anybody writes at any time": _allows("chat.send"),
    "claims are for who is on call": _refuses("visit.claim", "not_on_call"),
    "admins return nothing": _refuses("visit.release", "not_allowed"),
    "admins transfer nothing": _refuses("visit.transfer", "not_allowed"),
    "admins end nothing": _refuses("visit.end", "not_allowed"),
    "everybody’s topics alone": _refuses("subscribe", "not_found"),
    "to the end of the line": _later,
    "no reason for the patient": _within("visit.state", "visit", reason=None),
    "every outcome is completed": _within("visit.state", "visit", outcome="completed"),
    "every outcome is declined": _within("visit.state", "visit", outcome="declined"),
    "a claimant who is not": _within("visit.state", "visit", claimant=SOMEBODY),
    "whoever goes has withdrawn": _with("queue.gone", why="withdrawn"),
    "no reason in the past": _within("past", "rows", reason=None),
    "staff write as the provider": _within("chat.line", "line", party="provider"),
    "rings twice": _rings_twice,
    "rings for who did it": _rings_for_the_admin,
    "rings for another kind": _within("bell.item", "item", kind="patient_back"),
    "rings for nobody’s doing": _within("bell.item", "item", by=None),
    "rings without the reason": _within("bell.item", "item", note=None),
    "counts nothing that is unread": _with("bell.item", unread=0),
    "the oldest first": _oldest_first,
    "marks nothing": _with("bell.marked", unread=3),
    "forgets what was read": _unread_again,
    "shows anybody anything": _shows_anybody,
    "ends topics without a word": _ends_silently,
    "goes on telling": _goes_on_telling,
}
