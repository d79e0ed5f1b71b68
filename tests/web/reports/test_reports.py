"""Tests the reports over HTTP: who may see them, their days, and that they name no patient."""

import csv
import io
from datetime import UTC, datetime

import pytest

from signalling.service import Accepted
from signalling.visit.commands import Claim, End, Withdraw
from signalling.visit.record import Actor, Role
from tests.web.site import ADMIN, FORM, OSEI, Site
from web.identity.visitors import patient
from web.keys import SERVICE

REPORTS = "/demo/staff/reports"


async def seen(site: Site, name: str, *, claimed: bool) -> None:
    """Store a visit that has ended: completed by Dr Osei, or left by the patient."""
    someone, service = site.person(), site.app[SERVICE]
    await someone.ask_for_a_visit(name=name)
    (visit,) = (await service.mirrors.get("demo")).visits.values()
    if claimed:
        osei = Actor(organisation="demo", id="u_osei", name="Dr Maya Osei", role=Role.PROVIDER)
        await service.set_on_call(osei, on=True)
        assert isinstance(await service.command(osei, visit.id, Claim()), Accepted)
        assert isinstance(await service.command(osei, visit.id, End()), Accepted)
    else:
        await service.command(patient("demo", visit.id, name), visit.id, Withdraw())


async def test_an_admin_sees_waits_outcomes_and_providers_and_no_patient(site: Site) -> None:
    await seen(site, "Canary One", claimed=True)
    await seen(site, "Canary Two", claimed=False)
    admin = site.person()
    await admin.sign_in(ADMIN)
    answer = await admin.get(REPORTS)
    text = await answer.text()
    assert answer.status == 200
    for words in (
        "Waits by day",
        "Outcomes by day",
        "Visits by hour of arrival",
        "Visits by provider",
        "Dr Maya Osei",
    ):
        assert words in text
    assert text.count('<svg class="chart"') == 5
    assert "Canary" not in text
    assert FORM["email"] not in text


async def test_csv_has_the_same_visits_one_a_line(site: Site) -> None:
    await seen(site, "Canary One", claimed=True)
    await seen(site, "Canary Two", claimed=False)
    admin = site.person()
    await admin.sign_in(ADMIN)
    answer = await admin.get(f"{REPORTS}.csv")
    rows = list(csv.DictReader(io.StringIO(await answer.text())))
    assert answer.content_type == "text/csv"
    assert [(row["outcome"], row["provider"]) for row in rows] == [
        ("completed", "Dr Maya Osei"),
        ("withdrawn", ""),
    ]
    assert "Canary" not in await answer.text()


async def test_days_without_visits_say_so(site: Site) -> None:
    await seen(site, "Ana Ruiz", claimed=True)
    admin = site.person()
    await admin.sign_in(ADMIN)
    text = await (await admin.get(f"{REPORTS}?since=2020-01-01&until=2020-01-31")).text()
    assert "No visit ended in these days." in text
    assert 'value="2020-01-01"' in text


@pytest.mark.parametrize(
    "query", ["?since=x&until=y", "?since=2030-01-01", "?since=0001-01-01", "?until=9999-12-31"]
)
async def test_invalid_days_are_corrected(site: Site, query: str) -> None:
    admin = site.person()
    await admin.sign_in(ADMIN)
    answer = await admin.get(REPORTS + query)
    assert answer.status == 200
    assert f"{datetime.now(UTC):%Y}" in await answer.text()


@pytest.mark.parametrize("path", [REPORTS, f"{REPORTS}.csv"])
async def test_reports_are_for_administrators_of_the_organisation_only(site: Site, path: str) -> None:
    osei, stranger = site.person(), site.person()
    await osei.sign_in(OSEI)
    assert (await osei.get(path)).status == 403
    assert (await stranger.get(path)).headers["Location"] == "/demo/staff/sign-in"
    assert "Reports" not in await (await osei.get("/demo/staff/calendar")).text()
