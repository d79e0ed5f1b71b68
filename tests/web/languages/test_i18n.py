"""Tests languages: every text is in every catalogue, and visitors read pages in the language they have chosen."""

import io
import re
from datetime import datetime
from gettext import c2py
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import pytest
from babel.messages.catalog import Catalog, Message

from signalling.protocol.errors import TEXTS
from tests.web.conftest import OpenSite
from tests.web.site import Person, Site
from tests.words import speaking
from web.languages import i18n, messages
from web.pages import static_files
from web.pages.static_files import link

FILES = sorted(i18n.FOLDER.glob(f"*/{i18n.FILE}"))
PLACEHOLDER = re.compile(r"%\(\w+\)s|%%|\{\w+\}|</?[a-z]+>")
NUMBERS = ("%(num)s", "%(n)s", "{n}")


@pytest.fixture(scope="module")
def source_texts() -> Catalog:
    """The catalogue of all texts in the sources."""
    return messages.template()


def placeholders(text: str) -> list[str]:
    return sorted(PLACEHOLDER.findall(text))


def allowed(message: Message, numbers: list[int]) -> list[list[str]]:
    """Return the lists of placeholders that a plural form of the translated message may have.

    `numbers`: the numbers for which the language uses this form. If there is only one such number, as in the Arabic
    form for two, the text may contain the number as a word instead of a placeholder.
    """
    if isinstance(message.id, str):
        return [placeholders(message.id)]
    one, many = map(placeholders, message.id)
    in_a_word = [held for held in many if held not in NUMBERS]
    return [many, *([one] if 1 in numbers else []), *([in_a_word] if len(numbers) == 1 else [])]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.parent.name)
def test_every_text_is_in_every_catalogue_with_the_same_placeholders(
    path: Any, source_texts: Catalog
) -> None:
    catalogue = i18n.read(path)
    choose = c2py(catalogue.plural_expr)
    numbers = {form: [n for n in range(200) if choose(n) == form] for form in range(catalogue.num_plurals)}
    missing, wrong = [], []
    for message in source_texts:
        if not message.id:
            continue
        held = catalogue.get(message.id)
        if held is None or held.fuzzy or not all(i18n.forms(held)):
            missing.append(message.id)
            continue
        wrong += [
            (message.id, text)
            for form, text in enumerate(i18n.forms(held))
            if placeholders(text) not in allowed(message, numbers[form])
        ]
    assert not missing, f"`make messages`, then translate: {missing}"
    assert not wrong


def test_texts_of_a_script_are_collected_inside_nested_templates_too() -> None:
    source = b'html`<p title=${t("One")}>${b ? html`${tn("{n} row", "{n} rows", 3)}` : other.t("no")}</p>`; fit("no")'
    found = [said for _, _, said, _ in messages.scripts(io.BytesIO(source), None, None, None)]
    assert found == ["One", ("{n} row", "{n} rows")]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("en-GB,en;q=0.9,es;q=0.8", "en"),
        ("fr-FR, es;q=0.2, en;q=0.4", "en"),
        ("es;q=0, en;q=0.1", "en"),
        ("fr, de", None),
        ("", None),
        ("*;q=x,,;;,es;q=1.5", None),
    ],
)
def test_a_browsers_languages_are_weighted_as_in_http(header: str, language: str | None) -> None:
    assert i18n.accepted(header, ("en", "es")) == language


async def lang(person: Person, path: str = "/demo", **headers: str) -> str:
    """Return the `lang` attribute of the page at this path."""
    response = await person.client.get(path, headers=headers, allow_redirects=False)
    found = re.search(r'<html lang="([^"]+)" dir="ltr">', await response.text())
    assert found
    return found[1]


async def test_a_visitor_reads_the_language_of_the_browser_until_they_choose_another(site: Site) -> None:
    person = site.person(**{"Accept-Language": "es-MX,es"})
    assert await lang(person) == "es"
    assert await lang(person, "/demo?lang=en") == "en"
    assert await lang(person, "/demo/information") == "en"
    assert await lang(person, "/demo?lang=xx") == "en"
    assert await lang(person, "/nowhere") == "en"  # Error pages are in the language of the visitor too.


