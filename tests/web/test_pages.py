"""Tests the server-rendered pages over HTTP, with the whole app on a real Valkey."""

import asyncio
import json
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from aiohttp import ClientResponse
from msgspec.structs import replace

from signalling.visit.record import Policy, Visit
from tests.web.site import FORM, OSEI, Site
from web.channels.push import WORKER
from web.intake import information_form as patient_form
from web.keys import PUSH, SERVICE
from web.organisations import demo


def closed_now() -> dict[str, Any]:
    """Return settings of a clinic that is closed today and tomorrow, and opens at the beginning of the day after."""
    opens = (datetime.now(UTC).weekday() + 2) % 7
    hours = tuple((("00:00", "00:01"),) if day == opens else () for day in range(7))
    return {"hours": hours, "timezone": "UTC"}


async def boot(response: ClientResponse) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="boot">(.*?)</script>', await response.text())
    assert found
    told: dict[str, Any] = json.loads(found[1])
    return told


async def visits(site: Site) -> list[Visit]:
    return list((await site.app[SERVICE].mirrors.get("demo")).visits.values())


# --- tests of the public-facing calendar


async def test_the_start_page_goes_on_to_the_only_organisation(site: Site) -> None:
    response = await site.person().get("/")
    assert (response.status, response.headers["Location"]) == (303, "/demo")


async def test_the_start_page_names_no_organisation_where_there_are_several(site: Site) -> None:
    await site.change(id="lakeside", name="Lakeside Clinic")
    response = await site.person().get("/")
    assert response.status == 200
    assert "Lakeside" not in await response.text()


async def test_the_calendar_offers_meet_now_and_shows_the_week(site: Site) -> None:
    response = await site.person().get("/demo")
    text = await response.text()
    assert response.status == 200
    assert "Riverside Clinic" in text
    assert 'href="/demo/information"' in text
    assert all(day in text for day in ("Monday", "Sunday"))


async def test_a_closed_organisation_shows_when_it_opens_and_accepts_no_patient(site: Site) -> None:
    await site.change(**closed_now())
    ana = site.person()
    assert "We are closed." in await (await ana.get("/demo")).text()
    assert (await ana.get("/demo/information")).headers["Location"] == "/demo"
    assert (await ana.post("/demo/information", FORM)).status == 409
    assert await visits(site) == []


async def test_f12_a_form_that_is_sent_after_closing_time_is_shown_again_with_what_was_written(
    site: Site,
) -> None:
    ana = site.person()
    await ana.get("/demo/information")
    await site.change(**closed_now())
    answer = await ana.post("/demo/information", {**FORM, "email": "not yet"})
    text = await answer.text()
    assert answer.status == 409
    opens = r"We have closed while you filled this in\. Meet Now opens (\w+day|tomorrow) at 12:00"
    assert re.search(opens, text), "tomorrow if a new day has begun"
    assert 'value="Ana Ruiz"' in text
    assert 'value="not yet"' in text
    assert await visits(site) == []
    await site.change(policy=Policy(needs_on_call=True), hours=((("00:00", "24:00"),),) * 7)
    assert "No clinician is on call any more." in await (await ana.post("/demo/information", FORM)).text()


async def test_an_organisation_may_close_meet_now_while_nobody_is_on_call(site: Site) -> None:
    await site.change(policy=Policy(needs_on_call=True))
    assert "No clinician is on call" in await (await site.person().get("/demo")).text()


# --- tests of the patient information form


async def test_the_preferred_language_is_that_in_which_the_page_is_read(site: Site) -> None:
    for lang in ("es", "en"):
        text = await (await site.person().get(f"/demo/information?lang={lang}")).text()
        assert f'<option value="{lang}" selected' in text


