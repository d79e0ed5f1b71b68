"""Languages: which one a request is answered in, and the words, dates and numbers of each.

A language is one file, `locale/<language>/LC_MESSAGES/messages.po`, read as it is; the English text is the key. Knows
no page and no mail. The language of what is being made is a context variable, so that `gettext` needs no argument.
"""

import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from datetime import date, datetime, time
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import jinja2
from aiohttp import web
from aiohttp.typedefs import Middleware
from babel import Locale, dates, numbers
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

FOLDER = Path(__file__).parents[1] / "locale"
FILE = "LC_MESSAGES/messages.po"
SOURCE = "en"
"""The language that the texts in the sources are written in; it has no catalogue."""

COOKIE_AGE_S = 365 * 24 * 3600
CHOSEN = web.RequestKey("language chosen", str)
"""The language that this very request chooses, by `?lang=`."""
SAID = web.RequestKey("language said", bool)
"""Whether the visitor or their browser named a language that we have."""

PLURAL = re.compile(r"plural\s*=\s*([n0-9 ()!=<>%&|?:]+)")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Language(NamedTuple):
    """A language that pages and mails can be in. `locale` says how dates and numbers are written, as in "es_US"."""

    code: str
    name: str
    locale: str
    words: NullTranslations
    script: bytes
    """The ES module that teaches `shared/text.js` this language; empty for the source language."""


_current: ContextVar[str] = ContextVar("language", default=SOURCE)


def read(path: Path) -> Catalog:
    """The catalogue of a .po file. Raises babel's PoFileError where the file is not one."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name, abort_invalid=True)


@cache
def languages() -> Mapping[str, Language]:
    """All languages by BCP 47 code, English first."""
    source = Language(
        SOURCE, Locale.parse(SOURCE).get_display_name(SOURCE) or SOURCE, SOURCE, NullTranslations(), b""
    )
    found = {source.code: source}
    for path in sorted(FOLDER.glob(f"*/{FILE}")):
        code, catalogue = path.parent.parent.name, read(path)
        compiled = BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        header = dict(catalogue.mime_headers).get("Language", code)
        name = Locale.parse(code, sep="-").get_display_name(code) or code
        found[code] = Language(
            code, name[0].upper() + name[1:], header, Translations(compiled), _script(catalogue, header)
        )
    return found


def _script(catalogue: Catalog, locale: str) -> bytes:
    """The browser's part of a catalogue as an ES module: what static/ says, and how plurals are chosen."""
    said: dict[str, list[str]] = {}
    for message in catalogue:
        shown = any(name.startswith("web/static/") for name, _ in message.locations)
        if message.id and not message.fuzzy and shown and all(found := forms(message)):
            said[message.id if isinstance(message.id, str) else message.id[0]] = found
    plural = PLURAL.search(catalogue.plural_forms)
    choose = plural[1].strip() if plural else "n != 1"
    words = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    tag = json.dumps(locale.replace("_", "-"))
    return (
        'import { learn } from "../shared/text.js";\n'
        f"const language = [{tag}, (n) => Number({choose}), {words}];\n"
        "learn(...language);\nexport default language;\n"
    ).encode()


def forms(message: Message) -> list[str]:
    """The forms of a translation, one where it has no plural; empty texts where there is none yet."""
    said = message.string or ""
    return [said] if isinstance(said, str) else list(said)


def current() -> str:
    """The code of the language that is being written in."""
    return _current.get()


def use(code: str) -> None:
    """Whatever this task makes from now on is in this language, or English where there is no such."""
    _current.set(code if code in languages() else SOURCE)


@contextlib.contextmanager
def using(code: str) -> Iterator[None]:
    """What is made inside is in this language; for what is made outside of any request, such as a mail."""
    token = _current.set(code if code in languages() else SOURCE)
    try:
        yield
    finally:
        _current.reset(token)


def gettext(text: str) -> str:
    """The text in the current language; as it is where nobody translated it."""
    return languages()[_current.get()].words.ugettext(text)


def ngettext(one: str, many: str, n: int) -> str:
    """The form of the text for a number of things, in the current language."""
    return languages()[_current.get()].words.ungettext(one, many, n)


def N_(text: str) -> str:
    """The text as it is, marked to be collected: for constants, which `gettext` translates where they are used."""
    return text


def install(environment: jinja2.Environment) -> None:
    """Gives templates `{{ _('…') }}` and `{% trans %}`, and dates, times and numbers as filters."""
    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.filters.update(date_words=date_words, time_words=time_words, number_words=number_words)


