"""Tests that the page that was asked for opens after the sign-in, and no other address."""

import re

import pytest
from aiohttp import ClientResponse

from tests.web.phone import CODE, Clock, set_up
from tests.web.site import ADMIN, OSEI, Person, Site
from web.identity.after_sign_in import asked_for, sign_in_path
from web.organisations import demo

VISIT = "/demo/staff/visits/v_1"
SIGN_IN = "/demo/staff/sign-in"


@pytest.mark.parametrize(
    "path",
    [
        VISIT,
        f"{VISIT}/emergency",
        "/demo/staff/calendar",
        "/demo/staff/calendar/b_1/move",
        "/demo/staff/preferences",
        "/demo/staff/reports",
        "/demo/staff/setup",
        "/demo/staff/setup/people",
        "/demo/staff/two-factor",
    ],
)
def test_a_page_of_staff_may_open_after_the_sign_in(path: str) -> None:
    assert asked_for("demo", path) == path
    assert sign_in_path("demo", "GET", path) == f"{SIGN_IN}?to={path}"
    assert sign_in_path("demo", "POST", path) == sign_in_path("demo", "HEAD", path) == SIGN_IN


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/demo/staff",
        "/demo/staff/",
        "/demo/visit",
        SIGN_IN,
        f"{SIGN_IN}/code",
        "/demo/staff/sign-out",
        "/demo/staff/session",
        "/demo/staff/invitation/token",
        "/demo/staff/password",
        "/demo/staff/reports.csv",
        "/demo/staff/setup/audit/export",
        "/demo/staff/setup/../sign-out",
        "/demo/staff/visits/..",
        "/demo/staff/visits/%2e%2e",
        "/demo/staff/visits/v_1?name=Ana",
        "/demo/staff/visits/v_1#a",
        "/demo/staff/visits/v_1\r\nSet-Cookie: a=b",
        "/demo/staff/visits/v_1\n",
        "/demo/staff/visits/v_é",
        f"/demo/staff/visits/{65 * 'v'}",
        "/lakeside/staff/visits/v_1",
        "//evil.example/demo/staff/visits/v_1",
        "/\\evil.example/demo/staff/visits/v_1",
        "https://evil.example/demo/staff/visits/v_1",
        " /demo/staff/visits/v_1",
        "demo/staff/visits/v_1",
    ],
)
async def test_no_other_address_opens_after_the_sign_in(site: Site, path: str) -> None:
    assert asked_for("demo", path) == ""
    answer = await _sign_in(site.person(), OSEI, {"to": path})
    assert (answer.status, answer.headers["Location"]) == (303, "/demo/staff")


async def test_the_page_that_was_asked_for_opens_after_a_wrong_password_too(site: Site) -> None:
    admin = site.person()
    asked = await admin.get("/demo/staff/setup/people?saved=Ana")
    assert asked.headers["Location"] == f"{SIGN_IN}?to=/demo/staff/setup/people"
    page = await (await admin.get(asked.headers["Location"])).text()
    assert _action(page) == asked.headers["Location"]
    form = {"email": ADMIN, "password": "not the password"}
    wrong = await (await admin.client.post(_action(page), data=form, headers={"Origin": admin.origin})).text()
    assert _action(wrong) == asked.headers["Location"]
    done = await admin.post(_action(wrong), {**form, "password": demo.password(site.settings, ADMIN)})
    assert (done.status, done.headers["Location"]) == (303, "/demo/staff/setup/people")
    again = await admin.get(asked.headers["Location"])
    assert again.headers["Location"] == "/demo/staff/setup/people", "the person is signed in already"


async def test_the_page_that_was_asked_for_opens_after_the_second_factor(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(site, monkeypatch)
    osei = site.person()
    await osei.sign_in(OSEI)
    phone, _ = await set_up(osei, clock, OSEI)
    later = site.person()
    assert (await _sign_in(later, OSEI, {"to": VISIT})).headers["Location"] == CODE
    assert (await later.post(CODE, {"code": "000000"})).status == 422
    done = await later.post(CODE, {"code": phone.code()})
    assert (done.status, done.headers["Location"]) == (303, VISIT)


async def test_after_a_sign_out_the_next_person_gets_the_list(site: Site) -> None:
    browser = site.person()
    await browser.get(VISIT)
    await _sign_in(browser, OSEI, {"to": VISIT})
    out = await browser.post("/demo/staff/sign-out")
    assert out.headers["Location"] == SIGN_IN
    assert _action(await (await browser.get(SIGN_IN)).text()) == SIGN_IN
    assert (await browser.sign_in(ADMIN)).headers["Location"] == "/demo/staff"


async def _sign_in(person: Person, email: str, query: dict[str, str]) -> ClientResponse:
    form = {"email": email, "password": demo.password(person.site.settings, email)}
    return await person.client.post(
        SIGN_IN, params=query, data=form, headers={"Origin": person.origin}, allow_redirects=False
    )


def _action(page: str) -> str:
    (found,) = re.findall(r'action="(/demo/staff/sign-in[^"]*)"', page)
    return str(found)