async def test_the_visit_begins_when_patient_information_is_sent(site: Site) -> None:
    ana = site.person()
    response = await ana.ask_for_a_visit()
    assert (response.status, response.headers["Location"]) == (303, "/demo/visit")
    (visit,) = await visits(site)
    assert visit.patient.name == "Ana Ruiz"
    assert visit.patient.phone == "+1 512 555 0142"
    told = await boot(await ana.get("/demo/visit"))
    languages = told.pop("languages")
    assert [(found["code"], found["name"], found["dir"]) for found in languages] == [
        ("en", "English", "ltr"),
        ("ar", "العربية", "rtl"),
        ("es", "Español", "ltr"),
        ("fr", "Français", "ltr"),
    ]
    assert told == {
        "organisation": {"id": "demo", "name": "Riverside Clinic", "logo": None},
        "visit": visit.id,
        "visits": [visit.id],
        "ws": f"/demo/ws?visit={visit.id}",
        "home": "/demo",
        "mails": False,
        "contact": {"text": False, "push": {"key": site.app[PUSH].public_key, "worker": WORKER}},
        "answers": 0,
        "main": "en",
        "texts": {"en": {}},
        "survey": None,
        "book": "/demo/appointments",
        "next_time": "/demo/appointments/next",
    }


async def test_a_form_that_fails_says_which_field_and_keeps_the_rest(site: Site) -> None:
    response = await site.person().ask_for_a_visit(email="ana at example", reason="Rash <b>")
    text = await response.text()
    assert response.status == 422
    assert "Write an email address such as ana@example.org." in text
    assert "ana at example" in text
    assert "Rash &lt;b&gt;" in text
    assert await visits(site) == []


async def test_a_form_sent_twice_at_once_opens_one_visit(site: Site) -> None:
    ana = site.person()
    await ana.get("/demo/information")
    answers = await asyncio.gather(*(ana.post("/demo/information", FORM) for _ in range(5)))
    assert {answer.status for answer in answers} == {303}
    assert len(await visits(site)) == 1
    assert (await ana.get("/demo/visit")).status == 200


async def test_a_browser_with_an_open_visit_comes_back_to_it(site: Site) -> None:
    ana = site.person()
    await ana.ask_for_a_visit()
    (visit,) = await visits(site)
    path = f"/demo/visit?visit={visit.id}"
    assert (await ana.get("/demo/information")).headers["Location"] == path
    again = await ana.post("/demo/information", {**FORM, "name": "ana  RUIZ"})
    assert again.headers["Location"] == path
    assert len(await visits(site)) == 1
    assert "Return to your visit" in await (await ana.get("/demo")).text()


async def test_f10_a_form_for_a_second_person_in_one_browser_is_asked_about_and_opens_a_second_visit(
    site: Site,
) -> None:
    mother = site.person()
    await mother.ask_for_a_visit(name="Ana Ruiz")
    child = {**FORM, "name": "Ben Ruiz"}
    asked = await mother.post("/demo/information", child)
    text = await asked.text()
    assert asked.status == 409
    assert "Back to the visit of Ana Ruiz" in text
    assert "Open a visit for Ben Ruiz as well" in text
    assert 'value="Ben Ruiz"' in text
    wrong = await mother.post("/demo/information", {**child, "another": "1", "email": "none"})
    assert 'name="another"' in await wrong.text(), "a mistake does not ask again"
    answers = [await mother.post("/demo/information", {**child, "another": "1"}) for _ in range(2)]
    ana, ben = sorted(await visits(site), key=lambda visit: visit.patient.name)
    assert [answer.headers["Location"] for answer in answers] == [f"/demo/visit?visit={ben.id}"] * 2
    for visit in (ana, ben):
        assert (await boot(await mother.get(f"/demo/visit?visit={visit.id}")))["visit"] == visit.id
        ws = await mother.socket("patient", visit=visit.id)
        assert (await ws.receive_json())["visit"] == visit.id
    assert (await boot(await mother.get("/demo/visit")))["visits"] == [ben.id, ana.id], "the last one first"
    assert "Return to the visit of Ana Ruiz" in await (await mother.get("/demo")).text()
    assert (await mother.get("/demo/information?another")).status == 200


async def test_f10_a_browser_reaches_no_visit_that_it_has_not_opened(site: Site) -> None:
    ana, eve = site.person(), site.person()
    await ana.ask_for_a_visit()
    (visit,) = await visits(site)
    await eve.ask_for_a_visit(name="Eve Other")
    page = await (await eve.get(f"/demo/visit?visit={visit.id}")).text()
    assert visit.id not in page
    ws = await eve.socket("patient", visit=visit.id)
    assert (await ws.receive_json())["visit"] != visit.id


