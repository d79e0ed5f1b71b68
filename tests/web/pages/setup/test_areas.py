"""Tests waiting areas in the set-up: an area's address, hours and guide, and the pages of its patients."""

from __future__ import annotations

import re

import pytest

from signalling.visit.record import Visit
from tests.web.pages.setup.desk import Desk, Form, changed, desk
from tests.web.pages.setup.test_frame import stored
from tests.web.site import FORM, Person, Site
from web.keys import ACCOUNTS, SERVICE
from web.organisations.settings import IN_USE, Area

SHUT = {f"mind-opens-{day}": None for day in range(7)} | {f"mind-closes-{day}": None for day in range(7)}


async def with_area(site: Site, name: str = "Mind") -> Desk:
    """Sign an administrator in and add a waiting area with this name; return the administrator."""
    admin = await desk(site)
    assert (await admin.change("areas", new=name)).status == 303
    return admin


async def arrives(person: Person, path: str = "/demo/information?area=mind") -> int:
    """Fill in the patient information of a waiting area; return the status."""
    drawn = Form(await (await person.get(path)).text(), path).fields
    return (await person.post(path, changed(drawn, **FORM))).status


async def waiting(site: Site) -> list[Visit]:
    """Return the visits in the queue."""
    return (await site.app[SERVICE].mirrors.get("demo")).visits.queue(urgent_first=False)


async def test_f39_a_clinic_without_areas_shows_nothing_of_them(site: Site) -> None:
    admin = await desk(site)
    ana = site.person()
    assert "Or choose what you need" not in await (await ana.get("/demo")).text()
    assert "Works in" not in await (await admin.person.get(f"{admin.home}/people")).text()
    assert (await ana.get("/demo/mind")).status == 404
    await ana.ask_for_a_visit()
    assert [visit.area for visit in await waiting(site)] == [None]


async def test_f39_an_area_has_its_own_address_calendar_and_line(site: Site) -> None:
    admin = await with_area(site, "Behavioural Health")
    (area,) = (await stored(site)).areas
    assert area == Area(id="behavioural-health", name="Behavioural Health")
    ana, ben = site.person(), site.person()
    assert 'href="/demo/behavioural-health"' in await (await ana.get("/demo")).text()
    text = await (await ana.get("/demo/behavioural-health")).text()
    assert "Behavioural Health" in text
    assert 'href="/demo/information?area=behavioural-health"' in text
    assert await arrives(ana, "/demo/information?area=behavioural-health") == 303
    await ben.ask_for_a_visit()
    assert [visit.area_id for visit in await waiting(site)] == ["behavioural-health", ""]
    links = await (await admin.person.get(f"{admin.home}/links")).text()
    assert "/demo/qr.svg?area=behavioural-health" in links
    plain, of_area = [await (await ana.get(f"/demo/qr.svg{q}")).read() for q in ("", f"?area={area.id}")]
    assert plain != of_area


async def test_f39_an_area_has_hours_of_its_own(site: Site) -> None:
    admin = await with_area(site)
    assert (await admin.change("areas", **{"mind-own": "on"}, **SHUT)).status == 303
    (area,) = (await stored(site)).areas
    assert area.hours == ((),) * 7
    ana = site.person()
    assert "We are closed." in await (await ana.get("/demo/mind")).text()
    assert "We are closed." not in await (await ana.get("/demo")).text()
    answer = await ana.get("/demo/information?area=mind")
    assert (answer.status, answer.headers["Location"]) == (303, "/demo/mind")
    assert (await admin.change("areas", **{"mind-own": None})).status == 303
    assert (await stored(site)).areas[0].hours is None


async def test_f39_an_area_has_a_guide_of_its_own_whose_version_no_other_guide_has_had(site: Site) -> None:
    admin = await with_area(site)
    path = f"{admin.home}/guide?area=mind"

    async def save(**changes: str) -> None:
        fields = Form(await (await admin.person.get(path)).text(), path).fields
        answer = await admin.person.post(path, [*changed(fields, **changes), ("do", "save")])
        assert (answer.status, answer.headers["Location"]) == (303, f"{admin.home}/guide?saved&area=mind")

    await save(**{"since-title": "Since when do you feel so?"})
    found = await stored(site)
    assert found.areas[0].guide is not None
    assert (found.guide.version, found.areas[0].guide.version) == (1, 2)
    ana = site.person()
    assert await arrives(ana) == 303
    (visit,) = await waiting(site)
    guide = await site.app[SERVICE].guide("demo", visit.guide_version)
    assert guide.steps[0].title == "Since when do you feel so?"
    assert (await admin.change("guide", **{"since-title": "Since when?"})).status == 303
    assert (await stored(site)).guide.version == 3
    assert (await admin.change("areas", **{"mind-guide": None})).status == 303
    assert (await stored(site)).areas[0].guide is None
    await save(**{"since-title": "How long?"})
    assert (await stored(site)).areas[0].guide.version == 4  # type: ignore[union-attr]
    assert (await admin.person.get(f"{admin.home}/guide?area=gone")).status == 404


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"new": "漢字"}, "letters a to z"),
        ({"new": "x" * 101}, "too long"),
        ({"mind-name": ""}, "Write a name"),
        ({"mind-own": "on", "mind-opens-0": "12:00", "mind-closes-0": "12:00"}, "are the same"),
    ],
)
async def test_f39_a_wrong_field_says_so_and_nothing_is_saved(
    site: Site, fields: dict[str, str], said: str
) -> None:
    admin = await with_area(site)
    answer = await admin.change("areas", **fields)
    assert (answer.status, said in await answer.text()) == (422, True)
    assert len((await stored(site)).areas) == 1


async def test_f39_two_admins_who_change_areas_of_one_name_do_not_overwrite_each_other(site: Site) -> None:
    await site.change(areas=(Area(id="a", name="Mind"), Area(id="b", name="Mind")))
    for area in ("a", "b"):
        one, other = await desk(site), await desk(site)
        early = await other.fields("areas")
        own = {f"{area}-own": "yes", f"{area}-opens-0": "08:15", f"{area}-closes-0": "09:45"}
        assert (await one.change("areas", **own)).status == 303
        answer = await other.save("areas", early)
        assert answer.status == 409
        assert "08:15–09:45" in await answer.text()


async def test_f39_staff_are_set_to_areas_and_an_area_is_removed(site: Site) -> None:
    admin = await with_area(site)
    text = await (await admin.person.get(f"{admin.home}/people")).text()
    osei = next(one for one in await site.app[ACCOUNTS].list("demo") if "Osei" in one.name)
    fields = Form(text, f"{admin.home}/people/{osei.id}").fields
    answer = await admin.person.post(
        f"{admin.home}/people/{osei.id}", [*fields, ("areas", "mind"), ("areas", "gone"), ("do", "save")]
    )
    assert answer.status == 303
    assert (await site.app[SERVICE].mirrors.get("demo")).staff[osei.id].areas == ("mind",)
    assert (await admin.change("areas", **{"mind-remove": "on"})).status == 303
    assert (await stored(site)).areas == ()


def test_f39_no_area_can_have_the_address_of_a_page(site: Site) -> None:
    paths = [route.resource.canonical for route in site.app.router.routes() if route.resource is not None]
    first = {found[1] for path in paths if (found := re.match(r"/\{organisation\}/([^/{]+)", path))}
    assert first == IN_USE
