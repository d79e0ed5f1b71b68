"""Tests emergency access against misuse: two presses at once, odd reasons, other methods, other clinics. Row 45."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from signalling.store import keys
from signalling.store.event_stream import decode_entry
from signalling.store.records import Store
from signalling.visit.record import Role
from tests.web.audit.test_noting import entries_of
from tests.web.pages.setup.desk import desk
from tests.web.pages.setup.test_patients import ANA, PATH, found, named
from tests.web.pages.staff.test_emergency import LIST, REASON, of_a_colleague, path_of
from tests.web.site import FORM, OSEI, Site
from tests.web.test_organisations_apart import PASSWORD, lakeside
from web.emergency.grants import Grants
from web.emergency.opening import grants_of
from web.keys import ACCOUNTS, SERVICE


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
