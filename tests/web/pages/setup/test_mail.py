"""Tests the set-up's mail page: the From address, undelivered mails, and a test mail."""

import asyncio

import pytest
from playwright.async_api import Browser, expect

from signalling.store.jobs import new_job
from tests.browsers import SHOWN_S
from tests.web.browsing import sign_in
from tests.web.conftest import OpenSite
from tests.web.mail.smtp import mail_server
from tests.web.pages.setup.desk import desk
from tests.web.pages.setup.test_frame import stored
from tests.web.pages.test_accessibility import LOOKS, is_accessible
from tests.web.site import ADMIN, OSEI, Site
from web.keys import JOBS, SERVICE

MAIL = "/demo/staff/setup/mail"


async def test_an_administrator_says_which_address_mails_are_from_and_tries_it(open_site: OpenSite) -> None:
    async with mail_server() as smtp:
        site = await open_site(mail=smtp.settings)
        admin = await desk(site)
        answer = await admin.change("mail", mail_sender="visits@river.example", reply_to="desk@river.example")
        assert answer.status == 303
        assert (await stored(site)).mail_sender == "visits@river.example"
        assert (await admin.person.post(f"{MAIL}/try")).headers["Location"] == f"{MAIL}?tried"
        [mail] = await smtp.until(1)
        assert mail["From"] == "Riverside Clinic <visits@river.example>"
        assert mail["Reply-To"] == "desk@river.example"
        assert mail["To"] == ADMIN
        assert mail["Subject"] == "Mails of Riverside Clinic arrive"


@pytest.mark.parametrize("wrong", ["nobody", "a@b", "a@b.example\r\nBcc: all@example.org", "ä@river.example"])
async def test_a_text_that_is_no_address_is_not_saved_but_kept_in_the_form(site: Site, wrong: str) -> None:
    admin = await desk(site)
    answer = await admin.change("mail", reply_to=wrong)
    assert answer.status == 422
    page = await answer.text()
    assert "Write an email address such as ana@example.org." in page
    assert (await stored(site)).reply_to == ""


async def test_the_page_says_how_mails_leave_and_how_many_could_not(site: Site) -> None:
    admin = await desk(site)
    page = await (await admin.person.get(MAIL)).text()
    assert "No mail leaves this server yet" in page
    assert "0 mails wait to leave" in page
    assert "could not be delivered" not in page
    await site.app[JOBS].add("demo", new_job("mail", {"mail": "of a kind that nobody can write"}, 1))
    async with asyncio.timeout(SHOWN_S):
        while "1 mail could not be delivered, at" not in page:
            page = await (await admin.person.get(MAIL)).text()


async def test_f20_the_page_names_whom_a_mail_did_not_reach(site: Site) -> None:
    admin = await desk(site)
    ana = site.person()
    await ana.ask_for_a_visit(name="محمد علي")
    (visit,) = (await site.app[SERVICE].mirrors.get("demo")).visits.values()
    dead = new_job("mail", {"mail": "declined", "visit": visit.id}, 1)
    for job in (dead, new_job("mail", {"letter": {"name": "invite", "to": "ida@lost.example"}}, 1)):
        await site.app[JOBS].add("demo", job)
        [taken] = await site.app[JOBS].take("demo", 1)
        await site.app[JOBS].give_up("demo", taken)
    page = await (await admin.person.get(MAIL)).text()
    assert f'Declined request, <a href="/demo/staff/visits/{visit.id}"><bdi>محمد علي</bdi></a>' in page
    assert "Invitation, <bdi>ida@lost.example</bdi>" in page


async def test_a_provider_sends_no_trial_mails(site: Site) -> None:
    provider = (await desk(site, OSEI)).person
    assert (await provider.post(f"{MAIL}/try")).status == 403


@pytest.mark.parametrize(("width", "dark"), LOOKS)
async def test_the_page_about_mail_is_accessible(
    site: Site, browser: Browser, width: int, dark: bool
) -> None:
    context = await browser.new_context(
        base_url=str(site.server.make_url("/")),
        viewport={"width": width, "height": 800},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        locale="en-US",
    )
    page = await context.new_page()
    await sign_in(page, site)
    await page.goto(MAIL)
    await is_accessible(page)
    await page.get_by_role("button", name="Send a mail to me, to try it").click()
    await expect(page.get_by_role("status").first).to_contain_text("on its way to you")
    await is_accessible(page)
