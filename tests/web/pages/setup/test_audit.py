"""Tests the page of the audit log, which only administrators may see.

The page shows the newest entries first, and a link leads to the next older entries. It can also show only the
entries of one person or those about one visit.
"""

import re

import pytest
from playwright.async_api import Browser, expect

from tests.web.browsing import sign_in
from tests.web.pages.setup.desk import desk
from tests.web.pages.test_accessibility import LOOKS, is_accessible
from tests.web.site import FORM, OSEI, Site
from web.identity.accounts import pseudonym
from web.keys import AUDIT_LOG
from web.pages.setup import audit as page_of

PATH = "/demo/staff/setup/audit"


async def noted(site: Site, *entries: tuple[str, str, str]) -> None:
    """Add these (person, action, subject) as entries to the audit log, so that the page shows them."""
    for who, what, about in entries:
        site.app[AUDIT_LOG].note("demo", who, what, about)
    await site.app[AUDIT_LOG].flush()
    await site.app[AUDIT_LOG].bind_all("demo")


def numbers(html: str) -> list[int]:
    """Return the numbers of the entries in the order of the page."""
    return [int(found) for found in re.findall(r'<tr><td class="num">(\d+)</td>', html)]


async def test_only_an_administrator_sees_the_log(site: Site) -> None:
    osei = (await desk(site, OSEI)).person
    assert (await osei.get(PATH)).status == 403
    assert (await site.person().get(PATH)).status == 303


async def test_an_entry_says_who_what_and_when_in_words_and_names_no_patient(site: Site) -> None:
    admin, ana = (await desk(site)).person, site.person()
    assert (await ana.ask_for_a_visit()).status == 303
    await noted(
        site,
        ("u_osei", "visit.claimed", "v_1"),
        ("nobody", "signin.failed", f"email:{pseudonym(OSEI)}"),
        ("nobody", "signin.failed", "email:0a0a"),
        ("u_gone", "setup.changed", "policy"),
        ("command:root", "account.added", "u_lind"),
        ("<b>", "what.next", "<i>"),
    )
    html = await (await admin.get(PATH)).text()
    for said in (
        '<bdi>Dr Maya Osei</bdi> <span class="quiet">· Staff</span></td><td title="visit.claimed">claimed a visit</td>',
        '<a href="/demo/staff/visits/v_1"><bdi>v_1</bdi></a>',
        f"failed to sign in</td><td><bdi>{OSEI}</bdi></td>",
        "an email address that nobody here has",
        "u_gone",
        "<td><bdi>Rules and limits</bdi></td>",
        "<td><bdi>Dr Jonas Lind</bdi></td>",
        "Patient’s browser",
        "&lt;b&gt;",
    ):
        assert said in html, said
    assert not [
        value for name, value in FORM.items() if name in ("name", "email", "reason") and value in html
    ]
    spanish = await (await admin.get(f"{PATH}?lang=es")).text()
    if "tomó una consulta" not in spanish:
        admin.client.session.headers["Accept-Language"] = "es"
        spanish = await (await admin.get(PATH)).text()
    assert "tomó una consulta" in spanish


async def test_the_log_is_shown_by_person_by_visit_and_page_by_page(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_of, "ROWS", 4)
    monkeypatch.setattr(page_of, "READ", 3)
    admin = (await desk(site)).person
    who = [("u_osei" if number % 2 else "u_lind", "case.read", f"v_{number % 5}") for number in range(20)]
    await noted(site, *who)  # Entry number 1 is the sign-in of the administrator.

    async def shown(query: str) -> tuple[list[int], str]:
        html = await (await admin.get(f"{PATH}{query}")).text()
        further = re.search(r'href="([^"]*before=\d+)"', html)
        return numbers(html), further[1].replace("&amp;", "&") if further else ""

    found, further = await shown("?who=u_osei&visit=v_1")
    assert (found, further) == ([13, 3], "")
    seen: list[int] = []
    further = f"{PATH}?who=u_lind"
    while further:
        found, further = await shown(further.removeprefix(PATH))
        assert len(found) <= 4
        seen += found
    assert seen == list(range(20, 1, -2))
    monkeypatch.setattr(page_of, "AT_MOST", 6)
    # The page has read only the newest entries and found none, but it links to the older entries.
    assert await shown("?visit=v_99") != ([], "")
    assert "Nothing in the newest entries" in await (await admin.get(f"{PATH}?visit=v_99")).text()
    for wrong in ("?before=x", "?before=-1", "?before=99999999999999999999", "?before=0"):
        assert (await admin.get(f"{PATH}{wrong}")).status == 200


async def test_trimmed_entries_leave_the_numbers_of_the_rest_unchanged(site: Site) -> None:
    admin, audit_log = (await desk(site)).person, site.app[AUDIT_LOG]
    await noted(site, *(("u_osei", "case.read", f"v_{number}") for number in range(5)))
    assert await audit_log.trim("demo", 0) == 0
    middle = audit_log.chain("demo")
    head = await audit_log.head("demo")
    assert head is not None
    after, count = audit_log._trimmed(middle, head, (await audit_log.read("demo", 0, 3)), 10**15)
    assert count == 3
    await audit_log._trim(
        keys=["{demo}:audit", "{demo}:audit:head"], args=[middle.seal(head), middle.seal(after), count]
    )
    assert numbers(await (await admin.get(f"{PATH}?before=6")).text()) == [5, 4]


@pytest.mark.parametrize(("width", "dark"), LOOKS)
async def test_the_log_is_accessible(site: Site, browser: Browser, width: int, dark: bool) -> None:
    await noted(site, ("u_osei", "visit.claimed", "v_1"), ("", "visit.expired", "v_2"))
    context = await browser.new_context(
        viewport={"width": width, "height": 860},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        locale="en-US",
    )
    page = await context.new_page()
    await sign_in(page, site)
    await page.goto(str(site.server.make_url(PATH)))
    await page.get_by_role("heading", name="Audit log").wait_for()
    await is_accessible(page)
    await page.get_by_label("Who", exact=True).select_option("u_osei")
    await page.get_by_label("Number of a visit").fill("v_1")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.get_by_role("row")).to_have_count(2)
    await expect(page.get_by_role("cell", name="claimed a visit")).to_be_visible()
    await is_accessible(page)
