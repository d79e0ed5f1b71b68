"""What machines of one run say to each other: nothing that is a machine's own, and only to who knows the key."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from web.peers.distributed.messages import (
    COORDINATORS,
    HELPERS,
    PIECE,
    FromHelper,
    Go,
    Join,
    Line,
    News,
    Open,
    Stop,
    Welcome,
    WrongKey,
    address,
    answered,
    greeted,
    pieces,
)
from web.peers.errors import PlanError, UnknownMessageError
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
WITHIN_S = 20


def welcome(plan: SharedPlan) -> Welcome:
    return Welcome(plan=plan, shares=(1,), digests=("x",), of=2, greenroom="1", within_s=5)


def test_a_plan_travels_without_what_is_a_machines_own() -> None:
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
        ("loss", 2.0),
        ("arrivals", {"kind": "day", "recorded_s": []}),
        ("arrivals", {"kind": "never", "rate": 1.0}),
    ],
)
def test_a_plan_that_no_command_line_would_make_is_refused(field: str, value: object) -> None:
    told = msgspec.to_builtins(welcome(PLAN.shared))
    told["plan"][field] = value
    with pytest.raises(msgspec.ValidationError):
        COORDINATORS.decode(msgspec.msgpack.encode(told))


def test_what_was_seen_is_told_in_pieces_of_whole_lines() -> None:
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


class Meeting:
    """A server that answers with one key, and the lines that were opened to it."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.lines: asyncio.Queue[Line[FromHelper]] = asyncio.Queue()
        self.over = asyncio.Event()
        app = web.Application()
        app.router.add_get("/", self._answer)
        self.server = TestServer(app)

    async def _answer(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.lines.put_nowait(await answered(socket, self.key))
        await self.over.wait()
        return socket

    async def __aenter__(self) -> Meeting:
        await self.server.start_server()
        self.http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.over.set()
        await self.http.close()
        await self.server.close()

    async def socket(self) -> aiohttp.ClientWebSocketResponse:
        return await self.http.ws_connect(self.server.make_url("/"))


async def test_who_knows_the_key_is_understood_both_ways() -> None:
    async with Meeting("one key") as meeting, asyncio.timeout(WITHIN_S):
        there = await greeted(await meeting.socket(), "one key")
        here = await meeting.lines.get()
        await there.say(Join("box2", "1", 2))
        assert await here.hear() == Join("box2", "1", 2)
        for message in (Open(), Go(1, 0.4, -0.4), Stop(0)):
            await here.say(message)
            assert await there.hear() == message
        await there.say(News(0, b"line\n"))
        assert await here.hear() == News(0, b"line\n")


async def test_who_does_not_know_the_key_is_not_understood() -> None:
    async with Meeting("one key") as meeting, asyncio.timeout(WITHIN_S):
        there = await greeted(await meeting.socket(), "another key")
        here = await meeting.lines.get()
        await there.say(Join("box2", "1", 2))
        with pytest.raises(WrongKey):
            await here.hear()
        await here.say(Open())
        with pytest.raises(WrongKey):
            await there.hear()


async def test_what_was_said_once_cannot_be_said_again_by_somebody_on_the_way() -> None:
    async with Meeting("one key") as meeting, asyncio.timeout(WITHIN_S):
        socket = await meeting.socket()
        kept: list[bytes] = []
        send = socket.send_bytes

        async def overheard(data: bytes, compress: int | None = None) -> None:
            kept.append(data)
            await send(data, compress)

        socket.send_bytes = overheard  # type: ignore[method-assign]
        there = await greeted(socket, "one key")
        here = await meeting.lines.get()
        await there.say(News(0, b"a secret line\n"))
        assert isinstance(await here.hear(), News)
        assert b"a secret" not in kept[-1]
        await send(kept[-1])
        with pytest.raises(WrongKey):
            await here.hear()


async def test_another_versions_words_are_told_from_a_wrong_key() -> None:
    async with Meeting("one key") as meeting, asyncio.timeout(WITHIN_S):
        there = await greeted(await meeting.socket(), "one key")
        here = await meeting.lines.get()
        await there.say(Open())  # a coordinator's word
        with pytest.raises(UnknownMessageError):
            await here.hear()
    assert HELPERS.decode(msgspec.msgpack.encode(Join("box2", "1", 1))) == Join("box2", "1", 1)
