"""Tests the preferences of staff, and pages in Spanish, in a real browser."""

import asyncio
import re
from dataclasses import replace

import pytest
from aiohttp import ClientResponse, WSMsgType
from playwright.async_api import Browser, Page, expect

from signalling.visit.record import Role
from tests.browsers import SHOWN_S
from tests.web.conftest import OpenSite
from tests.web.pages.test_accessibility import is_accessible
from tests.web.site import FORM, LIND, OSEI, Person, Site
from web.channels import texts
from web.channels.text_service import Service
from web.keys import ACCOUNTS, TEXT_SERVICES, THROTTLE
from web.organisations import demo
from web.requests.security import SIGN_IN


async def test_staff_choose_whether_assignments_are_mailed_and_in_which_language(site: Site) -> None:
    person = site.person()
    await person.sign_in(OSEI)
    before = await (await person.get("/demo/staff/preferences")).text()
    assert 'name="mail_assigned" value="yes">' in before
    response = await person.post(
        "/demo/staff/preferences", {"mail_assigned": "yes", "notify": "", "language": "es"}
    )
    assert response.headers["Location"] == "/demo/staff/preferences?saved"
    # The change of preferences has not ended the session.
    after = await (await person.get("/demo/staff/preferences?saved")).text()
    assert 'value="yes" checked>' in after
    assert '<option value="es" lang="es" selected>Español</option>' in after
    account = await site.app[ACCOUNTS].get("demo", "u_osei")
    assert account is not None
    assert (account.mail_assigned, account.notify, account.language) == (True, False, "es")


@pytest.mark.parametrize(
    ("fields", "phone", "chosen"),
    [
        ({"phone": "512-555-0150", "texts": "yes"}, "+1 512 555 0150", True),
        ({"phone": "+44 20 7946 0958"}, "+44 20 7946 0958", False),
        ({"phone": ""}, "", False),
        ({"phone": "12", "texts": "yes"}, None, False),
        ({"phone": "", "texts": "yes"}, None, False),
    ],
)
async def test_f41_staff_choose_text_messages_with_a_number_of_the_clinics_country(
    site: Site, fields: dict[str, str], phone: str | None, chosen: bool
) -> None:
    await site.app[TEXT_SERVICES].put("demo", Service("json://127.0.0.1:9/{phone}", "Robin Hale", 1))
    person = site.person()
    await person.sign_in(OSEI)
    answer = await person.post("/demo/staff/preferences", {**fields, "language": "es"})
    account = await site.app[ACCOUNTS].get("demo", "u_osei")
    assert account is not None
    assert (account.phone, account.texts) == (phone or "", chosen)
    assert answer.status == (422 if phone is None else 303)
    if phone is None:
        text = await answer.text()
        assert "Write a phone number with area code" in text
        assert f'name="phone" type="tel" autocomplete="tel" maxlength="40" value="{fields["phone"]}"' in text
        assert 'name="texts" value="yes" checked' in text


async def test_f41_a_clinic_without_a_text_service_offers_none_and_keeps_what_was_chosen(site: Site) -> None:
    person, accounts = site.person(), site.app[ACCOUNTS]
    await person.sign_in(OSEI)
    await accounts.prefer(
        "demo",
        OSEI,
        mail_assigned=False,
        notify=True,
        language="",
        phone="+1 512 555 0150",
        texts=True,
    )
    page = await (await person.get("/demo/staff/preferences")).text()
    assert 'name="texts"' not in page
    assert "when an administrator has set up a service" in page
    answer = await person.post("/demo/staff/preferences/text")
    assert (answer.status, answer.headers["Location"]) == (303, "/demo/staff/preferences")
    await person.post("/demo/staff/preferences", {"phone": "512 555 0150"})
    account = await accounts.get("demo", "u_osei")
    assert account is not None
    assert account.texts


@pytest.mark.parametrize("role", [Role.PROVIDER, Role.AUDITOR])
async def test_f41_a_clinic_that_has_no_text_service_any_more_asks_nobody_for_a_number(
    site: Site, role: Role
) -> None:
    person, accounts = site.person(), site.app[ACCOUNTS]
    phone = "+1 512 555 0150"
    await accounts.prefer(
        "demo", OSEI, mail_assigned=False, notify=True, language="", phone=phone, texts=True
    )
    await accounts.edit("demo", OSEI, name="Dr Maya Osei", role=role, states=())
    await person.sign_in(OSEI)
    answer = await person.post("/demo/staff/preferences", {"phone": "", "language": "es"})
    assert answer.status == 303
    account = await accounts.get("demo", "u_osei")
    assert account is not None
    assert (account.phone, account.texts, account.language) == ("", False, "es")


