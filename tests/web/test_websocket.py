"""Tests who may open a WebSocket, in which role, and when the server closes it; over the whole app."""

import asyncio
from typing import Any, cast

import msgspec
import pytest
import structlog.testing
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError
from msgspec.structs import replace
from redis.asyncio import Redis

from signalling import repeated
from signalling.service import Accepted
from signalling.store import keys
from signalling.visit import commands as c
from signalling.visit.record import Actor, Role
from tests.limits import WAIT_S
from tests.signalling.waits import until
from tests.web.conftest import OpenSite
from tests.web.sessions import is_held, passes
from tests.web.site import ADMIN, LIND, OSEI, Site
from web import websocket as sockets
from web.identity.accounts import Account
from web.keys import ACCOUNTS, ORGANISATIONS, REDIS, SERVICE, SIGNALLING
from web.websocket import Watch


async def next_message(ws: ClientWebSocketResponse) -> dict[str, Any]:
    message: dict[str, Any] = await ws.receive_json(timeout=WAIT_S)
    return message


async def closes(ws: ClientWebSocketResponse) -> int | None:
    async with asyncio.timeout(WAIT_S):
        while (message := await ws.receive()).type not in (WSMsgType.CLOSE, WSMsgType.CLOSED):
            pass
    # The close code that was sent is compared. How the TCP connection ended does not matter here.
    code: int | None = message.data
    return code


async def ask(ws: ClientWebSocketResponse, **message: Any) -> dict[str, Any]:
    await ws.send_json({"id": 9, **message})
    while True:
        answer = await next_message(ws)
        if answer.get("reply_to") == 9:
            return answer


async def on_call(site: Site) -> bool:
    mirror = await site.app[SERVICE].mirrors.get("demo")
    return any(staff.on_call for staff in mirror.staff.values())


async def goes_off_call(site: Site) -> None:
    async with asyncio.timeout(WAIT_S):
        while await on_call(site):  # noqa: ASYNC110 (the mirror hears it from the bus)
            await asyncio.sleep(0.02)


# --- tests of the roles in which a WebSocket is opened


async def test_a_patient_is_welcomed_to_their_own_visit(site: Site) -> None:
    ana = site.person()
    await ana.ask_for_a_visit()
    welcome = await next_message(await ana.socket("patient"))
    assert (welcome["type"], welcome["me"]["role"], welcome["me"]["name"]) == (
        "welcome",
        "patient",
        "Ana Ruiz",
    )
    assert welcome["visit"].startswith("v_")


async def test_staff_are_welcomed_as_who_they_are(site: Site) -> None:
    osei = site.person()
    await osei.sign_in(OSEI)
    welcome = await next_message(await osei.socket("staff"))
    assert welcome["me"] == {"id": "u_osei", "role": "provider", "name": "Dr Maya Osei"}


async def test_a_socket_of_a_browser_without_the_role_is_refused_and_closed(site: Site) -> None:
    ana = site.person()
    await ana.ask_for_a_visit()
    for person, role in ((ana, "staff"), (site.person(), "staff"), (site.person(), "patient")):
        ws = await person.socket(role)
        assert (await next_message(ws))["code"] == "not_signed_in"
        assert await closes(ws) == 4202


async def test_a_socket_to_another_organisation_is_a_strangers(site: Site) -> None:
    await site.change(id="lakeside", name="Lakeside Clinic")
    osei = site.person()
    await osei.sign_in(OSEI)
    ws = await osei.client.ws_connect("/lakeside/ws", headers={"Origin": osei.origin})
    await ws.send_json({"type": "hello", "id": 1, "role": "staff"})
    assert (await next_message(ws))["code"] == "not_signed_in"


