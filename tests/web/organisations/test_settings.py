"""Tests an organisation's settings: refused values, and that the set-up's forms have the same bounds as the types.

The fields that have bounds are found in the types, so that the test notices a field without a form.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, get_type_hints

import msgspec
import pytest
from multidict import MultiDict, MultiDictProxy

from signalling.visit.record import Policy
from signalling.visit.setup_guide import Option, Step
from tests.web.pages.setup.desk import Fields, desk
from tests.web.site import Site
from web.errors import OrganisationError
from web.organisations import demo
from web.organisations.settings import Booking, Day, Organisation, Survey, bounds, bounds_of, parsed
from web.pages.setup import after_form, calendar_form, guide, guide_form, mail, overview, policy_form
from web.pages.setup.frame import Section


def document(**changes: Any) -> dict[str, Any]:
    kept: dict[str, Any] = msgspec.to_builtins(demo.ORGANISATION)
    return {**kept, **changes}


def test_a_document_comes_back_as_it_was() -> None:
    assert parsed(msgspec.json.encode(demo.ORGANISATION)) == demo.ORGANISATION
    assert parsed(document()) == demo.ORGANISATION


STEP = {"id": "a", "kind": "text", "title": "A"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": "Demo"}, "id"),
        ({"id": "static"}, "id"),
        ({"id": "a/b"}, "id"),
        ({"name": ""}, "name"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"accent": "red; x"}, "accent"),
        ({"hours": []}, "hours"),
        ({"hours": [[["09:00", "09:00"]]] * 7}, "hours"),
        ({"hours": [[["22:00", "02:00"], ["23:00", "23:30"]]] * 7}, "hours"),
        ({"hours": [[["01:00", "01:30"], ["22:00", "02:00"]]] * 7}, "hours"),
        ({"hours": [[["01:00", "02:00"]], *[[]] * 5, [["22:00", "02:00"]]]}, "hours"),
        ({"hours": [[["9:00", "17:00"]]] * 7}, "hours"),
        ({"hours": [[["09:00", "12:00"], ["11:00", "13:00"]]] * 7}, "hours"),
        ({"frame_origins": ["https://*.clinic.example"]}, "frame_origins"),
        ({"frame_origins": ["https://clinic.example/"]}, "frame_origins"),
        ({"frame_origins": [""]}, "frame_origins"),
        ({"languages": []}, "languages"),
        ({"languages": ["tlh"]}, "languages"),
        ({"policy": {"grace_ms": -1}}, "policy"),
        ({"policy": {"grace": 1}}, "policy"),
        ({"policy": {"tags": ["A", "A"]}}, "tags"),
        ({"policy": {"survey": True}}, "survey"),
        ({"survey": {"question": "How?", "choices": ["one"]}}, "survey"),
        ({"guide": {"version": 1, "steps": []}}, "guide"),
        ({"guide": {"version": 1, "steps": [STEP, STEP]}}, "guide"),
        ({"guide": {"version": 1, "steps": [{**STEP, "kind": "choice", "options": ["one"]}]}}, "guide"),
        ({"guide": {"version": 1, "steps": [{**STEP, "kind": "consent"}]}}, "guide"),
        ({"guide": {"version": 1, "steps": [{**STEP, "kind": "riddle"}]}}, "guide"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_document_that_is_not_valid_names_the_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(OrganisationError, match=field):
        parsed(document(**changes))


# --- tests that the bounds of each field are the same in its form and in its type

CALENDAR, POLICY, GUIDE, MAIL = overview.CALENDAR, overview.POLICY, guide.SECTION, mail.SECTION
FORMS: dict[str, Section] = {
    **dict.fromkeys((*calendar_form.TEXTS, *calendar_form.NUMBERS, "closed", "frame_origins"), CALENDAR),
    **dict.fromkeys(
        (*policy_form.DURATIONS, *policy_form.WORDS, policy_form.RETENTION, policy_form.EMERGENCY), POLICY
    ),
    **dict.fromkeys(mail.ADDRESSES, MAIL),
    **dict.fromkeys(("tags", *after_form.TEXTS), overview.AFTER),
    **dict.fromkeys(("title", "help", "text", "options"), GUIDE),
}
"""Field -> the section of the set-up whose form has it."""
MADE: dict[str, Callable[[int], Any]] = {
    "closed": lambda size: [(date(2030, 1, 1) + timedelta(days=day)).isoformat() for day in range(size)],
    "frame_origins": lambda size: [f"https://site{number}.example" for number in range(size)],
    "options": lambda size: [f"option {number}" for number in range(size)],
    "tags": lambda size: [f"tag {number}" for number in range(size)],
    **dict.fromkeys(mail.ADDRESSES, lambda size: f"a@{('b' * 49 + '.') * 4}{'c' * (size - 206)}.org"),
}
"""Field -> a function that makes a value of the given size (number of entries or letters).

