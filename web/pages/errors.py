"""Answers errors with pages that say what happened, what was saved and where to go, but show no internals.

There is one set of texts per kind of error, for all pages.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog
from aiohttp import web
from redis.exceptions import RedisError

from signalling.errors import UnavailableError
from signalling.store.unavailable import log_unavailable
from web.errors import BusyError
from web.identity.visitors import NotForAuditors, NotForYou, account_of
from web.keys import ACCOUNTS, SESSIONS
from web.languages.i18n import N_, gettext
from web.organisations.by_path import UnknownOrganisation, organisation_of
from web.pages.rendering import error_page
from web.requests import frames, own_forms
from web.requests.fields import LARGEST_BYTES, PATIENT_BYTES
from web.requests.forms import MULTIPART, URLENCODED, read_posted
from web.requests.security import RETRY_S

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = structlog.get_logger("web.errors")


class Words(NamedTuple):
    """The texts of the error page for one HTTP status."""

    heading: str
    text: str


UNAVAILABLE = Words(
    N_("Unavailable, retrying"),
    N_(
        "We cannot reach our own records at the moment. Nothing that you sent before is lost. "
        "This page tries again by itself every few seconds."
    ),
)
UNAVAILABLE_FORM = Words(
    N_("Unavailable at the moment"),
    N_(
        "We cannot reach our own records, so what you just sent was not taken. "
        "Wait a little, go back and send it again."
    ),
)
INTERNAL = Words(
    N_("Something went wrong"), N_("The mistake is ours, and we have a note of it. Please try again.")
)


WORDS: dict[int | type[web.HTTPException], Words] = {
    UnknownOrganisation: Words(
        N_("There is no clinic at this address"),
        N_("Check the link that your clinic gave you, above all the part after the last slash."),
    ),
    NotForAuditors: Words(
        N_("This page is not for auditors"),
        N_("Your account reads the audit log. Everything else is closed to it."),
    ),
    NotForYou: Words(
        N_("This page is for administrators"),
        N_(
            "Your account does not open it. Ask an administrator of your clinic to do it, or to change your role."
        ),
    ),
    400: Words(
        N_("We could not read that"),
        N_("Your browser sent something that we do not understand. Please try again."),
    ),
    403: Words(
        N_("Not from here"),
        N_(
            "This request did not come from a page of this site, so nothing was done. Open the page again and retry."
        ),
    ),
    404: Words(N_("There is no such page"), N_("The address may be mistyped, or what was here is gone.")),
    405: Words(N_("That does not work here"), N_("This address cannot be used like that.")),
    408: Words(N_("That took too long"), N_("What you sent did not arrive in time. Please send it again.")),
    413: Words(
        N_("That is too much"), N_("What you sent is larger than we accept. Shorten it and send it again.")
    ),
    415: Words(N_("We could not read that"), N_("Your browser sent a kind of content that we do not take.")),
    429: Words(
        N_("Too many wrong links"),
        N_(
            "Links that open nothing were tried here too often, so this one is not looked at just now. "
            "Please try again in half an hour, or ask the clinic."
        ),
    ),
    503: UNAVAILABLE,
}


@web.middleware
async def error_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Call the handler, and answer every error that it raises with an error page.

    This is a middleware. It logs neither the request nor the text of an exception.
    """
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _page(request, error.status, _words(error), error)
    except BusyError:
        return _unavailable(request)
    except (UnavailableError, RedisError, ConnectionError, TimeoutError) as error:
        if isinstance(error, ConnectionResetError) or request.transport is None:
            # The browser has closed the TCP connection, so no error page can be sent.
            raise
        log_unavailable(error)
        return _unavailable(request)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        log.error("request.failed", exc_info=error, path_template=_template(request))
        return _page(request, 500, INTERNAL)


@web.middleware
async def needs_cookies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Call the handler, or answer HTTP 403 if another site frames the page and the browser keeps no cookies.

    This is a middleware. The answer has a link that opens the calendar in a new tab.
    """
    if not frames.keeps_no_cookies(request):
        return await handler(request)
    organisation = await organisation_of(request)
    links = [(gettext("Open in a tab of its own"), f"/{organisation.id}")]
    text = gettext(
        "This browser keeps nothing for a page that is part of another site, so a visit cannot begin here."
    )
    return error_page(request, 403, gettext("Please use a tab of its own"), text, links, new_tab=True)


async def is_own_form(request: web.Request) -> bool:
    """Return whether a form's token proves that it comes from a page of this site. Raises the errors of `read_posted`.

    If the browser has no cookie with a token, the result is False, and the form is not read. If nobody is
    signed in, the form may have at most the size of a patient's largest form.
    """
    if not own_forms.cookie_of(request) or request.content_type not in (URLENCODED, MULTIPART):
        return False
    session = await request.app[SESSIONS].look(request)
    account = await account_of(session, request.match_info.get("organisation", ""), request.app[ACCOUNTS])
    bound = PATIENT_BYTES if account is None else LARGEST_BYTES
    posted = await read_posted(request, bound, URLENCODED, MULTIPART)
    return own_forms.is_right(request, posted.fields.get(own_forms.FIELD, ""))


def not_found(request: web.Request, heading: str, text: str, links: list[tuple[str, str]]) -> web.Response:
    """Return a 404 page with these texts. `links`: (path, words) of the links below the text."""
    return error_page(request, 404, heading, text, links)


def _unavailable(request: web.Request) -> web.Response:
    words = UNAVAILABLE if request.method in ("GET", "HEAD") else UNAVAILABLE_FORM
    response = _page(request, 503, words)
    response.headers["Retry-After"] = str(RETRY_S)
    if words is UNAVAILABLE:
        response.headers["Refresh"] = str(RETRY_S)
    return response


def _page(
    request: web.Request, status: int, words: Words, error: web.HTTPException | None = None
) -> web.Response:
    if request.path.startswith("/static/"):
        response = web.Response(status=status, text=f"{gettext(words.heading)}.")
    else:
        response = error_page(request, status, gettext(words.heading), gettext(words.text))
    kept = (
        {} if error is None else {n: error.headers[n] for n in ("Allow", "Retry-After") if n in error.headers}
    )
    response.headers.update(kept)
    if status in (408, 413, 415):
        # The TCP connection is closed, so that the server need not read the rest of the body.
        response.force_close()
    return response


def _words(error: web.HTTPException) -> Words:
    return WORDS.get(type(error)) or WORDS.get(error.status) or WORDS[400]


def _template(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical
