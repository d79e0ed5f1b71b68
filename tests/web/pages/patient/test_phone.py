"""Tests that a visit can continue on another device."""

import asyncio
from pathlib import Path

import pytest

from signalling.visit.commands import Withdraw
from tests.web.mail.smtp import mail_server
from tests.web.site import Person, Site, settings_for
from web.identity.visitors import patient
from web.intake.patient_links import SHORT_MS
from web.keys import SERVICE
from web.pages import qr


async def opened(site: Site) -> tuple[Person, str]:
    """Open a visit; return (the waiting patient, the id of the visit)."""
    ana = site.person()
    await ana.ask_for_a_visit()
    (visit,) = (await site.app[SERVICE].mirrors.get("demo")).visits
    return ana, visit


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The links of the QR codes that were drawn since the test began."""
    links: list[str] = []

    def drawn(url: str) -> str:
        links.append(url)
        return "<svg></svg>"

    monkeypatch.setattr(qr, "inline", drawn)
    return links


async def test_f09_a_visit_goes_on_on_the_phone_by_a_code_that_works_once_and_not_for_long(
    site: Site, links: list[str]
) -> None:
    ana, visit = await opened(site)
    answer = await ana.post(f"/demo/visits/{visit}/phone", {"how": "code"})
    assert (answer.status, await answer.json()) == (200, {"svg": "<svg></svg>", "minutes": 15})
    assert SHORT_MS == 15 * 60_000
    path = links[0][links[0].index("/demo/enter/") :]
    smartphone, late = site.person(), site.person()
    assert "Open my visit" in await (await smartphone.get(path)).text()
    assert (await smartphone.post(path)).headers["Location"] == "/demo/visit"
    assert visit in await (await smartphone.get("/demo/visit")).text()
    assert (await late.post(path)).status == 404


async def test_f09_a_phone_that_opens_a_link_keeps_the_visit_that_it_has(
    site: Site, links: list[str]
) -> None:
    ana, visit = await opened(site)
    await ana.post(f"/demo/visits/{visit}/phone", {"how": "code"})
    smartphone = site.person()
    await smartphone.ask_for_a_visit()
    (own,) = (await site.app[SERVICE].mirrors.get("demo")).visits.keys() - {visit}
    answer = await smartphone.post(links[0][links[0].index("/demo/enter/") :])
    assert answer.headers["Location"] == f"/demo/visit?visit={visit}", (
        "a tab would show its own visit otherwise"
    )
    for one in (visit, own):
        assert f"ws?visit={one}" in await (await smartphone.get(f"/demo/visit?visit={one}")).text()


async def test_f09_the_link_is_mailed_to_the_patients_own_address(valkey_url: str, tmp_path: Path) -> None:
    async with mail_server() as smtp, Site(settings_for(valkey_url, tmp_path, mail=smtp.settings)) as site:
        ana, visit = await opened(site)
        assert '"mails":true' in await (await ana.get("/demo/visit")).text()
        assert (await ana.post(f"/demo/visits/{visit}/phone", {"how": "mail"})).status == 204
        [mail] = await smtp.until(1)
        assert mail["To"] == "ana@example.org"
        assert "/demo/enter/" in str(mail)


async def test_s36_the_mailed_link_is_of_this_server_and_not_of_the_host_that_the_request_names(
    valkey_url: str, tmp_path: Path
) -> None:
    async with mail_server() as smtp, Site(settings_for(valkey_url, tmp_path, mail=smtp.settings)) as site:
        ana, visit = await opened(site)
        named = {"Host": "evil.example", "Origin": "http://evil.example"}
        assert (await ana.post(f"/demo/visits/{visit}/phone", {"how": "mail"}, **named)).status == 204
        [mail] = await smtp.until(1)
        assert "evil.example" not in str(mail)
        assert f"{site.settings.origin}/demo/enter/" in str(mail)


async def test_s36_many_visits_do_not_send_many_mails_to_one_address(valkey_url: str, tmp_path: Path) -> None:
    async with mail_server() as smtp, Site(settings_for(valkey_url, tmp_path, mail=smtp.settings)) as site:
        known, statuses = set[str](), []
        for _ in range(3):
            eve = site.person()
            await eve.ask_for_a_visit()
            (visit,) = (await site.app[SERVICE].mirrors.get("demo")).visits.keys() - known
            known.add(visit)
            path = f"/demo/visits/{visit}/phone"
            statuses += [(await eve.post(path, {"how": "mail"})).status for _ in range(6)]
        assert statuses == [204] * 12 + [429] * 6
        assert (await eve.post(path, {"how": "code"})).status == 200


async def test_no_link_is_mailed_from_a_server_without_a_mail_server_and_pages_know_it(site: Site) -> None:
    ana, visit = await opened(site)
    answer = await ana.post(f"/demo/visits/{visit}/phone", {"how": "mail"})
    assert (answer.status, (await answer.json())["problem"]) == (
        409,
        "No email can be sent from here. Please use the QR code.",
    )
    assert '"mails":false' in await (await ana.get("/demo/visit")).text()


async def test_f09_only_the_visits_own_browser_gets_a_link_and_only_a_few(site: Site) -> None:
    ana, visit = await opened(site)
    eve = site.person()
    await eve.ask_for_a_visit(name="Eve Other")
    path, code = f"/demo/visits/{visit}/phone", {"how": "code"}
    assert (await eve.post(path, code)).status == 404
    answers = await asyncio.gather(*(ana.post(path, code) for _ in range(8)))
    assert sorted(answer.status for answer in answers)[-2:] == [429, 429]
    await site.app[SERVICE].command(patient("demo", visit, "Ana Ruiz"), visit, Withdraw())
    assert (await ana.post(path, code)).status == 409
