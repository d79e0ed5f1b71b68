"""Tests emergency access: a provider reads a visit that is not theirs, and every administrator is notified. Row 45."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect
from redis.asyncio import Redis

from signalling.errors import UnavailableError
from signalling.store import keys
from signalling.visit import commands as c
from signalling.visit.record import Actor, ChatMessage
from signalling.visit.relations import Decided
from tests.browsers import SHOWN_S
from tests.web.audit.test_noting import entries_of
from tests.web.browsing import pages as opened_pages
from tests.web.browsing import send_sign_in
from tests.web.pages.setup.desk import desk
from tests.web.pages.setup.test_patients import ANA, found, named
from tests.web.pages.setup.test_people import account
from tests.web.pages.test_accessibility import LOOKS, PICTURE, is_accessible
from tests.web.site import ADMIN, FORM, LIND, OSEI, Site
from tests.web.test_websocket import ask
from web.emergency import opening
from web.emergency.grants import MINUTE_MS, new_grant
from web.emergency.opening import grants_of
from web.identity.visitors import patient
from web.keys import AUDIT_LOG, SERVICE, SETTINGS
from web.pages.staff import emergency as page_of_visit

REASON = {"reason": "The pharmacy asks for the dose, and she is on leave"}
LIST = "/demo/staff/setup/emergency"


async def of_a_colleague(site: Site) -> str:
    """Let Dr Lind hold a visit that has messages and a photo, and end it; return its id."""
    assert (await site.person().ask_for_a_visit()).status == 303
    service = site.app[SERVICE]
    (visit,) = (await service.mirrors.get("demo")).visits
    lind = site.person()
    await lind.sign_in(LIND)
    socket = await lind.socket("staff")
    await ask(socket, type="on_call", on=True)
    assert (await ask(socket, type="visit.claim", visit=visit))["type"] == "done"
    ana = patient("demo", visit, FORM["name"])
    assert isinstance(await service.command(ana, visit, c.AddPhoto("p_1", 1600, 1200, "My arm")), Decided)
    await service.photos.keep("demo", visit, "p_1", PICTURE.read_bytes())
    await service.write("demo", message_of(visit, "m_1", "It itches", service.clock_ms()), None)
    assert (await ask(socket, type="visit.end", visit=visit, by_phone=True))["type"] == "done"
    await ask(socket, type="on_call", on=False)
    return visit


def message_of(visit: str, name: str, text: str, at_ms: int) -> ChatMessage:
    """Return a chat message of the patient. `name`: its id."""
    return ChatMessage(id=name, visit=visit, at_ms=at_ms, party="patient", name="Ana Ruiz", text=text)


async def actor_of(site: Site, email: str) -> Actor:
    """Return the author of the commands of a member of the demo's staff."""
    who = await account(site, email)
    return Actor(organisation="demo", id=who.id, name=who.name, role=who.role)


def path_of(visit: str) -> str:
    return f"/demo/staff/visits/{visit}/emergency"


