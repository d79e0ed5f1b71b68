"""Tests the devices on which staff get notifications.

A press adds a device; it can be tested, it shows notifications, and it can be removed.
"""

import json
from typing import Any

from playwright.async_api import Browser, Page, expect

from tests.web.audit.test_noting import entries_of
from tests.web.browsing import pages
from tests.web.channels.push_service import LOOPBACK, push_service, subscribing
from tests.web.pages.test_accessibility import is_accessible
from tests.web.site import LIND, OSEI, Site
from web.keys import PUSH
from web.organisations import demo

SETTINGS = "/demo/staff/preferences"
DEVICES = SETTINGS + "/devices"
ANDROID = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/143.0 Mobile Safari/537.36"


async def test_f41_staff_add_try_and_remove_their_own_devices_and_nobody_elses(site: Site) -> None:
    site.app[PUSH].allowed = LOOPBACK
    osei, lind = site.person(**{"User-Agent": ANDROID}), site.person()
    await osei.sign_in(OSEI)
    await lind.sign_in(LIND)
    async with push_service() as there:
        added = {"do": "add", **there.subscription()}
        assert (await osei.post(DEVICES, {**added, "endpoint": "https://10.0.0.1/x"})).status == 422
        assert (await osei.post(DEVICES, added)).status == 204
        page = await (await osei.get(SETTINGS)).text()
        assert "<bdi>Chrome, Android</bdi>" in page
        assert there.url not in page
        assert "Chrome, Android" not in await (await lind.get(SETTINGS)).text()
        [device] = await site.app[PUSH].staff.of("demo", "u_osei")
        await lind.post(DEVICES, {"remove": device.id})
        answer = await osei.post(DEVICES, {"do": "try"})
        assert answer.headers["Location"] == f"{SETTINGS}?tried=sent#devices"
        assert (there.read[0]["path"], there.read[0]["lang"]) == ("/demo/staff", "en")
        there.statuses = [500, 410]
        for word, said in (("failed", "could not be sent"), ("gone", "No device takes notifications")):
            assert f"tried={word}#" in (await osei.post(DEVICES, {"do": "try"})).headers["Location"]
            assert said in await (await osei.get(f"{SETTINGS}?tried={word}")).text()
        assert await site.app[PUSH].staff.of("demo", "u_osei") == [], "its service has lost it"
        await osei.post(DEVICES, added)
        asked = there.asked
        tried = [(await osei.post(DEVICES, {"do": "try"})).headers["Location"] for _ in range(3)]
        assert [place.partition("tried=")[2] for place in tried] == ["sent#devices"] * 2 + ["late#devices"]
        assert there.asked == asked + 2, "five within an hour"
        assert "These were enough messages" in await (await osei.get(f"{SETTINGS}?tried=late")).text()
        assert (await osei.post(DEVICES, {"remove": device.id})).status == 303
    assert [act for _, act, _ in await entries_of(site) if act.startswith("device.")] == [
        "device.added",
        "device.added",
        "device.removed",
    ]


async def shown(page: Page, data: dict[str, Any]) -> Any:
    """Give a push message to the service worker of the page, and press the notification; return (the notification, the
    opened address).
    """
    while not page.context.service_workers:
        await page.wait_for_timeout(20)
    [worker] = page.context.service_workers
    await worker.evaluate(
        """self.shown = new Promise((resolve) => {
            registration.showNotification = async (title, { data, ...how }) => {
                const event = new ExtendableEvent("notificationclick");
                clients.openWindow = async (url) => resolve({ title, ...how, opened: url });
                dispatchEvent(Object.assign(event, { notification: { close: () => {}, data } }));
            };
        }), null"""
    )
    session = await page.context.new_cdp_session(page)
    registrations: list[str] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: registrations.extend(one["registrationId"] for one in told["registrations"]),
    )
    await session.send("ServiceWorker.enable")
    while not registrations:
        await page.wait_for_timeout(20)
    message = {"registrationId": registrations[0], "data": json.dumps(data)}
    origin = await page.evaluate("location.origin")
    await session.send("ServiceWorker.deliverPushMessage", {"origin": origin, **message})
    return await worker.evaluate("self.shown")


async def test_f41_a_notification_is_turned_on_by_a_press_and_shown_while_no_page_is_open(
    site: Site, browser: Browser
) -> None:
    site.app[PUSH].allowed = LOOPBACK
    async with (
        push_service() as there,
        pages(site, browser, expected="^$") as opened,
    ):
        page = await opened("/demo/staff/sign-in")
        await page.context.add_init_script(subscribing(there))
        await page.locator("[name=email]").fill(OSEI)
        await page.locator("[name=password]").fill(demo.password(site.settings, OSEI))
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url("**/demo/staff")
        await page.goto(str(site.server.make_url(SETTINGS)))
        switch = page.get_by_role("switch", name="Notify me on this device")
        await expect(switch).not_to_be_checked()
        assert await page.evaluate("localStorage.getItem('asked')") is None, "never asked for on load"
        await switch.click()
        await expect(page.get_by_text("This device", exact=True)).to_be_visible()
        await expect(switch).to_be_checked()
        asked = json.loads(await page.evaluate("localStorage.getItem('asked')"))
        assert asked == {"userVisibleOnly": True, "applicationServerKey": site.app[PUSH].public_key}
        await page.get_by_role("button", name="Send me a notification to try").click()
        await expect(page.get_by_role("status").filter(has_text="on its way")).to_be_visible()
        await is_accessible(page)
        [read] = there.read
        assert await shown(page, read) == {
            "title": "Riverside Clinic",
            "body": read["body"],
            "lang": "en",
            "dir": "ltr",
            "tag": "/demo/staff",
            "renotify": True,
            "opened": str(site.server.make_url("/demo/staff")),
        }
        await switch.click()
        await expect(page.get_by_text("This device", exact=True)).to_be_hidden()
        await expect(switch).not_to_be_checked()
        assert await site.app[PUSH].staff.of("demo", "u_osei") == []