async def test_f43_a_handshake_that_lost_its_upgrade_is_answered_426_and_logged_with_a_hint(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeated, "_repeated", repeated.Repeated())
    ana = site.person()
    handshake = {"Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==", "Sec-WebSocket-Version": "13"}
    asked = [{}, *[{"Origin": ana.origin, **handshake}] * 2, {"Origin": "https://elsewhere.example"}]
    with structlog.testing.capture_logs() as logged:
        answers = [await ana.client.get("/demo/ws", headers=headers) for headers in asked]
    assert [answer.status for answer in answers] == [426, 426, 426, 403]
    assert answers[1].headers["Upgrade"] == "websocket"
    assert answers[1].headers["Connection"] == "Upgrade"
    (line,) = (line for line in logged if line["event"] == "websocket.not_upgraded")
    assert (line["count"], line["hint"]) == (1, sockets.DROPPED)


async def test_signalling_knows_a_providers_states_from_their_account(site: Site) -> None:
    osei = site.person()
    await osei.sign_in(OSEI)
    ws = await osei.socket("staff")
    assert (await ask(ws, type="on_call", on=True))["type"] == "done"
    await osei.sign_in(OSEI)
    (staff,) = (await site.app[SERVICE].mirrors.get("demo")).staff.values()
    assert (staff.name, staff.states, staff.on_call) == ("Dr Maya Osei", ("TX", "NM", "OK"), True)


async def test_s38_sockets_are_bounded_by_person_and_by_the_address_that_a_proxy_reports(
    open_site: OpenSite,
) -> None:
    few = {"hello_s": 60, "sockets_before_hello": 3, "sockets_per_address": 5, "sockets_per_person": 2}
    site = await open_site(server={"trusted_proxies": ["127.0.0.1"]}, limits=few)
    here, there = {"X-Forwarded-For": "203.0.113.5:51123"}, {"X-Forwarded-For": "203.0.113.6:51124"}
    ana, other, strangers = site.person(**here), site.person(**there), [site.person(**here) for _ in range(4)]
    for patient in (ana, other):
        await patient.ask_for_a_visit()
    open_ones = [await ana.socket("patient") for _ in range(2)]
    assert [(await next_message(ws))["type"] for ws in open_ones] == ["welcome"] * 2
    third = await ana.socket("patient")
    assert (await next_message(third))["code"] == "too_many_sockets"
    assert await closes(third) == 4006
    for number, stranger in enumerate(strangers):
        ask_for = stranger.client.ws_connect("/demo/ws", headers={"Origin": stranger.origin})
        if number < 3:
            await ask_for
            continue
        with pytest.raises(WSServerHandshakeError) as refused:
            await ask_for
        assert refused.value.status == 429
    assert (await next_message(await other.socket("patient")))["type"] == "welcome"
    assert [(await ask(ws, type="ping"))["type"] for ws in open_ones] == ["pong"] * 2


# --- tests of the end of a sign-in, which closes sockets (SECURITY.md rows 4 and 6)


