"""Tests that pages work from left to right and from right to left.

Style sheets must not name left or right. Every name and free text must be isolated from the sentence around
it: with `<bdi>` or `dir="auto"`, it is written in its own direction, and does not change the order of the
words and numbers around it. `web/languages/i18n.py` and `shared/text.js` isolate the values in sentences.
"""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.web.test_scripts import sources

WEB = Path(__file__).parents[2] / "web"

# --- tests of style sheets, which must name no side

SIDE = re.compile(
    r"(?<![\w-])(?:left|right|(?:margin|padding|border|scroll-(?:margin|padding))-(?:left|right)"
    r"|border-(?:top|bottom)-(?:left|right)-radius)[\w-]*\s*:"
    r"|:\s*(?:left|right)\s*[;}]"
    r"|background-position[^;}]*\b(?:left|right)\b"
)
FOUR = re.compile(r"(?<![\w-])(?:margin|padding|inset|border-radius|border-width)\s*:\s*([^;}]+)[;}]")
PHYSICAL = {
    "select.input {": "the arrow of a list, and its mirror",
    '[dir="rtl"] select.input {': "the arrow of a list, and its mirror",
}
"""First line of a style rule that may name left or right -> the reason."""


def parts(value: str) -> list[str]:
    """Return the parts of a property's value. Text in brackets belongs to one part."""
    return re.findall(r"(?:[^\s()]|\((?:[^()]|\([^()]*\))*\))+", value)


def has_a_side(rule: str) -> bool:
    turned = any(len(sides := parts(value)) == 4 and sides[1] != sides[3] for value in FOUR.findall(rule))
    return turned or bool(SIDE.search(rule))


def test_style_sheets_name_the_start_and_the_end_and_not_left_and_right() -> None:
    found = []
    for path in sources():
        if path.suffix == ".css" and path.is_relative_to(WEB / "static"):
            text = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
            for rule in re.findall(r"[^{}]+\{[^{}]*\}", text):
                selector = rule.strip().partition("\n")[0]
                if has_a_side(rule) and selector not in PHYSICAL:
                    found.append(f"{path.name}: {selector}")
    assert found == []


@pytest.mark.parametrize(
    ("rule", "has"),
    [
        ("a { left: 3px; }", True),
        ("a { text-align: right; }", True),
        ("a { float: left }", True),
        ("a { margin-left: 0; }", True),
        ("a { padding: 4px 0 4px 14px; }", True),
        ("a { border-top-left-radius: 3px; }", True),
        ("a { background-position: right 3px center; }", True),
        ("a { padding: 4px 14px 0 14px; }", False),
        ("a { padding: 4px clamp(1px, 2vw, 3px) 5px; }", False),
        ("a { inset-inline-start: 3px; text-align: start; float: inline-start; }", False),
        ("a { background: linear-gradient(to right, red, blue); }", False),
    ],
)
def test_a_side_is_found_in_a_rule(rule: str, has: bool) -> None:
    assert has_a_side(rule) is has


# --- tests of templates, which must isolate names and free texts

EXPRESSION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
OURS = re.compile(
    # Expressions that begin like this show texts of this project. They are allowed: the texts are in the
    # page's language, or gettext isolates the values in them.
    r"_\(|ngettext\(|module\(|parts\.|part\.|fields\(|field\(|input\(|choice\(|password\(|secret\(|wrong\(|hint\(|super|self"
)
PLAIN: dict[str, str] = {
    "base.html": "org.name[:1]|upper",
    "calendar.html": 'booked.when, day.day, span, meet_now.wait or _("Ready when you are")',
    "calendar/choose.html": 'heading or _("Book a time"), lead, error',
    "calendar/new.html": "when, org.id, words, errors.starts",
    "calendar/staff.html": "error, label, range, day.words, row.clock, row.language",
    "calendar/staff_frame.html": "label",
    "calendar/visit.html": "error, when",
    "calendar/week.html": "week.range, day.weekday, day.number, week.chosen, time.words",
    "emergency.html": "wrong, label, at",
    "error.html": "status, heading, text, label",
    "facility/kiosk.html": "form_path",
    "facility/poster.html": "lead",
    "facility/rows.html": "row.became, row.wait",
    "information.html": 'errors[name], name, label, help, empty or _("Choose…"), text, later',
    "mail/parts.html": "text|lines, label, value",
    "password.html": "error",
    "preferences.html": "label, help, wrong[1], tried[1], name, pushed",
    "reports/page.html": "day, label, value, figure.heading, figure.text, tick.text, words, column, "
    'label.text|truncate(14, true, "…", 0)',
    "setup/api.html": 'scope, text, hook.events|join(", "), row.tries|length, at, entry.event, entry.attempt, '
    'entry.status or "–", event',
    "setup/audit.html": "who, row.number, row.at, row.kind, row.what",
    "setup/calendar.html": "label, day_names[day]",
    "setup/deliveries.html": "words, one.about, one.at",
    "setup/frame.html": "label, heading, change.label, text",
    "setup/guide.html": "loop.index, kind_words[row.kind], label, row.version, row.steps",
    "setup/links.html": "link.label, link.help",
    "setup/overview.html": '"✓" if step.done else loop.index, step.label, step.help',
    "setup/parts.html": 'errors[name], name, help, label, unit, day_names[day], label or _("Save"), row.at, '
    "row.about",
    "setup/patients.html": "at, errors[field]",
    "setup/rota.html": 'at, notes[key], channels|join(", ")',
    "setup/texts.html": "result",
    "setup/people.html": 'errors[name], id, name, label, form.states|join(", "), row.role, '
    'person.states|join(", "), row.errors[""]',
    "sign_in.html": "error",
    "sign_in_code.html": "label, help, wrong[1]",
    "two_factor.html": "label, help, wrong.sentence, qr",
}
"""Template -> the expressions that it may show without isolation, such as the app's own words, numbers or times.

`name` is the name of a form's field.
"""


