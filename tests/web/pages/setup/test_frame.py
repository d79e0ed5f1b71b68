"""Tests the set-up's forms over HTTP: who may open them, what is saved or refused, and two administrators at a time."""

import asyncio
import re

import msgspec
import pytest

from signalling.visit.record import Policy
from tests.web.pages.setup.desk import changed, desk
from tests.web.pages.setup.test_translations import field
from tests.web.site import ADMIN, OSEI, Site
from web.keys import ORGANISATIONS
from web.organisations.settings import Area, Organisation
from web.pages.rendering import TEMPLATES
from web.pages.setup import policy_form

SECTIONS = ("", "/calendar", "/guide", "/areas", "/people", "/rota", "/policy", "/links")


async def stored(site: Site, organisation: str = "demo") -> Organisation:
    found = await site.app[ORGANISATIONS].read(organisation)
    assert found is not None
    return found


@pytest.mark.parametrize("section", SECTIONS)
async def test_the_set_up_is_for_administrators(site: Site, section: str) -> None:
    path = f"/demo/staff/setup{section}"
    nobody = site.person()
    assert (await nobody.get(path)).headers["Location"].partition("?")[0] == "/demo/staff/sign-in"
    provider = (await desk(site, OSEI)).person
    refused = await provider.get(path)
    assert refused.status == 403
    assert "for administrators" in await refused.text()
    assert (await (await desk(site)).person.get(path)).status == 200


@pytest.mark.parametrize("section", ["calendar", "policy"])
async def test_a_form_that_is_saved_as_it_is_changes_nothing(site: Site, section: str) -> None:
    before = await stored(site)
    answer = await (await desk(site)).change(section)
    assert (answer.status, answer.headers["Location"]) == (303, f"/demo/staff/setup/{section}?saved")
    after = await stored(site)
    assert after == msgspec.structs.replace(before, revision=1, checked=(section,))


async def test_what_is_saved_in_the_calendar_is_what_visitors_see(site: Site) -> None:
    admin = await desk(site)
    answer = await admin.change(
        "calendar",
        name="Lakeside Clinic",
        timezone="America/New_York",
        notice="Short of staff today.",
        opens__0="09:00",
        closes__0="12:00",
        closed="2031-12-25",
    )
    assert answer.status == 303, await answer.text()
    answer = await admin.save(
        "calendar", [*await admin.fields("calendar"), ("opens-0", "13:00"), ("closes-0", "00:00")]
    )
    assert answer.status == 303
    found = await stored(site)
    assert found.hours[0] == (("09:00", "12:00"), ("13:00", "24:00"))
    assert found.closed == ("2031-12-25",)
    text = await (await site.person().get("/demo")).text()
    assert "Lakeside Clinic" in text
    assert "Times are for Eastern" in text
    assert "9:00\u202fAM – 12:00\u202fPM<br>1:00\u202fPM – midnight" in text
    assert "All day" in text  # all other days are still open all day


@pytest.mark.parametrize(
    ("section", "wrong", "said"),
    [
        ("calendar", {"name": " "}, "Write the clinic’s name."),
        ("calendar", {"timezone": "Mars/Olympus"}, "Choose a time zone"),
        ("calendar", {"opens__2": "17:00", "closes__2": "17:00"}, "are the same"),
        ("calendar", {"opens__2": "17:00", "closes__2": "09:00"}, "end later than these begin"),
        ("calendar", {"opens__2": "17:00", "closes__2": ""}, "both an opening and a closing time"),
        ("calendar", {"closed": "2031-02-30"}, "whole date"),
        ("calendar", {"slot_min": "soon"}, "whole number from 5 to 240"),
        ("calendar", {"accent": "teal"}, "as # and six digits"),
        ("policy", {"amber_ms": "a while"}, "number of minutes from 1 to 1440"),
        ("policy", {"red_ms": "1"}, "Red must come later than amber."),
        ("policy", {"grace_ms": "2"}, "number of seconds from 5 to 600"),
        ("policy", {"closes_line": "on", "asks_closing": "on"}, "Choose one: visits end"),
        ("after", {"tags": "x" * 41}, "At most 40 characters on a line"),
        ("after", {"choices": "Good\nBad"}, "Write five answers"),
        ("after", {"survey": "on", "question": " "}, "Write the question."),
    ],
)
async def test_a_setting_that_cannot_be_saved_says_why_and_keeps_what_was_typed(
    site: Site, section: str, wrong: dict[str, str], said: str
) -> None:
    admin = await desk(site)
    fields = changed(await admin.fields(section), **wrong, welcome="Typed by hand")
    answer = await admin.save(section, fields)
    text = await answer.text()
    assert answer.status == 422
    assert said in text
    kept = await admin.fields(section, text)
    for name, value in wrong.items():
        assert (name.replace("__", "-"), value.strip()) in kept
    assert section != "calendar" or ("welcome", "Typed by hand") in kept
    assert (await stored(site)).revision == 0


