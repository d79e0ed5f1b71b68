"""Tests that every kind of action leaves its audit entry: actor, action and subject.

No entry contains a text that a patient wrote.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from aiohttp.test_utils import make_mocked_request

from signalling.visit.audit_entries import BROKEN, FORGED, OF_EVENTS, OF_TOPICS, OPENED_BELL, Act
from tests.web.api.client import program
from tests.web.pages.setup.desk import Desk, desk
from tests.web.pages.setup.test_people import NEW, PASSWORD, account, change, link_in
from tests.web.phone import CODE, Clock, set_up
from tests.web.site import ADMIN, FORM, LIND, OSEI, Person, Site
from web.api.dispatch import BASE
from web.api.operations import OPERATIONS
from web.audit.acts import ACTS, KINDS
from web.audit.noting import DECLARED as DECLARED_HERE
from web.audit.noting import ByHandler, Declared, NoEntry, Row, noted
from web.audit.routes import DECLARED
from web.identity.accounts import pseudonym
from web.keys import ACCOUNTS, AUDIT_LOG, SERVICE
from web.organisations.settings import Area, Booking

CANARIES = [FORM[name].encode() for name in ("name", "birth_date", "email", "reason")] + [b"Ruiz", b"0142"]


async def acts(site: Site) -> list[Act]:
    """Return all entries of the audit log, the oldest first.

    Fails if the log is broken or contains a patient's text.
    """
    audit_log = site.app[AUDIT_LOG]
    await audit_log.flush()
    await audit_log.bind_all("demo")
    assert (await audit_log.verify("demo")).problem == ""
    kept = b"".join(await audit_log.read("demo", 0, 10_000))
    assert not [canary for canary in CANARIES if canary in kept]
    found = [entry.act async for entry in audit_log.entries("demo")]
    assert {act.what for act in found} <= set(ACTS)
    assert {act.kind for act in found} <= set(KINDS)
    return found


async def entries_of(site: Site) -> list[tuple[str, str, str]]:
    """Return all entries of the audit log as (actor, action, subject)."""
    return [(act.who, act.what, act.about) for act in await acts(site)]


async def test_signing_in_and_out_and_failing_to_leave_entries(site: Site) -> None:
    person = site.person()
    assert (await person.sign_in(OSEI, "not the password")).status == 422
    assert (await person.sign_in("ana@example.org", "not the password")).status == 422
    assert (await person.sign_in(OSEI)).status == 303
    for _ in range(2):  # The second sign-out changes nothing, so it adds no entry to the audit log.
        await person.post("/demo/staff/sign-out")
    assert await entries_of(site) == [
        ("nobody", "signin.failed", f"email:{pseudonym(OSEI)}"),
        ("nobody", "signin.failed", f"email:{pseudonym('ana@example.org')}"),
        ("u_osei", "signin.succeeded", ""),
        ("u_osei", "signin.ended", ""),
    ]


async def test_a_sign_in_after_the_account_was_changed_leaves_an_entry_in_the_same_browser_too(
    site: Site,
) -> None:
    osei, accounts = (await desk(site, OSEI)).person, site.app[ACCOUNTS]
    await accounts.disable("demo", OSEI)
    await accounts.enable("demo", OSEI)
    assert (await osei.get("/demo/staff")).headers["Location"] == "/demo/staff/sign-in"
    assert (await osei.sign_in(OSEI)).status == 303
    assert await entries_of(site) == [("u_osei", "signin.succeeded", "")] * 2


async def test_a_password_that_a_link_sets_is_noted_of_its_owner_in_the_browser_of_an_administrator(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    osei, admin = (await desk(site, OSEI)).person, await desk(site)
    await set_up(osei, Clock(site, monkeypatch), OSEI)
    person, words = await account(site, OSEI), {"password": PASSWORD, "again": PASSWORD}
    path = await link_in(admin, (await change(admin, person, "reset"))[1])
    await admin.person.get(path)
    assert (await admin.person.post("/demo/staff/password", words)).headers["Location"] == CODE
    found = [entry for entry in await entries_of(site) if entry[1] == "account.password_set"]
    assert found == [("u_osei", "account.password_set", "")]


async def test_a_refused_act_leaves_no_entry_of_success(site: Site) -> None:
    stranger, osei = site.person(), (await desk(site, OSEI)).person
    for person in (stranger, osei):
        for path in ("/demo/staff/reports", "/demo/staff/setup/audit"):
            assert (await person.get(path)).status in (303, 403)
        await person.post("/demo/staff/setup/calendar", {"name": "Mine"})
    assert await entries_of(site) == [("u_osei", "signin.succeeded", "")]


async def test_an_administrators_acts_leave_entries(site: Site) -> None:
    admin = await desk(site)
    me = (await account(site, ADMIN)).id
    assert (await admin.change("calendar", welcome="Come in.")).status == 303
    # The form was refused, so nothing has changed and the audit log has no entry.
    assert (await admin.change("calendar", name="")).status == 422
    assert (await admin.change("policy")).status == 303
    assert (await admin.change("mail", reply_to="desk@riverside.example")).status == 303
    assert (await admin.change("rota", new="u_lind")).status == 303
    text = await (await admin.person.post(f"{admin.home}/people", NEW)).text()
    added = await account(site, NEW["email"])
    for do in ("save", "disable"):
        assert (await change(admin, await account(site, LIND), do))[0] == 303
    assert (await change(admin, await account(site, LIND), "enable"))[0] == 303
    assert (await change(admin, await account(site, LIND), "reset"))[0] == 200
    await sets_a_password(site, await link_in(admin, text))
    for path in ("reports", "reports.csv", "calendar", "setup/audit"):
        assert (await admin.person.get(f"/demo/staff/{path}")).status == 200
    assert (await entries_of(site))[1:] == [
        *((me, "setup.changed", section) for section in ("calendar", "policy", "mail", "rota")),
        (me, "account.added", added.id),
        *((me, f"account.{what}", "u_lind") for what in ("changed", "disabled", "enabled", "password_reset")),
        (added.id, "account.password_set", ""),
        (added.id, "signin.succeeded", ""),
        (me, "reports.read", ""),
        (me, "reports.exported", ""),
        (me, "appointments.read", ""),
        (me, "audit.read", ""),
    ]


async def sets_a_password(site: Site, path: str) -> None:
    """Set the password of a new member of staff, by the link at `path`."""
    person = site.person()
    assert (await person.get(path)).status == 303
    words = {"password": "correct horse battery", "again": "correct horse battery"}
    assert (await person.post("/demo/staff/password", words)).status == 303


async def press(admin: Desk, section: str, do: str, **fields: str) -> None:
    """Press the button `do` on the page of a section of the set-up. `fields`: the other values of its form."""
    answer = await admin.person.post(f"{admin.home}/{section}", {**fields, "do": do})
    assert answer.status in (200, 303), await answer.text()


async def test_keys_webhooks_and_facilities_leave_entries(site: Site) -> None:
    admin = await desk(site)
    await press(admin, "api", "add-key", label="Front office", scopes="read")
    await press(admin, "api", "add-webhook", url="https://192.0.2.7.example.org/hook")
    await press(admin, "facilities", "add", name="County Hospital")
    await site.change(areas=(Area(id="mind", name="Mind"),))
    made = {act.what: act.about for act in await acts(site)}
    for section, do in (
        ("api", f"revoke-key {made['key.added']}"),
        ("api", f"off {made['webhook.added']}"),
        ("api", f"drop-webhook {made['webhook.added']}"),
        ("facilities", f"move {made['facility.added']}"),
        ("facilities", f"revoke {made['facility.added']}"),
    ):
        await press(admin, section, do, area="mind")
    # The facility is revoked already, so nothing changes and the audit log gets no entry.
    await press(admin, "facilities", f"move {made['facility.added']}", area="mind")
    # There is no such key, so nothing changes and the audit log gets no entry.
    await press(admin, "api", "revoke-key 000000000000")
    assert [(act.what, act.about) for act in (await acts(site))[4:]] == [
        ("key.revoked", made["key.added"]),
        ("webhook.changed", made["webhook.added"]),
        ("webhook.dropped", made["webhook.added"]),
        ("facility.moved", made["facility.added"]),
        ("facility.revoked", made["facility.added"]),
    ]


async def test_a_program_is_named_by_its_key(site: Site) -> None:
    front = await program(site)
    visit = (await front.open())["visit"]["id"]
    for path in (f"/visits/{visit}", "/queue", "/staff"):
        assert (await front.call("GET", path))[0] == 200
    assert (await front.call("GET", "/visits/v_nobody"))[0] == 404
    assert (await front.call("POST", f"/visits/{visit}/decline", {"reason": "Rash? Come in, Ana Ruiz."}))[
        0
    ] == 200
    found = await acts(site)
    who = {act.who for act in found}
    assert {act.kind for act in found} == {"key"}
    assert len(who) == 1
    assert sorted((act.what, act.about) for act in found) == [
        ("queue.read", ""),
        ("visit.declined", visit),
        ("visit.opened", visit),
        ("visit.read", visit),
    ]


async def test_what_a_person_opens_leaves_one_entry_and_the_counters_of_a_page_none(site: Site) -> None:
    ana, osei = site.person(), (await desk(site, OSEI)).person
    assert (await ana.ask_for_a_visit()).status == 303
    socket = await osei.socket("staff")
    assert (await socket.receive_json())["type"] == "welcome"
    for counters in ({"topic": "queue", "counted": True}, {"topic": "bell"}):
        await answered(socket, {"type": "subscribe", **counters})
    await answered(socket, {"type": "subscribe", "topic": "queue"})
    await answered(socket, {"type": "bell.mark", "until_ms": 1})
    for _ in range(3):
        await (await another(site)).ask_for_a_visit()
    visit = next(act.about for act in await acts(site) if act.what == "visit.opened")
    await answered(socket, {"type": "on_call", "on": True})
    await answered(socket, {"type": "subscribe", "topic": f"case/{visit}"})
    await answered(socket, {"type": "visit.claim", "visit": visit})
    await socket.close()
    by = sorted((act.what, act.about) for act in await acts(site) if act.who == "u_osei")
    assert by == [
        ("bell.read", ""),
        ("case.read", visit),
        ("queue.read", ""),
        ("signin.succeeded", ""),
        ("staff.on_call", "u_osei"),
        ("visit.claimed", visit),
    ]


async def another(site: Site) -> Person:
    """Return another person, in a browser of their own."""
    return site.person()


async def answered(socket: Any, message: dict[str, Any]) -> None:
    """Send a request on a socket, and check that it succeeds."""
    await socket.send_json({**message, "id": 7})
    while (answer := await socket.receive_json()).get("reply_to") != 7:
        pass
    assert answer["type"] != "error", answer


async def test_noted_entries_are_written_before_a_worker_stops(site: Site) -> None:
    site.app[AUDIT_LOG].note("demo", "u_osei", "case.read", "v_1")
    await site.app[AUDIT_LOG].close()
    assert await site.app[SERVICE].store.redis.lrange("{demo}:audit", 0, -1)


def declared() -> dict[tuple[str, str], Declared]:
    """Return (method, path) of each route -> the audit entry that it declares."""
    return {**DECLARED, **{(row.method, BASE + row.path): row.audit for row in OPERATIONS}}


def routes(site: Site) -> set[tuple[str, str]]:
    """Return (method, path) of each route. Each operation of the API counts as a route."""
    paths = {BASE + row.path for row in OPERATIONS}
    found = {(row.method, BASE + row.path) for row in OPERATIONS}
    for route in site.app.router.routes():
        assert route.resource is not None, "every route has a path"
        if route.method != "HEAD" and route.resource.canonical not in paths:
            found.add((route.method, route.resource.canonical))
    return found


async def test_every_route_declares_what_it_leaves_and_every_declaration_has_its_route(site: Site) -> None:
    assert declared().keys() == routes(site)


def test_every_name_has_its_words_and_every_word_a_place_where_it_is_written() -> None:
    rows = declared().values()
    by_requests = {row.what for row in rows if isinstance(row, Row)}
    by_handlers = {act for row in rows if isinstance(row, ByHandler) for act in row.acts}
    elsewhere = {
        BROKEN,
        FORGED,
        "signin.succeeded",
        "past.searched",
        "history.read",
        OPENED_BELL,
        "organisation.added",
        "backup.taken",
        "key.rotated",
        "visit.emergency_opened",
    }
    written = by_requests | by_handlers | {*OF_EVENTS.values(), *OF_TOPICS.values()} | elsewhere
    assert written == set(ACTS)


async def test_a_handler_may_add_only_what_its_route_declares(site: Site) -> None:
    request = make_mocked_request("POST", "/demo/staff/setup/people")
    for row in (Row("account.added"), NoEntry("no reason"), ByHandler(("account.changed",))):
        request[DECLARED_HERE] = row
        with pytest.raises(LookupError, match=r"account\.added"):
            await noted(request, "account.added")


async def booked(site: Site) -> tuple[Person, str]:
    """Book a time of tomorrow; return (the person, the path of their link)."""
    await site.change(
        booking=Booking(enabled=True, slot_min=60, lead_h=0, horizon_days=9), timezone="Etc/UTC"
    )
    day = datetime.now(UTC).date() + timedelta(days=1)
    starts = datetime.combine(day, time(12), UTC)
    ana = site.person()
    held = await ana.post("/demo/appointments/hold", {"starts": str(round(starts.timestamp() * 1000))})
    assert held.status == 303, await held.text()
    answer = await ana.post("/demo/appointments/new", FORM)
    assert answer.status == 303, await answer.text()
    return ana, unquote(answer.headers["Location"])


async def test_a_booked_visit_leaves_entries_by_the_patients_link_and_by_staff(site: Site) -> None:
    ana, path = await booked(site)
    assert (await ana.get(path)).status == 200
    admin = (await desk(site)).person
    name = path.rpartition("/")[2].partition("~")[0]
    assert (await admin.post(f"/demo/staff/calendar/{name}/cancel", {"reason": "Rash"})).status == 303
    me = (await account(site, ADMIN)).id
    who = f"patient:{name}"
    found = [line for line in await entries_of(site) if line[1].startswith("appointment.")]
    assert found == [
        (who, "appointment.booked", name),
        (who, "appointment.read", name),
        (me, "appointment.cancelled", name),
    ]


async def test_a_patients_link_leaves_an_entry_when_it_is_made_and_when_it_is_opened(site: Site) -> None:
    front = await program(site)
    opened = await front.open()
    ana = site.person()
    assert (await ana.post("/demo/enter/" + opened["link"]["url"].rpartition("/")[2])).status == 303
    visit = opened["visit"]["id"]
    assert [act.who for act in await acts(site) if act.what == "visit.linked"] == [f"patient:{visit}"]


async def test_a_page_with_patient_data_is_refused_where_no_entry_could_be_kept(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await desk(site)
    monkeypatch.setattr("signalling.store.audit_log.MOST", 0)
    assert (await admin.person.get("/demo/staff/calendar")).status == 503
    assert (await admin.person.get("/demo/staff/setup")).status == 200
