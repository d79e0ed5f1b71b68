"""Tests emergency access against misuse: two presses at once, odd reasons, other methods, other clinics. Row 45."""

import asyncio
import re
from typing import Any

import pytest
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.event_stream import decode_entry
from signalling.store.records import Store
from signalling.visit import commands as c
from signalling.visit.record import Role
from signalling.visit.relations import Decided
from signalling.visit.setup_guide import Condition, Guide, Kind, Step
from tests.web.audit.test_noting import entries_of
from tests.web.pages.setup.desk import desk
from tests.web.pages.setup.test_patients import ANA, PATH, found, named
from tests.web.pages.staff.test_emergency import LIST, REASON, message_of, of_a_colleague, path_of
from tests.web.site import FORM, OSEI, Site
from tests.web.test_organisations_apart import PASSWORD, lakeside
from tests.web.test_websocket import ask
from web.emergency.grants import LONGEST_MIN, MINUTE_MS, Grants, new_grant
from web.emergency.opening import grants_of
from web.identity.visitors import patient
from web.keys import ACCOUNTS, SERVICE
from web.organisations.settings import Organisation, bounds
from web.pages.setup import audit as page_of_audit
from web.pages.setup import emergency as page_of_list
from web.pages.staff import emergency as page_of_visit


async def texts_of_the_stream(store: Store, client: Any) -> bytes:
    """Return all notifications that the demo organisation's events hold, decrypted."""
    texts = []
    for _, fields in await client.xrange(keys.EVENTS("demo")):
        for person, sealed in decode_entry(fields[b"e"]).notices:
            texts.append(store.seal.open(sealed, f"demo/bell/{person}"))
    return b"\n".join(texts)