async def test_a_browser_without_a_supported_language_gets_the_organisations(open_site: OpenSite) -> None:
    site = await open_site()
    assert await lang(site.person(**{"Accept-Language": "de"})) == "en"


async def test_errors_of_a_form_are_in_spanish_too(site: Site) -> None:
    person = site.person(**{"Accept-Language": "es"})
    response = await person.ask_for_a_visit(name="", phone="12")
    page = await response.text()
    assert response.status == 422
    assert "Escriba el nombre completo del paciente." in page
    assert "2 cosas necesitan su atención." in page


async def test_every_page_offers_the_other_languages_in_their_own_names(site: Site) -> None:
    page = await (await site.person().get("/demo/staff/sign-in")).text()
    for code, direction, name in (
        ("es", "ltr", "Español"),
        ("fr", "ltr", "Français"),
        ("ar", "rtl", "العربية"),
    ):
        link = f'href="/demo/staff/sign-in?lang={code}" lang="{code}" dir="{direction}" hreflang="{code}"'
        assert f'{link} translate="no">{name}</a>' in page


@pytest.mark.usefixtures("joined")
async def test_a_language_is_taught_to_the_scripts_by_a_module(site: Site) -> None:
    person = site.person(**{"Accept-Language": "es"})
    await person.ask_for_a_visit()
    page = await (await person.get("/demo/visit")).text()
    tag = '<script type="module" src="({})"></script>'
    texts = tag.format(r"/static/[0-9a-f]{12}/locale/es/patient/app\.js")
    found = re.search(texts + tag.format('[^"]+'), page)
    assert found
    assert found[2] == link("patient/app.js")
    # For each language that can be chosen, the page has the address of the script with its texts.
    assert f'"code":"es","name":"Español","words":"{found[1]}"' in page
    response = await person.get(found[1])
    assert response.content_type == "text/javascript"
    script = await response.text()
    assert 'globalThis.pageLanguage = ["es-US", (n) => Number((n != 1)), {' in script
    assert '"Waiting room":["Sala de espera"]' in script
    # Only the server uses this text, so the script does not contain it.
    assert "Escriba el nombre completo" not in script
    assert (await person.get(found[1].replace("/es/", "/xx/"))).status == 404


def test_days_times_and_numbers_are_written_in_the_readers_format() -> None:
    at = datetime(2026, 11, 23, 16, 30, tzinfo=ZoneInfo("America/Chicago"))
    with i18n.using("en"):
        assert i18n.date_words(at) == "Monday, November 23, 2026"
        assert i18n.time_words(at) == "4:30\u202fPM"
        assert i18n.number_words(1234.5) == "1,234.5"
    with i18n.using("es"):
        assert i18n.date_words(at) == "lunes, 23 de noviembre de 2026"
        assert i18n.day_names()[0] == "Lunes"
        assert i18n.ngettext("%(num)s clinician on call", "%(num)s clinicians on call", 1).startswith(
            "%(num)s profesional "
        )
    assert i18n.current() == "en"


def test_arabic_is_written_from_right_to_left_with_digits_from_0_to_9() -> None:
    at = datetime(2026, 11, 23, 16, 30, tzinfo=ZoneInfo("America/Chicago"))
    with i18n.using("ar"):
        assert i18n.direction() == "rtl"
        assert i18n.date_words(at) == "الاثنين، 23 نوفمبر 2026"
        assert i18n.time_words(at) == "4:30 م"
        assert i18n.number_words(1234.5) == "1,234.5"
        assert i18n.duration_words(24 * 60) == "24 ساعة"
        forms = [i18n.ngettext("%(num)s day", "%(num)s days", n) for n in (0, 1, 2, 3, 11, 100)]
    assert forms == ["%(num)s يوم", "يوم واحد", "يومان", "%(num)s أيام", "%(num)s يومًا", "%(num)s يوم"]
    script = i18n.script("ar").decode()
    assert "n%100>=11 ? 4 : 5" in script


def test_no_line_of_a_french_text_begins_with_its_punctuation() -> None:
    catalogue = i18n.read(i18n.FOLDER / "fr" / i18n.FILE)
    texts = [text for message in catalogue for text in i18n.forms(message)]
    assert [text for text in texts if re.search(" [:;!?»]|« ", text)] == [], (
        "the space must be a no-break space"
    )


