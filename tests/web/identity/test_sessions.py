"""Tests browser sessions on a real store (Valkey): what a cookie gives access to, and for how long."""

import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from redis.asyncio import Redis

from tests.web.conftest import OpenSite
from tests.web.sessions import passes
from tests.web.site import OSEI, Person, Site
from web.config import Sessions
from web.identity.sessions import Session, Storage
from web.keys import REDIS
from web.organisations import demo


async def signed_in(site: Site) -> Person:
    osei = site.person()
    assert (await osei.sign_in(OSEI)).status == 303
    return osei


async def is_staff(person: Person) -> bool:
    return (await person.get("/demo/staff")).status == 200


# --- tests of the session's cookie (SECURITY.md rows 5 and 7)


async def test_behind_https_the_cookie_is_bound_to_this_host_and_to_https(open_site: OpenSite) -> None:
    site = await open_site(server={"public_url": "https://visits.example.org"})
    response = await site.person().post(
        "/demo/staff/sign-in",
        {"email": OSEI, "password": demo.password(site.settings, OSEI)},
        Origin="https://visits.example.org",
    )
    cookie = response.headers.getall("Set-Cookie")[-1]
    assert cookie.startswith("__Host-greenroom=")
    for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert attribute in cookie
    assert "Domain" not in cookie
    assert len(cookie) < 4096
    assert response.headers["Strict-Transport-Security"]


async def test_signing_in_issues_a_new_id_and_kills_the_old_one(site: Site) -> None:
    osei = site.person()
    await osei.ask_for_a_visit()
    before = osei.cookie
    await osei.sign_in(OSEI)
    assert osei.cookie != before
    assert len(osei.cookie) * 6 >= 128
    thief = site.person()
    thief.take_cookie(before)
    assert not await is_staff(thief)
    assert (await thief.get("/demo/visit")).status == 303


async def test_an_id_that_the_server_did_not_issue_is_not_taken_over(site: Site) -> None:
    osei = site.person()
    osei.take_cookie("planted-by-somebody-else-0123456")
    await osei.ask_for_a_visit()
    assert osei.cookie != "planted-by-somebody-else-0123456"


async def test_the_store_does_not_show_what_opens_a_session(site: Site, valkey: Redis) -> None:
    osei = await signed_in(site)
    assert all(osei.cookie.encode() not in key for key in await valkey.keys("*"))


# --- tests of sign-out (SECURITY.md row 3)


async def test_a_cookie_copied_before_sign_out_is_anonymous_after_it(site: Site) -> None:
    osei, thief = await signed_in(site), site.person()
    thief.take_cookie(osei.cookie)
    assert await is_staff(thief)
    response = await osei.post("/demo/staff/sign-out")
    assert response.headers["Location"] == "/demo/staff/sign-in"
    assert response.headers["Clear-Site-Data"] == '"storage"'
    assert not await is_staff(thief)
    assert not await is_staff(osei)


async def test_a_request_in_flight_at_sign_out_does_not_revive_the_session(valkey: Redis) -> None:
    storage = Storage(valkey, Sessions(), secure=False)
    identity = await saved(storage, Session(None, {}), staff={"person": "u_osei"})
    in_flight = await storage.load_session(asking(identity))
    await storage.delete(identity)
    in_flight["visit:demo"] = "v_1"
    await storage.save_session(asking(identity), web.Response(), in_flight)
    assert (await storage.load_session(asking(identity))).empty


async def test_two_requests_at_once_do_not_undo_each_other(valkey: Redis) -> None:
    storage = Storage(valkey, Sessions(), secure=False)
    identity = await saved(storage, Session(None, {}), here=1)
    one, other = [await storage.load_session(asking(identity)) for _ in range(2)]
    one["visit:demo"], other["visit:lakeside"] = "v_1", "v_2"
    await storage.save_session(asking(identity), web.Response(), one)
    await storage.save_session(asking(identity), web.Response(), other)
    assert dict(await storage.load_session(asking(identity))) == {
        "here": 1,
        "visit:demo": "v_1",
        "visit:lakeside": "v_2",
    }