async def test_s45_two_presses_at_once_give_one_access_that_one_press_ends(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, osei, admin = await of_a_colleague(site), (await desk(site, OSEI)).person, await desk(site)
    add, both = Grants.add, asyncio.Barrier(2)

    async def together(self: Grants, *args: Any) -> None:
        await both.wait()
        await add(self, *args)

    monkeypatch.setattr(Grants, "add", together)
    answers = await asyncio.gather(*(osei.post(path_of(visit), REASON) for _ in range(2)))
    assert [answer.status for answer in answers] == [303, 303]
    assert FORM["name"] in await (await osei.get(path_of(visit))).text()
    grants = await grants_of(site.app).newest("demo", 9)
    await admin.person.post(LIST, {"end": grants[-1].id})
    assert FORM["name"] not in await (await osei.get(path_of(visit))).text()
    assert "Open now" not in await (await admin.person.get(LIST)).text()


@pytest.mark.parametrize("reason", ["\u200b" * 30, "\u202e" * 12, "\x00\x07\x1b" * 9, "ab" + "\u2060" * 20])
async def test_s45_a_reason_of_signs_that_nobody_sees_is_no_reason(site: Site, reason: str) -> None:
    visit, osei = await of_a_colleague(site), (await desk(site, OSEI)).person
    assert (await osei.post(path_of(visit), {"reason": reason})).status == 422
    assert FORM["name"] not in await (await osei.get(path_of(visit))).text()


async def test_s45_a_reason_is_kept_and_shown_as_plain_text(site: Site) -> None:
    visit, osei, admin = await of_a_colleague(site), (await desk(site, OSEI)).person, await desk(site)
    reason = "The <script>alert(1)</script>\x1b[31m dose\u202e is\r\nasked for"
    assert (await osei.post(path_of(visit), {"reason": "x" * 20_000})).status in (413, 422)
    assert (await osei.post(path_of(visit), {"reason": reason})).status == 303
    (grant,) = await grants_of(site.app).newest("demo", 9)
    assert grant.reason == "The <script>alert(1)</script> [31m dose is asked for"
    await entries_of(site)
    for path in (LIST, "/demo/staff/setup/audit"):
        html = await (await admin.person.get(path)).text()
        assert "The &lt;script&gt;alert(1)" in html


async def test_s45_a_head_request_is_answered_and_leaves_no_error(site: Site) -> None:
    visit, osei = await of_a_colleague(site), (await desk(site, OSEI)).person
    await osei.post(path_of(visit), REASON)
    for path in (path_of(visit), f"/demo/visits/{visit}/photos/p_1"):
        assert (await osei.client.head(path)).status == 200, path
    assert FORM["name"] in await (await osei.get(path_of(visit))).text()
    read = [entry for entry in await entries_of(site) if entry[1] in ("visit.emergency_read", "photo.read")]
    assert ("u_osei", "visit.emergency_read", visit) in read


async def test_s45_another_clinics_staff_strangers_and_foreign_pages_open_nothing(site: Site) -> None:
    visit = await of_a_colleague(site)
    await lakeside(site)
    ida, osei = site.person(), (await desk(site, OSEI)).person
    await ida.post("/lakeside/staff/sign-in", {"email": "ida@lakeside.example", "password": PASSWORD})
    for path in (path_of(visit), path_of(visit).replace("demo", "lakeside")):
        for person in (ida, site.person()):
            assert (await person.get(path)).status in (303, 404)
            assert (await person.post(path, REASON)).status in (303, 404)
    assert await grants_of(site.app).newest("demo", 9) == []
    assert await grants_of(site.app).newest("lakeside", 9) == []
    assert (await osei.post(path_of(visit), REASON, Origin="https://evil.example")).status == 403
    assert await grants_of(site.app).newest("demo", 9) == []


async def test_s34_an_erasure_removes_the_reason_and_the_name_from_the_events_too(
    site: Site, valkey: Redis
) -> None:
    visit, osei, admin = await of_a_colleague(site), (await desk(site, OSEI)).person, await desk(site)
    await osei.post(path_of(visit), REASON)
    client: Any = valkey
    before = await texts_of_the_stream(site.app[SERVICE].store, client)
    assert REASON["reason"].encode() in before
    assert FORM["name"].encode() in before
    fields = named(await found(admin.person, **ANA))
    assert (await admin.person.post(PATH, [*fields, ("name", FORM["name"]), ("do", "erase")])).status == 200
    after = await texts_of_the_stream(site.app[SERVICE].store, client)
    assert REASON["reason"].encode() not in after
    assert FORM["name"].encode() not in after


@pytest.mark.parametrize("change", ["disabled", "auditor"])
async def test_s45_an_open_access_ends_with_the_account_and_the_role(site: Site, change: str) -> None:
    visit, osei = await of_a_colleague(site), (await desk(site, OSEI)).person
    accounts, photo = site.app[ACCOUNTS], f"/demo/visits/{visit}/photos/p_1"
    await osei.post(path_of(visit), REASON)
    assert (await osei.get(photo)).status == 200
    if change == "disabled":
        await accounts.disable("demo", OSEI)
    else:
        await accounts.edit("demo", OSEI, name="Dr Maya Osei", role=Role.AUDITOR, states=())
    assert FORM["name"] not in await (await osei.get(path_of(visit))).text()
    assert (await osei.get(photo)).status == 404
    assert (await osei.post(path_of(visit), REASON)).status in (303, 403)
    assert len(await grants_of(site.app).newest("demo", 9)) == 1


async def test_s45_one_access_that_cannot_be_read_does_not_keep_the_others_from_the_pages(
    site: Site, valkey: Redis
) -> None:
    visit, osei, admin = await of_a_colleague(site), (await desk(site, OSEI)).person, await desk(site)
    client: Any = valkey
    await client.zadd(
        keys.EMERGENCIES("demo"), {b"bytes of a key that is gone": site.app[SERVICE].clock_ms()}
    )
    assert (await osei.post(path_of(visit), REASON)).status == 303
    assert FORM["name"] in await (await osei.get(path_of(visit))).text()
    await entries_of(site)
    for path in (LIST, "/demo/staff/setup/audit"):
        answer = await admin.person.get(path)
        assert answer.status == 200, path
        assert REASON["reason"] in await answer.text()


async def test_s45_the_audit_log_shows_the_reason_of_an_old_access_too(site: Site) -> None:
    visit, osei, admin = await of_a_colleague(site), (await desk(site, OSEI)).person, await desk(site)
    await osei.post(path_of(visit), REASON)
    grants, hour_ms = grants_of(site.app), 60 * MINUTE_MS
    later_ms = site.app[SERVICE].clock_ms() + hour_ms
    for number in range(page_of_audit.ROWS + 1):
        await grants.add("demo", new_grant("v_1", "u_lind", "L", "Another one", later_ms + number, 30))
    await entries_of(site)
    assert REASON["reason"] in await (await admin.person.get("/demo/staff/setup/audit")).text()


async def test_s45_more_accesses_than_one_page_shows_are_on_further_pages(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_of_list, "ROWS", 2)
    admin, grants = (await desk(site)).person, grants_of(site.app)
    for number in range(5):
        await grants.add("demo", new_grant("v_1", "u_lind", "L", f"Reason {number}", 1000 + number, 30))
    path, seen = LIST, list[str]()
    for older in ("3 older accesses", "1 older access", ""):
        html = await (await admin.get(path)).text()
        seen += re.findall(r"Reason \d", html)
        links = re.findall(r'href="([^"]*\?part=\d)">(\d older access(?:es)?)<', html)
        assert [words for _, words in links] == [older][: bool(older)]
        path = links[0][0] if links else LIST
        assert ("Newest accesses" in html) is (len(seen) > 2)
    assert seen == [f"Reason {number}" for number in (4, 3, 2, 1, 0)]
    assert "Reason 0" in await (await admin.get(f"{LIST}?part=999999")).text()
    assert "Reason 4" in await (await admin.get(f"{LIST}?part=x")).text()


async def test_s45_older_messages_of_a_visit_are_on_further_pages(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_of_visit, "MESSAGES", 2)
    visit, osei = await of_a_colleague(site), (await desk(site, OSEI)).person
    service = site.app[SERVICE]
    for number in range(4):
        text = f"Message {number}\nwith a second line"
        await service.write("demo", message_of(visit, f"m_{number}x", text, service.clock_ms()), None)
    await osei.post(path_of(visit), REASON)
    path, seen = path_of(visit), list[list[str]]()
    for older in ("3 older messages", "1 older message", ""):
        html = await (await osei.get(path)).text()
        seen.append(re.findall(r"Message \d|It itches", html))
        links = re.findall(r'href="([^"]*\?part=\d)#messages">(\d older messages?)<', html)
        assert [words for _, words in links] == [older][: bool(older)]
        path = links[0][0] if links else path
    assert seen == [["Message 2", "Message 3"], ["Message 0", "Message 1"], ["It itches"]]
    assert "Newest messages" in html
    assert "with a second line" in await (await osei.get(f"{path_of(visit)}?part=-1")).text()


async def test_s45_odd_answers_of_a_patient_do_not_keep_anybody_from_reading_the_visit(site: Site) -> None:
    assert (await site.person().ask_for_a_visit()).status == 303
    service = site.app[SERVICE]
    (visit,) = (await service.mirrors.get("demo")).visits.values()
    guide = await service.guide("demo", visit.guide_version)
    ana, osei = patient("demo", visit.id, FORM["name"]), (await desk(site, OSEI)).person
    odd: tuple[Any, ...] = (
        {"agreed": True, "signature": True, "language": True}, {"camera": None, "network": False}, "x", True,
    )  # fmt: skip
    for answer in odd:
        for step in guide.steps:
            await service.command(ana, visit.id, c.Save(step.id, answer, False))
        await osei.post(path_of(visit.id), REASON)
        page = await osei.get(path_of(visit.id))
        assert page.status == 200, answer
        assert FORM["name"] in await page.text()


async def test_s45_the_page_shows_no_answer_to_a_step_that_is_not_asked_any_more(site: Site) -> None:
    guide = Guide(
        version=7,
        steps=(
            Step(id="hurts", kind=Kind.YES_NO, title="Does it hurt?"),
            Step(id="where", kind=Kind.TEXT, title="Where?", only_if=Condition(step="hurts", answer=True)),
            Step(id="since", kind=Kind.DATE, title="Since when?"),
            Step(id="more", kind=Kind.TEXT, title="Anything else?", required=False),
        ),
    )
    await site.change(guide=guide)
    assert (await site.person().ask_for_a_visit()).status == 303
    service = site.app[SERVICE]
    (visit,) = (await service.mirrors.get("demo")).visits
    ana, osei = patient("demo", visit, FORM["name"]), (await desk(site, OSEI)).person
    for step, answer in (
        ("hurts", True),
        ("where", "My knee"),
        ("hurts", False),
        ("since", "2026-01-05"),
        ("more", ""),
    ):
        assert isinstance(await service.command(ana, visit, c.Save(step, answer, True)), Decided)
    await osei.post(path_of(visit), REASON)
    html = await (await osei.get(path_of(visit))).text()
    assert "January 5, 2026" in html
    assert "Does it hurt?" in html
    assert "My knee" not in html
    assert "Anything else?" not in html


async def test_s45_an_administrator_who_turns_emergency_access_off_ends_what_is_open_permanently(
    site: Site,
) -> None:
    visit, osei, admin = await of_a_colleague(site), (await desk(site, OSEI)).person, await desk(site)
    await osei.post(path_of(visit), REASON)
    bell = await osei.socket("staff")
    await ask(bell, type="subscribe", topic="bell")
    assert (await admin.change("policy", emergency_min="15")).status == 303
    assert FORM["name"] in await (await osei.get(path_of(visit))).text(), "another time ends nothing"
    assert (await admin.change("policy", emergency_min="0")).status == 303
    while (message := await bell.receive_json(timeout=20))["type"] != "bell.item":
        pass
    assert (message["item"]["kind"], message["item"]["visit"]) == ("emergency_ended", visit)
    assert (await admin.change("policy", emergency_min="30")).status == 303
    assert "Why do you need it?" in await (await osei.get(path_of(visit))).text()
    ended = [entry[0] for entry in await entries_of(site) if entry[1] == "visit.emergency_ended"]
    assert ended == ["u_admin"]
    assert (await site.person().post("/demo/staff/setup/policy", {"do": "save"})).status in (303, 401)


def test_s45_an_access_is_found_for_the_longest_time_that_an_organisation_may_give() -> None:
    assert bounds(Organisation, "emergency_min").most == LONGEST_MIN
