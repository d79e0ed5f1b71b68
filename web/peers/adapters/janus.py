"""Plays people on Janus's videocall plugin, over its WebSocket (ws://host:8188): `--adapter janus`.

https://janus.conf.meetecho.com/docs/videocall.html and https://janus.conf.meetecho.com/docs/rest.html#WS describe the
messages. Janus ends a session from which it has received no message for 60 s, so this module sends `keepalive`.
"""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from typing import Any, Final

from web.peers.adapters.adapter import Adapter, Server
from web.peers.adapters.json_socket import JsonSocket, Message
from web.peers.errors import RefusedError

PLUGIN: Final = "janus.plugin.videocall"
KEEPALIVE_S: Final = 25.0


class JanusCall(Adapter):
    """One person who is registered with Janus's videocall plugin."""

    def __init__(self, server: Server, name: str) -> None:
        super().__init__(server, name)
        self._socket: JsonSocket | None = None
        self._ids: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._offer = ""
        self._alive: asyncio.Task[None] | None = None

    async def enter(self) -> None:
        """Create a session at Janus, attach it to the videocall plugin, and register this person's name there."""
        self._socket = await JsonSocket.open(self.server, protocols=["janus-protocol"])
        self._ids["session_id"] = (await self._ask("create"))["data"]["id"]
        self._ids["handle_id"] = (await self._ask("attach", plugin=PLUGIN))["data"]["id"]
        self._alive = asyncio.create_task(self._keep_alive())
        await self._ask("message", body={"request": "register", "username": self.name})
        await self._event("registered")

    async def call(self, name: str) -> None:
        """Call the patient `name` with an SDP offer, and apply the patient's SDP answer."""
        assert self._socket is not None
        self._socket.drop()
        offer = {"type": "offer", "sdp": await self.media.offer()}
        await self._ask("message", body={"request": "call", "username": name}, jsep=offer)
        await self.media.accept((await self._event("accepted"))["jsep"]["sdp"])

    async def called(self) -> None:
        """Wait until a call for this person arrives."""
        self._offer = (await self._event("incomingcall"))["jsep"]["sdp"]

    async def answer(self) -> None:
        """Accept the call that has arrived: send an SDP answer to the SDP offer that came with it."""
        answer = {"type": "answer", "sdp": await self.media.answer(self._offer)}
        await self._ask("message", body={"request": "accept"}, jsep=answer)
        await self._event("accepted")

    async def hang_up(self) -> None:
        """Hang up, and wait until Janus has closed the media, because Janus refuses the next call until then."""
        assert self._socket is not None
        await self._ask("message", body={"request": "hangup"})
        await self._event("hangup")
        await self._socket.wait(lambda message: message.get("janus") == "hangup")

    async def ended(self) -> None:
        """Wait until the provider has hung up."""
        await self._event("hangup")

    async def leave(self) -> None:
        """End the session at Janus, and close the WebSocket."""
        if self._alive is not None:
            self._alive.cancel()
        if self._socket is not None:
            with suppress(RefusedError):
                await self._send("destroy")
            await self._socket.close()

    async def _keep_alive(self) -> None:
        with suppress(RefusedError):
            while True:
                await asyncio.sleep(KEEPALIVE_S)
                await self._send("keepalive")

    async def _send(self, kind: str, **fields: Any) -> str:
        assert self._socket is not None
        transaction = str(next(self._numbers))
        await self._socket.send(janus=kind, transaction=transaction, **self._ids, **fields)
        return transaction

    async def _ask(self, kind: str, **fields: Any) -> Message:
        """Send a request of the type `kind` with these fields; return Janus's answer.

        Raises RefusedError if Janus refuses the request.
        """
        assert self._socket is not None
        transaction = await self._send(kind, **fields)
        answer = await self._socket.wait(
            lambda message: (
                message.get("transaction") == transaction
                and message.get("janus") in ("success", "ack", "error")
            )
        )
        if answer["janus"] == "error":
            raise RefusedError(f"janus_{answer['error']['code']}", answer["error"]["reason"])
        return answer

    async def _event(self, kind: str) -> Message:
        """Wait for the plugin's event with the name `kind`, and return it.

        Raises RefusedError if the plugin reports an error instead.
        """
        assert self._socket is not None

        def fits(message: Message) -> bool:
            data = message.get("plugindata", {}).get("data", {})
            return "error" in data or (data.get("result") or {}).get("event") == kind

        event = await self._socket.wait(fits)
        data = event["plugindata"]["data"]
        if "error" in data:
            raise RefusedError(f"janus_{data['error_code']}", data["error"])
        return event
