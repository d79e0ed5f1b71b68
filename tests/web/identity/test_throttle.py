"""Tests that guesses of tokens are delayed and then blocked, and that the store contains no token
(SECURITY.md row 41).
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import ClientConnectionResetError, WSMsgType
from redis.asyncio import Redis

from signalling.store.guest_links import GuestLink
from signalling.visit import commands as c
from signalling.visit.record import Actor, Role
from tests.limits import WAIT_S
from tests.web.api.client import program
from tests.web.pages.facility.test_kiosk import link
from tests.web.site import ADMIN, Person, Site
from web.identity import throttle as doors
from web.identity.invitations import Invitations, name_of
from web.identity.throttle import RULES, TokenKind
from web.keys import ACCOUNTS, DESK, FEEDS, INVITES, PATIENT_LINKS, SERVICE
from web.requests.security import Rule

# Kind of token -> the routes that have it in their path. The token `resume` is missing, because it is sent on the
# socket.
WAYS: dict[TokenKind, tuple[str, ...]] = {
    TokenKind.INVITATION: ("/{organisation}/staff/invitation/{token}",),
    TokenKind.GUEST: ("/{organisation}/join/{token}",),
    TokenKind.PATIENT: ("/{organisation}/enter/{token}",),
    TokenKind.FACILITY: (
        "/{organisation}/facility/{token}",
        "/{organisation}/facility/{token}/list",
        "/{organisation}/facility/{token}/visits/{visit}",
    ),
    TokenKind.BOOKING: (
        "/{organisation}/appointments/{token}",
        "/{organisation}/appointments/{token}/move",
        "/{organisation}/appointments/{token}/cancel",
        "/{organisation}/appointments/{token}/check-in",
        "/{organisation}/appointments/{token}/visit.ics",
    ),
    TokenKind.FEED: ("/{organisation}/feed/{token}/visits.ics",),
}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the delay after each wrong guess; guesses are still counted."""
    for kind in TokenKind:
        monkeypatch.setitem(doors.RULES, kind, Rule(kind, first_delay_ms=0))


def wrong_token(kind: TokenKind) -> str:
    """Return a token of this kind that is well-formed but not valid."""
    if kind is TokenKind.FACILITY:
        return f"{secrets.token_hex(6)}-{secrets.token_urlsafe(32)}"
    if kind is TokenKind.BOOKING:
        return f"a_{secrets.token_urlsafe(9)}~{secrets.token_urlsafe(18)}"
    if kind is TokenKind.FEED:
        return f"u_{secrets.token_hex(6)}~{secrets.token_urlsafe(32)}"
    return secrets.token_urlsafe(24)


async def right_token(site: Site, kind: TokenKind) -> str:
    """Return a new, valid token of this kind."""
    if kind is TokenKind.INVITATION:
        account = await site.app[ACCOUNTS].find("demo", ADMIN)
        assert account is not None
        return await Invitations(site.app[SERVICE].store.redis, site.app[ACCOUNTS]).make("demo", account)
    if kind is TokenKind.FACILITY:
        return (await link(site, f"Ward {secrets.token_hex(3)}")).rsplit("/", 1)[1]
    if kind is TokenKind.BOOKING:
        return site.app[DESK].links.token("demo", "a_genuine")
    if kind is TokenKind.FEED:
        feeds = site.app[FEEDS]
        return feeds.token("demo", await feeds.make("demo", "u_osei", site.app[DESK].now_ms()))
    visit = (await (await program(site)).open())["visit"]["id"]
    if kind is TokenKind.PATIENT:
        return (await site.app[PATIENT_LINKS].issue("demo", visit)).token
    service = site.app[SERVICE]
    claimant = Actor(organisation="demo", id="u_1", name="Dr Osei", role=Role.ADMIN)
    await service.command(claimant, visit, c.Claim())
    await service.command(claimant, visit, c.Invite("guest-1", "Rosa Diaz", "family"))
    return await site.app[INVITES].issue("demo", GuestLink(visit, "guest-1"), 60_000)


def token_routes(site: Site) -> Iterator[tuple[str, str]]:
    """Yield (method, path) of every route that has a token in its path."""
    for route in site.app.router.routes():
        path = (
            "" if route.resource is None else re.sub(r"\{token:[^/]*\}", "{token}", route.resource.canonical)
        )
        if "{token" in path and route.method != "HEAD":
            yield route.method, path


