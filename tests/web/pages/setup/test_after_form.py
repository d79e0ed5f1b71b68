"""Tests the settings for the time after a visit: the tags for visits, and the texts of the survey."""

import re
from typing import Any

import msgspec

from tests.web.pages.setup.desk import desk
from tests.web.site import Site
from web.keys import ORGANISATIONS
from web.organisations.settings import Survey

CHOICES = ("Very good", "Good", "Fair", "Poor", "Very poor")


async def test_tags_and_survey_are_off_at_first_and_saved_as_they_were_written(site: Site) -> None:
    admin = await desk(site)
    fields = dict(await admin.fields("after"))
    assert (fields["tags"], fields["choices"].splitlines()) == ("", list(CHOICES))
    assert "survey" not in fields
    saved = await admin.change(
        "after", survey="on", tags=" Follow-up \r\n\r\nBilling\r\nFollow-up", comment=""
    )
    assert saved.status == 303
    found = await site.app[ORGANISATIONS].get("demo")
    assert found is not None
    assert (found.policy.tags, found.policy.survey) == (("Follow-up", "Billing"), True)
    assert found.survey == Survey(question="How was your visit?", choices=CHOICES, comment="")
    assert dict(await admin.fields("after"))["comment"] == "", "what was emptied stays empty"


def boot(page: str) -> dict[str, Any]:
    """Return the data that a page contains for its scripts."""
    found = re.search(r'id="boot">(.*?)</script>', page)
    assert found
    told: dict[str, Any] = msgspec.json.decode(found[1])
    return told


async def test_the_patients_and_the_staffs_page_have_the_clinics_words(site: Site) -> None:
    admin, ana = await desk(site), site.person()
    assert (await ana.ask_for_a_visit()).status == 303
    assert boot(await (await ana.get("/demo/visit")).text())["survey"] is None
    assert (await admin.change("after", survey="on", tags="Follow-up", question="How was it?")).status == 303
    page = await (await ana.get("/demo/visit")).text()
    assert boot(page)["survey"]["question"] == "How was it?"
    assert "Follow-up" not in page
    assert boot(await (await admin.person.get("/demo/staff")).text())["tags"] == ["Follow-up"]
