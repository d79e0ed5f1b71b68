"""Fills templates, and provides values for every template."""

import gzip
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import brotli
import jinja2
import markupsafe
from aiohttp import web

from web.keys import ORGANISATION, SESSIONS, SETTINGS
from web.languages import i18n
from web.languages.kept import kept
from web.organisations.settings import Organisation
from web.pages.static_files import best_coding, link, static_file, texts_link
from web.requests import frames
from web.requests.own_forms import with_tokens
from web.requests.path_prefix import in_boot, in_html

HERE = Path(__file__).parent.parent
TEMPLATES = HERE / "templates"
CODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "br": lambda body: brotli.compress(body, quality=5),
    "gzip": lambda body: gzip.compress(body, 6, mtime=0),
}
"""Name of a coding -> the function that compresses a page, best first; each takes less than a millisecond."""

PAGES_KEPT = 256
"""The greatest number of pages, shared by many visitors, that a worker keeps; each has about ten KB."""


@cache
def environment() -> jinja2.Environment:
    """Return the jinja2 environment that fills templates. It compiles each template once in a process."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    made = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    made.filters["tojson"] = _tojson
    made.globals.update(static=link, module=_module)
    i18n.install(made)
    return made


def setup(app: web.Application) -> None:
    """Add the route of the files below /static/ to the app."""
    app.router.add_get("/static/{path:.+}", static_file)


def page(
    request: web.Request,
    template: str,
    context: Mapping[str, Any],
    *,
    title: str,
    status: int = 200,
    unmixed: bool = False,
    alike: bool = False,
) -> web.Response:
    """Return the page made from the template and the values in `context`; `title`: the title of the browser's tab.

    `unmixed`: True if no text in the context was written by another visitor; then the page may be compressed.
    `alike`: True if many visitors get the page with equal values; then it is drawn once and kept. The values must then
    be of types that msgspec encodes, and none may be about one visitor.
    """
    prefix, org = request.app[SETTINGS].path_prefix, request.get(ORGANISATION)
    if prefix and org and "boot" in context:
        context = {**context, "boot": in_boot(context["boot"], org.id, prefix)}
    shared = {
        "org": org,
        "request_path": request.path,
        "framed": frames.is_framed(request),
        "title": title,
        "lang": i18n.current(),
        "dir": i18n.direction(),
        "language_links": i18n.choices(request),
        "mails": request.app[SETTINGS].mails,
    }
    draw = _drawn_once if alike else _drawn
    drawn = web.Response(
        text=draw(template, {**shared, **context}), status=status, content_type="text/html", charset="utf-8"
    )
    drawn = with_tokens(request, drawn)
    if prefix:
        drawn.text = in_html(drawn.text or "", prefix)
    coding = best_coding(request.headers.get("Accept-Encoding", ""), CODINGS)
    if coding and _may_be_compressed(request, unmixed):
        drawn.headers["Content-Encoding"] = coding
        drawn.body = CODINGS[coding]((drawn.text or "").encode())
    return drawn


def _drawn(template: str, values: Mapping[str, Any]) -> str:
    return environment().get_template(template).render(values)


_drawn_once = kept(PAGES_KEPT)(_drawn)


def _may_be_compressed(request: web.Request, unmixed: bool) -> bool:
    """Return whether a page may be compressed: if it contains no secret, or no text that another person could choose.

    If it contained a secret and such a text, the length of the compressed page would show how similar they are, and so
    reveal the secret bit by bit (an attack that is called BREACH). A page can contain a secret only if the browser sent
    a cookie of this server that is not in `harmless` (the cookies of the language and of frames). `unmixed`: True if
    the handler knows that no text is of another person. A page repeats the query of its address, which another person
    can choose in a link.
    """
    ours = request.app[SESSIONS].cookie_name
    harmless = {f"{ours}-lang", f"{ours}-lang{frames.TWIN}", f"{ours}-kept{frames.TWIN}"}
    known = any(name.startswith(ours) and name not in harmless for name in request.cookies)
    return not known or (unmixed and request.method == "GET" and not request.query_string)


def live(request: web.Request, organisation: Organisation, script: str) -> dict[str, Any]:
    """Return the data that the main scripts of patients, guests and staff all need, such as the languages.

    `script`: the page's script, whose texts are included in each language.
    """
    return {
        "organisation": {"id": organisation.id, "name": organisation.name, "logo": logo_path(organisation)},
        "mails": request.app[SETTINGS].mails,
        "languages": [
            {
                "code": code,
                "name": name,
                "words": texts_link(code, script),
                "dir": direction,
            }
            for code, name, _, _, direction in i18n.choices(request)
        ],
    }


def logo_path(organisation: Organisation) -> str | None:
    """Return the path of the organisation's logo, or None if it has none."""
    return f"/{organisation.id}/logo/{organisation.logo}" if organisation.logo else None


def error_page(
    request: web.Request,
    status: int,
    heading: str,
    text: str,
    links: list[tuple[str, str]] | None = None,
    *,
    new_tab: bool = False,
    alike: bool = False,
) -> web.Response:
    """Return a page with a heading and a text about what happened.

    `links`: pairs of path and words, for other pages; None for the usual links. `new_tab`: True if the links open a new
    tab. `alike`: True if many visitors get the same page; then it is drawn once and kept.
    """
    organisation: Organisation | None = request.get(ORGANISATION)
    if links is None:
        links = [(i18n.gettext("Start page"), "/")]
        if organisation:
            links = [
                (i18n.filled(i18n.gettext("Go to {name}"), name=organisation.name), f"/{organisation.id}")
            ]
    context = {"status": status, "heading": heading, "text": text, "links": links, "new_tab": new_tab}
    return page(request, "error.html", context, title=heading, status=status, alike=alike)


def _module(path: str, *, first: bool = False) -> markupsafe.Markup:
    """Return the tags that load first a script's texts in the page's language, then the script with its imports.

    `first`: True if the browser should run the script as soon as it has arrived, before the whole page is there.
    """
    tag = markupsafe.Markup('<script type="module" src="{}"{}></script>')
    script = tag.format(link(path), markupsafe.Markup(" async") if first else "")
    texts = texts_link(i18n.current(), path)
    return tag.format(texts, "") + script if texts else script


def _tojson(value: object) -> markupsafe.Markup:
    """Return the value as JSON, escaped so that it cannot end the script element around it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&'\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return markupsafe.Markup(text)  # noqa: S704 - the loop above has escaped the text
