"""Defines the form for a setup guide: its steps in order. A step has a key, which is a part of its fields' names.

This module also has the rules of each field, and adds, moves and removes steps in an unsaved form. A condition is
written in one field as the earlier step's key, a colon, and "yes", "no", or "=" and an option. The urgency of an answer
is written as a level, a colon, and the option.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from signalling.visit.setup_guide import BRANCHING, Condition, Guide, Kind, Option, Step
from signalling.visit.urgency import Urgency
from web.languages.i18n import N_, gettext
from web.organisations.settings import SLUG, Organisation, bounds, bounds_of
from web.pages.setup.frame import Form, Parsed, Posted, plain

KINDS: Mapping[Kind, str] = {
    Kind.TEXT: N_("Text"),
    Kind.CHOICE: N_("Choice"),
    Kind.YES_NO: N_("Yes or no"),
    Kind.DATE: N_("Date"),
    Kind.CONSENT: N_("Consent, signed by name"),
    Kind.DEVICE_CHECK: N_("Device check"),
}
MOST_STEPS = bounds(Guide, "steps").most
MOST_OPTIONS = bounds(Step, "options").most
LONGEST_OPTION = bounds_of(Option).most
LONGEST: Mapping[str, int] = {name: bounds(Step, name).most for name in ("title", "help", "text")}
LEVELS: Mapping[Urgency, str] = {Urgency.EMERGENCY: N_("Emergency"), Urgency.URGENT: N_("Urgent")}
"""The levels of urgency that an answer may have, with their words; all other answers are routine."""
ANSWERS: Mapping[str, bool] = {"yes": True, "no": False}

Row = dict[str, Any]
"""A step in the form: key, kind, title, help, required, options (one per line), levels by option, text, only_if."""


class Moved(NamedTuple):
    """The form after a button was pressed, and the id of the field or button that gets the focus."""

    form: Form
    focus: str


class GuideSection:
    """Handles the form of the set-up's section "Setup guide"."""

    name = "guide"
    template = "setup/guide.html"

    def form(self, organisation: Organisation) -> Form:
        """Return the form, filled with the organisation's settings."""
        return form_of(organisation.guide)

    def parse(self, posted: Posted, organisation: Organisation) -> Parsed:
        """Check the posted form; return its values and a sentence for each wrong field."""
        form = typed(posted)
        errors: dict[str, str] = {}
        rows: list[Row] = form["steps"]
        if not rows:
            errors["add"] = gettext("A setup guide has one step at least.")
        elif len(rows) > MOST_STEPS:
            errors["add"] = gettext("A setup guide has at most %(most)s steps.") % {"most": MOST_STEPS}
        ids = _ids(rows)
        steps = []
        for index, row in enumerate(rows):
            errors |= _wrong(row, rows[:index])
            condition = _condition(row, rows[:index], ids)
            steps.append(_step(row, ids[row["key"]], condition))

        levels = {ids[row["key"]]: found for row in rows if (found := _levels(row))}

        def apply(document: Organisation) -> Organisation:
            version = document.guide.version
            if Guide(version=version, steps=tuple(steps), levels=levels) == document.guide:
                return document
            guide = Guide(version=document.next_guide, steps=tuple(steps), levels=levels)
            return replace(document, guide=guide)

        return Parsed(form, errors, apply)

    def shown(self, organisation: Organisation) -> dict[str, str]:
        """Return the guide in words, one line per step."""
        rows = form_of(organisation.guide)["steps"]
        return {
            gettext("Step %(number)s") % {"number": number}: _words(rows, number - 1)
            for number in range(1, len(rows) + 1)
        }


class AreaGuide(GuideSection):
    """Handles the form for the setup guide of a waiting area; until it is saved, the clinic's own guide is shown."""

    def __init__(self, area: str) -> None:
        self.area = area

    def form(self, organisation: Organisation) -> Form:
        """Return the form, filled with the area's setup guide."""
        return super().form(organisation.within(self.area))

    def parse(self, posted: Posted, organisation: Organisation) -> Parsed:
        """Check the posted form; return its values and a sentence for each wrong field."""
        parsed = super().parse(posted, organisation.within(self.area))

        def apply(document: Organisation) -> Organisation:
            inside = document.within(self.area)
            guide = parsed.apply(inside).guide
            if guide == inside.guide:
                return document
            guide = replace(guide, version=document.next_guide)
            areas = (replace(one, guide=guide) if one.id == self.area else one for one in document.areas)
            return replace(document, areas=tuple(areas), newest_guide=guide.version)

        return Parsed(parsed.form, parsed.errors, apply)

    def shown(self, organisation: Organisation) -> dict[str, str]:
        """Return the area's guide in words, one line per step."""
        return super().shown(organisation.within(self.area))