# --- tests of the time-outs of a sign-in, by the store's clock (SECURITY.md row 6)


async def test_a_staff_member_who_does_nothing_is_signed_out_and_keeps_their_visit(
    open_site: OpenSite,
) -> None:
    site = await open_site(sessions={"idle_s": 100.0, "absolute_s": 6000.0})
    osei = site.person()
    await osei.ask_for_a_visit()
    await osei.sign_in(OSEI)
    for _ in range(4):
        await passes(site.app[REDIS], osei.cookie, 40)
        assert await is_staff(osei)
    await passes(site.app[REDIS], osei.cookie, 101)
    assert not await is_staff(osei)
    assert (await osei.get("/demo/visit")).status == 200


async def test_activity_does_not_prolong_a_sign_in_for_ever(open_site: OpenSite) -> None:
    site = await open_site(sessions={"idle_s": 100.0, "absolute_s": 150.0})
    osei = await signed_in(site)
    for _ in range(3):
        await passes(site.app[REDIS], osei.cookie, 40)
        assert await is_staff(osei)
    await passes(site.app[REDIS], osei.cookie, 31)
    assert not await is_staff(osei)


async def test_a_page_learns_how_long_the_sign_in_lasts_without_prolonging_it(open_site: OpenSite) -> None:
    site = await open_site(sessions={"idle_s": 200.0, "absolute_s": 6000.0})
    osei = await signed_in(site)

    async def left(method: str) -> int:
        response = await (
            osei.get("/demo/staff/session") if method == "GET" else osei.post("/demo/staff/session")
        )
        return int((await response.json())["ends_in_ms"])

    first = await left("GET")
    await passes(site.app[REDIS], osei.cookie, 90)
    second = await left("GET")
    assert second <= first - 90_000
    assert await left("POST") > second
    assert json.loads(await (await site.person().get("/demo/staff/session")).text()) == {"ends_in_ms": 0}


async def test_a_live_call_holds_a_sign_in_past_its_limits(valkey: Redis) -> None:
    storage = Storage(valkey, Sessions(idle_s=20, absolute_s=20), secure=False)
    identity = await saved(storage, Session(None, {}), staff={"person": "u_osei"})
    session = await storage.load_session(asking(identity))
    assert session.key is not None
    await storage.hold(session.key)
    await passes(valkey, identity, 21)
    assert (await storage.load_session(asking(identity)))["staff"] == {"person": "u_osei"}
    assert await storage.ends_in_ms(session.key) > 30_000


@pytest.mark.parametrize("cookie", ["", "x", "x" * 5000, "\x00" * 32])
async def test_a_malformed_cookie_is_anonymous(valkey: Redis, cookie: str) -> None:
    storage = Storage(valkey, Sessions(), secure=False)
    assert (await storage._read(cookie, touch=True)).empty


def asking(identity: str) -> web.Request:
    return make_mocked_request("GET", "/demo", headers={"Cookie": f"greenroom={identity}"})


async def saved(storage: Storage, session: Session, **kept: Any) -> str:
    session.update(kept)
    response = web.Response()
    await storage.save_session(asking(""), response, session)
    return response.cookies["greenroom"].value


async def test_a_session_that_changes_keeps_its_cookie_as_long_as_the_store_keeps_it(valkey: Redis) -> None:
    storage = Storage(valkey, Sessions(), secure=False)
    identity = await saved(storage, Session(None, {}), here=1)
    session = await storage.load_session(asking(identity))
    session["visit:demo"] = "v_1"
    response = web.Response()
    await storage.save_session(asking(identity), response, session)
    (cookie,) = response.cookies.values()
    assert (cookie.value, cookie["max-age"]) == (identity, str(storage.max_age))
