"""Tests the messages between the machines of one run: they contain no private data of a machine; invalid messages are
refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.limits import WAIT_S
from web.peers.distributed.messages import (
    COORDINATORS,
    HELPERS,
    OTHER_VERSION,
    PIECE,
    Channel,
    FromCoordinator,
    FromHelper,
    Go,
    Join,
    News,
    Open,
    Socket,
    Stop,
    Welcome,
    address,
    pieces,
)
from web.peers.errors import ChannelLostError, PlanError, UnknownMessageError
from web.peers.network.network import lossy
from web.peers.run.arrivals import Arrivals
from web.peers.run.plan import Credential, Plan, SharedPlan

PLAN = Plan(
    url="https://clinic.example",
    organisation="riverside",
    patients=7,
    providers=2,
    arrivals=Arrivals.parse("poisson:3/s"),
    credentials=(Credential("ana@clinic.example", "a secret"),),
    ca=Path("/etc/our-ca.pem"),
    media_file=Path("/films/one.mp4"),
    insecure=True,
)


def welcome(plan: SharedPlan) -> Welcome:
    return Welcome(plan=plan, shares=(1,), digests=("x",), of=2, greenroom="1", within_s=5)


def test_a_plan_is_sent_without_the_parts_of_one_machine() -> None:
    sent = msgspec.msgpack.encode(welcome(PLAN.shared))
    for own in (b"ana@clinic", b"a secret", b"our-ca", b"films", b"insecure"):
        assert own not in sent
    got = COORDINATORS.decode(sent)
    assert isinstance(got, Welcome)
    assert got.plan == PLAN.shared
    there = Plan.on_this_machine(
        got.plan,
        ca=None,
        insecure=False,
        credentials=(Credential("ben@clinic.example", "x"),),
        media_file=None,
    )
    assert there.share(1, 2).digest == PLAN.share(1, 2).digest
    assert {field.name for field in fields(Plan)} - {field.name for field in fields(SharedPlan)} == {
        # A run over several machines cannot play another video server (by an adapter), so the adapter's name is not
        # sent to the other machines.
        "adapter",
        "ca",
        "insecure",
        "credentials",
        "media_file",
    }


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 2},
        {"reload": 0.1},
        {"patients": 8},
        {"talk": replace(PLAN.talk, high_s=1)},
        {"media": "light"},
        {"network": lossy(0.1)},
    ],
)
def test_a_plan_that_differs_in_anything_has_another_digest(other: dict[str, object]) -> None:
    assert replace(PLAN, **other).share(1, 2).digest != PLAN.share(1, 2).digest  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "bad",
    [
        {"type": "Welcome"},
        {"type": "Go", "process": -1, "in_s": 0, "ago_s": 0},
        {"type": "Go", "process": 0, "in_s": 1e300, "ago_s": 0},
        {"type": "Go", "process": 0, "in_s": 0, "ago_s": 0, "more": 1},
        {"type": "News", "process": 0, "lines": b""},
        ["Open"],
        7,
    ],
)
def test_what_is_no_message_of_a_coordinator_is_refused(bad: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        COORDINATORS.decode(msgspec.msgpack.encode(bad))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("media", "loud"),
        ("patients", -1),
        ("network", {"up": {"loss": 2.0}}),
        ("arrivals", {"kind": "day", "recorded_s": []}),
        ("arrivals", {"kind": "never", "rate": 1.0}),
    ],
)
def test_a_plan_that_no_command_line_would_make_is_refused(field: str, value: object) -> None:
    told = msgspec.to_builtins(welcome(PLAN.shared))
    told["plan"][field] = value
    with pytest.raises(msgspec.ValidationError):
        COORDINATORS.decode(msgspec.msgpack.encode(told))


def test_observations_are_sent_in_pieces_of_whole_lines() -> None:
    lines = b"".join(b"%d " % number + b"x" * 90 + b"\n" for number in range(20_000))
    found = pieces(lines)
    assert b"".join(found) == lines
    assert len(found) > 2
    assert all(len(piece) <= PIECE and piece.endswith(b"\n") for piece in found)
    assert pieces(b"") == [b""]


def test_an_address_is_a_host_and_a_port() -> None:
    assert [str(address(text)) for text in ("box2", "192.0.2.7:80", "[::1]:9", "[::]")] == [
        "box2:7700",
        "192.0.2.7:80",
        "[::1]:9",
        "[::]:7700",
    ]
    for text in ("", ":7700", "box2:many", "http://box2", "box2/x", "me@box2"):
        with pytest.raises(PlanError, match="expected an address"):
            address(text)


@asynccontextmanager
async def channels() -> AsyncIterator[tuple[Channel[FromHelper], Channel[FromCoordinator], Socket]]:
    """Yield (the helper's end of a channel, the coordinator's end, the helper's WebSocket)."""
    opened: asyncio.Queue[web.WebSocketResponse] = asyncio.Queue()
    over = asyncio.Event()

    async def accept(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        opened.put_nowait(socket)
        await over.wait()
        return socket

    app = web.Application()
    app.router.add_get("/", accept)
    async with asyncio.timeout(WAIT_S), TestServer(app) as server, aiohttp.ClientSession() as http:
        socket = await http.ws_connect(server.make_url("/"))
        yield Channel(await opened.get(), HELPERS), Channel(socket, COORDINATORS), socket
        over.set()
        await socket.close()


async def test_messages_arrive_as_they_were_sent_in_both_directions() -> None:
    async with channels() as (here, there, _):
        await there.send(Join("box2", "1", 2))
        assert await here.receive() == Join("box2", "1", 2)
        for message in (Open(), Go(1, 0.4, -0.4), Stop(0)):
            await here.send(message)
            assert await there.receive() == message
        await there.send(News(0, b"line\n"))
        assert await here.receive() == News(0, b"line\n")


@pytest.mark.parametrize("said", [b"", b"\xff" * 100, msgspec.msgpack.encode(Open()), "let me in"])
async def test_what_is_no_message_of_a_helper_is_refused(said: bytes | str) -> None:
    async with channels() as (here, _, socket):
        await (socket.send_str(said) if isinstance(said, str) else socket.send_bytes(said))
        with pytest.raises(UnknownMessageError):
            await here.receive()


async def test_a_side_that_is_silent_or_gone_is_lost_with_its_close_code() -> None:
    async with channels() as (here, there, _):
        with pytest.raises(ChannelLostError, match="said nothing for 0 s"):
            await here.receive(0.05)
        await asyncio.gather(here.close(OTHER_VERSION), _lost(there))
        with pytest.raises(ChannelLostError, match="takes nothing more"):
            await there.send(Join("box2", "1", 1))


async def _lost(channel: Channel[FromCoordinator]) -> None:
    with pytest.raises(ChannelLostError, match="hung up") as lost:
        await channel.receive()
    assert lost.value.code == OTHER_VERSION
