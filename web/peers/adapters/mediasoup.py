"""Plays people in the rooms of a mediasoup server, over HTTP (http://host:port): `--adapter mediasoup`.

mediasoup is a library without a protocol between server and clients. This adapter sends the commands of the small
server in `tests/benchmarks/others/servers/mediasoup/server.cjs`, each as the JSON body of a POST. A call is a room with
the patient's name: the provider joins it and waits; the patient joins it, links both parties and lets media pass.
"""

from __future__ import annotations

import re
from typing import Any, Final

import aiohttp

from media.protocols.codecs import OPUS, VP8
from web.peers.adapters.adapter import Adapter, Server
from web.peers.errors import EntryError, RefusedError
from web.peers.people.entry import sentence

TYPES: Final = {"opus": OPUS.payload_type, "vp8": VP8.payload_type}
FINGERPRINT: Final = re.compile(r"^a=fingerprint:sha-256 (\S+)", re.MULTILINE)
SSRC: Final = re.compile(r"^m=(\w+).*?^a=ssrc:(\d+)", re.DOTALL | re.MULTILINE)
ANSWER: Final = """v=0\r
a=ice-lite\r
a=ice-ufrag:{ufrag}\r
a=ice-pwd:{password}\r
a=setup:passive\r
a=candidate:0 1 udp 1 {host} {port} typ host\r
"""
"""A template of an SDP answer with the lines that `--media light` needs; filled with the server's answer to `join`."""


class MediasoupCall(Adapter):
    """One person on a mediasoup server, who takes part in calls by joining rooms of that server."""

    def __init__(self, server: Server, name: str) -> None:
        super().__init__(server, name)
        self._room = name

    async def enter(self) -> None:
        """Check that the server answers, by a request to wait until this person's room is closed.

        No such room is open yet, so the server answers at once.
        """
        await self._wait("closed")

    async def call(self, name: str) -> None:
        """Join the room of the patient `name`; return when the patient has joined it too, and media may pass."""
        self._room = name
        await self._join()
        await self._wait("opened")

    async def called(self) -> None:
        """Wait until a provider has joined this patient's room."""
        await self._wait("joined")

    async def answer(self) -> None:
        """Join this patient's room, link both parties, and let media pass between them."""
        await self._join()
        await self._ask("link")
        await self._ask("open")

    async def hang_up(self) -> None:
        """Close the call's room on the server, which ends the call for both people."""
        await self._ask("close")

    async def ended(self) -> None:
        """Wait until the call's room on the server is closed."""
        await self._wait("closed")

    async def leave(self) -> None:
        """Close the call's room on the server, if it is still open."""
        await self._ask("close")

    async def _wait(self, until: str) -> None:
        await self._ask("wait", until=until)

    async def _join(self) -> None:
        """Join the call's room with the SDP offer of `media`, and apply mediasoup's SDP answer to `media`."""
        offer = await self.media.offer()
        found = FINGERPRINT.search(offer)
        assert found is not None
        ssrcs = {kind: int(ssrc) for kind, ssrc in SSRC.findall(offer)}
        joined = await self._ask("join", types=TYPES, fingerprint=found[1], ssrcs=ssrcs)
        await self.media.accept(ANSWER.format(**joined))

    async def _ask(self, what: str, **command: Any) -> dict[str, Any]:
        """Send the server the command `what` about the present room, with these fields; return the answer.

        Raises RefusedError if the server refuses the command, and EntryError if it does not answer.
        """
        try:
            async with self.server.http.post(
                self.server.url,
                json={"what": what, "call": self._room, **command},
                timeout=aiohttp.ClientTimeout(),
            ) as response:
                answer = await response.json()
        except (aiohttp.ContentTypeError, ValueError):
            answer = None
        except (aiohttp.ClientError, OSError) as problem:
            raise EntryError(sentence(problem, self.server.url)) from None
        if not isinstance(answer, dict):
            raise EntryError(f"{self.server.url} is no server for the adapter mediasoup")
        if "error" in answer:
            raise RefusedError("mediasoup", answer["error"])
        return answer
