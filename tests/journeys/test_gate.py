"""Tests that media is forwarded only between the second Start Session and End, with peers that ignore the rules.

No pages are used. These peers follow the protocol in their signalling, and send packets at any time.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from media.peers.raw import VP8_DELTA, VP8_KEYFRAME, RawPeer
from media.protocols import rtp
from media.protocols.codecs import OPUS, VP8
from media.protocols.rtcp import picture_loss
from media.transport.srtp import best_binding
from signalling.clients.client import SignallingClient
from signalling.errors import RequestError
from tests.conftest import StartServer
from tests.journeys.people import credentials
from tests.limits import WAIT_S
from tests.server import RunningServer
from tests.signalling.waits import until

FORM = {
    "name": "Ana Ruiz",
    "birth_date": "1990-04-02",
    "phone": "512 555 0142",
    "email": "ana@example.org",
    "state": "TX",
    "reason": "Rash, three days",
    "language": "en",
    "filled_in_by": "",
}


class Cheat:
    """A peer that sends picture and sound as soon as it is connected, even if nobody has pressed Start Session."""

    def __init__(self, client: SignallingClient, visit: str) -> None:
        self.client = client
        self.visit = visit
        self.probe = RawPeer(best_binding())
        self.sequence = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def join(self) -> None:
        """Join the visit's media and begin to send."""
        await self.client.request("media.join", visit=self.visit)
        offer = await self.client.expect("media.offer")
        answer = self.probe.answer(offer["sdp"])
        asyncio.get_running_loop().add_reader(self.probe.sock.fileno(), self.probe.readable)
        await self.client.request("media.answer", visit=self.visit, offer=offer["offer"], sdp=answer)
        self._tasks = [asyncio.create_task(self._flood())]
        async with asyncio.timeout(WAIT_S):
            while not self.probe.ready:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def _flood(self) -> None:
        while True:
            self.probe.tick(time.monotonic())
            if self.probe.ready:
                self.sequence = (self.sequence + 1) & 0xFFFF
                for codec, ssrc, payload in (
                    (OPUS, self.probe.audio_ssrc, b"sound"),
                    (VP8, self.probe.video_ssrc, VP8_KEYFRAME if self.sequence % 10 == 0 else VP8_DELTA),
                ):
                    packet = rtp.build(
                        codec.payload_type, self.sequence, self.sequence * 960, ssrc, payload * 20
                    )
                    self.probe.send_rtp(packet)
                self.probe.send_rtcp(picture_loss(self.probe.video_ssrc, self.probe.video_ssrc))
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        """Stop sending, and close the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        asyncio.get_running_loop().remove_reader(self.probe.sock.fileno())
        self.probe.close()


@asynccontextmanager
async def browser(server: RunningServer) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield an HTTP session that keeps cookies and sends an Origin, as a browser does."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(server.url, cookie_jar=jar, headers={"Origin": server.url}) as http:
        yield http


async def connected(http: aiohttp.ClientSession, server: RunningServer, role: str) -> SignallingClient:
    """Return a client that has sent hello as this role, with the cookies of `http`."""
    return await SignallingClient.connect(http, f"{server.url}/demo/ws", role)


@pytest.mark.parametrize("workers", [1, 2])
async def test_nothing_crosses_before_both_have_pressed_nor_after_the_end(
    greenroom_server: StartServer, workers: int
) -> None:
    server = greenroom_server(workers=workers)
    email, password = await credentials(server, "osei")
    async with browser(server) as patients, browser(server) as providers:
        page = await (await patients.get("/demo/information")).text()
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
        answer = await patients.post("/demo/information", data={**FORM, **hidden}, allow_redirects=False)
        assert answer.status == 303, await answer.text()
        sign_in = {"email": email, "password": password}
        answer = await providers.post("/demo/staff/sign-in", data=sign_in, allow_redirects=False)
        assert answer.status == 303, await answer.text()
        patient = await connected(patients, server, "patient")
        visit = patient.welcome["visit"]
        provider = await connected(providers, server, "staff")
        for _ in range(20):
            if workers == 1 or provider.welcome["worker"] != patient.welcome["worker"]:
                break
            await provider.close()
            provider = await connected(providers, server, "staff")

        # A patient who is still waiting has no media, so each request about media is refused (SECURITY.md row 9).
        for request, fields in (("media.join", {}), ("media.answer", {"offer": 1, "sdp": "v=0\r\n"})):
            with pytest.raises(RequestError) as refused:
                await patient.request(request, visit=visit, **fields)
            assert refused.value.code == "wrong_status"

        await provider.request("on_call", on=True)
        await provider.request("visit.claim", visit=visit)
        sides = [Cheat(patient, visit), Cheat(provider, visit)]
        for side in sides:
            await side.client.request("visit.enter", visit=visit)
            await side.join()

        async def crossing(seconds: float) -> list[int]:
            before = [side.probe.received for side in sides]
            await asyncio.sleep(seconds)
            return [side.probe.received - b for side, b in zip(sides, before, strict=True)]

        async def nothing() -> bool:
            return await crossing(0.7) == [0, 0]

        async def crosses(*receivers: Cheat) -> None:
            wanted = [(side.probe, side.probe.received + 20) for side in receivers]
            await until(lambda: all(probe.received > count for probe, count in wanted))

        assert await nothing()
        await provider.request("visit.start", visit=visit)
        assert await nothing(), "one press is not two"
        # A shared screen passes through the same gate as the camera.
        for act in ("share", "ask"):
            with pytest.raises(RequestError) as refused:
                await provider.request("media.share", visit=visit, act=act)
            assert refused.value.code == "wrong_status"
        assert await nothing()
        await patient.request("visit.start", visit=visit)
        await crosses(*sides)  # both have pressed
        await patient.request("media.mute", visit=visit, kind="video", muted=True)
        heard: list[int] = []
        sides[1].probe.on_rtp = lambda packet: heard.append(packet.payload_type)

        async def only_sound() -> bool:
            heard.clear()
            await crosses(sides[1])
            return set(heard) == {OPUS.payload_type}

        await until(only_sound)  # a kind that is switched off does not cross
        with pytest.raises(RequestError) as refused:
            await patient.request("media.share", visit=visit, act="share")
        assert refused.value.code == "not_allowed", "the patient was not asked"
        assert await only_sound()
        await patient.request("visit.hang_up", visit=visit)
        await until(nothing)  # packets that were on their way may still arrive
        await patient.request("visit.start", visit=visit)
        await crosses(sides[1])
        await provider.request("visit.end", visit=visit)
        await until(nothing)
        for side in sides:
            await side.close()
            await side.client.close()
