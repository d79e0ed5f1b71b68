"""Tests the pages of staff: On-Call, On-Demand Requests, Case Information, and claims."""

import time

from playwright.async_api import Page, expect

from tests.web.pages.clinic import LIND, OSEI, Clinic, RefusedError
from tests.web.pages.conftest import OpenPage
from tests.web.pages.reception import PAGES
from tests.web.pages.steady import stop_clock
from tests.web.pages.test_accessibility import is_accessible

TOP = "part => Math.round(part.getBoundingClientRect().top)"


async def on_call(clinic: Clinic, open_page: OpenPage, path: str = "/demo/staff", **how: object) -> Page:
    """Open `path` as a provider who is on call, by default On-Demand Requests; return the page, which receives the
    rows of the queue. `how`: options of the browser context.
    """
    clinic.staff["u_osei"]["on_call"] = True
    page = await open_page(path, **how)
    await expect(page.get_by_role("switch", name="On-Call")).to_be_checked()
    await clinic.until(lambda: False in counted(clinic))
    return page


def counted(clinic: Clinic) -> list[bool]:
    """Return, for each subscription to the queue, whether the page has subscribed to the number of rows only."""
    return [message["counted"] for message in clinic.got("subscribe") if message["topic"] == "queue"]


async def admins_page(
    clinic: Clinic, open_page: OpenPage, *, areas: dict[str, str] | None = None, **how: object
) -> Page:
    """Return the page On-Demand Requests of an administrator who is off call.

    `areas`: the waiting areas of the clinic, id -> name. `how`: options of the browser context.
    """
    me = {**OSEI, "role": "admin", "states": []}
    boot = {**PAGES["/demo/staff"][2]["boot"], "me": me, "areas": areas or {}}
    clinic.contexts["/demo/staff"] = {"boot": boot}
    return await open_page("/demo/staff", **how)


