"""Tests a facility's kiosk: its staff add patients, several at once, and take a call on their device."""

import asyncio
import re

from redis.asyncio import Redis

from signalling.visit.commands import SetUrgency
from signalling.visit.record import Actor, Role
from signalling.visit.urgency import Urgency
from tests.web.api.client import PATIENT, program
from tests.web.pages.setup.desk import Form, changed
from tests.web.pages.setup.desk import desk as admin_desk
from tests.web.site import FORM, Person, Site
from web.keys import FACILITIES, SERVICE
from web.organisations.settings import Area


async def link(site: Site, name: str = "Ward 3") -> str:
    """Add a facility with this name; return the path of its link."""
    facilities = site.app[FACILITIES]
    return "/demo/facility/" + facilities.token("demo", await facilities.add("demo", name, "Robin Hale"))


async def place(person: Person, path: str, **fields: str) -> int:
    """Fill in the kiosk's form and send it; return the status. `path`: the facility's link."""
    drawn = Form(await (await person.get(path)).text(), path).fields
    return (await person.post(path, changed(drawn, **{**FORM, **fields}))).status


async def listed(person: Person, path: str) -> str:
    """Return the HTML of the list of patients that the kiosk shows. `path`: the facility's link."""
    return await (await person.get(f"{path}/list")).text()


async def test_a_facility_places_several_patients_and_sees_place_and_end_of_each_by_initials(
    site: Site,
) -> None:
    office, desk, path = await program(site), site.person(), await link(site)
    for name in ("Ana Ruiz", "Ben van Ode", "Cher"):
        assert await place(desk, path, name=name) == 303
    _, queue = await office.call("GET", "/queue")
    assert [row["facility"] for row in queue["patients"]] == ["Ward 3"] * 3
    text = await listed(desk, path)
    assert re.findall(r"<b><bdi>(.*?)</bdi></b>", text) == ["A. R.", "B. O.", "C."]
    assert [place for place in ("Place 1", "Place 2", "Place 3") if place in text] == [
        "Place 1",
        "Place 2",
        "Place 3",
    ]
    await office.call("POST", f"/visits/{queue['patients'][0]['visit']}/decline", {"reason": "secret"})
    text = await listed(desk, path)
    assert "cannot take this visit" in text
    assert not [word for word in ("Ruiz", "secret", "Place 3") if word in text]


async def test_the_preferred_language_of_the_kiosks_form_is_that_of_its_page(site: Site) -> None:
    text = await (await site.person().get(f"{await link(site)}?lang=es")).text()
    assert '<option value="es" selected' in text


async def test_a_form_that_is_sent_twice_places_once(site: Site) -> None:
    office, desk, path = await program(site), site.person(), await link(site)
    fields = changed(Form(await (await desk.get(path)).text(), path).fields, **FORM)
    answers = await asyncio.gather(*(desk.post(path, fields) for _ in range(4)))
    assert {answer.status for answer in answers} == {303}
    assert len((await office.call("GET", "/queue"))[1]["patients"]) == 1


async def test_a_facilitys_device_takes_only_calls_of_patients_whom_it_placed(site: Site) -> None:
    office, desk, other, path = await program(site), site.person(), site.person(), await link(site)
    await place(desk, path)
    visit = (await office.call("GET", "/queue"))[1]["patients"][0]["visit"]
    for stranger_, there in ((other, path), (desk, await link(site, "Ward 4"))):
        assert (await stranger_.post(f"{there}/visits/{visit}", {"do": "take"})).status == 404
    answer = await desk.post(f"{path}/visits/{visit}", {"do": "take"})
    assert (answer.status, answer.headers["Location"]) == (303, "/demo/visit")
    assert visit in await (await desk.get("/demo/visit")).text()


async def test_a_facility_withdraws_a_patient_whom_it_placed(site: Site) -> None:
    office, desk, path = await program(site), site.person(), await link(site)
    await place(desk, path)
    visit = (await office.call("GET", "/queue"))[1]["patients"][0]["visit"]
    assert (await desk.post(f"{path}/visits/{visit}", {"do": "withdraw"})).status == 303
    assert (await office.call("GET", f"/visits/{visit}"))[1]["outcome"] == "withdrawn"
    assert "No longer in line" in await listed(desk, path)


async def test_a_revoked_link_and_another_clinics_open_nothing_and_the_store_keeps_no_link(
    site: Site, valkey: Redis
) -> None:
    desk, path = site.person(), await link(site)
    token = path.rpartition("/")[2]
    kept = str(await valkey.hgetall("{demo}:facilities"))
    assert "Ward 3" in kept
    assert token.partition("-")[2] not in kept
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert (await desk.get(f"/demo/facility/{forged}")).status == 404
    assert (await desk.get(path)).status == 200
    assert await site.app[FACILITIES].revoke("demo", token.partition("-")[0])
    for answer in (await desk.get(path), await desk.get(f"{path}/list"), await desk.post(path, FORM)):
        assert answer.status == 404


