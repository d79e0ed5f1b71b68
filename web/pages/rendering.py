"""Draws pages: templates, links of static files, and values for every template.

Knows Jinja2 and the folders of templates and static files. Knows no visit, no account, no handler. `build` is a hash of
all static files, so that a browser may cache each for a year and never mixes two versions.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import aiohttp_jinja2
import jinja2
import markupsafe
from aiohttp import web

from web.keys import BUILD, ORGANISATION
from web.languages import i18n
from web.organisations.settings import Organisation
from web.pages.modules import imported
from web.requests.own_forms import with_tokens

HERE = Path(__file__).parent.parent
STATIC, TEMPLATES = HERE / "static", HERE / "templates"


KEEP_FOR_GOOD = "public, max-age=31536000, immutable"
TYPES: Mapping[str, str] = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".wav": "audio/wav",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
"""Content types by extension; other files are not served. The machine's own table is not used, as machines differ."""


def setup(app: web.Application) -> None:
    """Prepare the app for `page`, and serve /static/."""
    app[BUILD] = build(STATIC, i18n.FOLDER)
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["tojson"] = _tojson
    i18n.install(environment)
    app.router.add_get("/static/{build:[0-9a-f]{12}}/locale/{language}.js", i18n.script)
    app.router.add_get("/static/{path:.+}", static_file)


def build(*folders: Path) -> str:
    """Return a hash of the names and contents of all files in the folders."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = str(path.relative_to(folder)).encode()
                digest.update(name + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def page(
    request: web.Request, template: str, context: Mapping[str, Any], *, title: str, status: int = 200
) -> web.Response:
    """Return the page made from the template and the context; `title` is the title of the browser's tab."""
    shared = {
        "org": request.get(ORGANISATION),
        "request_path": request.path,
        "static": _linker(request.app[BUILD]),
        "module": partial(_module, request.app[BUILD]),
        "title": title,
        "lang": i18n.current(),
        "language_links": i18n.choices(request),
    }
    drawn = aiohttp_jinja2.render_template(template, request, {**shared, **context}, status=status)
    return with_tokens(request, drawn)


def live(request: web.Request, organisation: Organisation) -> dict[str, Any]:
    """Return the data that every live page needs at its start: the organisation, and the languages to switch to."""
    static = _linker(request.app[BUILD])
    return {
        "organisation": {"id": organisation.id, "name": organisation.name, "logo": logo_path(organisation)},
        "languages": [
            {
                "code": code,
                "name": name,
                "words": None if code == i18n.SOURCE else static(f"locale/{code}.js"),
            }
            for code, name, _, _ in i18n.choices(request)
        ],
    }


def logo_path(organisation: Organisation) -> str | None:
    """Return the path of the organisation's logo, or None if it has none."""
    return f"/{organisation.id}/logo/{organisation.logo}" if organisation.logo else None


def error_page(
    request: web.Request, status: int, heading: str, text: str, links: list[tuple[str, str]] | None = None
) -> web.Response:
    """Return a page that says what happened and links to other pages."""
    organisation: Organisation | None = request.get(ORGANISATION)
    if links is None:
        links = [(i18n.gettext("Start page"), "/")]
        if organisation:
            links = [(i18n.gettext("Go to {name}").format(name=organisation.name), f"/{organisation.id}")]
    context = {"status": status, "heading": heading, "text": text, "links": links}
    return page(request, "error.html", context, title=heading, status=status)


async def static_file(request: web.Request) -> web.StreamResponse:
    """Answer GET /static/{build}/…, cached for a year if the build is current; /static/… is requested each time.

    The path of an older build returns the current file, so that a page that is open during an update finds its parts.
    """
    parts = request.match_info["path"].split("/")
    today = request.app[BUILD]
    versioned = len(parts) > 1 and len(parts[0]) == len(today) and set(parts[0]) <= set("0123456789abcdef")
    name = "/".join(parts[1:] if versioned else parts)
    path = (STATIC / name.replace("\0", "")).resolve()
    kind = TYPES.get(path.suffix)
    if not path.is_relative_to(STATIC.resolve()) or kind is None or not path.is_file():
        raise web.HTTPNotFound
    current = versioned and parts[0] == today
    headers = {"Cache-Control": KEEP_FOR_GOOD if current else "no-cache", "Content-Type": kind}
    if kind.startswith("text/"):
        headers["Content-Type"] += "; charset=utf-8"
    return web.FileResponse(path, headers=headers)


@lru_cache(256)  # cached, because every page of a build has the same dozens of links
def _module(version: str, path: str) -> markupsafe.Markup:
    """Return the tags for the head that load a script and all its imports."""
    static = _linker(version)
    preload = markupsafe.Markup('<link rel="modulepreload" href="{}">')
    script = markupsafe.Markup('<script type="module" src="{}"></script>').format(static(path))
    return markupsafe.Markup("").join(
        [*(preload.format(static(name)) for name in imported(STATIC, path)), script]
    )


def _linker(version: str) -> Any:
    def static(path: str) -> str:
        """Return the link of a static file."""
        return f"/static/{version}/{path}"

    return static


def _tojson(value: object) -> markupsafe.Markup:
    """Return the value as JSON, escaped so that it cannot end the script element around it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&'\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return markupsafe.Markup(text)  # noqa: S704 - escaped above
