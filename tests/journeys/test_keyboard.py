"""Tests a visit without a mouse: patient, provider and administrator use the keyboard, and the focus stays visible."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from tests.browsers import SHOWN_MS
from tests.conftest import StartServer
from tests.journeys.keyboard import Keyboard
from tests.journeys.people import Patient, Person, Staff, credentials, on_call, person
from tests.words import Say, speaking


async def signs_in(who: Staff, account: str) -> Keyboard:
    """Sign in to `account`, from the sign-in page to the list; return the keyboard of the page. The email field has the
    focus at the beginning.
    """
    keys = Keyboard(who.page)
    email, password = await credentials(who.server, account)
    await who.go("/demo/staff")
    await expect(who.page.get_by_label("Email")).to_be_focused()
    await keys.page.keyboard.type(email)
    await keys.write(who.page.get_by_label("Password"), password)
    await keys.page.keyboard.press("Enter")
    await who.sees("Sessions List")
    return keys


async def fills_in(ana: Person, keys: Keyboard, say: Say) -> None:
    """Fill in the public-facing calendar's form, the patient information and the whole setup guide as Ana.

    `keys`: the keyboard of her page; `say`: translates the texts of the page.
    """
    page = ana.page
    await ana.go("/demo?lang=ar")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name=say("Skip to the page’s content"))).to_be_focused()
    await page.keyboard.press("Enter")
    await keys.press(page.get_by_role("link", name=say("Meet Now"), exact=True).first)
    await page.wait_for_url("**/information")
    for name, text in (
        ("name", "Ana Ruiz"),
        ("birth_date", "04021990"),
        ("phone", "512 555 0142"),
        ("email", "ana@example.org"),
        ("state", "Texas"),
        ("reason", "Rash"),
    ):
        await keys.write(page.locator(f"[name={name}]"), text)
    await keys.press(page.get_by_role("button", name=say("Get in line")))
    await ana.sees(say("Step {step} of {steps}", step=1, steps=6))
    following = page.get_by_role("button", name=re.compile(f"^({say('Next')}|{say('Finish')})$"))
    for number in range(1, 7):
        heading = page.get_by_role("heading", level=1)
        await ana.sees(say("Step {step} of {steps}", step=number, steps=6))
        if number > 1:
            await expect(heading).to_be_focused()
        for field in await page.locator("main input:not([type=radio]), main textarea").all():
            kind = await field.get_attribute("type")
            if kind == "checkbox":
                await keys.press(field, "Space")
            elif kind != "date":
                await keys.write(field, "Ana Ruiz")
        radios = page.get_by_role("radio")
        if await radios.count():
            await keys.press(radios.first, "Space")
        await keys.press(following)
    await ana.sees(say("You are next"))
    await expect(page.get_by_role("heading", level=1)).to_be_focused()


async def test_a_whole_visit_works_without_a_mouse_the_patients_side_in_arabic(
    browser: Browser, greenroom_server: StartServer
) -> None:
    server = greenroom_server()
    ana: Patient = await person(browser, server, Patient, viewport={"width": 390, "height": 844})
    osei: Staff = await person(browser, server, Staff)
    patient, provider = Keyboard(ana.page), await signs_in(osei, "osei")
    switch = osei.page.get_by_role("switch", name="On-Call")
    await provider.press(switch, "Space")
    await expect(switch).to_be_checked(timeout=SHOWN_MS)
    say = speaking("ar")
    await fills_in(ana, patient, say)

    case = osei.page.get_by_role("button", name="Case Information of Ana Ruiz")
    await provider.press(case)
    await expect(case).to_have_attribute("aria-expanded", "true")
    await expect(case).to_be_focused()
    await provider.press(osei.page.get_by_role("button", name="Claim Ana Ruiz"))
    for side, keys, words in ((osei, provider, speaking("en")), (ana, patient, say)):
        heading = re.compile("^" + words("Session with {name}").partition("{")[0])
        await expect(side.page.get_by_role("heading", level=1, name=heading)).to_be_focused(timeout=SHOWN_MS)
        await keys.press(side.page.get_by_role("button", name=words("Start Session")))
    mute = ana.page.get_by_role("button", name=say("Mute"), exact=True)
    await patient.press(mute, "Space")
    unmute = ana.page.get_by_role("button", name=say("Unmute"))
    await expect(unmute).to_be_focused()

    messages = ana.page.get_by_role("button", name=say("Messages"))
    await patient.press(messages)
    await patient.write(ana.page.get_by_label(say("Your message")), "Here it is.")
    await ana.page.keyboard.press("Enter")
    await osei.sees("Ana Ruiz: Here it is.")
    devices = osei.page.get_by_role("button", name="Devices")
    await provider.press(devices)
    await provider.stays_inside(osei.page.get_by_role("dialog"))
    await osei.page.keyboard.press("Escape")
    await expect(devices).to_be_focused()
    end = osei.page.get_by_role("button", name="End", exact=True)
    await provider.press(end)
    question = osei.page.get_by_role("dialog", name="End the session?")
    await provider.stays_inside(question)
    await osei.page.keyboard.press("Escape")
    await expect(end).to_be_focused()
    await provider.press(end)
    await provider.press(question.get_by_role("button", name="End session"))
    await ana.sees(say("Your visit is over"))
    for side in (ana, osei):
        await expect(side.page.get_by_role("heading", level=1)).to_be_focused()
    assert not "\n".join([*patient.unseen, *provider.unseen, *ana.problems, *osei.problems])


async def decides(robin: Staff, keys: Keyboard, say: Say, osei: Staff, name: str) -> None:
    """As Robin, assign the request of the patient `name` to Osei, decline it, open the bell, and open the
    set-up.

    `keys`: the keyboard of Robin's page; `say`: translates the texts of the page.
    """
    page = robin.page
    assign = page.get_by_role("button", name=say("Assign {name}", name=name))
    await keys.press(assign)
    dialog = page.get_by_role("dialog", name=say("Assign {name}", name=name))
    await keys.stays_inside(dialog)
    await page.keyboard.press("Escape")
    await expect(assign).to_be_focused()
    await keys.press(assign)
    await keys.press(dialog.get_by_role("button", name=say("Assign")))
    await osei.sees("For you")
    await expect(assign).to_be_focused()

    await keys.press(page.get_by_label(say("More for {name}", name=name)))
    await page.keyboard.press("Escape")
    message = page.get_by_role("button", name=say("Send a message"))
    await expect(message.locator("visible=true")).to_have_count(0)
    await keys.press(page.get_by_role("button", name=say("Decline {name}", name=name)))
    await keys.write(page.get_by_label(re.compile(say("Reason for the patient"))), "Please come in.")
    await keys.press(page.get_by_role("dialog").get_by_role("button", name=say("Decline")))
    await expect(page.get_by_role("heading", level=1)).to_be_focused()

    bell = page.get_by_role("button", name=re.compile("^" + say("Notifications")))
    await keys.press(bell)
    await keys.stays_inside(page.get_by_role("dialog", name=say("Notifications")), stops=4)
    await page.keyboard.press("Escape")
    await expect(bell).to_be_focused()
    await keys.press(page.get_by_role("link", name=say("Set-up")))


async def sets_up(robin: Staff, keys: Keyboard, say: Say, amber_min: int) -> None:
    """As Robin, open the sections of the set-up, and save the limit `amber_min` in one of them.

    `keys`: the keyboard of Robin's page; `say`: translates the texts of the page.
    """
    page = robin.page
    sections = page.get_by_role("navigation", name=say("Set-up"))
    for name in ("Public-facing calendar", "Setup guide", "Rules and limits"):
        await keys.press(sections.get_by_role("link", name=say(name)))
        await expect(sections.get_by_role("link", name=say(name))).to_have_attribute("aria-current", "page")
    await keys.to(page.get_by_label(say("A wait turns amber after")))
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.type(str(amber_min))
    await page.keyboard.press("Enter")
    await robin.sees(say("Saved. It holds from now on."))


@pytest.mark.long
async def test_an_administrator_assigns_declines_and_sets_up_without_a_mouse_in_three_languages(
    browser: Browser, greenroom_server: StartServer
) -> None:
    server = greenroom_server()
    osei = await on_call(browser, server)
    robin: Staff = await person(browser, server, Staff)
    keys = await signs_in(robin, "admin")
    for amber_min, (code, name) in enumerate((("en", "Ana Ruiz"), ("es", "Eva Sol"), ("ar", "Noor Ali")), 7):
        patient: Patient = await person(browser, server, Patient)
        await patient.meet_now(name=name)
        await robin.go(f"/demo/staff?lang={code}")
        await decides(robin, keys, speaking(code), osei, name)
        await patient.sees("Please come in.")
        await sets_up(robin, keys, speaking(code), amber_min)
    await robin.go("/demo/staff/setup/calendar?lang=en")
    assert (await keys.walk())[0] == "a Skip to the page’s content"
    assert not "\n".join([*keys.unseen, *robin.problems, *osei.problems])
