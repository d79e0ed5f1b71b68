"""What staff choose for themselves; and pages in Spanish, in a real browser."""

import re

import pytest
from playwright.async_api import Browser, Page, expect

from tests.web.conftest import OpenSite
from tests.web.pages.test_accessibility import is_accessible
from tests.web.site import FORM, OSEI, Site
from web import demo
from web.people import ACCOUNTS


async def test_staff_choose_whether_assignments_are_mailed_and_in_which_language(site: Site) -> None:
    person = site.person()
    await person.sign_in(OSEI)
    before = await (await person.get("/demo/staff/preferences")).text()
    assert 'name="mail_assigned" value="yes">' in before
    response = await person.post("/demo/staff/preferences", {"mail_assigned": "yes", "language": "es"})
    assert response.headers["Location"] == "/demo/staff/preferences?saved"
    after = await (await person.get("/demo/staff/preferences?saved")).text()  # still signed in
    assert 'value="yes" checked>' in after
    assert '<option value="es" lang="es" selected>Español</option>' in after
    account = await site.app[ACCOUNTS].get("demo", "u_osei")
    assert account is not None
    assert (account.mail_assigned, account.language) == (True, "es")


async def test_the_settings_of_staff_are_no_business_of_strangers(site: Site) -> None:
    for answer in (
        await site.person().get("/demo/staff/preferences"),
        await site.person().post("/demo/staff/preferences", {"language": "es"}),
    ):
        assert answer.status == 303
        assert answer.headers["Location"] == "/demo/staff/sign-in"


async def _page(browser: Browser, site: Site, path: str, *, width: int = 1280, dark: bool = False) -> Page:
    context = await browser.new_context(
        base_url=str(site.server.make_url("/")),
        viewport={"width": width, "height": 800},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        locale="es-MX",
    )
    page = await context.new_page()
    await page.goto(path)
    return page


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (320, True)])
async def test_a_patient_goes_from_meet_now_to_the_setup_guide_in_spanish(
    open_site: OpenSite, browser: Browser, width: int, dark: bool
) -> None:
    site = await open_site()
    page = await _page(browser, site, "/demo", width=width, dark=dark)
    await expect(page.locator("html")).to_have_attribute("lang", "es")
    await expect(page.get_by_role("heading", name="Cómo es una consulta")).to_be_visible()
    await is_accessible(page)
    await page.get_by_role("link", name="Consultar ahora").first.click()
    await page.get_by_role("button", name="Ponerme en la fila").click()
    await expect(page.get_by_role("alert")).to_contain_text("Escriba el nombre completo del paciente.")
    await is_accessible(page)
    for name in ("name", "birth_date", "phone", "email", "reason"):
        await page.locator(f"[name={name}]").fill(FORM[name])
    await page.locator("[name=state]").select_option("TX")
    await page.get_by_role("button", name="Ponerme en la fila").click()
    await expect(page.get_by_text(re.compile(r"Paso 1 de \d"))).to_be_visible()
    await expect(page.get_by_text("Usted es la próxima persona")).to_be_visible()
    await expect(page.get_by_text("Todas las respuestas están guardadas")).to_be_visible()
    await is_accessible(page)


async def test_a_visitor_changes_the_language_at_the_foot_of_a_page(site: Site, browser: Browser) -> None:
    page = await _page(browser, site, "/demo")
    await page.get_by_role("link", name="English").click()
    await expect(page.get_by_role("heading", name="How a visit goes")).to_be_visible()
    await page.goto("/demo/staff/sign-in")
    await expect(page.get_by_role("heading", name="Staff: sign in")).to_be_visible()


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (320, True)])
async def test_the_settings_of_staff_are_accessible(
    site: Site, browser: Browser, width: int, dark: bool
) -> None:
    page = await _page(browser, site, "/demo/staff/sign-in", width=width, dark=dark)
    await page.locator("[name=email]").fill(OSEI)
    await page.locator("[name=password]").fill(demo.password(site.settings, OSEI))
    await page.get_by_role("button", name="Acceder").click()
    await page.get_by_role("link", name="Mis ajustes").click()
    await page.get_by_role("checkbox").check()
    await page.get_by_role("button", name="Guardar").click()
    await expect(page.get_by_role("status").first).to_contain_text("Guardado")
    await is_accessible(page)