@pytest.fixture
def no_regular_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops the regular check of sign-ins, so that only a message can close a socket."""
    monkeypatch.setattr(sockets, "WATCH_S", 10 * WAIT_S)


@pytest.mark.usefixtures("no_regular_check")
async def test_signing_out_closes_this_browsers_sockets_and_goes_off_call(open_site: OpenSite) -> None:
    one, other = await open_site(), await open_site()
    osei, elsewhere = one.person(), one.person()
    await osei.sign_in(OSEI)
    await elsewhere.sign_in(OSEI)
    here = await osei.socket("staff")
    # This socket is of the same browser, but of another worker. The browser sends its cookie to both, because
    # cookies are valid for all ports.
    there_browser = other.person()
    there_browser.take_cookie(osei.cookie)
    there, another_device = await there_browser.socket("staff"), await elsewhere.socket("staff")
    for ws in (here, there, another_device):
        await next_message(ws)
    await ask(here, type="on_call", on=True)
    assert await on_call(one)
    await osei.post("/demo/staff/sign-out")
    assert [await closes(here), await closes(there)] == [4201, 4201]
    await goes_off_call(one)
    assert (await ask(another_device, type="ping"))["type"] == "pong"


@pytest.mark.usefixtures("no_regular_check")
async def test_a_closed_or_changed_account_closes_its_sockets_on_every_worker(open_site: OpenSite) -> None:
    one, other = await open_site(), await open_site()

    async def change(accounts: Any, step: int) -> Account:
        steps = (accounts.disable, accounts.enable)
        changed: Account = await steps[step]("demo", OSEI)
        return changed

    browsers = [site.person() for site in (one, other)]
    for browser in browsers:
        await browser.sign_in(OSEI)
    open_ones = [await browser.socket("staff") for browser in browsers]
    for ws in open_ones:
        await next_message(ws)
    await ask(open_ones[0], type="on_call", on=True)
    await change(one.app[ACCOUNTS], 0)
    assert await asyncio.gather(*map(closes, open_ones)) == [4201, 4201]
    await goes_off_call(one)
    assert (await browsers[0].get("/demo/staff")).status == 303
    # When the account is enabled again, sign-ins from the time before stay invalid.
    await change(one.app[ACCOUNTS], 1)
    assert (await browsers[0].get("/demo/staff")).status == 303


async def test_a_change_whose_message_was_lost_is_found_by_the_regular_check(
    open_site: OpenSite, monkeypatch: Any, valkey: Redis
) -> None:
    monkeypatch.setattr(sockets, "WATCH_S", 0.1)
    site = await open_site()
    osei = site.person()
    await osei.sign_in(OSEI)
    ws = await osei.socket("staff")
    await next_message(ws)
    async for key in valkey.scan_iter("session:*"):
        await valkey.delete(key)
    assert await closes(ws) == 4201


async def staff_socket(site: Site, email: str) -> ClientWebSocketResponse:
    """Sign a person in, and return their open socket."""
    person = site.person()
    await person.sign_in(email)
    ws = await person.socket("staff")
    await next_message(ws)
    return ws


async def disable_without_message(site: Site) -> None:
    """Disable Dr Osei's account in the store, as if the message to the workers had been lost."""
    client, account = cast(Any, site.app[REDIS]), await site.app[ACCOUNTS].find("demo", OSEI)
    assert account is not None
    await client.hset(keys.ACCOUNTS("demo"), account.id, msgspec.json.encode(replace(account, disabled=True)))


@pytest.mark.usefixtures("no_regular_check")
async def test_an_account_that_cannot_be_read_ends_its_own_sign_ins_and_hides_no_other(
    open_site: OpenSite, valkey: Redis
) -> None:
    site, client = await open_site(), cast(Any, valkey)
    open_ones = [await staff_socket(site, email) for email in (OSEI, LIND, ADMIN)]
    await disable_without_message(site)
    unreadable = await site.app[ACCOUNTS].find("demo", LIND)
    assert unreadable is not None
    await client.hset(keys.ACCOUNTS("demo"), unreadable.id, b"{}")
    with structlog.testing.capture_logs() as logged:
        await Watch(site.app, site.app[SIGNALLING])._look()
    assert [await closes(ws) for ws in open_ones[:2]] == [4201, 4201]
    assert (await ask(open_ones[2], type="ping"))["type"] == "pong"
    lines = [(line["event"], line["what"]) for line in logged if line["log_level"] == "error"]
    assert lines == [("store.unreadable_record", "account")]


@pytest.mark.usefixtures("no_regular_check")
async def test_settings_that_cannot_be_read_keep_no_sign_in_of_a_disabled_account_open(
    open_site: OpenSite, valkey: Redis
) -> None:
    site, client = await open_site(), cast(Any, valkey)
    open_ones = [await staff_socket(site, email) for email in (OSEI, LIND)]
    await disable_without_message(site)
    await client.set(keys.ORGANISATION("demo"), b"{}")
    site.app[ORGANISATIONS]._forget("demo")
    await Watch(site.app, site.app[SIGNALLING])._look()
    assert await closes(open_ones[0]) == 4201
    assert (await ask(open_ones[1], type="ping"))["type"] == "pong"


async def test_an_idle_sign_in_closes_its_sockets_and_pings_do_not_prolong_it(
    open_site: OpenSite, monkeypatch: Any
) -> None:
    monkeypatch.setattr(sockets, "WATCH_S", 0.1)
    site = await open_site(sessions={"idle_s": 100.0})
    osei = site.person()
    await osei.sign_in(OSEI)
    ws = await osei.socket("staff")
    await ask(ws, type="on_call", on=True)
    for _ in range(2):
        await passes(site.app[REDIS], osei.cookie, 40)
        assert (await ask(ws, type="ping"))["type"] == "pong"
    await passes(site.app[REDIS], osei.cookie, 40)
    assert await closes(ws) == 4201
    await goes_off_call(site)


