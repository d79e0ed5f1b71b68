"""Tests the clinic's own texts in other languages: the set-up's page, and what patients read."""

from msgspec.structs import replace

from signalling.visit.setup_guide import Guide
from tests.web.pages.setup.desk import desk
from tests.web.pages.setup.test_after_form import boot
from tests.web.site import Site
from web.keys import ORGANISATIONS
from web.languages.i18n import languages
from web.organisations import demo
from web.organisations.demo_texts import CONSENT
from web.organisations.settings import Area, Organisation
from web.pages.setup.translations_form import entries

WELCOME = demo.ORGANISATION.welcome


def field(label: str, organisation: Organisation = demo.ORGANISATION) -> str:
    """Return the name of the form's field for the text with this label, as `Desk.change` takes it.

    `Desk.change` takes names of fields as keywords, with `__` for `-`.
    """
    return next(entry.field for entry in entries(organisation) if entry.label == label).replace("-", "__")


async def test_a_translation_is_shown_on_pages_of_its_language_and_the_text_itself_on_others(
    site: Site,
) -> None:
    await site.change(translations={})
    admin, ana = await desk(site), site.person()
    spanish = "translations?language=es"
    saved = await admin.change(spanish, **{field("Welcome text"): "Vea hoy a un profesional."})
    assert (saved.status, saved.headers["Location"][-12:]) == (303, "&language=es")
    page = await (await site.person(**{"Accept-Language": "es"}).get("/demo")).text()
    assert 'lang="es"><bdi>Vea hoy a un profesional.' in page
    page = await (await site.person(**{"Accept-Language": "fr"}).get("/demo")).text()
    assert f'lang="en"><bdi>{WELCOME}' in page, "the text as it is, in the clinic's language"
    assert (await ana.ask_for_a_visit()).status == 303
    seen = boot(await (await ana.get("/demo/visit")).text())
    assert (seen["main"], seen["texts"]) == ("en", {"en": {}}), "no more than the language of the page"
    seen = boot(await (await ana.get("/demo/visit?lang=es")).text())
    assert (seen["main"], seen["texts"]["es"][WELCOME]) == ("en", "Vea hoy a un profesional.")


async def test_the_form_shows_one_language_and_saving_it_keeps_the_others(site: Site) -> None:
    await site.change(translations={})
    admin = await desk(site)
    for language, text in (("es", "Hola"), ("ar", "مرحبا"), ("fr", "")):
        change = {field("Welcome text"): text}
        assert (await admin.change(f"translations?language={language}", **change)).status == 303
    found = await site.app[ORGANISATIONS].get("demo")
    assert found is not None
    assert found.translations == {"es": {WELCOME: "Hola"}, "ar": {WELCOME: "مرحبا"}, "fr": {}}
    page = await (await admin.person.get(f"{admin.home}/translations?language=ar")).text()
    assert 'lang="ar" dir="rtl"' in page
    assert "Hola" not in page
    assert (await admin.person.get(f"{admin.home}/translations?language=en")).status == 404


async def test_a_translation_that_is_too_long_is_named_and_nothing_typed_is_lost(site: Site) -> None:
    admin = await desk(site)
    answer = await admin.change("translations?language=es", **{field("Welcome text"): "x" * 4001})
    text = await answer.text()
    assert answer.status == 422
    assert "at most 4000 characters" in text
    assert "x" * 4000 in text


async def test_each_text_of_the_clinic_is_asked_once(site: Site) -> None:
    await site.change(notice=WELCOME)
    found = await site.app[ORGANISATIONS].get("demo")
    assert found is not None
    labels = [entry.label for entry in entries(found)]
    assert labels.count("Welcome text") == 1
    assert "Notice" not in labels


async def test_the_questions_and_the_consent_of_all_guides_are_among_the_texts(site: Site) -> None:
    own = replace(demo.ORGANISATION.guide.steps[0], id="own", title="Which doctor?", help="")
    area = Area(id="mind", name="Mind", guide=Guide(version=7, steps=(own,)))
    texts = {entry.text for entry in entries(replace(demo.ORGANISATION, areas=(area,)))}
    assert {
        CONSENT,
        "How are you right now?",
        "I cannot get up",
        "A guess is fine.",
        "Which doctor?",
    } <= texts


async def test_two_admins_who_translate_guides_of_two_areas_do_not_overwrite_each_other(site: Site) -> None:
    own = replace(demo.ORGANISATION.guide.steps[0], title="Which doctor?", help="")
    areas = tuple(Area(id=id_, name="Mind", guide=Guide(version=7, steps=(own,))) for id_ in ("a", "b"))
    areas = (areas[0], replace(areas[1], guide=Guide(version=8, steps=(replace(own, title="Which?"),))))
    await site.change(translations={}, areas=areas)
    found = await site.app[ORGANISATIONS].get("demo")
    assert found is not None
    assert len({entry.label for entry in entries(found)}) == len(entries(found))
    one, other, spanish = await desk(site), await desk(site), "translations?language=es"
    for number, label in enumerate(("", "Mind (a) · ", "Mind (b) · ")):
        early = await other.fields(spanish)
        change = {field(f"{label}Step 1: question", found): f"Uno {number}"}
        assert (await one.change(spanish, **change)).status == 303
        answer = await other.save(spanish, early)
        assert answer.status == 409
        assert f"Uno {number}" in await answer.text()


def test_the_demo_clinic_has_all_its_texts_in_all_languages_of_the_pages() -> None:
    texts = {entry.text for entry in entries(demo.ORGANISATION)}
    assert demo.ORGANISATION.translations.keys() == languages().keys() - {"en"}
    for language, found in demo.ORGANISATION.translations.items():
        assert found.keys() == texts, language
        assert all(text.strip() for text in found.values())
