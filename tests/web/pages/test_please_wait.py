"""Tests what newcomers and others get while a worker has more work than it can do."""

import pytest

from tests.web.site import FORM, OSEI, Site
from web.keys import ADMISSION
from web.languages import i18n
from web.requests.admission import LOOKS

DIRECT = {"Sec-Fetch-Site": "none"}


def full(site: Site) -> None:
    """Let the worker of this site have too much work, so that it admits nobody for now."""
    for _ in range(LOOKS):
        site.app[ADMISSION].look(1.0, 1.0)
    site.app[ADMISSION].share = 0.0


async def test_newcomers_are_asked_to_wait_by_a_page_that_goes_on_by_itself(site: Site) -> None:
    full(site)
    for path in ("/demo", "/demo/information"):
        answer = await site.person(**DIRECT).get(path)
        assert answer.status == 503
        assert answer.headers["Retry-After"] == answer.headers["Refresh"]
        assert 5 <= int(answer.headers["Refresh"]) <= 10
        assert "Please wait a moment" in await answer.text()
    site.app[ADMISSION].share = 1.0
    assert (await site.person().get("/demo")).status == 200


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
    from_the_calendar = site.person(**{"Sec-Fetch-Site": "same-origin"})
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