async def test_f41_test_messages_to_oneself_are_limited(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(*_: object) -> str:
        return "refused"

    monkeypatch.setattr(texts, "ask", ask)
    await site.app[TEXT_SERVICES].put("demo", Service("json://127.0.0.1:9/{phone}", "Robin Hale", 1))
    person = site.person()
    await person.sign_in(OSEI)
    await person.post("/demo/staff/preferences", {"phone": "512 555 0150", "texts": "yes"})
    answers = [await person.post("/demo/staff/preferences/text") for _ in range(6)]
    assert [answer.status for answer in answers] == [200] * 5 + [429]
    assert "The service did not take the message." in await answers[0].text()
    assert "enough messages for now" in await answers[5].text()


async def test_strangers_do_not_reach_the_settings_of_staff(site: Site) -> None:
    for answer in (
        await site.person().get("/demo/staff/preferences"),
        await site.person().post("/demo/staff/preferences", {"language": "es"}),
    ):
        assert answer.status == 303
        assert answer.headers["Location"].partition("?")[0] == "/demo/staff/sign-in"


NEW = "Nine blue herons at noon"


async def change(person: Person, old: str, wanted: str = NEW, again: str | None = None) -> ClientResponse:
    """Send the form that changes the password; return the answer.

    `old`: the present password; `wanted`: the new password; `again`: the second entry of the new password, None for the
    same text.
    """
    form = {"old": old, "password": wanted, "again": wanted if again is None else again}
    return await person.post("/demo/staff/preferences/password", form)


async def test_a_changed_password_keeps_this_browser_signed_in_and_ends_every_other_sign_in(
    site: Site,
) -> None:
    here, there, colleague = site.person(), site.person(), site.person()
    for person, email in ((here, OSEI), (there, OSEI), (colleague, LIND)):
        await person.sign_in(email)
    socket = await there.socket("staff")
    assert (await socket.receive_json())["type"] == "welcome"
    before = here.cookie
    answer = await change(here, demo.password(site.settings, OSEI))
    assert (answer.status, answer.headers["Location"]) == (303, "/demo/staff/preferences?saved=password")
    assert "Your password is changed." in await (await here.get(answer.headers["Location"])).text()
    assert here.cookie != before, "the session goes on under a new id"
    async with asyncio.timeout(SHOWN_S):
        while (frame := await socket.receive()).type is not WSMsgType.CLOSE:
            pass
    assert frame.data == 4201
    assert (await there.get("/demo/staff")).status == 303
    assert (await colleague.get("/demo/staff")).status == 200
    assert (await site.person().sign_in(OSEI)).status == 422
    assert (await site.person().sign_in(OSEI, NEW)).status == 303


@pytest.mark.parametrize(
    ("old", "wanted", "again", "said"),
    [
        ("not it", NEW, NEW, "This is not your password now."),
        (None, NEW, NEW + "!", "The two passwords are not the same."),
        (None, "short", "short", "The password must have 12 to 256 characters."),
        (None, None, None, "The new password is the one that you have."),
    ],
)
async def test_a_password_that_cannot_be_changed_says_why(
    site: Site, old: str | None, wanted: str | None, again: str | None, said: str
) -> None:
    person = site.person()
    await person.sign_in(OSEI)
    now = demo.password(site.settings, OSEI)
    answer = await change(person, now if old is None else old, wanted or now, again or now)
    assert answer.status == 422
    assert said in await answer.text()
    assert (await site.person().sign_in(OSEI)).status == 303


async def test_guesses_at_the_old_password_count_like_those_at_the_sign_in(site: Site) -> None:
    person = site.person()
    await person.sign_in(OSEI)
    throttle = site.app[THROTTLE]
    # Use up the wrong guesses that are allowed from one address, without the usual delay after each.
    for _ in range(SIGN_IN.limit):
        async with throttle.attempt(replace(SIGN_IN, first_delay_ms=0), "demo", "127.0.0.1"):
            pass
    answer = await change(person, demo.password(site.settings, OSEI))
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 60
    assert "There were too many wrong passwords from here." in await answer.text()


async def test_a_stranger_changes_nobodys_password(site: Site) -> None:
    answer = await change(site.person(), demo.password(site.settings, OSEI))
    assert (answer.status, answer.headers["Location"]) == (303, "/demo/staff/sign-in")


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
    if width < 760:
        await page.get_by_role("button", name="Menú").click()
    await page.get_by_role("link", name="Mis ajustes").click()
    await page.get_by_role("checkbox", name="correo").check()
    await page.get_by_role("button", name="Guardar").click()
    await expect(page.get_by_role("status").first).to_contain_text("Guardado")
    await page.get_by_role("button", name="Crear el enlace").click()
    await expect(page.locator(".secret")).to_contain_text("/demo/feed/u_osei~")
    await page.get_by_label("Contraseña actual").fill("no es esta")
    await page.get_by_label("Contraseña nueva", exact=True).fill(NEW)
    await page.get_by_label("La contraseña nueva otra vez").fill(NEW)
    await page.get_by_role("button", name="Cambiar mi contraseña").click()
    await expect(page.get_by_role("alert")).to_contain_text("Su contraseña no ha cambiado.")
    await expect(page.get_by_role("alert")).to_be_focused()
    await is_accessible(page)
