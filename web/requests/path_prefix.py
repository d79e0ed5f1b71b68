"""Adds the path prefix of `[server] public_url` to addresses that browsers get, and removes it from requests.

The routes and all other code use paths without the prefix. `prefix` is "" or a path such as "/greenroom".
"""

import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.http import RawRequestMessage
from yarl import URL

ATTRIBUTE = re.compile(r'(?<=\s)(href|src|action|data-list|data-cleared|data-worker)="/(?!/)')
"""Matches the attributes of our templates that contain addresses.

It cannot match inside a text that a visitor has written, because the quotation marks of such texts are escaped.
"""


def without(message: RawRequestMessage, prefix: str) -> RawRequestMessage:
    """Return a request whose path no longer begins with the prefix.

    If the path does not begin with the prefix, for example in a health check, the request is unchanged.
    """
    target = message.path
    if (
        not prefix
        or not target.startswith(prefix)
        or target[len(prefix) : len(prefix) + 1] not in ("", "/", "?")
    ):
        return message
    rest = target[len(prefix) :]
    path = rest if rest.startswith("/") else f"/{rest}"
    return message._replace(path=path, url=URL(path, encoded=True))


def in_html(text: str, prefix: str) -> str:
    """Return a page after adding the prefix to the addresses of its links, forms and files."""
    if not prefix:
        return text
    base = f'<html data-base="{prefix}"'
    return ATTRIBUTE.sub(rf'\1="{prefix}/', text).replace("<html", base, 1)


def in_boot(value: Any, organisation: str, prefix: str) -> Any:
    """Return `value`, which a page contains as data for its scripts, with `prefix` added to each path of this server.

    A text is such a path if it begins with "/" and the organisation, or with "/static/".
    """
    if isinstance(value, Mapping):
        return {key: in_boot(each, organisation, prefix) for key, each in value.items()}
    if isinstance(value, list):
        return [in_boot(each, organisation, prefix) for each in value]
    ours = isinstance(value, str) and f"{value}/".startswith((f"/{organisation}/", "/static/"))
    return prefix + value if ours else value


async def add_to_redirect(prefix: str, response: web.StreamResponse) -> None:
    """Add the path prefix to the address to which a response redirects the browser."""
    to = response.headers.get("Location", "")
    if to.startswith("/") and not to.startswith("//"):
        response.headers["Location"] = prefix + to