async def test_two_admins_who_save_the_same_page_do_not_overwrite_each_other(site: Site) -> None:
    one, other = await desk(site), await desk(site)
    early = await other.fields("calendar")
    assert (await one.change("calendar", name="Lakeside Clinic")).status == 303
    answer = await other.save("calendar", changed(early, welcome="Come in."))
    text = await answer.text()
    assert answer.status == 409
    assert "Robin Hale saved this page while you were writing" in text
    assert "Lakeside Clinic" in text
    assert (await stored(site)).name == "Lakeside Clinic"
    kept = await other.fields("calendar", text)
    assert ("welcome", "Come in.") in kept
    # The second administrator now sees the change of the first administrator, and may replace it.
    assert (await other.save("calendar", kept)).status == 303
    found = await stored(site)
    assert (found.name, found.welcome) == ("Riverside Clinic", "Come in.")


async def test_a_conflict_is_not_forgotten_while_a_mistake_is_put_right(site: Site) -> None:
    one, other = await desk(site), await desk(site)
    early = await other.fields("policy")
    assert (await one.change("policy", amber_ms="5")).status == 303
    answer = await other.save("policy", changed(early, grace_ms="no"))
    assert answer.status == 422
    kept = await other.fields("policy", await answer.text())
    assert (await other.save("policy", changed(kept, grace_ms="20"))).status == 409


async def test_two_admins_on_different_pages_both_save(site: Site) -> None:
    one, other = await desk(site), await desk(site)
    early = await other.fields("policy")
    assert (await one.change("calendar", name="Lakeside Clinic")).status == 303
    assert (await other.save("policy", changed(early, amber_ms="5"))).status == 303
    found = await stored(site)
    assert (found.name, found.policy.amber_ms) == ("Lakeside Clinic", 300_000)


async def test_of_many_who_save_at_once_one_succeeds_and_the_others_see_a_conflict(site: Site) -> None:
    admin = await desk(site)
    fields = await admin.fields("calendar")
    answers = await asyncio.gather(
        *(admin.save("calendar", changed(fields, name=f"Clinic {i}")) for i in range(6))
    )
    assert sorted(answer.status for answer in answers) == [303] + [409] * 5
    assert (await stored(site)).revision == 1


def test_every_rule_of_the_policy_has_a_field_in_the_set_up() -> None:
    elsewhere = {"show_place", "show_wait", "tags", "survey"}
    asked = {*policy_form.DURATIONS, *policy_form.CHOICES, *policy_form.WORDS, *elsewhere}
    assert asked == set(Policy.__struct_fields__)


async def test_retention_is_a_number_of_days(site: Site) -> None:
    admin = await desk(site)
    assert (await admin.change("policy", retention_days="0")).status == 422
    assert (await admin.change("policy", retention_days="3650")).status == 303
    assert (await stored(site)).retention_days == 3650


NASTY = [
    "",
    "\0",
    "\r\n\r\nX: y",
    "٣",
    "²",
    "-1",
    "1e9",
    "<script>alert(1)</script>",
    "💥" * 2000,
    "a" * 60_000,
]


