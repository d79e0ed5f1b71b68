"""Tests two-factor sign-in: set-up, the code page, used and wrong codes, recovery, reset, and that admins may have to
use it.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType
from redis.asyncio import Redis

from tests.browsers import SHOWN_S
from tests.server import CONSOLE_SCRIPT, toml
from tests.web.conftest import OpenSite
from tests.web.pages.setup.desk import desk
from tests.web.pages.setup.test_people import account, change, link_in
from tests.web.phone import CODE, HOME, Clock, Phone, key_in, recovery_codes_in, set_up
from tests.web.site import ADMIN, LIND, OSEI, Person, Site
from web.identity import totp
from web.identity.visitors import HALF_MS
from web.keys import MAIL_QUEUE, SECOND_FACTORS, SERVICE, THROTTLE
from web.organisations import demo
from web.organisations.settings import Organisation
from web.pages.staff.sign_in_code import CODE as CODE_RULE

CLOSED = ("", "/visits/v_1", "/calendar", "/reports", "/reports.csv", "/setup", "/setup/people", "/setup/api")


@pytest.fixture
def clock(site: Site, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(site, monkeypatch)


async def signed_in(site: Site, email: str = OSEI) -> Person:
    person = site.person()
    answer = await person.sign_in(email)
    assert (answer.status, answer.headers["Location"]) == (303, "/demo/staff")
    return person


async def half_in(site: Site, email: str = OSEI) -> Person:
    person = site.person()
    answer = await person.sign_in(email)
    assert (answer.status, answer.headers["Location"]) == (303, CODE)
    return person


async def is_staff(person: Person) -> bool:
    return (await person.get("/demo/staff")).status == 200


# --- tests of setting up two-factor sign-in


async def test_with_a_second_factor_the_password_alone_opens_nothing_and_a_code_signs_in(
    site: Site, clock: Clock
) -> None:
    osei, elsewhere = await signed_in(site), await signed_in(site)
    phone, codes = await set_up(osei, clock, OSEI)
    assert len(set(codes)) == 10
    assert await is_staff(osei)
    assert not await is_staff(elsewhere), "who was signed in by the password alone is signed out"

    again = await half_in(site)
    before = again.cookie
    assert not await is_staff(again)
    page = await (await again.get(CODE)).text()
    assert 'autocomplete="one-time-code"' in page
    assert 'inputmode="numeric"' in page
    done = await again.post(CODE, {"code": f" {phone.code()[:3]} {phone.code()[3:]} "})
    assert (done.status, done.headers["Location"]) == (303, "/demo/staff")
    assert await is_staff(again)
    assert again.cookie != before, "the session goes on under a new id"
    thief = site.person()
    thief.take_cookie(before)
    assert (await thief.get(CODE)).headers["Location"] == "/demo/staff/sign-in"


async def test_a_half_signed_in_browser_reaches_nothing(site: Site, clock: Clock) -> None:
    phone, _ = await set_up(await signed_in(site, ADMIN), clock, ADMIN)
    half = await half_in(site, ADMIN)
    for path in (*CLOSED, "/preferences", "/two-factor"):
        answer = await half.get(f"/demo/staff{path}")
        where = answer.headers["Location"].partition("?")[0]
        assert (answer.status, where) == (303, "/demo/staff/sign-in"), path
    for path in ("/two-factor", "/preferences", "/preferences/password"):
        answer = await half.post(f"/demo/staff{path}", {"do": "off"})
        assert (answer.status, answer.headers["Location"]) == (303, "/demo/staff/sign-in"), path
    assert await (await half.get("/demo/staff/session")).json() == {"ends_in_ms": 0}
    await site.change(id="lakeside")
    elsewhere = CODE.replace("demo", "lakeside")
    assert (await half.get(elsewhere)).headers["Location"] == "/lakeside/staff/sign-in"
    assert (await half.post(elsewhere, {"code": phone.code()})).status == 401
    socket = await half.socket("staff")
    assert (await socket.receive_json())["type"] != "welcome"


async def test_a_right_password_waits_five_minutes_for_the_code(site: Site, clock: Clock) -> None:
    phone, _ = await set_up(await signed_in(site), clock, OSEI)
    half = await half_in(site)
    clock.now_ms += HALF_MS
    assert (await half.get(CODE)).headers["Location"] == "/demo/staff/sign-in"
    late = await half.post(CODE, {"code": phone.code()})
    assert late.status == 401
    assert "Sign in once more" in await late.text()
    assert not await is_staff(half)


async def test_a_new_password_ends_what_the_old_one_had_half_opened(site: Site, clock: Clock) -> None:
    phone, _ = await set_up(await signed_in(site), clock, OSEI)
    half, admin = await half_in(site), await desk(site)
    status, text = await change(admin, await account(site, OSEI), "reset")
    assert status == 200
    assert (await half.post(CODE, {"code": phone.code()})).status == 401
    path = await link_in(admin, text)
    await half.get(path)
    wanted = "Nine blue herons at noon"
    done = await half.post("/demo/staff/password", {"password": wanted, "again": wanted})
    assert done.headers["Location"] == CODE, "a link to a new password is no way around the code"
    assert not await is_staff(half)
    assert (await half.post(CODE, {"code": phone.code()})).headers["Location"] == "/demo/staff"


async def test_setting_up_needs_the_password_and_a_code_of_the_new_key(site: Site, clock: Clock) -> None:
    osei = await signed_in(site)
    password = demo.password(site.settings, OSEI)
    assert (await osei.post(HOME, {"do": "confirm", "password": password, "code": "1"})).status == 303
    await osei.post(HOME, {"do": "begin"})
    key = key_in(await (await osei.get(HOME)).text())
    phone = Phone(clock, key)
    for form, field in (
        ({"password": "not it", "code": phone.code()}, "password"),
        ({"password": password, "code": phone.code(-2)}, "code"),
        ({"password": password, "code": "١٢٣٤٥٦"}, "code"),
        ({"password": password}, "code"),
    ):
        answer = await osei.post(HOME, {"do": "confirm", **form})
        html = await answer.text()
        assert answer.status == 422
        assert f'id="{field}-wrong"' in html
        assert key_in(html) == key, "the app need not scan anything anew"
    assert not (await account(site, OSEI)).second_factor
    assert (await osei.post(HOME, {"do": "no such thing"})).status == 400


async def test_the_secret_and_the_recovery_codes_lie_sealed_in_the_store(
    site: Site, clock: Clock, valkey: Redis
) -> None:
    osei = await signed_in(site)
    phone, codes = await set_up(osei, clock, OSEI)
    key = totp.spelled(phone.secret).replace(" ", "")
    await osei.post(HOME, {"do": "begin"})  # the action does nothing while two-factor sign-in is on
    found: list[Any] = []
    for name in await valkey.keys("*"):
        found.append(name)
        kind = await valkey.type(name)
        if kind == b"hash":
            found += [part for pair in (await valkey.hgetall(name)).items() for part in pair]
        elif kind == b"set":
            found += list(await valkey.smembers(name))
    kept = b"\n".join(found)
    assert b"second_factor:u_osei" in kept
    for canary in (phone.secret, key.encode(), *(code.encode() for code in codes)):
        assert canary not in kept
        assert canary.replace(b"-", b"") not in kept


# --- tests of the codes that the authenticator app shows


async def test_a_code_is_accepted_once_by_all_workers_together(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await open_site(), await open_site()
    clock = Clock(one, monkeypatch)
    monkeypatch.setattr(other.app[SERVICE].store, "clock_ms", lambda: clock.now_ms)
    phone, codes = await set_up(await signed_in(one), clock, OSEI)
    for spent in (phone.code(), codes[0]):
        answers = await asyncio.gather(
            *(
                site.app[SECOND_FACTORS].passes("demo", "u_osei", spent, clock.now_ms)
                for site in (one, other) * 5
            )
        )
        assert sorted(answers) == [False] * 9 + [True]


async def test_using_a_code_invalidates_all_earlier_codes(site: Site, clock: Clock) -> None:
    osei = await signed_in(site)
    phone, _ = await set_up(osei, clock, OSEI)
    factors = site.app[SECOND_FACTORS]

    async def passes(off: int) -> bool:
        return await factors.passes("demo", "u_osei", phone.code(off), clock.now_ms)

    assert not await passes(-2)
    assert not await passes(2)
    assert await passes(0)
    assert not await passes(0)
    assert not await passes(-1)
    assert await passes(1)
    clock.next_step()
    assert not await passes(0)


async def test_the_code_that_turned_the_second_factor_on_does_not_sign_in(site: Site, clock: Clock) -> None:
    phone, _ = await set_up(await signed_in(site), clock, OSEI)
    clock.next_step(-3)
    refused = await (await half_in(site)).post(CODE, {"code": phone.code()})
    assert refused.status == 422
    assert "was used already" in await refused.text()


async def test_a_recovery_code_signs_in_once_however_it_is_typed(site: Site, clock: Clock) -> None:
    _, codes = await set_up(await signed_in(site), clock, OSEI)
    half = await half_in(site)
    typed = codes[3].lower().replace("-", " ").replace("0", "o").replace("1", "l")
    done = await half.post(CODE, {"recovery": typed})
    assert (done.status, done.headers["Location"]) == (303, HOME + "?used")
    assert "9 are left" in await (await half.get(HOME + "?used")).text()
    refused = await (await half_in(site)).post(CODE, {"recovery": codes[3]})
    assert refused.status == 422
    assert "none of your recovery codes" in await refused.text()


async def test_guesses_at_codes_are_stopped_at_the_account_wherever_they_come_from(
    site: Site, clock: Clock
) -> None:
    phone, codes = await set_up(await signed_in(site), clock, OSEI)
    wrong = await (await half_in(site)).post(CODE, {"code": "000000" if phone.code() != "000000" else "1"})
    assert wrong.status == 422
    at_once = replace(CODE_RULE, first_delay_ms=0)
    # These wrong guesses use up the limit; they come from other addresses, and their delays are switched off.
    for _ in range(CODE_RULE.limit - 1):
        async with site.app[THROTTLE].attempt(at_once, "demo", "u_osei"):
            pass
    half = await half_in(site)
    for form in ({"code": phone.code()}, {"recovery": codes[0]}):
        answer = await half.post(CODE, form)
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) > 60
        assert "too many wrong codes" in await answer.text()
    assert not await is_staff(half)
    assert await signed_in(site, LIND), "nobody else is stopped"


# --- tests of new recovery codes, of switching off, and of the reset


async def test_new_recovery_codes_end_the_old_ones(site: Site, clock: Clock) -> None:
    osei = await signed_in(site)
    phone, old = await set_up(osei, clock, OSEI)
    password = demo.password(site.settings, OSEI)
    for form in ({"password": "not it", "code": phone.code()}, {"password": password, "code": "1"}):
        assert (await osei.post(HOME, {"do": "codes", **form})).status == 422
    answer = await osei.post(HOME, {"do": "codes", "password": password, "code": phone.code()})
    new = recovery_codes_in(await answer.text())
    assert len(set(new) | set(old)) == 20
    assert recovery_codes_in(await (await osei.get(HOME)).text()) == [], "they are shown once"
    half = await half_in(site)
    assert (await half.post(CODE, {"recovery": old[0]})).status == 422
    assert (await half.post(CODE, {"recovery": new[0]})).status == 303


async def test_turning_the_second_factor_off_needs_the_password_and_a_code(site: Site, clock: Clock) -> None:
    osei = await signed_in(site)
    phone, codes = await set_up(osei, clock, OSEI)
    password = demo.password(site.settings, OSEI)
    for form, field in (
        ({"password": "not it", "code": phone.code()}, "password"),
        ({"password": password, "code": ""}, "code"),
    ):
        refused = await osei.post(HOME, {"do": "off", **form})
        assert refused.status == 422
        assert f'id="{field}-wrong"' in await refused.text()
    assert (await account(site, OSEI)).second_factor
    done = await osei.post(HOME, {"do": "off", "password": password, "code": codes[0]})
    assert (done.status, done.headers["Location"]) == (303, HOME + "?off")
    assert await is_staff(osei)
    await signed_in(site)


async def test_an_administrator_resets_the_second_factor_of_a_person_who_lost_the_phone(
    site: Site, clock: Clock
) -> None:
    osei = await signed_in(site)
    await set_up(osei, clock, OSEI)
    admin = await desk(site)
    assert "Reset two-factor sign-in" in await (await admin.person.get(f"{admin.home}/people")).text()
    assert (await change(admin, await account(site, OSEI), "two-factor"))[0] == 303
    assert not await is_staff(osei)
    await signed_in(site)
    me = await account(site, ADMIN)
    status, text = await change(admin, me, "two-factor")
    assert status == 422
    assert "your own account" in text


async def test_an_operator_resets_a_second_factor_on_the_command_line(
    site: Site, clock: Clock, tmp_path: Path, valkey_url: str
) -> None:
    admin = await signed_in(site, ADMIN)
    await set_up(admin, clock, ADMIN)
    config = tmp_path / "config.toml"
    config.write_text(toml({"redis": {"url": valkey_url}, "data": {"folder": site.settings.data.folder}}))
    command = await asyncio.create_subprocess_exec(
        CONSOLE_SCRIPT[0],
        "user",
        "reset-two-factor",
        ADMIN,
        "--config",
        str(config),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await command.communicate()
    assert (command.returncode, b"signs in with the password only" in said) == (0, True)
    assert not await is_staff(admin)
    await signed_in(site, ADMIN)


async def test_every_change_is_mailed_to_the_person(
    site: Site, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str, str]] = []

    async def queue(
        organisation: str, kind: str, to: str, language: str, context: dict[str, str], **_: int
    ) -> None:
        told.append((kind, to, context["what"]))

    monkeypatch.setattr(site.app[MAIL_QUEUE], "queue", queue)
    osei = await signed_in(site)
    phone, _ = await set_up(osei, clock, OSEI)
    form = {"do": "off", "password": demo.password(site.settings, OSEI), "code": phone.code()}
    assert (await osei.post(HOME, form)).status == 303
    await set_up(osei, clock, OSEI)
    await change(await desk(site), await account(site, OSEI), "two-factor")
    assert told == [("two_factor", OSEI, what) for what in ("on", "off", "on", "reset")]


# --- tests of an organisation that requires two-factor sign-in of administrators


async def demand(site: Site) -> None:
    await site.change(admins_two_factor=True)


async def test_an_administrator_who_must_have_a_second_factor_reaches_nothing_before_its_set_up(
    site: Site, clock: Clock
) -> None:
    await demand(site)
    admin = await signed_in(site, ADMIN)
    for path in (*CLOSED, "/preferences"):
        answer = await admin.get(f"/demo/staff{path}")
        assert (answer.status, answer.headers["Location"]) == (303, HOME), path
    socket = await admin.socket("staff")
    assert (await socket.receive_json())["type"] != "welcome"
    page = await (await admin.get(HOME)).text()
    assert "asks its administrators" in page
    assert 'href="/demo/staff/setup"' not in page
    await set_up(admin, clock, ADMIN)
    for path in ("", "/setup/people"):
        assert (await admin.get(f"/demo/staff{path}")).status == 200
    assert await is_staff(await signed_in(site, OSEI)), "a provider may do without"


async def test_administrators_who_are_signed_in_already_are_led_to_the_set_up_too(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.websocket.WATCH_S", 0.1)
    site = await open_site()
    admin = await desk(site)
    socket = await admin.person.socket("staff")
    assert (await socket.receive_json())["type"] == "welcome"
    saved = await admin.change("policy", admins_two_factor="on")
    assert saved.status == 303
    assert (await admin.person.get(saved.headers["Location"])).headers["Location"] == HOME
    async with asyncio.timeout(SHOWN_S):
        while (frame := await socket.receive()).type is not WSMsgType.CLOSE:
            pass
    assert frame.data == 4201


def test_an_organisation_demands_a_second_factor_only_if_its_settings_say_so() -> None:
    assert not demo.ORGANISATION.admins_two_factor
    assert Organisation(id="a", name="A", guide=demo.ORGANISATION.guide).admins_two_factor is False
