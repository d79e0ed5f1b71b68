"""Serves the page on which an administrator translates the clinic's own texts into the other languages."""

from typing import Any

from aiohttp import web

from web.languages.i18n import languages
from web.organisations.settings import Organisation
from web.pages.setup.frame import admin, path_of, posted_to, save, show
from web.pages.setup.translations_form import TranslationsSection, entries

NAME = TranslationsSection.name


async def page(request: web.Request) -> web.Response:
    """Answer GET …/setup/translations with the form for the language in `?language=`, or else the first language."""
    organisation, _ = await admin(request)
    section = TranslationsSection(_language(request, organisation))
    return show(request, organisation, section, **_context(organisation, section))


async def save_page(request: web.Request) -> web.Response:
    """Answer POST …/setup/translations: save the translations in one language."""
    organisation, account = await admin(request)
    section = TranslationsSection(_language(request, organisation))
    more = _context(organisation, section)
    try:
        return await save(request, organisation, account, section, await posted_to(request), **more)
    except web.HTTPSeeOther:
        raise web.HTTPSeeOther(f"{path_of(organisation, NAME)}?saved&language={section.language}") from None


def _offered(organisation: Organisation) -> list[str]:
    """Return the languages into which the clinic's texts can be translated: those of the pages, except the clinic's
    main language.
    """
    return [code for code in languages() if code != organisation.main_language]


def _language(request: web.Request, organisation: Organisation) -> str:
    offered = _offered(organisation)
    asked = request.query.get("language", offered[0])
    if asked not in offered:
        raise web.HTTPNotFound
    return asked


def _context(organisation: Organisation, section: TranslationsSection) -> dict[str, Any]:
    path, known = path_of(organisation, NAME), languages()
    found = entries(organisation)
    return {
        "entries": found,
        "longest": {entry.field: entry.longest for entry in found},
        "language": section.language,
        "main": organisation.main_language,
        "direction": known[section.language].direction,
        "form_path": f"{path}?language={section.language}",
        "choices": [(f"{path}?language={code}", code, known[code].name) for code in _offered(organisation)],
    }
