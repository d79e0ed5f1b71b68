"""Tests the setup guide's builder over HTTP: steps are added, moved, removed and checked.

A visit keeps the version of the guide with which it was opened.
"""

import msgspec
import pytest

from signalling.protocol import views
from signalling.visit.setup_guide import Condition, Guide, Kind, Step
from signalling.visit.urgency import Urgency
from tests.signalling.visits import queued
from tests.web.pages.setup.desk import Desk, Fields, changed, desk
from tests.web.pages.setup.test_frame import stored
from tests.web.site import Site
from web.keys import SERVICE
from web.pages.setup.guide import SECTION

PATH = "/demo/staff/setup/guide"


async def press(admin: Desk, fields: Fields, do: str) -> Fields:
    """Press the button `do` of the builder; return the fields of the form in the server's answer."""
    answer = await admin.person.post(PATH, [*fields, ("do", do)])
    assert answer.status == 200
    return await admin.fields("guide", await answer.text())


def order(fields: Fields) -> list[str]:
    return [value for name, value in fields if name == "key"]


async def test_a_guide_that_is_saved_as_it_is_makes_no_new_version(site: Site) -> None:
    before = await stored(site)
    admin = await desk(site)
    assert (await admin.change("guide")).status == 303
    assert (await stored(site)).guide == before.guide


async def test_steps_are_moved_and_removed_without_a_script_and_nothing_is_saved_until_save(
    site: Site,
) -> None:
    admin = await desk(site)
    fields = await admin.fields("guide")
    first, second, third, *rest = order(fields)
    fields = await press(admin, fields, f"down:{first}")
    assert order(fields) == [second, first, third, *rest]
    fields = await press(admin, fields, f"up:{third}")
    assert order(fields) == [second, third, first, *rest]
    fields = await press(admin, fields, f"remove:{second}")
    assert order(fields) == [third, first, *rest]
    assert (await stored(site)).revision == 0
    assert (await admin.save("guide", fields)).status == 303
    guide = (await stored(site)).guide
    assert ([step.id for step in guide.steps], guide.version) == ([third, first, *rest], 2)


async def test_a_step_is_added_named_and_asked_only_of_some(site: Site) -> None:
    admin = await desk(site)
    fields = await press(admin, await admin.fields("guide"), "add:choice")
    fields = changed(fields, **{"new-1-title": "Which month?", "new-1-options": "First\n second \n\nFirst"})
    fields = changed(fields, **{"new-1-only_if": "pregnant:yes"})
    fields = [(name, value) for name, value in fields if name != "new-1-required"]
    assert (await admin.save("guide", fields)).status == 303
    step = (await stored(site)).guide.steps[-1]
    assert (step.id, step.kind, step.required) == ("which-month", Kind.CHOICE, False)
    assert step.options == ("First", "second")
    assert step.only_if == Condition(step="pregnant", answer=True)
    again = await admin.fields("guide")
    assert ("which-month-only_if", "pregnant:yes") in again
    assert (await admin.save("guide", again)).status == 303
    assert (await stored(site)).guide.version == 2


@pytest.mark.parametrize(
    ("add", "fields", "said"),
    [
        ("text", {}, "Write what this step asks."),
        ("choice", {"new-1-title": "?", "new-1-options": "One"}, "two different options"),
        ("consent", {"new-1-title": "?"}, "full text that is agreed to"),
        ("date", {"new-1-title": "?", "new-1-only_if": "how-bad:=Splendid"}, "no step before it has"),
        ("date", {"new-1-title": "?", "new-1-only_if": "allergies:yes"}, "no step before it has"),
    ],
)
async def test_a_step_that_cannot_be_saved_says_why_and_is_kept(
    site: Site, add: str, fields: dict[str, str], said: str
) -> None:
    admin = await desk(site)
    form = await press(admin, await admin.fields("guide"), f"add:{add}")
    form = changed(form, **fields, **{"since-help": "As well as you know."})
    answer = await admin.save("guide", form)
    text = await answer.text()
    assert answer.status == 422
    assert said in text
    kept = await admin.fields("guide", text)
    assert ("since-help", "As well as you know.") in kept
    assert all((name, value) in kept for name, value in fields.items())
    assert (await stored(site)).revision == 0


async def test_a_condition_does_not_survive_the_answer_that_it_names(site: Site) -> None:
    admin = await desk(site)
    form = await press(admin, await admin.fields("guide"), "add:text")
    form = changed(form, **{"new-1-title": "Since when?", "new-1-only_if": "pregnant:no"})
    answer = await admin.save("guide", await press(admin, form, "remove:pregnant"))
    assert answer.status == 422
    assert "Choose again" in await answer.text()


async def test_a_running_visit_keeps_the_guide_that_it_began_with(site: Site) -> None:
    admin, ana = await desk(site), site.person()
    await ana.ask_for_a_visit()
    assert (await admin.change("guide", **{"since-title": "How long have you had it?"})).status == 303
    ben = site.person()
    await ben.ask_for_a_visit(name="Ben Ode")
    service = site.app[SERVICE]
    visits = {v.patient.name: v for v in (await service.mirrors.get("demo")).visits.values()}
    titles = {
        name: (await service.guide("demo", visit.guide_version)).steps[0].title
        for name, visit in visits.items()
    }
    assert titles["Ana Ruiz"] == "When did it begin?"
    assert titles["Ben Ode"] == "How long have you had it?"


async def test_versions_are_listed_and_an_old_one_can_be_taken_up_again(site: Site) -> None:
    admin = await desk(site)
    assert (await admin.change("guide", **{"since-title": "How long have you had it?"})).status == 303
    text = await (await admin.person.get(PATH)).text()
    assert "Robin Hale" in text
    assert "As it was delivered" in text
    assert f"{PATH}?version=1" in text
    old = await (await admin.person.get(f"{PATH}?version=1")).text()
    assert "This is version 1, not saved again yet" in old
    assert (await admin.save("guide", await admin.fields("guide", old))).status == 303
    guide = (await stored(site)).guide
    assert (guide.version, guide.steps[0].title) == (3, "When did it begin?")
    assert (await admin.person.get(f"{PATH}?version=99")).status == 404


async def test_two_admins_who_build_the_guide_do_not_overwrite_each_other(site: Site) -> None:
    one, other = await desk(site), await desk(site)
    early = await other.fields("guide")
    assert (await one.change("guide", **{"since-title": "How long have you had it?"})).status == 303
    early = await press(other, early, "down:since")
    answer = await other.save("guide", early)
    text = await answer.text()
    assert answer.status == 409
    assert "How long have you had it?" in text
    kept = await other.fields("guide", text)
    assert order(kept)[1] == "since"
    assert ("since-title", "When did it begin?") in kept


async def test_an_admin_sees_that_another_has_made_a_step_depend_on_another_step(site: Site) -> None:
    asked = [Step(id=id_, kind=Kind.YES_NO, title=f"Is it {id_}?") for id_ in ("a", "b")]
    on_a = Step(id="c", kind=Kind.TEXT, title="Since when?", only_if=Condition(step="a", answer=True))
    await site.change(guide=Guide(version=1, steps=(*asked, on_a)))
    one, other = await desk(site), await desk(site)
    early = await other.fields("guide")
    assert (await one.change("guide", **{"c-only_if": "b:yes"})).status == 303
    answer = await other.save("guide", early)
    text = await answer.text()
    assert answer.status == 409
    assert "Is it a?: Yes" in text
    assert "Is it b?: Yes" in text


async def test_f38_an_answer_of_a_choice_may_carry_a_level_of_urgency_that_patients_do_not_see(
    site: Site,
) -> None:
    admin = await desk(site)
    fields = changed(
        await press(admin, await admin.fields("guide"), "add:choice"),
        **{"new-1-title": "What is it?", "new-1-options": "A rash\nChest pain"},
    )
    text = await (await admin.person.post(PATH, [*fields, ("do", "levels:new-1")])).text()
    assert "What is it?" in text
    assert 'name="new-1-level-1" autofocus' not in text
    assert 'name="new-1-level-0" autofocus' in text
    fields = changed(
        await admin.fields("guide", text),
        **{"new-1-level-1": "emergency:Chest pain", "new-1-level-0": "hopeless:A rash"},
    )
    assert (await admin.save("guide", fields)).status == 303
    guide = (await stored(site)).guide
    assert guide.levels == {"what-is-it": {"Chest pain": Urgency.EMERGENCY}}
    assert "Chest pain (Emergency)" in list(SECTION.shown(await stored(site)).values())[-1]
    assert "levels" not in msgspec.to_builtins(views.case(queued(), guide))["steps"][-1]
    again = await admin.fields("guide")
    assert ("what-is-it-level-1", "emergency:Chest pain") in again
    assert (await admin.save("guide", again)).status == 303
    assert (await stored(site)).guide.version == 2, "nothing was changed"
    gone = changed(again, **{"what-is-it-options": "A rash\nA cough"})
    assert (await admin.save("guide", gone)).status == 303
    assert (await stored(site)).guide.levels == {}, "with the option its level is gone"
