"""Tests that an API key works for its own organisation only, and that a new key works at once on each worker."""

import asyncio

import pytest
from msgspec.structs import replace

from tests.limits import WAIT_S
from tests.web.api.client import PATIENT, Program, program
from tests.web.conftest import OpenSite
from tests.web.pages.facility.test_kiosk import link
from tests.web.programs.test_webhooks import LOOPBACK, made, receiver
from tests.web.site import FORM, Site
from web.keys import KNOWN_WEBHOOKS, ORGANISATIONS
from web.organisations import demo


async def test_a_key_a_link_and_a_facility_of_one_organisation_open_nothing_of_another(site: Site) -> None:
    hillside = replace(demo.ORGANISATION, id="hillside", name="Hillside Practice")
    assert await site.app[ORGANISATIONS].add(hillside)
    office, path, ana = await program(site), await link(site), site.person()
    opened = await office.open()
    visit, entry = opened["visit"]["id"], "/" + opened["link"]["url"].split("/", 3)[3]
    there = Program(office.person, "hillside", office.headers["Authorization"].removeprefix("Bearer "))
    assert await there.code("GET", "/queue") == (401, "not_signed_in")
    own = await program(site, organisation="hillside")
    assert (await own.call("GET", "/queue"))[1]["patients"] == []
    for method, action in (("GET", ""), ("POST", "/withdraw"), ("POST", "/unassign"), ("POST", "/link")):
        assert await own.code(method, f"/visits/{visit}{action}") == (404, "not_found")
    for way in (path, entry):
        assert (await ana.get(way.replace("/demo/", "/hillside/"))).status == 404
        assert (await ana.post(way.replace("/demo/", "/hillside/"), FORM)).status == 404


async def test_a_webhook_made_on_one_worker_receives_the_events_of_another(open_site: OpenSite) -> None:
    one, other = await open_site(webhooks=LOOPBACK), await open_site(webhooks=LOOPBACK)
    async with receiver() as there:
        await made(await program(one), there.url)
        async with asyncio.timeout(WAIT_S):
            while not other.app[KNOWN_WEBHOOKS].of("demo", "opened"):  # noqa: ASYNC110 (it looks at the store by itself)
                await asyncio.sleep(0.05)
        visit = (await (await program(other)).open())["visit"]["id"]
        assert (await there.messages(1))[0]["visit"]["id"] == visit


async def test_nothing_of_a_patient_and_no_secret_reaches_the_log(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    office, desk, path = await program(site), site.person(), await link(site)
    opened = await office.open()
    await office.call("POST", "/visits", {"patient": {**PATIENT, "phone": "12", "state": "ZZ"}})
    await office.call("POST", f"/visits/{opened['visit']['id']}/decline", {"reason": "Not for video."})
    await desk.post(path, FORM)
    await desk.post("/" + opened["link"]["url"].split("/", 3)[3])
    said = "".join(capsys.readouterr())
    assert "open_visit" in said
    tokens = [office.headers["Authorization"][-43:], path[-43:], opened["link"]["url"][-32:]]
    secrets = [*(text for text in PATIENT.values() if len(text) > 2), "Not for video.", *tokens]
    assert not [text for text in secrets if text in said]
