"""Tests the answers of a worker that has more work than it can do.

Newcomers must wait; patients with a visit, people who fill in the form, and staff continue.
"""

import pytest

from tests.web.site import FORM, OSEI, Site
from web.keys import ADMISSION
from web.languages import i18n
from web.requests.admission import LOOKS, ONE_LOOKS

DIRECT = {"Sec-Fetch-Site": "none"}
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


def full(site: Site) -> None:
    """Put the worker of this site into the state of too much work, in which it admits no newcomers."""
    for _ in range(LOOKS):
        site.app[ADMISSION].look(1.0, 1.0)
    site.app[ADMISSION].share = 0.0


async def test_newcomers_are_asked_to_wait_by_a_page_that_goes_on_by_itself(site: Site) -> None:
    full(site)
    for path in ("/demo", "/demo/information"):
        answer = await site.person(**DIRECT).get(path)
        assert answer.status == 503
        assert answer.headers["Refresh"] == f"{answer.headers['Retry-After']}; url=?waited=1"
        assert 5 <= int(answer.headers["Retry-After"]) <= 10
        assert "Please wait a moment" in await answer.text()
    site.app[ADMISSION].share = 1.0
    assert (await site.person().get("/demo")).status == 200


async def test_a_browser_that_comes_again_by_itself_waits_again_and_gets_the_page_that_it_asked_for(
    site: Site,
) -> None:
    full(site)
    first = await site.person(**DIRECT).get("/demo?area=&q=a%26b%22")
    again = first.headers["Refresh"].partition("url=")[2]
    ben = site.person(**SAME_SITE)
    second = await ben.get(f"/demo{again}")
    assert second.status == 503, "the browser says that it comes from a page of this site"
    assert second.headers["Refresh"].partition("url=")[2] == again
    site.app[ADMISSION].share = 1.0
    admitted = await ben.get(f"/demo{again}")
    assert admitted.status == 303
    assert admitted.headers["Location"] == "/demo?area=&q=a%26b%22"
    full(site)
    assert (await ben.get(admitted.headers["Location"])).status == 200, "who was admitted waits no more"


async def test_of_those_who_have_waited_one_at_a_time_is_admitted_to_a_busy_worker(site: Site) -> None:
    for _ in range(ONE_LOOKS):
        full(site)
    answers = [await site.person(**SAME_SITE).get("/demo?waited=1") for _ in range(3)]
    assert [answer.status for answer in answers] == [303, 503, 503]


async def test_a_browser_that_does_not_say_where_it_comes_from_comes_again_to_the_same_address(
    site: Site,
) -> None:
    full(site)
    answer = await site.person().get("/demo")
    assert answer.headers["Refresh"] == answer.headers["Retry-After"]


async def test_those_in_line_those_who_fill_in_the_form_and_staff_go_on_while_newcomers_wait(
    site: Site,
) -> None:
    ana, ben, osei = site.person(), site.person(), site.person()
    await ana.post("/demo/information", FORM)
    await osei.sign_in(OSEI)
    assert (await ben.get("/demo")).status == 200
    full(site)
    assert (await ben.get("/demo")).status == 503
    assert (await ana.get("/demo")).status == 200
    assert (await ana.get("/demo/visit")).status == 200
    from_the_calendar = site.person(**SAME_SITE)
    assert (await from_the_calendar.get("/demo/information")).status == 200
    assert (await ben.post("/demo/information", {**FORM, "name": "Ben Ode"})).status == 303
    assert (await osei.get("/demo/staff")).status == 200
    assert (await site.person().get("/demo/staff/sign-in")).status == 200
    assert (await site.person().get("/healthz")).status == 200


@pytest.mark.parametrize("code", [code for code in i18n.languages() if code != i18n.SOURCE])
async def test_the_page_of_those_who_wait_is_in_each_language(site: Site, code: str) -> None:
    full(site)
    text = await (await site.person(**{"Accept-Language": code}).get("/demo")).text()
    assert f'lang="{code}"' in text
    assert "Please wait a moment" not in text


async def test_an_unknown_clinic_is_not_found_while_newcomers_wait(site: Site) -> None:
    full(site)
    assert (await site.person().get("/nowhere")).status == 404
