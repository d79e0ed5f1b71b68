"""Decides which page opens after the sign-in: the page that was asked for, if it is one of staff. Pure.

The address of the sign-in page names this page in its query. Nothing is stored before the password is right.
"""

import re

PAGES = re.compile(
    r"calendar(?:/[\w-]{1,64}/move)?|preferences|reports|setup(?:/[a-z]{1,20})?|two-factor"
    r"|visits/[\w-]{1,64}(?:/emergency)?",
    re.ASCII,
)
"""Matches the rest of the path of a page, after "staff/". The Sessions List is not named: it opens anyway."""
QUERY = "to"


def asked_for(organisation: str, path: str) -> str:
    """Return `path` if it is a page of this organisation's staff or set-up that may open after the sign-in; else "".

    `path`: a path from a request, which may be anything.
    """
    home = f"/{organisation}/staff/"
    return path if path.startswith(home) and PAGES.fullmatch(path, len(home)) else ""


def sign_in_path(organisation: str, method: str = "", path: str = "") -> str:
    """Return the address of the sign-in page, after which the page that was asked for opens.

    `method`, `path`: those of the request that was asked for; only a GET of a page is named.
    """
    wanted = asked_for(organisation, path) if method == "GET" else ""
    return f"/{organisation}/staff/sign-in" + (f"?{QUERY}={wanted}" if wanted else "")
