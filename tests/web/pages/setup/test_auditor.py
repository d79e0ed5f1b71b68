"""Tests the role "auditor", which reads the audit log and nothing else: SECURITY.md row 45.

`tests/web/test_routes.py` tries every route as an auditor.
"""

import json
from typing import Any

import pytest
from playwright.async_api import Browser

from signalling.store import keys
from signalling.visit.record import Role
from tests.web.api.client import program
from tests.web.browsing import pages
from tests.web.pages.appointments.test_feed import made
from tests.web.pages.setup.desk import desk
from tests.web.pages.setup.test_audit import noted
from tests.web.pages.setup.test_people import PASSWORD, account, change, link_in
from tests.web.pages.test_accessibility import LOOKS, is_accessible
from tests.web.site import ADMIN, OSEI, Person, Site
from tests.web.test_websocket import ask, closes, goes_off_call
from web.channels.escalation import _facts
from web.channels.staff import waiting
from web.errors import AccountError
from web.keys import ACCOUNTS, AUDIT_LOG, MAIL_QUEUE, ORGANISATIONS, REDIS, SERVICE
from web.pages.setup import audit as page_of

UMA = "roth@riverside.example"
PATH = "/demo/staff/setup/audit"


async def auditor(site: Site) -> Person:
    """Add an auditor to the demo organisation; return them, signed in."""
    await site.app[ACCOUNTS].add("demo", email=UMA, name="Uma Roth", role=Role.AUDITOR, password=PASSWORD)
    uma = site.person()
    answer = await uma.sign_in(UMA, PASSWORD)
    assert (answer.status, answer.headers["Location"]) == (303, PATH)
    return uma


async def test_s45_an_administrator_makes_an_auditor_who_reads_the_log_and_gets_no_other_page(
    site: Site,
) -> None:
    admin = await desk(site)
    new = {"name": "Uma Roth", "email": UMA, "role": "auditor"}
    text = await (await admin.person.post(f"{admin.home}/people", new)).text()
    uma, path = site.person(), await link_in(admin, text)
    await uma.get(path)
    done = await uma.post("/demo/staff/password", {"password": PASSWORD, "again": PASSWORD})
    assert (done.status, done.headers["Location"]) == (303, PATH)
    await noted(site, ("u_osei", "visit.claimed", "v_1"))
    html = await (await uma.get(PATH)).text()
    assert "claimed a visit" in html
    assert "/demo/staff/visits/v_1" not in html, "the visit is not linked"
    assert "/demo/staff/setup/people" not in html
    assert 'href="/demo/staff/calendar"' not in html
    refused = await uma.get("/demo/staff")
    assert refused.status == 403
    assert "This page is not for auditors" in await refused.text()
    assert (await uma.get("/demo/staff/sign-in")).headers["Location"] == PATH
    settings = await (await uma.get("/demo/staff/preferences")).text()
    assert "My password" in settings
    assert "On-Call" not in settings
    assert "calendar" not in settings.lower()
    saved = await uma.post("/demo/staff/preferences", {"language": "es", "phone": "1", "texts": "yes"})
    assert saved.status == 303
    found = await account(site, UMA)
    assert (found.language, found.phone, found.texts) == ("es", "", False)


async def test_s45_an_auditors_socket_is_refused(site: Site) -> None:
    socket = await (await auditor(site)).socket("staff")
    message = await socket.receive_json()
    assert (message["type"], message.get("code")) == ("error", "not_signed_in")
    assert await closes(socket) == 4202
    assert (await site.app[SERVICE].mirrors.get("demo")).staff == {}


async def test_s45_a_provider_who_becomes_an_auditor_is_of_staff_no_longer(site: Site) -> None:
    admin, (osei, feed) = await desk(site), await made(site)
    watching = await admin.person.socket("staff")
    await ask(watching, type="subscribe", topic="queue")
    socket = await osei.socket("staff")
    await ask(socket, type="on_call", on=True)
    who = await account(site, OSEI)
    client: Any = site.app[REDIS]
    await client.hset(keys.STAFF_DEVICES("demo", who.id), "d_1", b"a device")
    status, _ = await change(admin, who, "save", role="auditor")
    assert status == 303
    assert await closes(socket) == 4201
    await goes_off_call(site)
    assert not await client.exists(keys.STAFF_DEVICES("demo", who.id))
    assert (await site.person().get(feed)).status == 404
    organisation = await site.app[ORGANISATIONS].get("demo")
    assert organisation is not None
    facts = await _facts(site.app, organisation, site.app[SERVICE].clock_ms())
    assert who.id not in {one.id for one in facts.accounts}
    seen = await ask(watching, type="subscribe", topic="queue")
    assert seen["type"] == "subscribed"
    other = await admin.person.socket("staff")
    await other.send_json({"type": "subscribe", "id": 1, "topic": "queue"})
    while (message := await other.receive_json())["type"] != "queue.snapshot":
        pass
    assert [one["name"] for one in message["staff"]] == ["Robin Hale"]
    office = await program(site)
    _, listed = await office.call("GET", "/staff")
    assert who.id not in {one["id"] for one in listed["staff"]}
    assert (await osei.sign_in(OSEI)).headers["Location"] == PATH
    who = await account(site, OSEI)
    assert (await change(admin, who, "save", role="provider"))[0] == 303
    assert (await osei.sign_in(OSEI)).headers["Location"] == "/demo/staff"
    assert (await (await osei.socket("staff")).receive_json())["type"] == "welcome"


