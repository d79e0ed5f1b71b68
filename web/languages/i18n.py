"""Chooses the language of a response, and provides texts, dates and numbers in each language.

A language is one file, `locale/<language>/LC_MESSAGES/messages.po`, read at run time; the English text is the
key. The current language is a context variable, so that `gettext` needs no argument for it. Numbers have the
digits 0 to 9 in every language. Date fields, phone numbers, codes and clinics' own texts on the same page
have these digits too, and people misread a page with two kinds of digits.
"""

import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

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
STATIC = Path("web/static")
"""The folder of the scripts, relative to the root of the repository, as the files of translations name it."""
SOURCE = "en"
"""The language of the texts in the source code; it needs no file of translations."""

COOKIE_AGE_S = 365 * 24 * 3600
CHOSEN = web.RequestKey("language chosen", str)
"""The code of the language that this request chooses by `?lang=`."""
SAID = web.RequestKey("language said", bool)
"""True if `?lang=`, the cookie or the Accept-Language header names one of the languages of the pages."""

RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
PLAIN_NUMBER = re.compile(r"[\d.,:\s]*")
PLURAL = re.compile(r"plural\s*=\s*([n0-9 ()!=<>%&|?:]+)")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Text(NamedTuple):
    """A text that scripts show: the English text, its translated forms, and the files below web/static that show it."""

    english: str
    forms: list[str]
    shown_by: frozenset[str]


class Language(NamedTuple):
    """A language of pages and mails.

    `locale`: the name of the form in which dates and numbers are written, such as "es_US". `direction`: "ltr" or "rtl",
    as in HTML's `dir`.
    """

    code: str
    name: str
    locale: str
    direction: str
    words: NullTranslations
    plural: str
    """The rule for plurals, in the syntax of C and JavaScript. For the number `n`, it gives the index of the
    form to use."""
    texts: tuple[Text, ...]
    """The translated texts that scripts show; () for English, because scripts contain the English texts."""


_current: ContextVar[str] = ContextVar("language", default=SOURCE)


def read(path: Path) -> Catalog:
    """Return the texts of a .po file. Raises babel's PoFileError if the file is not valid."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name, abort_invalid=True)


@cache
def languages() -> Mapping[str, Language]:
    """Return all languages by BCP 47 code, English first."""
    name = Locale.parse(SOURCE).get_display_name(SOURCE) or SOURCE
    source = Language(SOURCE, name, SOURCE, "ltr", NullTranslations(), "n != 1", ())
    found = {source.code: source}
    for path in sorted(FOLDER.glob(f"*/{FILE}")):
        code, catalogue = path.parent.parent.name, read(path)
        compiled = BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        header = dict(catalogue.mime_headers).get("Language", code)
        named = Locale.parse(code, sep="-")
        name = named.get_display_name(code) or code
        found[code] = Language(
            code,
            name[0].upper() + name[1:],
            header,
            named.text_direction,
            Translations(compiled),
            plural[1].strip() if (plural := PLURAL.search(catalogue.plural_forms)) else "n != 1",
            tuple(_texts(catalogue)),
        )
    return found


def _texts(catalogue: Catalog) -> Iterator[Text]:
    for message in catalogue:
        places = (Path(name) for name, _ in message.locations)
        shown = frozenset(place.relative_to(STATIC).as_posix() for place in places if STATIC in place.parents)
        if message.id and not message.fuzzy and shown and all(found := forms(message)):
            yield Text(message.id if isinstance(message.id, str) else message.id[0], found, shown)


def script(code: str, files: frozenset[str] | None = None) -> bytes:
    """Return an ES module for `shared/text.js`, with the language's rule for plurals and its texts.

    `code`: the language; `files`: the files below web/static whose texts are included, None for all texts.
    """
    language = languages()[code]
    wanted = [text for text in language.texts if files is None or text.shown_by & files]
    translations = {text.english: text.forms for text in wanted}
    words = json.dumps(translations, ensure_ascii=False, separators=(",", ":"))
    tag = json.dumps(language.locale.replace("_", "-"))
    return (
        f"globalThis.pageLanguage = [{tag}, (n) => Number({language.plural}), {words}];\n"
        "export default globalThis.pageLanguage;\n"
    ).encode()


def forms(message: Message) -> list[str]:
    """Return the texts of a translation: a single text, or a text for each plural form if the message has a plural.

    The texts are empty if the message is not translated.
    """
    strings = message.string or ""
    return [strings] if isinstance(strings, str) else list(strings)


def current() -> str:
    """Return the code of the language in which the running task writes its texts, such as "es"."""
    return _current.get()


def direction() -> str:
    """Return the direction of the current language: "ltr" or "rtl"."""
    return languages()[_current.get()].direction


def use(code: str) -> None:
    """Make `code` the current language of the running task; English if there is no such language."""
    _current.set(code if code in languages() else SOURCE)


@contextlib.contextmanager
def using(code: str) -> Iterator[None]:
    """Use the language `code` inside the context, for texts outside of requests, such as mails."""
    token = _current.set(code if code in languages() else SOURCE)
    try:
        yield
    finally:
        _current.reset(token)


def gettext(text: str) -> str:
    """Return the text in the current language; unchanged if it is not translated."""
    return languages()[_current.get()].words.ugettext(text)


def ngettext(one: str, many: str, n: int) -> str:
    """Return the right form of a text for the number `n`, in the current language.

    `one` and `many`: the English forms for one thing and for several.
    """
    return languages()[_current.get()].words.ungettext(one, many, n)


def isolated(value: object) -> object:
    """Return a value in a form that can be put into a sentence.

    A text that may be written in the other direction gets isolating characters before and after it. Like
    `<bdi>` in HTML, they keep the value from changing the order of the words and numbers around it. Other
    values are unchanged.
    """
    if not isinstance(value, str):
        return value
    turns = not PLAIN_NUMBER.fullmatch(value) if direction() == "rtl" else RIGHT_TO_LEFT.search(value)
    return "\u2068" + value + "\u2069" if turns else value


def filled(text: str, **values: object) -> str:
    """Return a text with its {names} replaced by values, each in the form that `isolated` returns."""
    return text.format(**{name: isolated(value) for name, value in values.items()})


def N_(text: str) -> str:
    """Return the text unchanged.

    The call marks the text for translation. It is used for constants that are passed to `gettext` later.
    """
    return text


def install(environment: jinja2.Environment) -> None:
    """Add `{{ _('…') }}` and `{% trans %}` to the templates' environment, and filters for dates, times and numbers."""
    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    for name in ("gettext", "ngettext"):
        environment.globals[name] = _isolating(environment.globals[name])
    environment.filters.update(
        date_words=date_words, time_words=time_words, number_words=number_words, duration_words=duration_words
    )