async def test_s45_a_provider_with_a_reason_reads_a_colleagues_ended_visit_and_nobody_is_left_unnotified(
    site: Site,
) -> None:
    visit, osei = await of_a_colleague(site), (await desk(site, OSEI)).person
    admin = await desk(site)
    bell = await admin.person.socket("staff")
    await ask(bell, type="subscribe", topic="bell")
    before = await (await osei.get(path_of(visit))).text()
    assert "This session is not yours." in before
    assert FORM["name"] not in before
    photo = f"/demo/visits/{visit}/photos/p_1"
    assert (await osei.get(photo)).status == 404
    for wrong in ("", "please", "x" * 501):
        refused = await osei.post(path_of(visit), {"reason": wrong})
        assert refused.status == 422
        assert FORM["name"] not in await refused.text()
    assert (await osei.post(path_of(visit), REASON)).status == 303
    answer = await osei.get(path_of(visit))
    html = await answer.text()
    for shown in (
        FORM["name"],
        "April 2, 1990",
        "Texas",
        FORM["reason"],
        "It itches",
        "Emergency access until",
    ):
        assert shown in html, shown
    assert 'href="tel:+15125550142"' in html
    assert 1500 < int(answer.headers["Refresh"]) <= 1801, "the page shows nothing when the time is over"
    assert (await osei.get(photo)).status == 200
    assert (await osei.get(path_of(visit))).status == 200
    while (message := await bell.receive_json())["type"] != "bell.item":
        pass
    item = message["item"]
    assert (item["kind"], item["by"], item["visit"], item["note"]) == (
        "emergency", "Dr Maya Osei", visit, REASON["reason"],
    )  # fmt: skip
    outbox = Path(site.app[SETTINGS].data.folder) / "outbox"
    async with asyncio.timeout(SHOWN_S):
        while not (mails := list(outbox.glob("*emergency*.eml"))):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    (mail,) = mails
    letter = mail.read_text("utf-8")
    assert f"To: {ADMIN}" in letter
    assert "Dr Maya Osei has opened a session" in letter
    assert FORM["name"] not in letter
    text = await (await admin.person.get(LIST)).text()
    assert REASON["reason"] in text
    assert "Open now" in text
    entries = [
        entry for entry in await entries_of(site) if "emergenc" in entry[1] or entry[1] == "photo.read"
    ]
    assert entries == [
        ("u_osei", "visit.emergency_opened", visit),
        ("u_osei", "visit.emergency_read", visit),
        ("u_osei", "photo.read", visit),
        ("u_admin", "emergencies.read", ""),
    ]
    assert REASON["reason"] in await (await admin.person.get("/demo/staff/setup/audit")).text()