Fields without a function are numbers, or texts of that number of letters.
"""
LATER = "Red must come later than amber."
"""An error that the form may show in any case, because it has nothing to do with the bounds of one field."""
NAMES_NO_BOUND = {"closed", *mail.ADDRESSES}


def bounded() -> list[tuple[type[msgspec.Struct], str, bool]]:
    """Return (type, name, whether it is a number) of every field of the settings that has bounds in its type."""
    return [
        (kind, name, found.le is not None)
        for kind in (Organisation, Booking, Survey, Policy, Step)
        for name, hint in get_type_hints(kind, include_extras=True).items()
        for found in getattr(hint, "__metadata__", ())
        if found.le is not None or found.max_length is not None
    ]


def document_refuses(kind: type[msgspec.Struct], name: str, given: Any) -> bool:
    """Return whether the settings are refused by an error that names the field, if the field has this value.

    `kind`: the type that has the field; `name`: the field; `given`: the value.
    """
    whole = document()
    steps = [step for step in whole["guide"]["steps"] if name != "options" or step["kind"] == "choice"]
    places = {
        Organisation: whole,
        Booking: whole["booking"],
        Survey: whole["survey"],
        Policy: whole["policy"],
        Step: steps[0],
    }
    places[kind][name] = given
    try:
        parsed(whole)
    except OrganisationError as error:
        return name in str(error)
    return False


def form_says(drawn: Fields, name: str, given: Any) -> str | None:
    """Return the error that the form shows if a field has this value; None if the form accepts it.

    `drawn`: the fields of the form; `name`: the field; `given`: the value.
    """
    field = next((found for found, _ in drawn if found == name or found.endswith(f"-{name}")), None)
    assert field is not None, f"the page of {FORMS[name].name} has no field for {name}"
    if name in policy_form.DURATIONS:
        given = given / policy_form.DURATIONS[name].unit_ms
    if name in ("options", "tags", "frame_origins"):
        given = "\n".join(given)
    values = given if isinstance(given, list) else [str(given)]
    posted = MultiDict([one for one in drawn if one[0] != field] + [(field, text) for text in values])
    said = FORMS[name].parse(MultiDictProxy(posted), demo.ORGANISATION).errors.get(field)
    return None if said == LATER else said


@pytest.mark.parametrize(("kind", "name", "number"), bounded())
async def test_a_fields_bounds_are_those_of_its_type_in_form_sentence_page_and_document(
    site: Site, kind: type[msgspec.Struct], name: str, number: bool
) -> None:
    assert name in FORMS, "a setting is in no table of a form (docs/CONTRIBUTING.md, A setting)"
    (least, most), admin = bounds(kind, name), await desk(site)
    made = MADE.get(name, int if number else "x".__mul__)
    html = await (await admin.person.get(f"{admin.home}/{FORMS[name].name}")).text()
    drawn = await admin.fields(FORMS[name].name, html)
    allowed, refused = {most}, {most + 1}
    if number or least:
        allowed, refused = {least, most}, {least - 1, most + 1}
    for size in allowed | refused:
        said = form_says(drawn, name, made(size))
        assert (said is not None) is (size in refused), (size, said)
        assert document_refuses(kind, name, made(size)) is (size in refused), size
        if said is not None and name not in NAMES_NO_BOUND and (number or size > most):
            unit = policy_form.DURATIONS[name].unit_ms if name in policy_form.DURATIONS else 1
            assert str(most // unit) in re.findall(r"\d+", said)
            assert not number or str(least // unit) in re.findall(r"\d+", said)
    if isinstance(made(most), str):
        (tag,) = set(re.findall(rf'<[^>]* name="(?:[^"]*-)?{name}"[^>]*>', html)[:1])
        assert f'maxlength="{most}"' in tag


def test_an_option_and_the_opening_times_of_a_day_have_their_bounds_in_the_forms() -> None:
    assert bounds_of(Option).most == guide_form.LONGEST_OPTION
    assert bounds_of(Day).most == calendar_form.MOST_SPANS