async def test_a_stranger_finds_no_visit_behind_the_address(site: Site) -> None:
    await site.person().ask_for_a_visit()
    response = await site.person().get("/demo/visit")
    assert (response.status, response.headers["Location"]) == (303, "/demo")


async def test_no_get_opens_a_visit_or_signs_anybody_in(site: Site) -> None:
    ana = site.person()
    for path in ("/demo", "/demo/information?name=Ana", "/demo/visit", "/demo/staff", "/demo/staff/sign-in"):
        await ana.get(path)
    assert await visits(site) == []
    assert ana.cookie == ""


async def test_a_form_over_the_limit_is_refused_whole(site: Site) -> None:
    response = await site.person().post("/demo/information", {**FORM, "reason": "x" * 70_000})
    assert response.status == 413
    assert "That is too much" in await response.text()


async def test_a_form_of_another_kind_is_refused(site: Site) -> None:
    response = await site.person().post(
        "/demo/information", json.dumps(FORM), **{"Content-Type": "application/json"}
    )
    assert response.status == 415


# --- tests of the valid content of each field of patient information

TODAY = date(2026, 11, 23)
CLINIC = replace(demo.ORGANISATION, languages=("en", "es"))


def checked(**fields: object) -> patient_form.Checked:
    return patient_form.check({**FORM, **fields}, CLINIC, TODAY)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "12345"),
        ("name", "x" * 101),
        ("birth_date", "2026-11-24"),
        ("birth_date", "1890-01-01"),
        ("birth_date", "2026-02-30"),
        ("birth_date", "20260101"),
        ("phone", "555 0142"),
        ("phone", "112 555 0142"),
        ("phone", "call me"),
        ("email", "ana@"),
        ("email", "ana@@example.org"),
        ("state", "ZZ"),
        ("state", "Texas"),
        ("language", "tlh"),
        ("reason", " \r\n\t "),
        ("filled_in_by", "x" * 101),
        ("name", None),
        ("name", ["Ana"]),
    ],
)
def test_each_wrong_field_is_named_alone(field: str, value: object) -> None:
    found = checked(**{field: value})
    assert set(found.errors) == {field}
    assert found.errors[field].endswith(".")
    assert found.information is None
    assert found.form["reason" if field != "reason" else "name"]


@pytest.mark.parametrize("email", ["a..b@docomo.ne.jp", ".a@x.org", "josé@x.org"])
def test_f20_an_address_that_no_mail_reaches_is_refused_at_the_field(email: str) -> None:
    found = checked(email=email)
    assert found.errors == {"email": "Write an email address such as ana@example.org."}


def test_f21_an_extension_is_kept_apart_from_what_is_dialled() -> None:
    found = checked(phone="512-555-0142 x12").information
    assert found is not None
    assert (found.phone, found.extension) == ("+1 512 555 0142", "12")
    assert found.phone_shown == "(512) 555-0142 ext. 12"


def test_f22_a_patient_is_in_a_region_of_the_clinics_country() -> None:
    def errors(state: str, **changes: Any) -> set[str]:
        form = {**FORM, "phone": "+1 512 555 0142", "state": state}
        return set(patient_form.check(form, replace(CLINIC, **changes), TODAY).errors)

    assert errors("TX") == errors("AE") == errors("PW") == set()
    assert errors("ON") == {"state"}
    assert errors("ON", country="CA") == errors("BE", country="DE") == set()
    assert errors("TX", country="CA") == {"state"}
    assert errors("", country="CA") == {"state"}


@pytest.mark.parametrize("changes", [{"asks_region": False}, {"country": "AX"}])
def test_f22_no_region_is_kept_if_it_is_not_asked(changes: Any) -> None:
    form = {**FORM, "phone": "+1 512 555 0142", "state": "TX"}
    found = patient_form.check(form, replace(CLINIC, **changes), TODAY)
    assert found.information is not None
    assert found.information.state == ""


