"""Tests a guest's link over the whole app: who may invite, that it works once, and that all invalid links look the
same.
"""

import asyncio

from signalling.service import Accepted
from signalling.store.guest_links import GuestLink
from signalling.visit import commands as c
from signalling.visit.record import Actor, Role
from tests.web.site import Person, Site
from tests.web.test_websocket import ask, next_message
from web.keys import INVITES, SERVICE

OSEI = Actor(organisation="demo", id="u_osei", name="Dr M. Osei", role=Role.PROVIDER)
ROSA = "guest-rosa"


async def invited(site: Site, for_ms: int = 60_000) -> tuple[str, str]:
    """Make a claimed visit and a link for its guest Rosa; return (the id of the visit, the path of the link).

    `for_ms`: how long the link is valid.
    """
    service = site.app[SERVICE]
    ana = site.person()
    await ana.ask_for_a_visit()
    mirror = await service.mirrors.get("demo")
    visit = next(iter(mirror.visits))
    await service.set_on_call(OSEI, on=True)
    for command in (c.Claim(), c.Invite(ROSA, "Rosa Diaz", "interpreter")):
        assert isinstance(await service.command(OSEI, visit, command), Accepted)
    return visit, await link(site, visit, ROSA, for_ms)


async def link(site: Site, visit: str, guest: str, for_ms: int = 60_000) -> str:
    token = await site.app[INVITES].issue("demo", GuestLink(visit, guest), for_ms)
    return f"/demo/join/{token}"


async def test_the_link_shows_who_invites_whom_and_opens_nothing_by_being_looked_at(site: Site) -> None:
    _, path = await invited(site)
    for preview in (site.person(), site.person()):
        response = await preview.get(path)
        text = await response.text()
        assert response.status == 200
        assert all(word in text for word in ("Dr M. Osei", "Rosa Diaz", "interpreter"))
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert (await preview.get("/demo/guest")).status == 404


async def test_the_button_lets_the_guest_in_and_takes_the_token_out_of_the_address_bar(site: Site) -> None:
    visit, path = await invited(site)
    rosa = site.person()
    response = await rosa.post(path)
    assert (response.status, response.headers["Location"]) == (303, "/demo/guest")
    assert visit in await (await rosa.get("/demo/guest")).text()
    ws = await rosa.socket("guest")
    welcome = await next_message(ws)
    assert (welcome["me"]["role"], welcome["me"]["name"]) == ("guest", "Rosa Diaz")
    assert (await ask(ws, type="subscribe", topic=f"visit/{visit}"))["type"] in ("subscribed", "visit.state")
    assert (await ask(ws, type="subscribe", topic=f"case/{visit}"))["code"] == "not_found"


async def test_the_link_leads_the_browser_that_used_it_back_to_the_session(site: Site) -> None:
    visit, path = await invited(site)
    rosa, stranger = site.person(), site.person()
    await rosa.post(path)
    for answer in (await rosa.get(path), await rosa.post(path)):
        assert (answer.status, answer.headers.get("Location")) == (303, "/demo/guest")
    other = await link(site, visit, "guest-nobody")
    assert (await rosa.get(other)).status == 404, "another link leads nowhere"
    assert (await stranger.get(path)).status == 404


async def test_an_invalid_link_gets_the_same_page_whatever_the_reason(site: Site) -> None:
    visit, used = await invited(site)
    await site.person().post(used)
    expired = await link(site, visit, ROSA, for_ms=1)
    dismissed = await link(site, visit, "guest-nobody")
    await asyncio.sleep(0.01)
    stranger = site.person()
    pages = [
        await stranger.get(path) for path in (used, expired, dismissed, "/demo/join/forged", "/demo/guest")
    ]
    assert {page.status for page in pages} == {404}
    texts = [(await page.text()).replace(page.url.path, "…") for page in pages]
    assert len(set(texts)) == 1
    replays = [await stranger.post(path) for path in (used, expired, "/demo/join/forged")]
    assert {page.status for page in replays} == {404}
    assert (await stranger.get("/demo/guest")).status == 404


async def test_of_two_who_redeem_at_once_one_is_let_in(site: Site) -> None:
    _, path = await invited(site)
    people: list[Person] = [site.person() for _ in range(4)]
    answers = await asyncio.gather(*(person.post(path) for person in people))
    assert sorted(answer.status for answer in answers) == [303, 404, 404, 404]


async def test_another_sites_page_cannot_redeem_a_link(site: Site) -> None:
    _, path = await invited(site)
    stranger = site.person()
    assert (await stranger.post(path, Origin="https://evil.example")).status == 403
    assert (await stranger.get(path)).status == 200, "it still opens"


async def test_a_dismissed_guest_has_no_access_any_more(site: Site) -> None:
    visit, path = await invited(site)
    rosa = site.person()
    await rosa.post(path)
    assert isinstance(await site.app[SERVICE].command(OSEI, visit, c.Dismiss(ROSA)), Accepted)
    assert (await rosa.get("/demo/guest")).status == 404
    assert (await next_message(await rosa.socket("guest")))["code"] == "not_signed_in"


async def test_another_organisations_link_opens_nothing_here(site: Site) -> None:
    visit, _ = await invited(site)
    token = await site.app[INVITES].issue("elsewhere", GuestLink(visit, ROSA), 60_000)
    assert (await site.person().post(f"/demo/join/{token}")).status == 404
