"""Every kind of act leaves its entry: who, what, about which, and nothing that a patient said."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from aiohttp import web

from signalling.visit.audit_entries import OF_EVENTS, OF_TOPICS, Act
from tests.web.api.client import program
from tests.web.setup.desk import Desk, desk
from tests.web.setup.test_people import NEW, account, change, link_in
from tests.web.site import ADMIN, FORM, LIND, OSEI, Person, Site
from web.api.operations import OPERATIONS
from web.audit.acts import ACTS, KINDS
from web.audit.routes import ROWS
from web.identity.accounts import pseudonym
from web.keys import AUDIT_TRAIL
from web.organisations.settings import Booking

CANARIES = [FORM[name].encode() for name in ("name", "birth_date", "email", "reason")] + [b"Ruiz", b"0142"]


async def acts(site: Site) -> list[Act]:
    """All entries, the oldest first; the trail must be whole, and without a patient."""
    trail = site.app[AUDIT_TRAIL]
    await trail.flush()
    await trail.settle("demo")
    assert (await trail.verify("demo")).problem == ""
    kept = b"".join(await trail.read("demo", 0, 10_000))
    assert not [canary for canary in CANARIES if canary in kept]
    found = [entry.act async for entry in trail.entries("demo")]
    assert {act.what for act in found} <= set(ACTS)
    assert {act.kind for act in found} <= set(KINDS)
    return found


async def told(site: Site) -> list[tuple[str, str, str]]:
    """All entries as (who, what, about)."""
    return [(act.who, act.what, act.about) for act in await acts(site)]


def test_every_name_that_can_be_written_has_its_words() -> None:
    written = {row.what for row in ROWS.values()} | set(OF_EVENTS.values()) | set(OF_TOPICS.values())
    assert written | {operation.act for operation in OPERATIONS} - {""} <= set(ACTS)


async def test_signing_in_and_out_and_failing_to_leave_entries(site: Site) -> None:
    person = site.person()
    assert (await person.sign_in(OSEI, "not the password")).status == 422
    assert (await person.sign_in("ana@example.org", "not the password")).status == 422
    assert (await person.sign_in(OSEI)).status == 303
    for _ in range(2):  # whoever is signed out already does nothing
        await person.post("/demo/staff/sign-out")
    assert await told(site) == [
        ("nobody", "signin.failed", f"email:{pseudonym(OSEI)}"),
        ("nobody", "signin.failed", f"email:{pseudonym('ana@example.org')}"),
        ("u_osei", "signin.succeeded", ""),
        ("u_osei", "signin.ended", ""),
    ]


async def test_who_may_not_leaves_no_entry_of_having_done_it(site: Site) -> None:
    stranger, osei = site.person(), (await desk(site, OSEI)).person
    for person in (stranger, osei):
        for path in ("/demo/staff/reports", "/demo/staff/setup/audit"):
            assert (await person.get(path)).status in (303, 403)
        await person.post("/demo/staff/setup/calendar", {"name": "Mine"})
    assert await told(site) == [("u_osei", "signin.succeeded", "")]


async def test_an_administrators_acts_leave_entries(site: Site) -> None:
    admin = await desk(site)
    me = (await account(site, ADMIN)).id
    assert (await admin.change("calendar", welcome="Come in.")).status == 303
    assert (await admin.change("calendar", name="")).status == 422  # nothing was changed
    assert (await admin.change("policy")).status == 303
    assert (await admin.change("mail", reply_to="desk@riverside.example")).status == 303
    text = await (await admin.person.post(f"{admin.home}/people", NEW)).text()
    added = await account(site, NEW["email"])
    for do in ("save", "disable"):
        assert (await change(admin, await account(site, LIND), do))[0] == 303
    assert (await change(admin, await account(site, LIND), "enable"))[0] == 303
    assert (await change(admin, await account(site, LIND), "reset"))[0] == 200
    await sets_a_password(site, await link_in(admin, text))
    for path in ("reports", "reports.csv", "calendar", "setup/audit"):
        assert (await admin.person.get(f"/demo/staff/{path}")).status == 200
    assert (await told(site))[1:] == [
        *((me, "setup.changed", section) for section in ("calendar", "policy", "mail")),
        (me, "account.added", added.id),
        *((me, f"account.{what}", "u_lind") for what in ("changed", "disabled", "enabled", "password_reset")),
        (added.id, "signin.succeeded", ""),
        (added.id, "account.password_set", ""),
        (me, "reports.read", ""),
        (me, "reports.exported", ""),
        (me, "appointments.read", ""),
        (me, "audit.read", ""),
    ]


async def sets_a_password(site: Site, path: str) -> None:
    """Somebody new comes by their link."""
    person = site.person()
    assert (await person.get(path)).status == 303
    words = {"password": "correct horse battery", "again": "correct horse battery"}
    assert (await person.post("/demo/staff/password", words)).status == 303


async def press(admin: Desk, section: str, do: str, **fields: str) -> None:
    """Press a button of a page with several."""
    answer = await admin.person.post(f"{admin.home}/{section}", {**fields, "do": do})
    assert answer.status in (200, 303), await answer.text()


async def test_keys_webhooks_and_facilities_leave_entries(site: Site) -> None:
    admin = await desk(site)
    await press(admin, "api", "add-key", label="Front office", scopes="read")
    await press(admin, "api", "add-webhook", url="https://192.0.2.7.example.org/hook")
    await press(admin, "facilities", "add", name="County Hospital")
    made = {act.what: act.about for act in await acts(site)}
    for section, do in (
        ("api", f"revoke-key {made['key.added']}"),
        ("api", f"off {made['webhook.added']}"),
        ("api", f"drop-webhook {made['webhook.added']}"),
        ("facilities", f"revoke {made['facility.added']}"),
    ):
        await press(admin, section, do)
    await press(admin, "api", "revoke-key 000000000000")  # there is none: nothing was done
    assert [(act.what, act.about) for act in (await acts(site))[4:]] == [
        ("key.revoked", made["key.added"]),
        ("webhook.changed", made["webhook.added"]),
        ("webhook.dropped", made["webhook.added"]),
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


async def test_what_is_opened_over_a_socket_leaves_one_entry_however_much_follows(site: Site) -> None:
    ana, osei = site.person(), (await desk(site, OSEI)).person
    assert (await ana.ask_for_a_visit()).status == 303
    socket = await osei.socket("staff")
    assert (await socket.receive_json())["type"] == "welcome"
    await answered(socket, {"type": "subscribe", "topic": "queue"})
    for _ in range(3):
        await (await another(site)).ask_for_a_visit()
    visit = next(act.about for act in await acts(site) if act.what == "visit.opened")
    await answered(socket, {"type": "on_call", "on": True})
    await answered(socket, {"type": "subscribe", "topic": f"case/{visit}"})
    await answered(socket, {"type": "visit.claim", "visit": visit})
    await socket.close()
    by = sorted((act.what, act.about) for act in await acts(site) if act.who == "u_osei")
    assert by == [
        ("case.read", visit),
        ("queue.read", ""),
        ("signin.succeeded", ""),
        ("staff.on_call", "u_osei"),
        ("visit.claimed", visit),
    ]


async def another(site: Site) -> Person:
    """Somebody else."""
    return site.person()


async def answered(socket: Any, message: dict[str, Any]) -> None:
    """Ask, and wait for a yes."""
    await socket.send_json({**message, "id": 7})
    while (answer := await socket.receive_json()).get("reply_to") != 7:
        pass
    assert answer["type"] != "error", answer


async def test_what_is_noted_is_written_before_a_worker_stops(site: Site) -> None:
    site.app[AUDIT_TRAIL].note("demo", "u_osei", "case.read", "v_1")
    service = site.app[AUDIT_TRAIL]._store
    await site.app[AUDIT_TRAIL].close()
    assert await service.redis.lrange("{demo}:audit", 0, -1)


ELSEWHERE = {
    ("POST", "/{organisation}/information"),  # its command leaves an entry
    *(
        ("POST", f"/{{organisation}}/staff/setup/{name}")
        for name in ("people", "people/{person}", "facilities", "api")
    ),
    ("POST", "/{organisation}/staff/two-factor"),
    ("GET", "/{organisation}/facility/{token}"),
    ("POST", "/{organisation}/facility/{token}"),
    ("POST", "/{organisation}/facility/{token}/visits/{visit}"),
    ("POST", "/{organisation}/enter/{token}"),
}
"""Routes whose handlers, or the commands that they give, leave their entries themselves."""
HARMLESS = {
    ("POST", "/{organisation}/appointments/hold"),  # a time, nobody's yet
    ("POST", "/{organisation}/staff/session"),  # "I am here"
    ("POST", "/{organisation}/staff/preferences"),  # one's own language and notifications
    ("POST", "/{organisation}/staff/setup/mail/try"),  # a mail to oneself
    ("POST", "/{organisation}/join/{token}"),  # what a guest is shown comes over the socket
    *(
        ("GET", path)
        for path in (
            "/",
            "/healthz",
            "/readyz",
            "/{organisation}",
            "/{organisation}/information",
            "/{organisation}/visit",  # these and the next ones show what comes over the socket, which leaves entries
            "/{organisation}/staff",
            "/{organisation}/staff/visits/{visit}",
            "/{organisation}/guest",
            "/{organisation}/join/{token}",
            "/{organisation}/enter/{token}",
            "/{organisation}/facility/{token}/list",  # initials, again and again, of a page that has its entry
            "/{organisation}/staff/sign-in",
            "/{organisation}/staff/sign-in/code",
            "/{organisation}/staff/session",
            "/{organisation}/staff/two-factor",
            "/{organisation}/staff/preferences",
            "/{organisation}/staff/password",
            "/{organisation}/staff/invitation/{token}",
            "/{organisation}/logo/{name}",
            "/{organisation}/qr.svg",
            "/{organisation}/api",
            "/{organisation}/appointments",
            "/{organisation}/appointments/new",
            "/{organisation}/appointments/{token}/move",
            "/{organisation}/ws",
            "/{organisation}/staff/setup",
            *(
                f"/{{organisation}}/staff/setup/{name}"
                for name in (
                    *("calendar", "policy", "guide", "people", "mail", "links", "facilities", "api"),
                    *("links/poster", "facilities/{facility}/qr.svg", "facilities/{facility}/poster"),
                )
            ),
        )
    ),
}
"""Routes that show nothing of a patient, and change nothing that anybody else relies on."""


def classified(route: web.AbstractRoute) -> bool:
    """Whether somebody has thought of what a route leaves in the trail."""
    path = route.resource.canonical if route.resource is not None else ""
    if route.method in ("HEAD", "*") or "/api/v1/" in path or path.startswith("/static"):
        return True  # the API's are a table of their own
    return (route.method, path) in {*ROWS, *ELSEWHERE, *HARMLESS}


async def test_every_route_leaves_an_entry_or_is_known_to_need_none(site: Site) -> None:
    unknown = [
        f"{route.method} {route.resource.canonical if route.resource else ''}"
        for route in site.app.router.routes()
        if not classified(route)
    ]
    assert not unknown, (
        f"audit trail: give these a row in web/audit/routes.py, or say here why not: {unknown}"
    )


def test_every_operation_of_the_api_that_reads_or_changes_leaves_an_entry() -> None:
    # Their commands leave entries, or they show no patient and change nothing.
    none = {"open_visit", "withdraw_visit", "assign_visit", "unassign_visit", "decline_visit", "make_webhook"}
    none |= {"show_wait", "list_staff", "list_webhooks", "show_webhook", "list_deliveries"}
    assert {operation.name for operation in OPERATIONS if not operation.act} == none


async def booked(site: Site) -> tuple[Person, str]:
    """Somebody who has booked a time tomorrow, and the path of their link."""
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
    found = [line for line in await told(site) if line[1].startswith("appointment.")]
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