def test_french_is_written_as_in_france() -> None:
    at = datetime(2026, 11, 23, 16, 30, tzinfo=ZoneInfo("Europe/Paris"))
    with i18n.using("fr"):
        assert i18n.date_words(at) == "lundi 23 novembre 2026"
        assert i18n.time_words(at) == "16:30"
        assert i18n.number_words(1234.5) == "1\u202f234,5"


@pytest.mark.parametrize(
    ("language", "name", "greeting"),
    [
        ("en", "Ana Ruiz", "Hello Ana Ruiz,"),
        ("en", "محمد (12)", "Hello \u2068محمد (12)\u2069,"),
        ("ar", "Ana Ruiz (MD)", "مرحبًا \u2068Ana Ruiz (MD)\u2069،"),
        ("ar", "12", "مرحبًا 12،"),
    ],
)
def test_f29_a_name_in_a_sentence_does_not_turn_the_words_around_it(
    language: str, name: str, greeting: str
) -> None:
    environment = jinja2.Environment(autoescape=True)
    i18n.install(environment)
    with i18n.using(language):
        assert environment.from_string('{{ _("Hello %(name)s,", name=name) }}').render(name=name) == greeting
        said = environment.from_string("{% trans name=name %}Hello {{ name }},{% endtrans %}").render(
            name=name
        )
        assert said == greeting
        marked = environment.from_string('{{ _("Hello %(name)s,", name=name) }}').render(name=f"<b>{name}")
        assert "&lt;b&gt;" in marked


@pytest.mark.parametrize("language", list(i18n.languages()))
def test_a_buttons_name_contains_its_words_in_every_language(language: str) -> None:
    """WCAG 2.5.3 requires that a button's name contains the words that the button shows: a person who controls the page
    by voice says these words.
    """
    say = speaking(language)
    for written, named in (
        ("Case Information", "Case Information of {name}"),
        ("Change", "Change: {step}"),
        ("Claim", "Claim {name}"),
        ("More", "More for {name}"),
        ("Remove", "Remove photo {n}"),
    ):
        assert say(written) in say(named, name="Ana", step="Allergies", n=1)


def forget_languages() -> None:
    """Forget the languages that were read, and the scripts with their texts."""
    i18n.languages.cache_clear()
    static_files._file.cache_clear()


async def test_a_third_language_is_one_catalogue_file(
    open_site: OpenSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source_texts: Catalog
) -> None:
    path = tmp_path / "fr" / i18n.FILE
    assert len(messages.update(path, source_texts)) == len(source_texts)
    text = path.read_text("utf-8")
    path.write_text(
        text.replace('msgid "Staff: sign in"\nmsgstr ""', 'msgid "Staff: sign in"\nmsgstr "Personnel"'),
        "utf-8",
    )
    monkeypatch.setattr(i18n, "FOLDER", tmp_path)
    forget_languages()
    try:
        assert list(i18n.languages()) == ["en", "fr"]
        site = await open_site()
        page = await (await site.person(**{"Accept-Language": "fr-CA"}).get("/demo/staff/sign-in")).text()
        assert '<html lang="fr" dir="ltr">' in page
        assert "<h1>Personnel</h1>" in page
        # a text without a translation is shown in English
        assert ">Password</label>" in page
        assert ">Français</a>" in page
    finally:
        monkeypatch.undo()
        forget_languages()


def test_scripts_know_a_sentence_for_every_refusal_that_a_person_may_meet() -> None:
    script = (Path(messages.ROOT) / "web/static/shared/refusals.js").read_text("utf-8")
    among_machines = {
        "bad_message",
        "hello_first",
        "no_room",
        "resume_expired",
        "resume_ended",
        "resume_invalid",
        "too_often",
    }
    assert {code for code in TEXTS if f"  {code}: (" not in script} == among_machines


def test_a_text_that_a_script_writes_on_several_lines_is_collected_as_one() -> None:
    script = b't(\n  "One long sentence " +\n    "in \\"two\\" lines.",\n  { n })\ntn("{n} day", "{n} " + "days", n)'
    found = [said for _, _, said, _ in messages.scripts(io.BytesIO(script), None, None, None)]
    assert found == ['One long sentence in "two" lines.', ("{n} day", "{n} days")]