def form_of(guide: Guide) -> Form:
    """Return the form of a setup guide, filled with the steps of this guide."""
    return {"steps": [_row(step, guide.levels.get(step.id, {})) for step in guide.steps]}


def typed(posted: Posted) -> Form:
    """Return the form of a setup guide with the values that were typed, unchecked."""
    keys = list(dict.fromkeys(key for key in posted.getall("key", []) if SLUG.fullmatch(key)))
    return {"steps": [_typed_row(posted, key) for key in keys[: MOST_STEPS + 1]]}


def moved(form: Form, do: str) -> Moved | None:
    """Return the form after the action of a button; None for an unknown action.

    `do` is `add:` with a kind of step, or `up:`, `down:`, `remove:` or `levels:` with a step's key. `levels:`
    adds a field for the urgency of each option that was just typed.
    """
    rows: list[Row] = list(form["steps"])
    verb, _, what = do.partition(":")
    if verb == "add" and what in KINDS:
        number = next(n for n in range(1, 1000) if f"new-{n}" not in {row["key"] for row in rows})
        rows.append(_row(Step(id=f"new-{number}", kind=Kind(what), title=""), {}))
        return Moved({"steps": rows}, f"new-{number}-title")
    at = next((index for index, row in enumerate(rows) if row["key"] == what), None)
    if at is None or verb not in ("up", "down", "remove", "levels"):
        return None
    if verb == "levels":
        return Moved({"steps": rows}, f"{what}-level-0")
    row = rows.pop(at)
    if verb == "remove":
        near = rows[min(at, len(rows) - 1)]["key"] + "-title" if rows else "add-text"
        return Moved({"steps": rows}, near)
    to = max(0, at - 1) if verb == "up" else min(len(rows), at + 1)
    rows.insert(to, row)
    still = {"up": to > 0, "down": to < len(rows) - 1}
    button = verb if still[verb] else {"up": "down", "down": "up"}[verb]
    return Moved({"steps": rows}, f"{what}-{button}")


def conditions(rows: Sequence[Row], index: int) -> list[tuple[str, str]]:
    """Return the conditions under which a step can be asked: (value of the form's field, words on the page).

    `rows`: all steps; `index`: the position of the step. A chosen condition that is no longer possible comes last.
    """
    found = []
    for row in rows[:index]:
        title = row["title"] or gettext("(no title yet)")
        if row["kind"] == Kind.YES_NO:
            found += [
                (f"{row['key']}:yes", f"{title}: {gettext('Yes')}"),
                (f"{row['key']}:no", f"{title}: {gettext('No')}"),
            ]
        elif row["kind"] == Kind.CHOICE:
            found += [(f"{row['key']}:={option}", f"{title}: {option}") for option in _options(row)]
    chosen = rows[index]["only_if"]
    if chosen and chosen not in dict(found):
        found.append((chosen, gettext("(an answer that is not there any more)")))
    return found


def _row(step: Step, levels: Mapping[str, Urgency]) -> Row:
    on = step.only_if
    only_if = ""
    if on is not None:
        answer = f"={on.answer}" if isinstance(on.answer, str) else "yes" if on.answer else "no"
        only_if = f"{on.step}:{answer}"
    return {
        "key": step.id,
        "kind": step.kind,
        "title": step.title,
        "help": step.help,
        "required": step.required,
        "options": "\n".join(step.options),
        "levels": {option: str(level) for option, level in levels.items()},
        "text": step.text,
        "only_if": only_if,
    }


def _typed_row(posted: Posted, key: str) -> Row:
    def text(name: str, longest: int, *, lines: bool = False) -> str:
        return plain(posted.get(f"{key}-{name}", ""), longest, lines=lines)

    kind = posted.get(f"{key}-kind", "")
    return {
        "key": key,
        "kind": Kind(kind) if kind in KINDS else Kind.TEXT,
        "title": text("title", LONGEST["title"]),
        "help": text("help", LONGEST["help"]),
        "required": f"{key}-required" in posted,
        "options": text("options", (MOST_OPTIONS + 1) * (LONGEST_OPTION + 1), lines=True),
        "levels": _typed_levels(posted, key),
        "text": text("text", LONGEST["text"], lines=True),
        "only_if": text("only_if", 300),
    }