async def test_s45_the_access_ends_by_its_time_by_the_person_and_by_an_administrator(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, osei, admin = await of_a_colleague(site), (await desk(site, OSEI)).person, await desk(site)
    name, photo = FORM["name"], f"/demo/visits/{visit}/photos/p_1"

    async def reads() -> bool:
        page = name in await (await osei.get(path_of(visit))).text()
        assert ((await osei.get(photo)).status == 200) is page
        return page

    await osei.post(path_of(visit), REASON)
    assert await reads()
    await osei.post(f"{path_of(visit)}/end")
    assert not await reads()
    await osei.post(path_of(visit), REASON)
    assert await reads()
    (grant,) = [one for one in await grants_of(site.app).newest("demo", 9) if not one.ended_ms]
    assert (await admin.person.post(LIST, {"end": grant.id})).status == 303
    assert not await reads()
    assert "ended by" in await (await admin.person.get(LIST)).text()
    await osei.post(path_of(visit), REASON)
    assert await reads()
    now = site.app[SERVICE].clock_ms
    later_ms = now() + 30 * MINUTE_MS
    monkeypatch.setattr(site.app[SERVICE].store, "clock_ms", lambda: later_ms)
    assert not await reads()
    ended = [entry[0] for entry in await entries_of(site) if entry[1] == "visit.emergency_ended"]
    assert ended == ["u_osei", "u_admin"]


async def test_s45_without_an_entry_in_the_audit_log_there_is_no_access(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, osei = await of_a_colleague(site), (await desk(site, OSEI)).person

    async def fails(*_: object) -> None:
        raise UnavailableError("the store is away")

    for owner, part in ((site.app[AUDIT_LOG], "write"), (opening, "_notify")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, part, fails)
            assert (await osei.post(path_of(visit), REASON)).status == 503
        assert FORM["name"] not in await (await osei.get(path_of(visit))).text()


async def test_s45_emergency_access_is_bounded_can_be_turned_off_and_is_not_for_visits_that_roles_show(
    site: Site,
) -> None:
    visit, osei, admin = await of_a_colleague(site), (await desk(site, OSEI)).person, await desk(site)
    lind = (await desk(site, LIND)).person
    for person in (admin.person, lind):
        answer = await person.get(path_of(visit))
        assert (answer.status, answer.headers["Location"]) == (303, f"/demo/staff/visits/{visit}")
    assert (await osei.get(path_of("v_none"))).status == 404
    for _ in range(10):
        assert (await osei.post(path_of(visit), REASON)).status == 303
        await osei.post(f"{path_of(visit)}/end")
    assert (await osei.post(path_of(visit), REASON)).status == 429
    assert (await admin.change("policy", emergency_min="x")).status == 422
    service, photo = site.app[SERVICE], f"/demo/visits/{visit}/photos/p_1"
    open_now = new_grant(visit, "u_osei", "Dr Maya Osei", "Still open", service.clock_ms(), 30)
    await grants_of(site.app).add("demo", open_now)
    assert (await osei.get(photo)).status == 200
    assert (await admin.change("policy", emergency_min="0")).status == 303
    assert (await osei.get(path_of(visit))).status == 404
    assert (await osei.get(photo)).status == 404
    assert '"emergency":false' in await (await osei.get("/demo/staff")).text()


async def test_s45_the_reason_is_sealed_and_erased_with_the_visit(site: Site, valkey: Redis) -> None:
    visit, osei, admin = await of_a_colleague(site), (await desk(site, OSEI)).person, await desk(site)
    await osei.post(path_of(visit), REASON)
    client: Any = valkey
    (kept,) = await client.zrange(keys.EMERGENCIES("demo"), 0, -1)
    assert REASON["reason"].encode() not in kept
    fields: list[tuple[str, str]] = named(await found(admin.person, **ANA))
    erased = await admin.person.post(
        "/demo/staff/setup/patients", [*fields, ("name", FORM["name"]), ("do", "erase")]
    )
    assert erased.status == 200
    assert not await client.exists(keys.EMERGENCIES("demo"))
    assert REASON["reason"] not in await (await admin.person.get("/demo/staff/setup/audit")).text()


@pytest.mark.parametrize(("width", "dark"), LOOKS)
async def test_s45_in_a_browser_a_provider_uses_emergency_access_and_an_administrator_ends_it(
    site: Site, browser: Browser, width: int, dark: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, service = await of_a_colleague(site), site.app[SERVICE]
    monkeypatch.setattr(page_of_visit, "MESSAGES", 1)  # so that there is a second page of messages
    newest = "It itches more:\n- at night\n- in the sun"
    await service.write("demo", message_of(visit, "m_2", newest, service.clock_ms()), None)
    async with opened_pages(site, browser, expected="^$") as opened:
        page = await opened("/demo/staff/sign-in", width=width, dark=dark)
        await send_sign_in(page, site, OSEI)
        await page.goto(str(site.server.make_url("/demo/staff#past")))
        await page.get_by_role("link", name=re.compile("Emergency access")).click()
        await page.get_by_role("heading", name="Emergency access").wait_for()
        await is_accessible(page)
        await page.get_by_label("Why do you need it?").fill(REASON["reason"])
        await page.get_by_role("button", name="Emergency access").click()
        await page.get_by_role("heading", name=FORM["name"]).wait_for()
        await page.get_by_text("at night").wait_for()
        await is_accessible(page)
        await page.get_by_role("link", name="1 older message").click()
        await page.get_by_text("It itches", exact=True).wait_for()
        await is_accessible(page)
        chief = await opened("/demo/staff/sign-in", width=width, dark=dark)
        await send_sign_in(chief, site, ADMIN)
        await chief.get_by_role("button", name=re.compile("Notifications")).click()
        await chief.get_by_text("Dr Maya Osei opened the session of Ana Ruiz by emergency access.").wait_for()
        await chief.goto(str(site.server.make_url(LIST)))
        await chief.get_by_text("Open now").wait_for()
        await is_accessible(chief)
        await chief.get_by_role("button", name="End it now").click()
        await expect(chief.get_by_text("Open now")).to_be_hidden()
        # The page is cleared at once, without a press.
        await page.get_by_label("Why do you need it?").wait_for()
        assert FORM["name"] not in await page.content()
        assert visit in page.url
