"""Makes QR codes of links, as SVG."""

import io
from functools import lru_cache

import markupsafe
import segno
from aiohttp import web

BORDER = 4
"""The width of the empty border, counted in the small squares of the code (ISO/IEC 18004 requires four)."""


@lru_cache(maxsize=256)
def svg(text: str) -> bytes:
    """Return the QR code of a text as an SVG document, without a fixed size.

    It is dark on white in any colour scheme.
    """
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
    """Return the QR code of a text as an element of a page, dark on white.

    The code is not cached, because the text may be secret.
    """
    code = segno.make(text, error="m", micro=False)
    drawn = code.svg_inline(
        border=BORDER, dark="#000", light="#fff", omitsize=True, svgclass=None, lineclass=None
    )
    return markupsafe.Markup(drawn)  # noqa: S704 - the SVG contains no text


def answer(request: web.Request, text: str, name: str) -> web.Response:
    """Return a response with the QR code of a text as an image; with `?download`, as a file with this name."""
    response = web.Response(body=svg(text), content_type="image/svg+xml")
    if "download" in request.query:
        response.headers["Content-Disposition"] = f'attachment; filename="{name}.svg"'
    return response