def _typed_levels(posted: Posted, key: str) -> dict[str, str]:
    fields = [posted.get(f"{key}-level-{number}", "") for number in range(MOST_OPTIONS)]
    chosen = [field.partition(":") for field in fields]
    return {option: level for level, _, option in chosen if level in LEVELS}


def _levels(row: Row) -> dict[str, Urgency]:
    """Return the urgency of each option of a choice step: option -> level. Options that were removed are left out."""
    if row["kind"] != Kind.CHOICE:
        return {}
    levels = row["levels"]
    return {option: Urgency(levels[option]) for option in _options(row) if option in levels}


def level_choices(row: Row) -> list[tuple[str, str]]:
    """Return the options of a choice step with their levels of urgency: (option, level).

    The level is "" for an option without a level.
    """
    if row["kind"] != Kind.CHOICE:
        return []
    return [(option, row["levels"].get(option, "")) for option in _options(row)[:MOST_OPTIONS]]


def _options(row: Row) -> list[str]:
    lines = (" ".join(line.split()) for line in row["options"].split("\n"))
    return list(dict.fromkeys(line for line in lines if line))


def _wrong(row: Row, before: Sequence[Row]) -> dict[str, str]:
    key, errors = row["key"], {}
    if not row["title"]:
        errors[f"{key}-title"] = gettext("Write what this step asks.")
    for name, most in LONGEST.items():
        if len(row[name]) > most:
            sentence = gettext("This is too long; at most %(most)s characters, please.")
            errors[f"{key}-{name}"] = sentence % {"most": most}
    if row["kind"] == Kind.CHOICE:
        options = _options(row)
        if len(options) < 2:
            errors[f"{key}-options"] = gettext("Write two different options at least, each on a line.")
        elif len(options) > MOST_OPTIONS or any(len(option) > LONGEST_OPTION for option in options):
            sentence = gettext("At most %(most)s options, of at most %(long)s characters each.")
            errors[f"{key}-options"] = sentence % {"most": MOST_OPTIONS, "long": LONGEST_OPTION}
    if row["kind"] == Kind.CONSENT and not row["text"]:
        errors[f"{key}-text"] = gettext("Write the full text that is agreed to.")
    if row["only_if"] and row["only_if"] not in dict(
        conditions([*before, row | {"only_if": ""}], len(before))
    ):
        errors[f"{key}-only_if"] = gettext(
            "Choose again: this step depends on an answer that no step before it has."
        )
    return errors


def _ids(rows: Sequence[Row]) -> dict[str, str]:
    """Return the ids of the steps: key -> id.

    An existing step keeps its id; that of a new step is made from its title.
    """
    taken = {row["key"] for row in rows if not row["key"].startswith("new-")}
    found = {}
    for row in rows:
        key = row["key"]
        if key not in taken:
            base = _slug(row["title"]) or str(row["kind"]).replace("_", "-")
            name, number = base, 1
            while name in taken:
                number += 1
                name = f"{base}-{number}"
            taken.add(name)
            key = name
        found[row["key"]] = key
    return found


def _slug(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title.casefold()).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:30].strip("-")
    return "" if words.startswith("new-") or words == "add" else words


def _condition(row: Row, before: Sequence[Row], ids: Mapping[str, str]) -> Condition | None:
    key, _, answer = row["only_if"].partition(":")
    on = next((other for other in before if other["key"] == key and other["kind"] in BRANCHING), None)
    if on is None:
        return None
    if answer in ANSWERS and on["kind"] == Kind.YES_NO:
        return Condition(step=ids[key], answer=ANSWERS[answer])
    return Condition(step=ids[key], answer=answer.removeprefix("="))


def _step(row: Row, step_id: str, condition: Condition | None) -> Step:
    return Step(
        id=step_id,
        kind=row["kind"],
        title=row["title"],
        help=row["help"],
        required=row["required"],
        options=tuple(_options(row)) if row["kind"] == Kind.CHOICE else (),
        text=row["text"] if row["kind"] == Kind.CONSENT else "",
        only_if=condition,
    )


def _words(rows: Sequence[Row], index: int) -> str:
    row = rows[index]
    parts = [
        row["title"],
        gettext(KINDS[row["kind"]]),
        gettext("required") if row["required"] else gettext("optional"),
        row["help"],
        ", ".join(map(_with_level, level_choices(row))),
        row["text"],
        dict(conditions(rows, index)).get(row["only_if"], ""),
    ]
    return " · ".join(part for part in parts if part)


def _with_level(chosen: tuple[str, str]) -> str:
    option, level = chosen
    return f"{option} ({gettext(LEVELS[Urgency(level)])})" if level else option
