"""Tests two-factor sign-in in a real browser: the key of the QR code works, and every page is accessible."""

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from tests.web.browsing import OpenPage, pages
from tests.web.pages.test_accessibility import is_accessible
from tests.web.phone import CODE, HOME, Clock, Phone
from tests.web.site import ADMIN, OSEI, Site
from web.identity import totp
from web.organisations import demo
from web.pages.qr import inline


@pytest.fixture
def clock(site: Site, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that the site uses; it moves only when the test moves it."""
    return Clock(site, monkeypatch)


@pytest.fixture
async def open_page(site: Site, browser: Browser) -> AsyncIterator[OpenPage]:
    """A function that opens a page; the person is not signed in. A page may log an error only if a form was refused."""
    async with pages(site, browser, expected="status of 422") as open_page:
        yield open_page


async def password(site: Site, page: Page, email: str) -> None:
    """Send email and password, on the first page of the sign-in."""
    await page.goto(str(site.server.make_url("/demo/staff/sign-in")))
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password").fill(demo.password(site.settings, email))
    await page.get_by_role("button", name="Sign in").click()


async def sign_out(page: Page) -> None:
    await page.context.clear_cookies()


async def test_an_administrator_sets_a_second_factor_up_and_signs_in_by_it_and_every_page_is_accessible(
    site: Site, open_page: OpenPage, clock: Clock
) -> None:
    await site.change(admins_two_factor=True)
    page = await open_page("/demo/staff/sign-in", width=320, dark=True)
    await password(site, page, ADMIN)
    await page.wait_for_url(f"**{HOME}")
    await is_accessible(page)
    await page.get_by_role("button", name="Set up two-factor sign-in").click()
    qr = page.get_by_role("img", name="QR code")
    await expect(qr.locator("svg")).to_be_visible()
    box = await qr.bounding_box()
    assert box is not None
    assert box["width"] > 150, "large enough for a camera"
    await is_accessible(page)
    phone = Phone(clock, await page.locator("code.secret").inner_text())
    drawn = await qr.locator("path").last.get_attribute("d")
    assert drawn, "what a camera reads is what the app is told"
    assert drawn in inline(totp.address(phone.secret, "Riverside Clinic", ADMIN))
    await page.get_by_label("Code", exact=True).fill(phone.code(-2))
    await page.get_by_label("Your password").fill(demo.password(site.settings, ADMIN))
    await page.get_by_role("button", name="Turn on").click()
    await expect(page.get_by_role("alert")).to_contain_text("The app shows another code now.")
    await is_accessible(page)
    await page.get_by_label("Code", exact=True).fill(phone.code())
    await page.get_by_label("Your password").fill(demo.password(site.settings, ADMIN))
    await page.get_by_role("button", name="Turn on").click()
    await expect(page.get_by_text("Two-factor sign-in is on.")).to_be_visible()
    await expect(page.locator(".codes code")).to_have_count(10)
    codes = await page.locator(".codes code").all_inner_texts()
    await is_accessible(page)
    await page.get_by_role("link", name="I have kept them").click()
    await page.get_by_role("heading", name="Sessions List").wait_for()

    clock.next_step(3)
    await sign_out(page)
    await password(site, page, ADMIN)
    await page.wait_for_url(f"**{CODE}")
    await expect(page.get_by_label("Code", exact=True)).to_be_focused()
    await is_accessible(page)
    await page.keyboard.type("12345")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("This code is not right")
    await is_accessible(page)
    await page.get_by_text("I do not have my phone").click()
    await page.get_by_label("Recovery code").fill("AAAA")
    await page.get_by_role("button", name="Sign in by recovery code").click()
    await expect(page.get_by_role("alert")).to_contain_text("none of your recovery codes")
    await is_accessible(page)
    await page.get_by_label("Recovery code").fill(codes[0])
    await page.get_by_role("button", name="Sign in by recovery code").click()
    await expect(page.get_by_text("9 are left")).to_be_visible()
    await is_accessible(page)
    await page.goto(str(site.server.make_url("/demo/staff/setup/policy")))
    await expect(page.get_by_label("Administrators and auditors need two-factor sign-in")).to_be_checked()
    await page.goto(str(site.server.make_url("/demo/staff/setup/people")))
    await expect(page.get_by_text("Two-factor", exact=True)).to_be_visible()


async def test_the_second_factor_works_without_javascript_and_in_spanish(
    site: Site, open_page: OpenPage, clock: Clock
) -> None:
    page = await open_page("/demo/staff/sign-in?lang=es", java_script_enabled=False)
    await page.get_by_label("Correo").fill(OSEI)
    await page.get_by_label("Contraseña").fill(demo.password(site.settings, OSEI))
    await page.get_by_role("button", name="Acceder").click()
    await page.wait_for_url(re.compile("/demo/staff$"))
    await page.goto(str(site.server.make_url("/demo/staff/preferences")))
    await page.get_by_role("link", name="Configurar el acceso en dos pasos").click()
    await page.get_by_role("button", name="Configurar el acceso en dos pasos").click()
    phone = Phone(clock, await page.locator("code.secret").inner_text())
    await page.get_by_label("Código", exact=True).fill(phone.code())
    await page.get_by_label("Su contraseña").fill(demo.password(site.settings, OSEI))
    await page.get_by_role("button", name="Activar").click()
    await expect(page.locator(".codes code")).to_have_count(10)
    clock.next_step(2)
    await sign_out(page)
    await page.goto(str(site.server.make_url("/demo/staff/sign-in?lang=es")))
    await page.get_by_label("Correo").fill(OSEI)
    await page.get_by_label("Contraseña").fill(demo.password(site.settings, OSEI))
    await page.get_by_role("button", name="Acceder").click()
    await page.wait_for_url(f"**{CODE}")
    await page.get_by_label("Código", exact=True).fill(phone.code())
    await page.get_by_role("button", name="Acceder", exact=True).click()
    await page.wait_for_url(re.compile("/demo/staff$"))