async def test_a_sign_in_does_not_end_during_a_live_visit(open_site: OpenSite, monkeypatch: Any) -> None:
    monkeypatch.setattr(sockets, "WATCH_S", 0.1)
    site = await open_site(sessions={"idle_s": 40.0, "absolute_s": 45.0})
    osei, ana = site.person(), site.person()
    await ana.ask_for_a_visit()
    patient = await ana.socket("patient")
    visit = (await next_message(patient))["visit"]
    await ask(patient, type="visit.enter", visit=visit)
    await osei.sign_in(OSEI)
    staff = await osei.socket("staff")
    await ask(staff, type="on_call", on=True)
    assert (await ask(staff, type="visit.claim", visit=visit))["type"] == "done"
    await ask(staff, type="visit.enter", visit=visit)
    await ask(staff, type="visit.start", visit=visit)
    await ask(patient, type="visit.start", visit=visit)
    async with asyncio.timeout(WAIT_S):
        while not await is_held(site.app[REDIS], osei.cookie):  # noqa: ASYNC110 (the watch writes it)
            await asyncio.sleep(0.02)
    await passes(site.app[REDIS], osei.cookie, 50)
    assert (await ask(staff, type="ping"))["type"] == "pong"
    assert (await osei.get("/demo/staff")).status == 200
    assert (await ask(staff, type="visit.end", visit=visit))["type"] == "done"


async def test_a_store_that_does_not_answer_closes_no_socket(open_site: OpenSite, monkeypatch: Any) -> None:
    monkeypatch.setattr(sockets, "WATCH_S", 0.05)
    site = await open_site()
    osei = site.person()
    await osei.sign_in(OSEI)
    ws = await osei.socket("staff")
    await next_message(ws)

    asked: list[object] = []

    async def away(*what: object) -> None:
        asked.append(what)
        raise ConnectionError

    monkeypatch.setattr(site.app[ACCOUNTS], "many", away)
    await until(lambda: len(asked) >= 3)
    assert (await ask(ws, type="ping"))["type"] == "pong"


async def test_s42_a_patients_cookie_opens_nothing_but_the_end_once_the_visit_has_ended(site: Site) -> None:
    ana = site.person()
    await ana.ask_for_a_visit()
    service = site.app[SERVICE]
    (visit,) = (await service.mirrors.get("demo")).visits
    robin = Actor(organisation="demo", id="u_robin", name="Robin Hale", role=Role.ADMIN)
    for command in (c.Claim(), c.End()):
        assert isinstance(await service.command(robin, visit, command), Accepted)
    assert "Ana Ruiz" not in await (await ana.get("/demo/visit")).text()
    ws = await ana.socket("patient")
    await next_message(ws)
    await ws.send_json({"type": "subscribe", "id": 2, "topic": f"visit/{visit}"})
    over = await next_message(ws)
    assert {field for field, value in over["visit"].items() if value} == {
        "id", "status", "outcome", "arrived_ms", "ended_ms",
    }  # fmt: skip
    await next_message(ws)
    for topic in ("case", "chat", "place"):
        assert (await ask(ws, type="subscribe", topic=f"{topic}/{visit}"))["code"] == "not_found"
    for kind in (
        "visit.enter",
        "visit.start",
        "media.join",
        "visit.history",
        "visit.reopen",
    ):
        assert (await ask(ws, type=kind, visit=visit))["code"] in ("wrong_status", "not_allowed")
    done = await ask(ws, type="visit.withdraw", visit=visit)
    assert (done["type"], done["version"]) == ("done", 0), "said again, and changes nothing"
    assert isinstance(await service.command(robin, visit, c.Reopen()), Accepted)
    assert (await next_message(ws))["visit"]["status"] == "claimed", "the page comes back"
    assert (await ask(ws, type="subscribe", topic=f"case/{visit}"))["type"] == "subscribed"
