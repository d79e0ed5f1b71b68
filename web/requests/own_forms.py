"""Adds tokens to forms: a token proves that a form comes from this site if the browser does not send the form's origin.

If a page has `Referrer-Policy: no-referrer`, Safari before 16.4, and other browsers on plain http, send its forms with
the header `Origin: null` and without Sec-Fetch-Site; a form of another site looks the same. For these browsers each
form has a hidden field with a token: a hash of a cookie that no other site can read or send.
"""

import hashlib
import hmac
import re
import secrets

from aiohttp import web

from web.keys import SESSIONS
from web.requests import frames

FIELD = "form_token"
FORM = re.compile(r'<form\b[^<>]*\bmethod="post"[^<>]*>')
"""Matches the start tag of each form that is sent by POST. A test checks that the forms of all templates match."""
COOKIE_AGE_S = 365 * 24 * 3600
SHAPE = re.compile(r"[\w-]{32}", re.ASCII)


def with_tokens(request: web.Request, response: web.Response) -> web.Response:
    """Return the page with a token in its head and in each form.

    The page is unchanged if the request has Sec-Fetch-Site: such a browser needs no token.
    """
    if "Sec-Fetch-Site" in request.headers or response.text is None:
        return response
    kept = cookie_of(request)
    secret = kept or secrets.token_urlsafe(24)
    token = token_of(secret)
    field = f'<input type="hidden" name="{FIELD}" value="{token}">'
    text = FORM.sub(lambda form: form[0] + field, response.text)
    response.text = text.replace("</head>", f'<meta name="{FIELD}" content="{token}">\n</head>', 1)
    if not kept:
        response.set_cookie(
            _name(request),
            secret,
            max_age=COOKIE_AGE_S,
            path=request.app[SESSIONS].path,
            secure=request.app[SESSIONS].cookie_params["secure"],
            httponly=True,
            samesite="Lax",
        )
    return response


def token_of(secret: str) -> str:
    """Return the token for the forms of the browser whose cookie contains this secret."""
    return hashlib.sha256(f"form/{secret}".encode()).hexdigest()


def cookie_of(request: web.Request) -> str:
    """Return the secret in the browser's cookie for forms; "" if the browser has no such cookie."""
    found = frames.cookie_of(request, _name(request))
    return found if SHAPE.fullmatch(found) else ""


def is_right(request: web.Request, token: str) -> bool:
    """Return whether a token that was posted in a form is the token of this browser's forms."""
    secret = cookie_of(request)
    return bool(secret) and hmac.compare_digest(token.encode(), token_of(secret).encode())


def _name(request: web.Request) -> str:
    return request.app[SESSIONS].cookie_name + "-own"