async def tried(person: Person, method: str, path: str, token: str) -> int:
    """Send a request with the token in the path; return the status of the answer."""
    where = path.format(organisation="demo", token=token, visit="v_1")
    return (await (person.get(where) if method == "GET" else person.post(where, {"do": "take"}))).status


async def test_s41_every_route_with_a_token_counts_wrong_guesses(site: Site) -> None:
    assert {path for _, path in token_routes(site)} == {path for ways in WAYS.values() for path in ways}
    assert set(WAYS) | {TokenKind.RESUME} == set(TokenKind)


def test_s41_guesses_wait_from_a_tenth_of_a_second_on_and_end_after_ten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    for rule in RULES.values():
        assert (rule.limit, rule.window_ms) == (10, 30 * 60_000)
        assert [rule.delay_ms(failed) for failed in (0, 1, 2, 20)] == [0, 100, 200, 25_000]


async def test_s41_each_kind_of_token_is_blocked_after_ten_wrong_ones_on_any_of_its_routes(
    site: Site,
) -> None:
    for kind, ways in WAYS.items():
        routes = [(method, path) for method, path in token_routes(site) if path in ways]
        guesser = site.person()
        right = await right_token(site, kind)
        for number in range(10):
            method, path = routes[number % len(routes)]
            assert await tried(guesser, method, path, wrong_token(kind)) == 404, (kind, number)
        for method, path in routes:
            assert await tried(guesser, method, path, wrong_token(kind)) == 429, (kind, method, path)
        # Wrong guesses do not block the valid links of facilities and of calendar feeds; the tests after this test
        # check those links.
        if kind not in (TokenKind.FACILITY, TokenKind.FEED):
            assert await tried(guesser, *routes[0], right) == 429, kind
        answer = await guesser.get(
            routes[0][1].format(organisation="demo", token=wrong_token(kind), visit="v_1")
        )
        assert int(answer.headers["Retry-After"]) > 60
        assert "Too many wrong links" in await answer.text()


async def test_s41_guesses_at_facility_links_block_no_kiosk_at_the_same_address(site: Site) -> None:
    path = await link(site)
    kiosk, guesser = site.person(), site.person()
    for _ in range(12):
        await guesser.get(f"/demo/facility/{wrong_token(TokenKind.FACILITY)}")
    assert (await kiosk.get(path)).status == 200
    # This is the path up to the facility's id, without the secret part.
    own = path[: path.rindex("/") + 1 + 12]
    for _ in range(10):
        assert (await guesser.get(f"{own}-{secrets.token_urlsafe(32)}")).status == 404
    assert (await kiosk.get(path)).status == 429


async def test_s41_a_link_that_was_used_is_no_guess_and_opens_nothing(site: Site) -> None:
    for kind in (TokenKind.PATIENT, TokenKind.GUEST):
        (path,) = WAYS[kind]
        used, fresh = await right_token(site, kind), await right_token(site, kind)
        assert await tried(site.person(), "POST", path, used) == 303
        for _ in range(6):
            assert await tried(site.person(), "GET", path, used) == 404
            assert await tried(site.person(), "POST", path, used) == 404
        answers = await asyncio.gather(*(tried(site.person(), "POST", path, fresh) for _ in range(5)))
        assert sorted(answers) == [303, 404, 404, 404, 404]


async def test_s41_an_invitation_that_was_used_is_no_guess_either(site: Site) -> None:
    (path,) = WAYS[TokenKind.INVITATION]
    token = await right_token(site, TokenKind.INVITATION)
    invitations = Invitations(site.app[SERVICE].store.redis, site.app[ACCOUNTS])
    assert await invitations.use("demo", name_of(token)) is not None
    assert await invitations.use("demo", name_of(token)) is None
    for _ in range(12):
        assert await tried(site.person(), "GET", path, token) == 404
    assert await tried(site.person(), "GET", path, await right_token(site, TokenKind.INVITATION)) == 303


