"""Tests notifications on a patient's device: the page asks the browser for the permission only after a press.

The choice is stored. The tests also cover a browser that refuses notifications.
"""

from urllib.parse import parse_qsl

from playwright.async_api import Route, expect

from tests.web.channels.push_service import PushService, subscribing
from tests.web.pages.clinic import Clinic
from tests.web.pages.conftest import OpenPage


async def test_f11_a_patient_turns_notifications_on_and_off_on_the_device_in_hand(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.case["guide_done"] = True
    there, sent = PushService(), []
    page = await open_page("/demo/nowhere")
    await page.context.add_init_script(subscribing(there))

    async def take(route: Route) -> None:
        sent.append(dict(parse_qsl(route.request.post_data or "")))
        clinic.case["agreed"] = ["push"] if sent[-1]["push"] == "yes" else []
        await clinic.tell_case()
        await route.fulfill(status=204)

    await page.route("**/visits/v_1/contact", take)
    await page.goto(clinic.url + "/demo/visit")
    choice = page.get_by_label("Notify me on this device when it is my turn")
    await expect(choice).not_to_be_checked()
    await page.evaluate("window.says = 'denied'")
    await choice.click()
    await expect(page.get_by_text("This browser blocks notifications of this site")).to_be_visible()
    await expect(choice).not_to_be_checked()
    assert not sent
    await page.evaluate("window.says = 'granted'")
    for chosen in (True, False):
        await choice.click()
        # The box is disabled until the server has answered.
        await expect(choice).to_be_enabled()
        await expect(choice).to_be_checked(checked=chosen)
    assert sent == [{"push": answer, **there.subscription()} for answer in ("yes", "no")]
