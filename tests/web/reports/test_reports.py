"""Tests the reports over HTTP: who may see them, which days they cover, and that they name no patient."""

import csv
import io
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from signalling.service import Accepted
from signalling.visit.commands import AnswerSurvey, Claim, End, SetTags, Withdraw
from signalling.visit.record import Actor, Policy, Role
from tests.web.site import ADMIN, FORM, OSEI, Site
from tests.web.test_organisations_apart import PASSWORD, lakeside
from web.identity.visitors import patient
from web.keys import SERVICE
from web.organisations import demo
from web.organisations.settings import Survey

REPORTS = "/demo/staff/reports"


async def seen(site: Site, name: str, *, claimed: bool) -> str:
    """Store an ended visit and return its id.

    If `claimed`, Dr Osei has claimed and completed the visit; otherwise the patient has left the queue.
    """
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
    return visit.id


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


async def test_reports_show_tags_and_the_survey_of_this_organisation_alone(site: Site) -> None:
    choices = ("Very good", "Good", "Fair", "Poor", "Very poor")
    await site.change(
        policy=Policy(tags=("Follow-up", "Billing"), survey=True),
        survey=Survey(question="How was it?", choices=choices),
    )
    admin, service = site.person(), site.app[SERVICE]
    await admin.sign_in(ADMIN)
    hale = Actor(organisation="demo", id="u_hale", name="Robin Hale", role=Role.ADMIN)
    for name, tag, choice in (("Canary One", "Follow-up", 2), ("Canary Two", "Billing", 5)):
        visit = await seen(site, name, claimed=True)
        await service.command(hale, visit, SetTags((tag,)))
        answer = AnswerSurvey(choice, f"<b>{tag}</b> was fine")
        assert isinstance(await service.command(patient("demo", visit, name), visit, answer), Accepted)
    text = await (await admin.get(REPORTS)).text()
    assert "What patients answered after their visit" in text
    assert '<th scope="row"><bdi>Good</bdi></th><td class="num">1 (50 %)</td>' in text
    assert '<th scope="row"><bdi>Billing</bdi></th><td class="num">1</td>' in text
    assert "&lt;b&gt;Billing&lt;/b&gt; was fine" in text
    of_one = await (await admin.get(f"{REPORTS}?tag=Follow-up")).text()
    assert "&lt;b&gt;Follow-up&lt;/b&gt; was fine" in of_one
    assert "&lt;b&gt;Billing&lt;/b&gt;" not in of_one
    rows = list(csv.DictReader(io.StringIO(await (await admin.get(f"{REPORTS}.csv?tag=Billing")).text())))
    assert [(row["tags"], row["survey"], row["survey_text"]) for row in rows] == [
        ("Billing", "5", "<b>Billing</b> was fine")
    ]
    await lakeside(site)
    other = site.person()
    signed = {"email": "ida@lakeside.example", "password": PASSWORD}
    assert (await other.post("/lakeside/staff/sign-in", signed)).status == 303
    for path in ("reports", "reports.csv"):
        text = await (await other.get(f"/lakeside/staff/{path}")).text()
        assert "was fine" not in text
        assert "Follow-up" not in text


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
    zone = ZoneInfo(demo.ORGANISATION.timezone)
    before = datetime.now(zone)
    answer = await admin.get(REPORTS + query)
    text = await answer.text()
    assert answer.status == 200
    assert any(f"{at:%Y}" in text for at in (before, datetime.now(zone)))


@pytest.mark.parametrize("path", [REPORTS, f"{REPORTS}.csv"])
async def test_reports_are_for_administrators_of_the_organisation_only(site: Site, path: str) -> None:
    osei, stranger = site.person(), site.person()
    await osei.sign_in(OSEI)
    assert (await osei.get(path)).status == 403
    assert (await stranger.get(path)).headers["Location"].partition("?")[0] == "/demo/staff/sign-in"
    assert "Reports" not in await (await osei.get("/demo/staff/calendar")).text()
