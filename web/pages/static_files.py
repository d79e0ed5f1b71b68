"""Serves the files of `web/static`: each script and style sheet joined with its imports, compressed once.

A link contains a hash of its file: a browser keeps the file for a year, and after an update gets only changed files.
A path without a hash leads to the source file, not joined. If a source file was changed after the files in
`web/joined` were made, all links lead to source files.
"""

import asyncio
import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path

import brotli
from aiohttp import web

from web.languages import i18n

WEB = Path(__file__).parent.parent
STATIC, JOINED = WEB / "static", WEB / "joined"
SOURCES = "sources.json"
"""The file in `JOINED` that names each source with the beginning of its SHA-256."""
MODULES = "modules.json"
"""The file in `JOINED` that names the sources of each joined script."""
SHOWS_TEXTS = "shared/text.js"
"""The module through which a script shows texts; a script that imports it needs the texts of a language."""
KEEP_FOR_A_YEAR = "public, max-age=31536000, immutable"
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
"""Extension -> content type; files with other extensions are not served. The machine's own table of types is not
used, because it differs between machines.
"""
TEXTS = frozenset({".css", ".html", ".js", ".json", ".svg", ".txt", ".webmanifest"})
CODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "br": lambda body: brotli.compress(body, quality=10),
    "gzip": lambda body: gzip.compress(body, mtime=0),
}
"""Name of a coding -> the function that compresses a file; the best coding is first.

Brotli's highest quality would take 2.5 times as long, and the files would be only 2 % smaller.
"""
HASHED = re.compile(r"([0-9a-f]{12})/(.+)", re.DOTALL)
LOCALE = re.compile(r"locale/([A-Za-z-]+)(?:/(.+))?\.js")
"""Matches the path of a file with the scripts' texts in one language: `locale/es.js` has all texts,
`locale/es/patient/app.js` has those of one joined script.
"""


class File:
    """A file to which a link leads, with its compressed forms. Each form is made at the first request for it."""

    def __init__(self, name: str, body: bytes) -> None:
        suffix = Path(name).suffix
        self.hash = hashlib.sha256(body).hexdigest()[:12]
        self.kind = TYPES[suffix] + ("; charset=utf-8" if TYPES[suffix].startswith("text/") else "")
        self.codings = CODINGS if suffix in TEXTS else {}
        self._bodies = {"": body}

    async def body(self, coding: str) -> bytes:
        """Return the content, compressed by the coding with this name, such as "gzip"; uncompressed for the name ""."""
        if coding not in self._bodies:
            self._bodies[coding] = await asyncio.to_thread(CODINGS[coding], self._bodies[""])
        return self._bodies[coding]


@lru_cache(2)
def is_joined(suffix: str) -> bool:
    """Return whether all files of this suffix (".js" or ".css") in `web/joined` were made from the present sources.

    The sources are read only once.
    """
    sources = json.loads((JOINED / SOURCES).read_text("utf-8")).items()
    return all(digest(STATIC / name).startswith(kept) for name, kept in sources if name.endswith(suffix))


@cache
def modules() -> Mapping[str, frozenset[str]]:
    """Return the sources of each script in `web/joined`: name of the script -> names of the sources.

    The list is read from its file only once.
    """
    found = json.loads((JOINED / MODULES).read_text("utf-8"))
    return {name: frozenset(sources) for name, sources in found.items()}


def texts_link(code: str, script: str) -> str | None:
    """Return the link to a script's texts in a language; None for the source language or a script without texts.

    While the files in `web/joined` are older than their sources, the link leads to the texts of all scripts.
    """
    if code == i18n.SOURCE:
        return None
    if not is_joined(".js"):
        return link(f"locale/{code}.js")
    return link(f"locale/{code}/{script}") if SHOWS_TEXTS in modules()[script] else None


def digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits; "" if there is no such file."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def link(name: str) -> str:
    """Return the path to which pages link for a static file: with its hash, or without for a source file.

    Raises HTTPNotFound if there is no file from which to make the hash.
    """
    suffix = Path(name).suffix
    if suffix in (".js", ".css") and not (LOCALE.fullmatch(name) or is_joined(suffix)):
        return f"/static/{name}"
    return f"/static/{_file(name).hash}/{name}"


def best_coding(header: str, offered: Iterable[str]) -> str:
    """Return the first of the offered codings that an Accept-Encoding header allows (RFC 9110 §12.5.3); "" for none."""
    allowed = set()
    for part in header[:500].lower().split(","):
        coding, _, weight = part.partition(";")
        if not re.fullmatch(r"\s*q=0(\.0*)?\s*", weight):
            allowed.add(coding.strip())
    return next((coding for coding in offered if coding in allowed), "")


async def static_file(request: web.Request) -> web.StreamResponse:
    """Answer GET /static/{hash}/… and GET /static/… with a file.

    If the hash is that of the current file, browsers keep the file for a year. A path with an older hash leads to the
    current file, so that a page that is open during an update finds its files. Without a hash, the source file is sent.
    """
    hashed = HASHED.fullmatch(request.match_info["path"])
    if hashed is None and not LOCALE.fullmatch(request.match_info["path"]):
        path = _path(request.match_info["path"])
        return web.FileResponse(path, headers={"Cache-Control": "no-cache", "Content-Type": _kind(path)})
    found = _file(hashed[2] if hashed else request.match_info["path"])
    coding = best_coding(request.headers.get("Accept-Encoding", ""), found.codings)
    current = hashed is not None and hashed[1] == found.hash
    headers = {"Cache-Control": KEEP_FOR_A_YEAR if current else "no-cache", "Content-Type": found.kind}
    if found.codings:
        headers["Vary"] = "Accept-Encoding"
    if coding:
        headers["Content-Encoding"] = coding
    return web.Response(body=await found.body(coding), headers=headers)


@lru_cache(512)
def _file(name: str) -> File:
    if locale := LOCALE.fullmatch(name):
        return File(name, _locale(locale[1], locale[2]))
    path, joined = _path(name), JOINED / name
    return File(name, (joined if joined.is_file() and is_joined(path.suffix) else path).read_bytes())


def _locale(code: str, script: str | None) -> bytes:
    files = modules().get(f"{script}.js") if script else None
    if code not in i18n.languages() or (script and files is None):
        raise web.HTTPNotFound
    return b"export {};\n" if code == i18n.SOURCE else i18n.script(code, files)


def _path(name: str) -> Path:
    """Return the path of a static file. Raises HTTPNotFound if there is no such file."""
    path = STATIC / name
    # A name with "..", a doubled slash or the like is refused, so that each file is joined and compressed only once.
    plain = "\0" not in name and path.resolve().as_posix() == f"{STATIC.resolve().as_posix()}/{name}"
    if not plain or path.suffix not in TYPES or not path.is_file():
        raise web.HTTPNotFound
    return path


def _kind(path: Path) -> str:
    kind = TYPES[path.suffix]
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
