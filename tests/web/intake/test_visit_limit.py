"""Tests how many visits one IP address may open by Meet Now, over HTTP with the whole app on a real store."""

import asyncio
import re

from tests.web.conftest import OpenSite
from tests.web.site import FORM, Site
from web.config import Settings
from web.keys import SERVICE

NEARBY, FAR = {"X-Forwarded-For": "203.0.113.9"}, {"X-Forwarded-For": "203.0.113.10"}


async def clinic(open_site: OpenSite, limit: int) -> Site:
    """Return a site behind a proxy. `limit`: how many visits one address may open."""
    return await open_site(server={"trusted_proxies": ["127.0.0.1"]}, limits={"visits_per_address": limit})


async def visits(site: Site) -> int:
    return len((await site.app[SERVICE].mirrors.get("demo")).visits.values())


async def test_after_too_many_visits_from_an_address_the_form_shows_when_to_try_again(
    open_site: OpenSite,
) -> None:
    site = await clinic(open_site, 3)
    for _ in range(3):
        assert (await site.person(**NEARBY).ask_for_a_visit()).status == 303
    refused = await site.person(**NEARBY).ask_for_a_visit()
    text = await refused.text()
    assert refused.status == 429
    assert 500 < int(refused.headers["Retry-After"]) <= 600
    assert re.search(r"Send this form again in (9|10) min", text)
    assert "call your local emergency number" in text
    assert 'value="Ana Ruiz"' in text, "what was written is kept"
    assert await visits(site) == 3
    assert (await site.person(**FAR).ask_for_a_visit()).status == 303, "another address is not concerned"


async def test_the_message_about_too_many_visits_is_in_spanish_too(open_site: OpenSite) -> None:
    site = await clinic(open_site, 1)
    await site.person(**NEARBY).ask_for_a_visit()
    refused = await site.person(**NEARBY, **{"Accept-Language": "es"}).ask_for_a_visit()
    assert refused.status == 429
    assert "Envíe de nuevo este formulario dentro de" in await refused.text()


async def test_only_visits_that_were_opened_count(open_site: OpenSite) -> None:
    site = await clinic(open_site, 2)
    ana = site.person(**NEARBY)
    for _ in range(3):
        assert (await ana.ask_for_a_visit(email="ana at example")).status == 422
    answers = await asyncio.gather(*(ana.post("/demo/information", FORM) for _ in range(2)))
    again = await ana.post("/demo/information", FORM)
    assert [answer.status for answer in (*answers, again)] == [303] * 3
    assert await visits(site) == 1, "the same form, sent several times, is one visit"
    assert (await site.person(**NEARBY).ask_for_a_visit()).status == 303


async def test_requests_at_once_from_one_address_open_visits_up_to_the_limit(open_site: OpenSite) -> None:
    site = await clinic(open_site, 5)
    answers = await asyncio.gather(*(site.person(**NEARBY).ask_for_a_visit() for _ in range(12)))
    assert sorted(answer.status for answer in answers) == [303] * 5 + [429] * 7
    assert await visits(site) == 5


async def test_without_a_limit_any_number_is_opened(open_site: OpenSite) -> None:
    site = await clinic(open_site, 0)
    answers = await asyncio.gather(
        *(site.person(**NEARBY).ask_for_a_visit() for _ in range(Settings().limits.visits_per_address + 1))
    )
    assert {answer.status for answer in answers} == {303}