def _isolating(translate: Any) -> Callable[..., Any]:
    """Return the translating function for templates.

    It passes each value, such as `name` in `_("Hello %(name)s", name=…)`, through `isolated` first.
    """

    @jinja2.pass_context
    def filled_in(context: jinja2.runtime.Context, *texts: Any, **values: Any) -> Any:
        return translate(context, *texts, **{name: isolated(value) for name, value in values.items()})

    return filled_in


def locale() -> str:
    """Return Babel's name for the form of dates and numbers in the current language: "es_US"."""
    return languages()[_current.get()].locale


def date_words(value: date | datetime, form: str = "full") -> str:
    """Return a date in words.

    `form`: CLDR's short, medium, long, full ("Monday, November 23, 2026"), or a CLDR skeleton.
    """
    return _date_words(value.date() if isinstance(value, datetime) else value, form, locale())


# The result is cached, because a week's calendar has dozens of dates, and Babel needs 0.1 ms for each.
@lru_cache(4096)
def _date_words(day: date, form: str, written: str) -> str:
    if form in ("short", "medium", "long", "full"):
        return dates.format_date(day, form, locale=written)
    return dates.format_skeleton(form, day, locale=written)


def time_words(value: datetime | time) -> str:
    """Return the time of day of `value` in words of the current language, such as "10:30 AM", in its own time zone."""
    return _time_words(value.hour, value.minute, locale())


@lru_cache(4096)
def _time_words(hour: int, minute: int, written: str) -> str:
    return dates.format_time(time(hour, minute), "short", locale=written)


def number_words(value: float) -> str:
    """Return a number with the separators of the current language, such as "1,234.5"."""
    return numbers.format_decimal(value, locale=locale())


def duration_words(minutes: int) -> str:
    """Return a length of time in words, such as "95 minutes"; from two hours on in hours, such as "24 hours"."""
    return dates.format_timedelta(
        timedelta(minutes=minutes), "minute" if minutes < 120 else "hour", threshold=1000, locale=locale()
    )


def day_names() -> list[str]:
    """Return the names of the days from Monday, with a capital letter, as at the beginning of a line."""
    names = dates.get_day_names("wide", "stand-alone", locale=locale())
    return [names[day][0].upper() + names[day][1:] for day in range(7)]


def day_name(day: date) -> str:
    """Return the name of the day in the form used within a sentence: "Monday", "lunes"."""
    return dates.format_date(day, "EEEE", locale=locale())


def accepted(header: str, known: Iterable[str]) -> str | None:
    """Return the known language that an Accept-Language header prefers (RFC 9110 §12.5.4), or None."""
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


def language_middleware(
    cookie: str, read: Callable[[web.Request, str], str], *, secure: bool, path: str = "/"
) -> Middleware:
    """Return a middleware that sets a request's language from `?lang=`, else the cookie, else Accept-Language.

    `cookie`: its name; `read`: returns the value of a request's cookie; `secure` and `path`: attributes of
    the cookie. The cookie keeps the choice in `?lang=` for a year. If a request has none of the three,
    `organisation_language` sets the language later. This middleware must be the outermost, so that error
    pages have a language too.
    """

    @web.middleware
    async def find(request: web.Request, handler: Handler) -> web.StreamResponse:
        chosen = request.query.get("lang", "")
        if chosen in languages():
            request[CHOSEN] = chosen
        kept = request.get(CHOSEN) or read(request, cookie)
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
                cookie, chosen, max_age=COOKIE_AGE_S, path=path, secure=secure, httponly=True, samesite="Lax"
            )

    return find


def organisation_language(request: web.Request, offered: Iterable[str]) -> None:
    """Use the first language in `offered` that the pages have, unless the request itself names a language of the pages.

    `offered`: the languages of the organisation, in its order. If the pages have none of them, English is used.
    """
    if not request.get(SAID, True):
        use(next((code for code in offered if code in languages()), SOURCE))


def choices(request: web.Request) -> list[tuple[str, str, str, bool, str]]:
    """Return the languages to which a visitor can switch.

    Each item is (code, name, link to this page in the language, whether it is the current language, direction).
    """
    here = request.rel_url.without_query_params("lang") if "lang" in request.query else request.rel_url
    link = f"{here}{'&' if here.query_string else '?'}lang="
    return [
        (code, language.name, link + code, code == current(), language.direction)
        for code, language in languages().items()
    ]