@pytest.mark.parametrize("section", ["calendar", "policy", "guide", "people", "logo"])
async def test_any_form_data_is_answered_and_breaks_nothing(site: Site, section: str) -> None:
    admin = await desk(site)
    known = {"people", "logo"}
    names = ["name", "email", "role", "states", "seen", "logo", "do", "revision"]
    if section not in known:
        names = sorted({name for name, _ in await admin.fields(section)} | {"do", "revision", "key"})
    for nasty in NASTY:
        data = [(name, nasty) for name in names if name != "do"] + [("do", f"up:{nasty}"[:200])]
        answer = await admin.person.post(f"{admin.home}/{section}", data)
        text = await answer.text()
        assert answer.status in (200, 303, 400, 409, 413, 415, 422), (nasty[:20], answer.status)
        assert "<script>alert" not in text
    assert (await site.person().get("/demo")).status == 200


async def test_typed_values_survive_the_end_of_the_sign_in(site: Site) -> None:
    admin = await desk(site)
    fields = changed(await admin.fields("calendar"), welcome="First line\nSecond “line”")
    await admin.person.post("/demo/staff/sign-out")
    answer = await admin.save("calendar", fields)
    text = await answer.text()
    assert answer.status == 401
    assert "You are signed out" in text
    kept = await admin.fields("calendar", text)
    assert (await stored(site)).revision == 0
    await admin.person.sign_in(ADMIN)
    assert (await admin.person.post(f"{admin.home}/calendar", kept)).status == 303
    assert (await stored(site)).welcome == "First line\nSecond “line”"


async def test_a_form_of_an_area_or_a_language_is_sent_there_after_the_end_of_the_sign_in(site: Site) -> None:
    await site.change(areas=(Area(id="mind", name="Mind"),))
    admin = await desk(site)
    welcome = field("Welcome text").replace("__", "-")
    typed = {"guide?area=mind": {"since-title": "How long?"}, "translations?language=ar": {welcome: "أهلا"}}
    sent = {section: changed(await admin.fields(section), **words) for section, words in typed.items()}
    await admin.person.post("/demo/staff/sign-out")
    answers = {section: await admin.save(section, fields) for section, fields in sent.items()}
    await admin.person.sign_in(ADMIN)
    for section, answer in answers.items():
        kept = await admin.fields(section, await answer.text())
        assert (await admin.person.post(f"{admin.home}/{section}", kept)).status == 303
    found = await stored(site)
    assert found.guide.steps[0].title == "When did it begin?"
    assert found.guide_of("mind").steps[0].title == "How long?"
    assert found.translations["ar"][found.welcome] == "أهلا"


def test_f33_every_form_of_the_set_up_with_fields_is_asked_about_before_it_is_left_unsaved() -> None:
    folder = TEMPLATES / "setup"
    # These pages need no `data-keep`, by which a script asks before unsaved values are left. The guide's page has a
    # script of its own for this question. A signed-out person has no unsaved value to lose, and the fields of the
    # patients' page are only a search and a confirmation.
    own = {"guide.html", "signed_out.html", "patients.html"}
    forms = {
        f"{path.name}: {form[0]}"
        for path in sorted(folder.glob("*.html"))
        if path.name not in own
        for form in re.finditer(r"<form\b[^>]*novalidate[^>]*>", path.read_text("utf-8"))
    }
    assert len(forms) >= 8
    assert not {form for form in forms if "data-keep=" not in form}


def test_f32_every_button_of_the_set_up_and_the_settings_that_takes_something_away_asks_first() -> None:
    # Two pages are not checked. The guide's buttons that remove a step change nothing until Save is pressed. On the
    # patients' page, the patient's name must be typed before the records are erased.
    own = {"guide.html", "patients.html"}
    pages = [path for path in (TEMPLATES / "setup").glob("*.html") if path.name not in own]
    found = {
        f"{path.name}: {button[0]}"
        for path in [*pages, TEMPLATES / "preferences.html"]
        for button in re.finditer(r'<button class="btn danger"[^>]*>', path.read_text("utf-8"))
    }
    assert len(found) >= 6
    assert not {button for button in found if "data-ask=" not in button or "data-ask-text=" not in button}