async def test_s45_an_auditor_gets_no_message_about_a_patient(site: Site) -> None:
    await site.person().ask_for_a_visit()
    (visit,) = (await site.app[SERVICE].mirrors.get("demo")).visits
    admin, osei = await desk(site), (await desk(site, OSEI)).person
    await ask(await osei.socket("staff"), type="on_call", on=True)
    who = await account(site, OSEI)
    chosen: dict[str, Any] = {
        "mail_assigned": True,
        "notify": True,
        "language": "",
        "phone": "+1 512 555 0150",
    }
    await site.app[ACCOUNTS].prefer("demo", OSEI, texts=True, **chosen)
    done = await ask(await admin.person.socket("staff"), type="visit.assign", visit=visit, to=who.id)
    assert done["type"] == "done"
    organisation = await site.app[ORGANISATIONS].get("demo")
    assert organisation is not None
    letter, message = site.app[MAIL_QUEUE].resolvers["assigned"], waiting(site.app)
    payload = {"visit": visit, "person": who.id, "by": "Robin Hale"}
    assert await letter(organisation, payload) is not None
    assert await message(organisation, payload) is not None
    await change(admin, await account(site, OSEI), "save", role="auditor")
    assert await letter(organisation, payload) is None
    assert await message(organisation, payload) is None


async def test_s45_the_last_administrator_does_not_become_an_auditor(site: Site) -> None:
    with pytest.raises(AccountError, match="There must be an administrator"):
        await site.app[ACCOUNTS].edit("demo", ADMIN, name="Robin Hale", role=Role.AUDITOR, states=())


async def test_s45_an_organisation_that_asks_for_a_second_factor_asks_auditors_too(site: Site) -> None:
    uma = await auditor(site)
    await site.change(admins_two_factor=True)
    for path in (PATH, f"{PATH}/export", "/demo/staff/preferences"):
        assert (await uma.get(path)).headers["Location"] == "/demo/staff/two-factor"
    assert "administrators and auditors" in await (await uma.get("/demo/staff/two-factor")).text()


async def test_s45_the_log_is_downloaded_whole_and_as_it_is_shown(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_of, "READ", 2)
    uma = await auditor(site)
    await noted(site, *(("u_osei", "case.read", f"v_{number % 2}") for number in range(5)))
    answer = await uma.get(f"{PATH}/export")
    assert answer.content_type == "application/jsonl"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit-demo.jsonl"'
    lines = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert [line["number"] for line in lines] == list(range(1, len(lines) + 1))
    assert [line["about"] for line in lines if line["what"] == "case.read"] == [
        "v_0",
        "v_1",
        "v_0",
        "v_1",
        "v_0",
    ]
    answer = await uma.get(f"{PATH}/export?who=u_osei&visit=v_1")
    lines = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert [(line["who"], line["about"]) for line in lines] == [("u_osei", "v_1")] * 2
    await site.app[AUDIT_LOG].flush()
    await site.app[AUDIT_LOG].bind_all("demo")
    whats = [entry.act.what async for entry in site.app[AUDIT_LOG].entries("demo")]
    assert whats.count("audit.exported") == 2


@pytest.mark.parametrize(("width", "dark"), LOOKS)
async def test_s45_in_a_browser_an_auditor_reads_and_downloads_the_log(
    site: Site, browser: Browser, width: int, dark: bool
) -> None:
    await auditor(site)
    await noted(site, ("u_osei", "visit.claimed", "v_1"), ("", "visit.expired", "v_2"))
    async with pages(site, browser, expected="^$") as opened:
        page = await opened("/demo/staff/sign-in", width=width, dark=dark)
        sockets: list[str] = []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        await page.get_by_label("Email").fill(UMA)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("heading", name="Audit log").wait_for()
        await page.get_by_text("claimed a visit").wait_for()
        await is_accessible(page)
        async with page.expect_download() as download:
            await page.get_by_role("link", name="Download all of them").click()
        assert "visit.claimed" in (await (await download.value).path()).read_text("utf-8")
        await page.goto(str(site.server.make_url("/demo/staff/preferences")))
        await page.get_by_role("heading", name="My emails").wait_for()
        await is_accessible(page)
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("heading", name="Sign in").wait_for()
        assert sockets == []