async def test_f00_the_tab_on_demand_requests_is_there_while_the_provider_is_on_call(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.row("v_1", "Ana Ruiz", 60)
    page = await open_page("/demo/staff")
    tab = page.get_by_role("link", name="On-Demand Requests")
    await expect(page.get_by_text("You are off call.")).to_be_visible()
    await expect(tab).to_have_count(0)
    await expect(page.get_by_role("link", name="Mine")).to_have_attribute("aria-current", "page")
    assert await page.title() == "Sessions List · Riverside Clinic"
    assert counted(clinic) == [True], "nothing about patients comes to a page that shows none"
    switch = page.get_by_role("switch", name="On-Call")
    await switch.press("Space")
    await expect(switch).to_be_checked()
    await expect(page.get_by_text("You are off call.")).to_have_count(0)
    await expect(tab).to_have_attribute("aria-current", "page")
    await expect(page.get_by_role("button", name="Claim Ana Ruiz")).to_be_enabled()
    await expect(page.get_by_role("list", name="Staff on call")).to_contain_text("Dr Maya Osei (you)")
    await switch.press("Enter")
    await expect(switch).not_to_be_checked()
    await expect(tab).to_have_count(0)
    assert [message["on"] for message in clinic.got("on_call")] == [True, False]
    await clinic.until(lambda: counted(clinic) == [True, False, True])


async def test_the_patient_who_waited_longest_is_first_with_all_details(
    clinic: Clinic, open_page: OpenPage
) -> None:
    now = int(time.time() * 1000)
    clinic.row("v_1", "Ana Ruiz", 118, language="es", step=2, blocked=True)
    away = {"online": False, "away_since_ms": now - 20 * 60_000}
    clinic.row("v_2", "Jon Bell", 31 * 60, state="OH", returned=1, **away)
    clinic.row("v_3", "Mei Lin", 700, guide_done=True, assignee=LIND)
    page = await on_call(clinic, open_page)
    rows = page.get_by_role("list", name="Patients, longest waiting first").get_by_role("heading")
    await expect(rows).to_have_text(["Jon Bell", "Mei Lin", "Ana Ruiz"])
    jon, mei, ana = (page.locator(f"[data-visit={visit}]") for visit in ("v_2", "v_3", "v_1"))
    for words in ("31:", "Over 30 min", "Offline 20:", "Returned", "Ohio", "+1 512 555 0142"):
        await expect(jon).to_contain_text(words)
    for words in ("Over 10 min", "In the waiting room", "For Dr Jonas Lind"):
        await expect(mei).to_contain_text(words)
    for words in ("Online", "Step 2 of 6", "Spanish", "Texas", "Rash, three days", "No video"):
        await expect(ana).to_contain_text(words)
    assert await page.title() == "(3) On-Demand Requests · Riverside Clinic"


async def test_f29_long_names_and_long_toasts_stay_within_a_phones_width(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.row("v_1", "x" * 91, 60, phone_shown="(512) 555-0142 ext. 12")

    def refuse(_: dict[str, object]) -> None:
        raise RefusedError("too_long_for_a_toast", "x" * 2000)

    clinic.refuse["on_call"] = refuse
    page = await on_call(clinic, open_page, width=390)
    name = page.locator("[data-visit=v_1] h2 bdi")
    await expect(name).to_have_text("x" * 91)
    await expect(page.locator("[data-visit=v_1]")).to_contain_text("(512) 555-0142 ext. 12")
    await page.get_by_role("switch", name="On-Call").click()
    toast = page.locator(".toast")
    await expect(toast).to_contain_text("x" * 2000)
    for box in (await name.bounding_box(), await toast.bounding_box()):
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["height"] <= 430, "half of the screen"
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_only_the_changed_row_is_drawn_again_and_waiting_times_are_updated(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.row("v_1", "Ana Ruiz", 10)
    clinic.row("v_2", "Jon Bell", 20)
    page = await on_call(clinic, open_page)
    await expect(page.locator("[data-visit]")).to_have_count(2)
    await page.evaluate(
        """() => {
            for (const row of document.querySelectorAll('[data-visit]')) {
                const watch = (changes) => changes.forEach(({ target }) => {
                    const element = target.closest ? target : target.parentElement;
                    const part = element?.closest('wait-clock') ? 'ticked' : 'drawn';
                    row.dataset[part] = 'yes';
                });
                const options = { subtree: true, childList: true, characterData: true };
                new MutationObserver(watch).observe(row, options);
            }
        }"""
    )
    ana, jon = page.locator("[data-visit=v_1]"), page.locator("[data-visit=v_2]")
    await clinic.arrives(clinic.row("v_1", "Ana Ruiz", 10, step=4), fresh=False)
    await expect(ana).to_contain_text("Step 4 of 6")
    await expect(ana).to_have_attribute("data-drawn", "yes")
    await expect(jon).to_have_attribute("data-ticked", "yes")
    assert await jon.get_attribute("data-drawn") is None


async def test_each_new_request_rings_once_also_when_it_came_while_the_connection_was_lost(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.row("v_1", "Ana Ruiz", 60)
    page = await on_call(clinic, open_page)
    document = page.locator("html")
    await page.mouse.click(600, 700)
    assert await document.get_attribute("data-rung") is None, "who was there already does not ring"
    jon = clinic.row("v_2", "Jon Bell", 1)
    await clinic.arrives(jon)
    await expect(document).to_have_attribute("data-rung", "1")
    await expect(page.locator(".announcer")).to_have_text("New request: Jon Bell.")
    await clinic.arrives(jon)  # the row of Jon's visit, which the page already shows
    await page.evaluate(
        "const now = performance.now(); performance.now = () => now + 60_000 + Date.now() % 1000"
    )
    clinic.open_to_all = False
    await clinic.cut()
    clinic.row("v_3", "Mei Lin", 0)
    clinic.version += 1
    clinic.open_to_all = True
    await expect(page.get_by_role("button", name="Claim Mei Lin")).to_be_visible()
    await expect(document).to_have_attribute("data-rung", "2")
    await expect(page.locator(".announcer")).to_have_text("New request: Mei Lin.")


async def test_a_crowd_of_arrivals_is_no_flood_of_chimes(clinic: Clinic, open_page: OpenPage) -> None:
    page = await on_call(clinic, open_page)
    await stop_clock(page)
    for number in range(12):
        await clinic.arrives(clinic.row(f"v_{number}", f"Patient {number}", 0))
    await expect(page.get_by_role("button", name="Claim Patient 11")).to_be_visible()
    for chimes in ("1", "2", "2"):
        assert await page.evaluate("document.documentElement.dataset.rung") == chimes
        await page.clock.run_for(10_000)


async def test_case_information_fills_in_while_the_patient_types(clinic: Clinic, open_page: OpenPage) -> None:
    clinic.row("v_1", "Ana Ruiz", 60)
    page = await on_call(clinic, open_page)
    button = page.get_by_role("button", name="Case Information of Ana Ruiz")
    await button.click()
    await expect(button).to_have_attribute("aria-expanded", "true")
    case = page.get_by_role("region", name="Case Information of Ana Ruiz")
    await expect(case).to_contain_text("April 2, 1990")
    await expect(case.locator("[data-step=allergies]")).to_contain_text("not yet")
    clinic.case |= {"answers": {"allergies": "Penicil"}, "typing": "allergies"}
    await clinic.tell_case()
    await expect(case.locator("[data-step=allergies]")).to_contain_text("being filled in")
    await expect(case.locator("[data-step=allergies]")).to_contain_text("Penicil")
    clinic.case |= {
        "answers": {"consent": {"agreed": True, "signature": "Ana Ruiz"}, "pregnant": False},
        "typing": None,
    }
    await clinic.tell_case()
    await expect(case.locator("[data-step=consent]")).to_contain_text("Agreed, signed “Ana Ruiz”")
    await expect(case.locator("[data-step=pregnant]")).to_contain_text("No")
    await button.click()
    await expect(case).to_have_count(0)
    await clinic.until(lambda: clinic.got("unsubscribe"))


async def test_a_claim_goes_straight_to_the_session_page_without_a_reload(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.row("v_1", "Ana Ruiz", 60)
    page = await on_call(clinic, open_page)
    await page.evaluate("window.same = true")
    await page.get_by_role("button", name="Claim Ana Ruiz").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Session with Ana Ruiz")
    await expect(page).to_have_url(f"{clinic.url}/demo/staff/visits/v_1")
    assert await page.evaluate("window.same")
    await clinic.until(lambda: clinic.got("visit.enter") and clinic.got("media.join"))
    await page.get_by_role("link", name="Sessions List").click()
    await page.get_by_role("link", name="Back to session with Ana Ruiz").click()
    await expect(page.get_by_role("button", name="Start Session")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Session with Ana Ruiz")


async def test_a_provider_comes_back_to_their_session_from_another_tab(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.current = "v_1"
    await clinic.claimed_by()
    page = await on_call(clinic, open_page)
    await page.get_by_role("link", name="Back to session with Ana Ruiz").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Session with Ana Ruiz")


async def test_a_session_that_is_someone_elses_is_not_opened(clinic: Clinic, open_page: OpenPage) -> None:
    await clinic.claimed_by(LIND)
    page = await on_call(clinic, open_page, "/demo/staff/visits/v_1")
    await expect(page.get_by_text("Dr Jonas Lind has claimed this visit.")).to_be_visible()
    await expect(page).to_have_url(f"{clinic.url}/demo/staff")


async def test_f31_the_page_of_a_person_signed_out_elsewhere_is_cleared(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.row("v_1", "Ana Ruiz", 60)
    page = await on_call(clinic, open_page)
    await page.get_by_role("button", name="Case Information of Ana Ruiz").click()
    await page.get_by_label("More for Ana Ruiz").click()
    await page.get_by_role("button", name="Send a message").click()
    await page.get_by_role("dialog", name="Message to Ana Ruiz").wait_for()
    await clinic.cut(4201)
    await expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    assert "Ana Ruiz" not in await page.content()
    await page.get_by_role("link", name="Sign in").click()
    await expect(page).to_have_url(f"{clinic.url}/demo/staff/sign-in")


async def test_a_patient_in_a_state_without_a_licence_is_marked_and_claimed_only_after_a_question(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.row("v_1", "Ana Ruiz", 60, state="OH")
    clinic.row("v_2", "Jon Bell", 50, state="TX")
    page = await open_page("/demo/staff")
    await page.get_by_role("switch", name="On-Call").click()
    await expect(page.get_by_text("you are not licensed there")).to_have_count(1)
    await page.get_by_role("button", name="Claim Ana Ruiz").click()
    question = page.get_by_role("dialog", name="Claim Ana Ruiz all the same?")
    await expect(question).to_contain_text("Ohio")
    await question.get_by_role("button", name="Cancel").click()
    assert clinic.got("visit.claim") == []
    await page.get_by_role("button", name="Claim Ana Ruiz").click()
    await question.get_by_role("button", name="Claim").click()
    await clinic.until(lambda: clinic.got("visit.claim"))


async def test_f30_the_second_click_on_a_dialogs_button_reaches_nothing_under_it(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.row("v_1", "Ana Ruiz", 60, state="OH")
    clinic.row("v_2", "Jon Bell", 50)
    page = await on_call(clinic, open_page)
    await page.get_by_role("button", name="Claim Ana Ruiz").click()
    await page.get_by_role("dialog", name="Claim Ana Ruiz all the same?").wait_for()
    hit = await page.evaluate(
        """async () => {
            const dialog = document.querySelector("dialog[open]");
            const closed = new Promise((done) => dialog.addEventListener("close", done));
            dialog.querySelector("button").click();
            await closed;
            const { left, top, width, height } =
                document.querySelector("[data-visit=v_2] .main").getBoundingClientRect();
            const under = document.elementFromPoint(left + width / 2, top + height / 2);
            return under?.closest("button")?.textContent ?? null;
        }"""
    )
    assert hit is None
    await expect(page.get_by_role("button", name="Claim Ana Ruiz")).to_be_focused()
    # Playwright waits until the button reacts to presses again.
    await page.get_by_role("button", name="Claim Jon Bell").click()
    await clinic.until(lambda: clinic.got("visit.claim"))


async def test_f00_f35_an_admin_has_assign_and_decline_beside_claim_and_the_tab_at_any_time(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.row("v_1", "Ana Ruiz", 60, state="OH")
    clinic.staff["u_lind"]["states"] = ["TX"]
    for number in range(9):
        person = {"id": f"u_{number}", "name": f"Dr Number {number}", "role": "provider"}
        clinic.staff[person["id"]] = {**person, "on_call": True, "in_session": False, "states": ["OH"]}
    page = await admins_page(clinic, open_page)
    await expect(page.get_by_text("You are off call.")).to_be_visible()
    await expect(page.get_by_role("link", name="On-Demand Requests")).to_have_attribute(
        "aria-current", "page"
    )
    tops = []
    for act in ("Claim", "Assign", "Decline"):
        box = await page.get_by_role("button", name=f"{act} Ana Ruiz").bounding_box()
        assert box is not None
        tops.append(round(box["y"]))
    assert len(set(tops)) == 1, "beside each other"
    await page.get_by_role("button", name="Assign Ana Ruiz").click()
    dialog = page.get_by_role("dialog", name="Assign Ana Ruiz")
    people = dialog.get_by_role("radio")
    await expect(people).to_have_count(10)
    await expect(people.first).to_be_checked()
    await expect(dialog.locator(".choice").last).to_contain_text("Dr Jonas Lind free · not licensed there")
    box = await dialog.bounding_box()
    assert box is not None
    assert box["height"] < 800, "a long list scrolls in the dialog"
    await is_accessible(page)
    await dialog.get_by_label("Search by name").fill("lind")
    await dialog.get_by_role("radio", name="Dr Jonas Lind").check()
    await dialog.get_by_role("button", name="Assign").click()
    await clinic.until(lambda: clinic.got("visit.assign"))
    assert clinic.got("visit.assign")[0]["to"] == "u_lind"


async def test_f34_a_crowd_fits_a_small_laptop_and_a_phone_and_can_be_searched(
    clinic: Clinic, open_page: OpenPage
) -> None:
    for number in range(66):
        state = "OH" if number % 3 else "TX"
        clinic.row(f"v_{number}", f"Patient {number} van der Berg", 3_000 - number, state=state)
    for number in range(40):
        person = {"id": f"u_{number}", "name": f"Dr Number {number}", "role": "provider"}
        clinic.staff[person["id"]] = {**person, "on_call": True, "in_session": False, "states": []}
    page = await admins_page(clinic, open_page, width=1024, height=600)
    await expect(page.get_by_text("41 on call")).to_be_visible()
    first = page.locator("[data-visit=v_0]")
    who = await first.locator(".who").bounding_box()
    assert who is not None
    assert who["width"] > 300
    await is_accessible(page)
    rows = await page.evaluate_handle("[...document.querySelectorAll('[data-visit]')]")
    search = page.get_by_role("search", name="On-Demand Requests")
    await search.get_by_label("Region").select_option(label="Ohio")
    await expect(page.get_by_text("44 of 66 shown")).to_be_visible()
    await search.get_by_label("Search by name").fill("patient 10")
    await expect(page.get_by_text("1 of 66 shown")).to_be_visible()
    await expect(page.locator(".requests").get_by_role("listitem")).to_have_count(1)
    await expect(page.locator(".requests").get_by_role("button", name="Claim")).to_have_count(1)
    await search.get_by_label("Search by name").fill("")
    await search.get_by_label("Region").select_option("")
    await search.get_by_label("Order").select_option("newest")
    await expect(page.locator("[data-visit]").first).to_have_attribute("data-visit", "v_65")
    await expect(page.locator("[data-visit]:visible")).to_have_count(66)
    assert await rows.evaluate("rows => rows.every(row => row.isConnected)"), "no row is built anew"
    await search.get_by_label("Order").select_option("")
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.wait_for_function("() => innerWidth === 390")
    row = await first.bounding_box()
    assert row is not None
    assert row["y"] < 420, "the first request is in the upper half of a phone"
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    await expect(page.get_by_role("link", name="My settings")).to_be_hidden()
    await page.get_by_role("button", name="Menu").click()
    await expect(page.get_by_role("link", name="My settings")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("link", name="My settings")).to_be_hidden()
    await expect(page.get_by_role("button", name="Menu")).to_be_focused()


async def test_switch_bell_and_menu_are_in_one_row_on_the_narrowest_phone_while_a_hundred_wait(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.staff["u_osei"]["on_call"] = True
    for number in range(123):
        clinic.row(f"v_{number}", "Ana Ruiz", 60)
    page = await open_page("/demo/staff", width=320)
    for language in ("en", "es", "fr", "ar"):
        await page.goto(f"{clinic.url}/demo/staff?lang={language}")
        await expect(page.locator(".menu-button .chip")).to_contain_text("123")
        tops = [await page.locator(part).evaluate(TOP) for part in (".side .switch", ".bell", ".menu-button")]
        assert len(set(tops)) == 1, language
        assert await page.evaluate("document.documentElement.scrollWidth") == 320
