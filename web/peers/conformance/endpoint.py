"""Plays a server from a script, for a client under test, and checks how the client reacts.

The script has several acts: a worker stops, a socket is lost, a token is refused, attempts to connect are refused, and
the client's person is signed out. The server answers each request with an example of PROTOCOL.md. It serves one client
at a time, on `/{organisation}/ws`, without sign-in. `run` ends after the last act, or if the client does not come back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any, Final

from aiohttp import web

from media import Relay, RelaySettings
from signalling.protocol.codec import SUBPROTOCOLS
from web.peers.conformance.client_media import ClientMedia
from web.peers.conformance.client_socket import ClientSocket
from web.peers.conformance.judge import Judge
from web.peers.conformance.table import Outcome

# The time in s to wait for the client's first connection; it is long, because a person may have to start the client.
FIRST_S: Final = 120.0
# The time in s to wait for the client's return: the longest pause of a client (15 s), and 5 s more.
BACK_S: Final = 20.0
DRAIN_S: Final = 2.0
SLACK_S: Final = 1.5
AWAY_S: Final = 3.0
REFUSALS: Final = 2
# A client must pause between attempts to connect: at least one of its pauses must be longer than this time in s.
AT_ONCE_S: Final = 0.15
Say = Callable[[str], None]


class Endpoint:
    """The scripted server, as an async context manager. `url`: the address for the client."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, say: Say = lambda _: None) -> None:
        self.judge = Judge()
        self.tokens: list[str] = []  # the resume tokens that were sent to the client, the newest last
        self.held: dict[
            str, tuple[str, int]
        ] = {}  # topic -> (epoch, version) that the client has if it follows the rules
        self.unanswered: list[dict[str, Any]] = []
        self._host, self._port, self._say = host, port, say
        self._arrivals: asyncio.Queue[tuple[float, asyncio.Future[ClientSocket | None]]] = asyncio.Queue(16)
        self._over = asyncio.Event()
        self._document = files("signalling").joinpath("protocol", "PROTOCOL.md").read_text("utf-8")

    async def __aenter__(self) -> Endpoint:
        app = web.Application()
        app.router.add_get("/{organisation}/ws", self._socket)
        app.router.add_route("*", "/{rest:.*}", self._page)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        host, self.port = self._runner.addresses[0][:2]
        self._relay = await Relay.open(RelaySettings(host=host))
        self._media = ClientMedia(self.judge, self._relay)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        self._media.close()
        await self._relay.close()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """The address to which the tested client connects."""
        return f"ws://{self._host}:{self.port}/demo/ws"

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(text="Connect a client to /demo/ws; it is looked at there.\n")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        """Handle a client's attempt to connect: wait until the script accepts or refuses it; return the response."""
        if "upgrade" not in request.headers.get("Connection", "").lower():
            # A plain GET is not counted as an attempt to connect: a client may use it to test whether the
            # server is there.
            return web.Response(status=426, headers={"Upgrade": "websocket", "Connection": "Upgrade"})
        loop = asyncio.get_running_loop()
        admitted: asyncio.Future[ClientSocket | None] = loop.create_future()
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        named = {name.strip() for name in offered.split(",")} & set(SUBPROTOCOLS)
        self.judge.holds("subprotocol", bool(named), " or ".join(SUBPROTOCOLS), offered or "no subprotocol")
        self.judge.holds("origin", "Origin" in request.headers, "an Origin header", "none")
        for token in self.tokens:
            self.judge.holds(
                "secret", token not in request.path_qs, "an address without the token", request.path
            )
        if self._arrivals.full():
            return web.Response(status=503)
        self._arrivals.put_nowait((loop.time(), admitted))
        ended: asyncio.Future[Any] = asyncio.ensure_future(self._over.wait())
        opened = web.WebSocketResponse(
            protocols=SUBPROTOCOLS, compress=False, autoping=False, max_msg_size=65_536
        )
        socket = None
        try:
            await asyncio.wait({asyncio.ensure_future(admitted), ended}, return_when=asyncio.FIRST_COMPLETED)
            socket = admitted.result() if admitted.done() else None
            if socket is None:
                return web.Response(status=503)
            await opened.prepare(request)
            await socket.opened(request, opened)
        finally:
            ended.cancel()
            if socket is not None:
                socket.ended()
        return opened

    # --- the acts of the script, one method for each act

    async def run(self) -> list[Outcome]:
        """Play all acts of the script; return the outcome of each rule."""
        acts: tuple[tuple[str, Callable[[ClientSocket], Awaitable[None]]], ...] = (
            (
                "Connect your client, and let it hold a topic (staff: queue; a patient: their visit)",
                self._begins,
            ),
            ("The worker drained (1001): the client is back, and the connection is the same", self._is_back),
            (
                "The network was lost: the client is back too late, and its token is refused",
                self._begins_anew,
            ),
            (
                "The server could not serve for a while: the client is back, and its person is signed out (4201)",
                self._is_signed_out,
            ),
        )
        for number, (title, act) in enumerate(acts):
            self._say(f"{number + 1} of {len(acts)}: {title}.")
            socket = await self._arrives(FIRST_S if number == 0 else BACK_S, number)
            if socket is None:
                break
            try:
                with contextlib.suppress(ConnectionError):
                    await act(socket)
            finally:
                socket.done.set()
            if not self.tokens:
                # The script ends here: without a welcome, the client has no connection to resume in the next acts.
                break
        else:
            await self._stays_away()
        return self.judge.outcomes()

    async def _arrives(self, within_s: float, act: int) -> ClientSocket | None:
        """Return the client's next socket, for the act with the number `act` in the list of `run` (from 0).

        Return None if the client opens no socket within `within_s` seconds. An attempt that ends before the upgrade to
        a WebSocket is ignored. Before act 3, the first REFUSALS attempts are answered with 503, and the time begins
        again after each of these answers.
        """
        loop = asyncio.get_running_loop()
        left = loop.time()
        rule = {1: "drains", 2: "back", 3: "backoff"}.get(act)
        times: list[float] = []
        until = left + within_s
        while True:
            try:
                async with asyncio.timeout_at(until):
                    at, admitted = await self._arrivals.get()
            except TimeoutError:
                if rule is not None:
                    self.judge.wrong(rule, f"the client is back within {within_s:g} s", "it is not")
                return None
            times.append(at)
            if act == 3 and len(times) <= REFUSALS:
                admitted.set_result(None)
                until = loop.time() + within_s
                continue
            socket = ClientSocket(self.judge, self._media, self._document, self.held, self.unanswered)
            admitted.set_result(socket)
            if await socket.is_open():
                break
        if act == 1:
            took_s = times[0] - left
            self.judge.holds(
                "drains", took_s <= DRAIN_S + SLACK_S, f"back within {DRAIN_S:g} s", f"after {took_s:.1f} s"
            )
        elif act == 2:
            self.judge.kept("back")
        elif act == 3:
            gaps = [later - sooner for sooner, later in zip([left, *times], times, strict=False)]
            shown = ", ".join(f"{gap:.2f} s" for gap in gaps)
            self.judge.holds(
                "backoff", max(gaps) > AT_ONCE_S, "attempts with growing pauses between them", shown
            )
        return socket

    async def _begins(self, socket: ClientSocket) -> None:
        """Welcome the client and let it subscribe; then close with 1001, as a stopping worker does."""
        hello = await socket.hello()
        if hello is not None and hello.get("resume") is not None:
            hello = await socket.refuse_resume(hello, "resume_invalid")
        if hello is None:
            return
        self.tokens.append(await socket.welcome(hello, resumed=False))
        await socket.serve_topics()
        await socket.strange_news()
        await socket.serve_media()
        await socket.close(1001)

    async def _is_back(self, socket: ClientSocket) -> None:
        """Resume the client's connection on its new socket, after the server closed the first one with 1001.

        Check that the client subscribes to its topics again, and send their state in a new epoch; then cut the TCP
        connection.
        """
        hello = await self._with_token(socket)
        if hello is None:
            return
        await socket.welcome(hello, resumed=True, token=self.tokens[-1])
        await socket.expect_topics_again(epoch="e_2", version=3)
        await socket.lose()

    async def _begins_anew(self, socket: ClientSocket) -> None:
        """Refuse the client's token as expired; check that the client begins a new connection; close it with 4002."""
        hello = await self._with_token(socket)
        if hello is None:
            return
        again = await socket.refuse_resume(hello, "resume_expired")
        if again is None:
            return
        self.tokens.append(await socket.welcome(again, resumed=False))
        await socket.expect_topics_again(epoch="e_3", version=1)
        await socket.close(4002)

    async def _is_signed_out(self, socket: ClientSocket) -> None:
        """Resume the connection after the server has refused some of the client's attempts; then close with 4201.

        The code 4201 means that the person was signed out.
        """
        hello = await self._with_token(socket)
        if hello is None:
            return
        await socket.welcome(hello, resumed=True, token=self.tokens[-1])
        await socket.serve_for(0.3)
        await socket.close(4201)

    async def _with_token(self, socket: ClientSocket) -> dict[str, Any] | None:
        hello = await socket.hello()
        if hello is not None:
            right = hello.get("resume") == self.tokens[-1]
            got = "another token" if hello.get("resume") else "hello without a token"
            self.judge.holds("token", right, "`resume` with the token of the last welcome", got)
        return hello

    async def _stays_away(self) -> None:
        self._say("The client was signed out: it must stay away.")
        try:
            async with asyncio.timeout(AWAY_S):
                _, admitted = await self._arrivals.get()
        except TimeoutError:
            self.judge.kept("away")
            return
        admitted.set_result(None)
        self.judge.wrong(
            "away",
            f"no attempt for {AWAY_S:g} s, until the person acts",
            "it connected again",
            "close code 4201",
        )
