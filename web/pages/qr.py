"""QR codes as SVG: a link that a camera reads. Pure but for making the answer; knows no link."""

import io
from functools import lru_cache

import markupsafe
import segno
from aiohttp import web

BORDER = 4
"""Modules of light around it (ISO/IEC 18004 asks for four)."""


@lru_cache(maxsize=256)
def svg(text: str) -> bytes:
    """Return the code of a text as an SVG document, dark on white in any colour scheme, without size of its own."""
    out = io.BytesIO()
    code = segno.make(text, error="m", micro=False)
    code.save(
        out,
        kind="svg",
        border=BORDER,
        dark="#000",
        light="#fff",
        omitsize=True,
        svgclass=None,
        lineclass=None,
    )
    return out.getvalue()


def inline(text: str) -> markupsafe.Markup:
    """Return the code as an element for a page, in the same colours; nothing of it is kept, as it may be a secret."""
    code = segno.make(text, error="m", micro=False)
    drawn = code.svg_inline(
        border=BORDER, dark="#000", light="#fff", omitsize=True, svgclass=None, lineclass=None
    )
    return markupsafe.Markup(drawn)  # noqa: S704 - made of numbers


def answer(request: web.Request, text: str, name: str) -> web.Response:
    """The code as an image; with `?download` as a file of that name."""
    response = web.Response(body=svg(text), content_type="image/svg+xml")
    if "download" in request.query:
        response.headers["Content-Disposition"] = f'attachment; filename="{name}.svg"'
    return response
