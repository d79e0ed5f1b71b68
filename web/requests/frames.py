"""Lets the clinic's own site show a patient's pages in a frame: which paths may be framed, and which cookies are kept.

A browser sends `SameSite=Lax` cookies to a frame only if the framing page is of the same site. So each cookie
that a framed page sets has a twin: a copy with another name and `SameSite=None; Secure; Partitioned`. The
browser sends the twin only to frames in pages of the site where the twin was set. The twin is read if the
cookie itself is missing. Pages of staff are never framed, and never read a twin.
"""

from aiohttp import web

from web.keys import ORGANISATION, SESSIONS

TWIN = "-frame"
"""The end of the name of a twin, the copy of a cookie that browsers send from frames."""
ORG = "/{organisation}"
OPENED = ORG + "/appointments/{token}"
FRAMED = frozenset(
    {
        ORG,
        f"{ORG}/{{area}}",
        f"{ORG}/information",
        f"{ORG}/visit",
        f"{ORG}/visits/{{visit}}/contact",
        f"{ORG}/visits/{{visit}}/phone",
        f"{ORG}/visits/{{visit}}/photos",
        f"{ORG}/visits/{{visit}}/photos/{{photo}}",
        f"{ORG}/visits/{{visit}}/photos/{{photo}}/remove",
        f"{ORG}/appointments",
        f"{ORG}/appointments/hold",
        f"{ORG}/appointments/new",
        OPENED,
        *(f"{OPENED}/{act}" for act in ("move", "cancel", "check-in", "visit.ics")),
        f"{ORG}/ws",
    }
)
"""The paths of the patient's pages, in the form in which the router has them. No other path may be framed."""


def may_be_framed(request: web.Request) -> bool:
    """Return whether the request is for a page of the patient. No other page may be shown in a frame."""
    resource = request.match_info.route.resource
    return resource is not None and resource.canonical in FRAMED


def framing_sites(request: web.Request) -> tuple[str, ...]:
    """Return the origins whose pages may show the response in a frame, from the organisation's settings."""
    organisation = request.get(ORGANISATION)
    return organisation.frame_origins if organisation is not None and may_be_framed(request) else ()


def is_framed(request: web.Request) -> bool:
    """Return whether the request is for a page of the patient and comes from a frame."""
    return request.headers.get("Sec-Fetch-Dest") == "iframe" and may_be_framed(request)


def cookie_of(request: web.Request, name: str) -> str:
    """Return the value of a cookie; "" if the browser sent none.

    On a path of the patient's pages, a missing cookie is replaced by its twin, the copy that the browser keeps for
    frames.
    """
    kept = request.cookies.get(name, "")
    return kept or (request.cookies.get(name + TWIN, "") if may_be_framed(request) else "")


def keeps_no_cookies(request: web.Request) -> bool:
    """Return whether a framed page of this site led to this request, but the browser kept none of its cookies."""
    again = is_framed(request) and request.headers.get("Sec-Fetch-Site") == "same-origin"
    return again and not _knows(request)


async def add_twins(request: web.Request, response: web.StreamResponse) -> None:
    """Add a twin (a copy for frames) to each cookie that a framed page sets.

    If the page sets no cookie and the browser sent none, a test cookie is set as a twin. If the browser's next request
    does not contain it, `keeps_no_cookies` returns True.
    """
    if not (is_framed(request) and framing_sites(request)):
        return
    kept = response.headers.getall("Set-Cookie", [])
    if not kept and not _knows(request):
        kept = [f"{request.app[SESSIONS].cookie_name}-kept=1; HttpOnly; Path={request.app[SESSIONS].path}"]
    for cookie in kept:
        response.headers.add("Set-Cookie", twin(cookie))


def twin(cookie: str) -> str:
    """Return the Set-Cookie header for the twin of a cookie, the copy that browsers send from frames.

    `cookie`: the Set-Cookie header of the cookie itself.
    """
    name, _, rest = cookie.partition("=")
    attributes = [part for part in rest.split("; ") if part.casefold() not in ("secure", "samesite=lax")]
    return f"{name}{TWIN}=" + "; ".join((*attributes, "Secure", "SameSite=None", "Partitioned"))


def _knows(request: web.Request) -> bool:
    ours = request.app[SESSIONS].cookie_name
    return any(name.startswith(ours) for name in request.cookies)