class Drawn(HTMLParser):
    """Collects the expressions in a template's text that are not inside `<bdi>` or `dir="auto"`."""

    VOID = frozenset({"br", "img", "input", "link", "meta", "line", "rect"})
    PLAIN_TEXT = frozenset({"title", "script", "style", "textarea", "code", "pre"})

    def __init__(self, expressions: list[str]) -> None:
        super().__init__()
        self.open: list[tuple[str, bool]] = []
        self.expressions, self.found = expressions, list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        apart = (
            tag == "bdi"
            or tag in self.PLAIN_TEXT
            or "dir" in held
            or "sr" in (held.get("class") or "").split()
        )
        if tag not in self.VOID:
            self.open.append((tag, apart))

    def handle_endtag(self, tag: str) -> None:
        for at in range(len(self.open) - 1, -1, -1):
            if self.open[at][0] == tag:
                del self.open[at:]
                return

    def handle_data(self, data: str) -> None:
        if any(apart for tag, apart in self.open if tag != "html"):
            return
        self.found += [self.expressions[int(at)] for at in re.findall(r"\ue000(\d+)\ue001", data)]


def drawn(source: str) -> list[str]:
    """Return the expressions that a template shows without isolation (outside of `<bdi>` and `dir="auto"`).

    The text of a macro is checked where the macro is defined, not where it is used.
    """
    source = re.sub(r"\{#.*?#\}|\{%-?\s*trans.*?endtrans\s*-?%\}", "", source, flags=re.DOTALL)
    expressions: list[str] = []

    def placed(found: re.Match[str]) -> str:
        expressions.append(found[1])
        return f"\ue000{len(expressions) - 1}\ue001"

    shown = re.sub(r"\{%.*?%\}", "", EXPRESSION.sub(placed, source), flags=re.DOTALL)
    parser = Drawn(expressions)
    parser.feed(shown)
    macros = re.findall(r"\{%-?\s*macro (\w+\()", source)
    return [text for text in parser.found if not OURS.match(text) and not text.startswith(tuple(macros))]


TEMPLATES = sorted(path for kind in ("html", "jinja") for path in (WEB / "templates").rglob(f"*.{kind}"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(WEB / "templates")))
def test_f29_names_and_free_text_of_a_template_stand_apart(path: Path) -> None:
    name = str(path.relative_to(WEB / "templates"))
    reviewed = PLAIN.get(name, "")
    new = [text for text in drawn(path.read_text("utf-8")) if text not in reviewed]
    assert not new, (
        f"put names and free text of {name} into <bdi> or dir=auto; add words of ours to PLAIN: {new}"
    )


def test_a_name_in_a_template_is_found_unless_it_stands_apart() -> None:
    source = """<p title="{{ a.name }}">{{ a.name }} {{ _("Hello %(n)s", n=b.name) }}</p><p dir="auto">{{ c }}</p>
        <bdi>{{ d }}</bdi>{% if e %}<b>{{ f }}</b>{% endif %}<span class="sr">{{ g }}</span>
        {% macro row(of) %}<b>{{ of.name }}</b>{% endmacro %}{{ row(h) }}"""
    assert drawn(source) == ["a.name", "f", "of.name"]


# --- tests of scripts, which must isolate names and free texts

NAMED = re.compile(
    r"\$\{(?P<what>[\w.?]*\.(?:name|reason|text|note|facility|filled_in_by|title|help|label|signature)"
    r"(?: \?\? [^}]*)?)\}"
)
APART = re.compile(r"""(?:<bdi[^<>]*>|<\w+[^<>]*\bdir=["$][^<>]*>|=["$]?|class="sr">)\s*$""")
SCRIPTS = {
    "language.name": "each language in its own name, with its own dir",
    "kind.name": "a programmer's message",
    "this.boot.organisation.name": "the tab's title",
    "words.text": "words of ours",
    "aside.label": "words of ours",
    "own.label": "words of ours",
}


def test_f29_names_and_free_text_of_a_script_stand_apart() -> None:
    found = []
    for path in sources():
        if path.suffix == ".js" and path.is_relative_to(WEB / "static"):
            text = path.read_text("utf-8")
            for name in NAMED.finditer(text):
                before = text[max(0, name.start() - 200) : name.start()]
                if name["what"] not in SCRIPTS and not APART.search(before):
                    found.append(f"{path.relative_to(WEB / 'static')}: {name['what']}")
    assert found == []


def test_values_of_sentences_are_filled_in_by_what_isolates_them() -> None:
    plain = re.compile(r"gettext\([^()]*\)\.format\([^()]*name")
    wrong = [str(path) for path in WEB.rglob("*.py") if plain.search(path.read_text("utf-8"))]
    assert wrong == []