async def hello(person: Person, resume: str) -> str:
    """Open a socket and send `hello` with the token `resume`; return the code of the error.

    If the server then closes the socket instead of answering a ping, the returned text also has the close code.
    """
    ws = await person.client.ws_connect(
        "/demo/ws", protocols=("greenroom.v1.json",), headers={"Origin": person.origin}, autoping=False
    )
    await ws.send_json({"type": "hello", "id": 1, "role": "patient", "resume": resume})
    code: str = (await ws.receive_json(timeout=WAIT_S))["code"]
    with suppress(ClientConnectionResetError):
        await ws.ping()
    end = await ws.receive(timeout=WAIT_S)
    await ws.close()
    return code if end.type is WSMsgType.PONG else f"{code} {end.data}"


async def test_s41_wrong_resume_tokens_are_counted_and_one_that_is_too_old_is_not(
    site: Site, valkey: Redis
) -> None:
    ana = site.person()
    assert (await ana.ask_for_a_visit()).status == 303
    ws = await ana.socket("patient")
    genuine: str = (await ws.receive_json(timeout=WAIT_S))["resume"]
    await ws.close()
    async for key in valkey.scan_iter("*resume*"):
        await valkey.delete(key)
    for _ in range(12):
        assert await hello(ana, genuine) == "resume_expired"
    for _ in range(10):
        assert await hello(ana, "r_" + secrets.token_urlsafe(34)) == "resume_invalid"
    assert await hello(ana, "r_" + secrets.token_urlsafe(34)) == "resume_invalid 4005"
    assert await hello(ana, genuine) == "resume_expired"
    again = await ana.socket("patient")
    assert (await again.receive_json(timeout=WAIT_S))["type"] == "welcome", "a visit is reached all the same"


async def kept(valkey: Redis) -> bytes:
    """Return everything in the store as bytes: the names of keys and their values, with members and fields."""
    redis: Any = valkey
    reads: dict[bytes, Any] = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"set": redis.smembers,
        b"zset": lambda key: redis.zrange(key, 0, -1),
        b"stream": redis.xrange,
    }
    found: list[bytes] = []
    async for key in redis.scan_iter("*"):
        kind = await redis.type(key)
        if kind != b"none":  # The type "none" means that the key has expired since the keys were listed.
            found += [key, repr(await reads[kind](key)).encode()]
    return b"\n".join(found)


async def test_s41_no_secret_that_opens_something_lies_in_the_store(site: Site, valkey: Redis) -> None:
    ana, staff, invited = site.person(), site.person(), site.person()
    assert (await ana.ask_for_a_visit()).status == 303
    assert (await staff.sign_in(ADMIN)).status == 303
    tokens = {kind: await right_token(site, kind) for kind in WAYS}
    opened = await invited.get(f"/demo/staff/invitation/{tokens[TokenKind.INVITATION]}")
    assert (opened.status, opened.headers["Location"]) == (303, "/demo/staff/password")
    ws = await ana.socket("patient")
    office = await program(site)
    found: dict[str, str] = {
        **{str(kind): token for kind, token in tokens.items()},
        "resume": (await ws.receive_json(timeout=WAIT_S))["resume"],
        "key": office.headers["Authorization"].rsplit("_", 1)[1],
        "link of the API": (await office.open())["link"]["url"].rsplit("/", 1)[1],
        **{
            f"{who} {cookie.key}": cookie.value
            for who, person in (("ana", ana), ("staff", staff), ("invited", invited))
            for cookie in person.client.session.cookie_jar
            if len(cookie.value) >= 16
        },
    }
    # Tokens that were used must not be in the store either.
    for kind in (TokenKind.PATIENT, TokenKind.GUEST):
        await tried(site.person(), "POST", WAYS[kind][0], tokens[kind])
    text = await kept(valkey)
    assert b"session:" in text
    assert [name for name, secret in found.items() if secret.encode() in text] == []
    assert (await invited.get("/demo/staff/password")).status == 200


async def test_s41_a_session_of_an_earlier_version_keeps_its_invitation(site: Site, valkey: Redis) -> None:
    invited, token = site.person(), await right_token(site, TokenKind.INVITATION)
    await invited.get(f"/demo/staff/invitation/{token}")
    (key,) = [key async for key in valkey.scan_iter("session:*") if await valkey.hexists(key, "k:invitation")]
    await valkey.hset(key, "k:invitation", f'{{"organisation": "demo", "token": "{token}"}}')
    assert (await invited.get("/demo/staff/password")).status == 200