def locale() -> str:
    """How the current language writes dates and numbers, as Babel names it: "es_US"."""
    return languages()[_current.get()].locale


def date_words(value: date | datetime, form: str = "full") -> str:
    """A day in words. `form` is CLDR's short, medium, long or full ("Monday, November 23, 2026"), or a skeleton."""
    return _date_words(value.date() if isinstance(value, datetime) else value, form, locale())


@lru_cache(4096)  # a calendar of a week is dozens of them, and each takes Babel a tenth of a millisecond
def _date_words(day: date, form: str, written: str) -> str:
    if form in ("short", "medium", "long", "full"):
        return dates.format_date(day, form, locale=written)
    return dates.format_skeleton(form, day, locale=written)


def time_words(value: datetime | time) -> str:
    """A time of day, in the value's own zone: "10:30 AM"."""
    return _time_words(value.hour, value.minute, locale())


@lru_cache(4096)
def _time_words(hour: int, minute: int, written: str) -> str:
    return dates.format_time(time(hour, minute), "short", locale=written)


def number_words(value: float) -> str:
    """A number with its separators."""
    return numbers.format_decimal(value, locale=locale())


def day_names() -> list[str]:
    """The names of the days from Monday, as they begin a line."""
    names = dates.get_day_names("wide", "stand-alone", locale=locale())
    return [names[day][0].upper() + names[day][1:] for day in range(7)]


def day_name(day: date) -> str:
    """The name of the day as it stands within a sentence: "Monday", "lunes"."""
    return dates.format_date(day, "EEEE", locale=locale())


def accepted(header: str, known: Iterable[str]) -> str | None:
    """The known language that an Accept-Language header prefers (RFC 9110 §12.5.4), or None."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(header[:500].split(",")):
        tag, _, rest = part.strip().partition(";")
        quality = re.fullmatch(r"\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", rest)
        weight = float(quality[1]) if quality else 0.0 if rest else 1.0
        if weight > 0:
            wanted.append((-weight, place, tag.lower()))
    by_tag = {code.lower(): code for code in known}
    for _, _, tag in sorted(wanted):
        while tag:
            if tag in by_tag:
                return by_tag[tag]
            tag = tag.rpartition("-")[0]
    return None


def language_middleware(cookie: str, *, secure: bool) -> Middleware:
    """A middleware that finds a request's language: its own `?lang=`, the cookie of an earlier one, Accept-Language.

    A choice is kept for a year. `organisation_language` is the last resort. It belongs outermost, so that error
    pages have a language too.
    """

    @web.middleware
    async def find(request: web.Request, handler: Handler) -> web.StreamResponse:
        chosen = request.query.get("lang", "")
        if chosen in languages():
            request[CHOSEN] = chosen
        kept = request.get(CHOSEN) or request.cookies.get(cookie, "")
        if kept not in languages():
            kept = accepted(request.headers.get("Accept-Language", ""), languages()) or ""
        request[SAID] = bool(kept)
        use(kept)
        try:
            response = await handler(request)
        except web.HTTPException as redirect:
            keep(request, redirect)
            raise
        keep(request, response)
        return response

    def keep(request: web.Request, response: web.StreamResponse) -> None:
        chosen = request.get(CHOSEN)
        if chosen and not response.prepared:
            response.set_cookie(
                cookie, chosen, max_age=COOKIE_AGE_S, path="/", secure=secure, httponly=True, samesite="Lax"
            )

    return find


def organisation_language(request: web.Request, offered: Iterable[str]) -> None:
    """Where the visitor named none that we have, the first of the organisation's languages that we do."""
    if not request.get(SAID, True):
        use(next((code for code in offered if code in languages()), SOURCE))


def choices(request: web.Request) -> list[tuple[str, str, str, bool]]:
    """For a switch: code, name, link to the same page in that language, and whether it is the one being read."""
    return [
        (code, language.name, str(request.rel_url.update_query(lang=code)), code == current())
        for code, language in languages().items()
    ]


async def script(request: web.Request) -> web.Response:
    """GET /static/{build}/locale/{language}.js: the browser's part of a catalogue. Raises HTTP 404."""
    language = languages().get(request.match_info["language"])
    if language is None:
        raise web.HTTPNotFound
    return web.Response(
        body=language.script or b"export {};\n",
        content_type="text/javascript",
        charset="utf-8",
        headers={"Cache-Control": "no-cache"},
    )
