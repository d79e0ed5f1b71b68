"""Tests the set-up's page of deliveries (mails, texts, notifications and webhooks that could not be sent).

The page lists them by receiver, without patients' names, and has buttons to send them again.
"""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Browser, expect

from signalling.store.jobs import Taken, new_job
from tests.web.audit.test_noting import acts
from tests.web.browsing import sign_in
from tests.web.pages.setup.desk import desk
from tests.web.pages.test_accessibility import NARROW, WIDE, is_accessible
from tests.web.site import FORM, Site
from web.jobs import Runner
from web.keys import BREAKERS, JOB_QUEUES, JOBS, SERVICE, WEBHOOKS
from web.programs import deliveries
from web.programs.breaker import OPENS_AFTER
from web.programs.calls import NO_CONNECTION
from web.programs.delivery import NOT_TAKEN

PAGE = "/demo/staff/setup/deliveries"
SERVICE_OF_PUSH = "push https://push.example"


@pytest.fixture(autouse=True)
def _no_runners(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops the jobs from running by themselves. Makes a delivery count as late directly after its first attempt."""

    async def never(_: Runner) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Runner, "run", never)
    monkeypatch.setattr(deliveries, "LATE_MS", -60_000)


async def taken(site: Site, kind: str, **payload: object) -> Taken:
    """Add a job to the queue of its kind and take it; return the taken job. `payload`: its values."""
    queue = site.app[JOB_QUEUES][kind]
    await queue.add("demo", new_job(kind, payload, 1))
    [found] = await queue.take("demo", 1)
    return found


async def full(site: Site) -> tuple[list[str], str]:
    """Make deliveries of all kinds fail; return (the ids of the two failed mails, the id of the webhook).

    The mails are not tried again. The delivery to the webhook is late, and is tried again later.
    """
    await site.person().ask_for_a_visit()
    [visit] = (await site.app[SERVICE].mirrors.get("demo")).visits
    hook = await site.app[WEBHOOKS].add("demo", "https://hooks.example/greenroom?token=s3cret", ())
    assert hook is not None
    queues, mails = site.app[JOB_QUEUES], []
    for payload in (
        {"mail": "declined", "visit": visit},
        {"letter": {"name": "invite", "to": "ida@lost.example"}},
    ):
        mail = await taken(site, "mail", **payload)
        await queues["mail"].give_up("demo", mail, "SMTPConnectError")
        mails.append(mail.job.id)
    delivery = await taken(site, "webhook", webhook=hook.id, event="claimed", visit=visit)
    await queues["webhook"].later("demo", delivery, delivery.now_ms + 600_000, NOT_TAKEN)
    for receiver in (hook.id, SERVICE_OF_PUSH):
        for _ in range(OPENS_AFTER):
            await site.app[BREAKERS].failed("demo", receiver, 1)
    return mails, hook.id


def cards(page: str) -> dict[str, str]:
    """Return the cards of the page: name of a receiver -> the text of its card."""
    found = re.findall(r'<h2 id="receiver-\d+"><bdi>(.*?)</bdi>(.*?)</section>', page, re.DOTALL)
    return {name: " ".join(re.sub(r"<[^>]*>", " ", text).split()) for name, text in found}


async def test_an_administrator_sees_what_is_late_or_given_up_by_receiver_and_names_of_nobody(
    site: Site,
) -> None:
    await full(site)
    await site.app[JOBS].add("demo", new_job("mail", {"mail": "reminder"}, 1), 1 << 42)
    page = await (await (await desk(site)).person.get(PAGE)).text()
    found = cards(page)
    assert list(found) == ["Mail", "Text messages", "Notifications", "hooks.example"]
    assert "Given up: 2 For a later time: 1" in found["Mail"]
    for about in ("Declined request", "Invitation"):
        assert re.search(rf"{about} [^·]+ · 1 attempt · {NO_CONNECTION} Send again", found["Mail"]), about
    assert "Nothing waits." in found["Text messages"]
    assert "push.example : 5 deliveries in a row were not taken." in found["Notifications"]
    assert "Paused Late: 1" in found["hooks.example"]
    assert re.search(rf"claimed Late [^·]+ · 1 attempt · {NOT_TAKEN}", found["hooks.example"])
    assert not [text for text in (FORM["name"], "ida@lost.example", "s3cret") if text in page]


async def test_one_delivery_or_all_of_a_receiver_are_sent_again_and_the_audit_log_says_so(site: Site) -> None:
    [first, _], hook = await full(site)
    admin = (await desk(site)).person
    waiting, ask = site.app[JOBS].waiting, site.app[BREAKERS].wait_until_ms
    for wrong in ("", "mail x", f"h_1 {first}", "mail  "):
        assert (await admin.post(PAGE, {"do": wrong})).status == 400, wrong
    for do, count, left in ((f"mail {first}", 1, 1), ("mail", 1, 0), ("mail", 0, 0), (hook, 1, 0)):
        answer = await admin.post(PAGE, {"do": do})
        assert answer.headers["Location"] == f"{PAGE}?again={count}", do
        assert len(await site.app[JOBS].dead("demo")) == left
    assert len(await waiting("demo")) == 2
    assert len(await site.app[JOB_QUEUES]["webhook"].take("demo", 9)) == 1, "the late delivery is due now"
    assert [await ask("demo", hook) == 0 for _ in range(2)] == [True, False], "one attempt goes out"
    assert await ask("demo", SERVICE_OF_PUSH), "the other receiver stays paused"
    about = [act.about for act in await acts(site) if act.what == "delivery.sent_again"]
    assert about == [first, "mail", "mail", hook]


async def test_the_page_of_deliveries_is_accessible(site: Site, browser: Browser) -> None:
    await full(site)
    address = str(site.server.make_url("/"))
    context = await browser.new_context(base_url=address, reduced_motion="reduce", locale="en-US")
    page = await context.new_page()
    await sign_in(page, site)
    for width, dark in (WIDE, NARROW):
        await page.set_viewport_size({"width": width, "height": 800})
        await page.emulate_media(color_scheme="dark" if dark else "light")
        # Load the page with its final colours. Otherwise, axe could measure the colours while they change.
        await page.goto(PAGE)
        await is_accessible(page)
    await page.get_by_role("button", name="Send all again").first.click()
    await expect(page.get_by_role("status").first).to_contain_text("2 deliveries are tried again now.")
    await is_accessible(page)