def test_line_breaks_and_control_characters_do_not_get_in() -> None:
    found = checked(name="Ana\r\nSet-Cookie: x\u202e\x00 Ruiz", filled_in_by="Rosa\nRuiz").information
    assert found is not None
    assert found.name == "Ana Set-Cookie: x Ruiz"
    assert found.filled_in_by == "Rosa Ruiz"


# --- tests of the pages of staff


async def test_staff_sign_in_and_see_their_name_on_the_page(site: Site) -> None:
    osei = site.person()
    assert (await osei.get("/demo/staff")).headers["Location"] == "/demo/staff/sign-in"
    response = await osei.sign_in(OSEI)
    assert (response.status, response.headers["Location"]) == (303, "/demo/staff")
    told = await boot(await osei.get("/demo/staff"))
    me = {"id": "u_osei", "name": "Dr Maya Osei", "role": "provider"}
    assert told["me"] == {**me, "states": told["me"]["states"]}
    assert all(len(state) == 2 for state in told["me"]["states"])
    assert (told["ws"], told["home"]) == ("/demo/ws", "/demo/staff")
    assert (await osei.get("/demo/staff/sign-in")).headers["Location"] == "/demo/staff"


async def test_an_unknown_email_and_a_wrong_password_are_answered_alike(site: Site) -> None:
    someone = site.person()
    wrong = await someone.sign_in(OSEI, "not the password")
    unknown = await someone.sign_in("nobody@riverside.example", "not the password")
    assert wrong.status == unknown.status == 422
    texts = [(await answer.text()).replace("nobody@", "osei@") for answer in (wrong, unknown)]
    assert texts[0] == texts[1]
    assert "do not belong together" in texts[0]
    assert someone.cookie == ""


async def test_a_link_to_a_session_that_is_not_there_leads_back_to_the_list(site: Site) -> None:
    osei, ana = site.person(), site.person()
    await osei.sign_in(OSEI)
    await ana.ask_for_a_visit()
    (visit,) = await visits(site)
    assert (await osei.get(f"/demo/staff/visits/{visit.id}")).status == 200
    missing = await osei.get("/demo/staff/visits/v_nothing")
    assert missing.status == 404
    assert 'href="/demo/staff"' in await missing.text()


async def test_one_browser_may_be_staff_and_a_patient_at_once(site: Site) -> None:
    both = site.person()
    await both.ask_for_a_visit()
    await both.sign_in(OSEI)
    assert (await both.get("/demo/visit")).status == 200
    assert (await both.get("/demo/staff")).status == 200
    await both.post("/demo/staff/sign-out")
    assert (await both.get("/demo/visit")).status == 200
    assert (await both.get("/demo/staff")).status == 303


async def test_an_organisation_sees_nothing_of_another(site: Site) -> None:
    await site.change(id="lakeside", name="Lakeside Clinic")
    osei, ana = site.person(), site.person()
    await osei.sign_in(OSEI)
    await ana.ask_for_a_visit()
    (visit,) = await visits(site)
    assert (await osei.get("/lakeside/staff")).headers["Location"] == "/lakeside/staff/sign-in"
    assert (await osei.get(f"/lakeside/staff/visits/{visit.id}")).status == 303
    assert (await ana.get("/lakeside/visit")).headers["Location"] == "/lakeside"
    lakeside = await osei.post(
        "/lakeside/staff/sign-in", {"email": OSEI, "password": demo.password(site.settings, OSEI)}
    )
    assert lakeside.status == 422


# --- tests of pages that do not exist


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/nowhere", "There is no clinic at this address"),
        ("/nowhere/visit", "There is no clinic at this address"),
        ("/DEMO%0d%0aX", "There is no clinic at this address"),
        ("/demo/nothing", "There is no such page"),
        ("/demo/staff/nothing", "There is no such page"),
    ],
)
async def test_a_missing_page_gets_a_helpful_404(site: Site, path: str, words: str) -> None:
    response = await site.person().get(path)
    text = await response.text()
    assert response.status == 404
    assert words in text
    assert "href=" in text


async def test_an_extra_slash_in_a_path_is_redirected(site: Site) -> None:
    response = await site.person().get("/demo/")
    assert (response.status, response.headers["Location"]) == (308, "/demo")