async def test_f12_a_kiosks_form_that_is_sent_after_closing_time_keeps_what_was_written(site: Site) -> None:
    office, path = site.person(), await link(site)
    await site.change(hours=((),) * 7)
    answer = await office.post(path, FORM)
    text = await answer.text()
    assert "Nobody can be placed at the moment" in text
    assert 'value="Ana Ruiz"' in text
    assert "data-draft" not in text, "a device for many people keeps no draft"


async def test_errors_are_shown_and_typed_values_are_kept(site: Site) -> None:
    desk, path = site.person(), await link(site)
    answer = await desk.post(path, {**FORM, "phone": "12"})
    text = await answer.text()
    assert answer.status == 422
    assert 'value="Ana Ruiz"' in text
    # Several people use this device, so the browser must not suggest names.
    assert 'autocomplete="name"' not in text


async def test_f38_program_kiosk_and_patient_see_the_order_of_the_clinics_rule(site: Site) -> None:
    desk_of_admin = await admin_desk(site)
    assert (await desk_of_admin.change("policy", urgent_first="on")).status == 303
    office, desk, path = await program(site), site.person(), await link(site)
    for name in ("Ana Ruiz", "Ben van Ode"):
        assert await place(desk, path, name=name) == 303
    first, second = [row["visit"] for row in (await office.call("GET", "/queue"))[1]["patients"]]
    robin = Actor(organisation="demo", id="u_robin", name="Robin Hale", role=Role.ADMIN)
    await site.app[SERVICE].command(robin, second, SetUrgency(Urgency.EMERGENCY))
    rows = (await office.call("GET", "/queue"))[1]["patients"]
    assert [(row["visit"], row["urgency"], row["urgency_by"]) for row in rows] == [
        (second, "emergency", {"id": "u_robin", "name": "Robin Hale"}),
        (first, "routine", None),
    ]
    assert (await office.call("GET", f"/visits/{first}"))[1]["place"] == 2
    assert re.findall(r"<b><bdi>(.*?)</bdi></b>", await listed(desk, path)) == ["B. O.", "A. R."]


async def test_f39_a_kiosk_asks_for_the_area_or_has_the_facilitys_own(site: Site) -> None:
    closed = Area(id="night", name="Night", hours=((),) * 7)
    await site.change(areas=(Area(id="mind", name="Mind"), Area(id="skin", name="Skin"), closed))
    office, desk, path = await program(site), site.person(), await link(site)
    assert await place(desk, path, name="Ana Ruiz", area="skin") == 303
    assert await place(desk, path, name="Ben Ode", area="gone") == 303
    assert await place(desk, path, name="Cher", area="night") == 200, "it is closed"
    admin = await admin_desk(site)
    fields = {"do": "add", "name": "Ward 4", "area": "mind"}
    assert (await admin.person.post(f"{admin.home}/facilities", fields)).status == 303
    shown = await (await admin.person.get(f"{admin.home}/facilities")).text()
    assert '<option value="mind" dir="auto" selected>Mind</option>' in shown
    [own] = [one for one in await site.app[FACILITIES].of("demo") if one.name == "Ward 4"]
    ward = "/demo/facility/" + site.app[FACILITIES].token("demo", own)
    assert 'name="area"' not in await (await desk.get(ward)).text()
    assert await place(desk, ward, name="Dee Fox", area="skin") == 303
    patients = (await office.call("GET", "/queue"))[1]["patients"]
    found = {row["name"]: row["area"] and row["area"]["id"] for row in patients}
    assert found == {"Ana Ruiz": "skin", "Ben Ode": None, "Dee Fox": "mind"}
    for area, expected in (("skin", "skin"), ("", None)):
        moved = await admin.person.post(f"{admin.home}/facilities", {"do": f"move {own.id}", "area": area})
        assert moved.status == 303
        assert await place(desk, ward, name=f"Of {area or 'none'}") == 303
        row = (await office.call("GET", "/queue"))[1]["patients"][-1]
        assert row["area"] == (expected and {"id": "skin", "name": "Skin"})


async def test_f39_a_program_opens_a_visit_in_an_area_and_sees_where_each_waits(site: Site) -> None:
    admin = await admin_desk(site)
    assert (await admin.change("areas", new="Mind")).status == 303
    office = await program(site)
    status, opened = await office.call("POST", "/visits", {"patient": PATIENT, "area": "mind"})
    assert (status, opened["visit"]["place"]) == (201, 1)
    assert (await office.open())["visit"]["place"] == 1, "the first of no area"
    rows = (await office.call("GET", "/queue"))[1]["patients"]
    assert [row["area"] for row in rows] == [{"id": "mind", "name": "Mind"}, None]
    status, problem = await office.call("POST", "/visits", {"patient": PATIENT, "area": "gone"})
    assert (status, problem["errors"][0]["field"]) == (422, "area")
