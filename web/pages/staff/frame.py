"""The frame of the staff's pages that the server draws completely: calendar and reports, with a link to Sessions List.

Knows the navigation and the data for the frame's scripts. Does not know the content of a page.
"""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from signalling.visit.record import Role
from web.identity.accounts import Account
from web.languages.i18n import N_, gettext
from web.organisations.settings import Organisation
from web.pages.rendering import live, page

PAGES: tuple[tuple[str, str, str, bool], ...] = (
    ("sessions", N_("Sessions List"), "", False),
    ("calendar", N_("Calendar"), "/calendar", False),
    ("reports", N_("Reports"), "/reports", True),
    ("setup", N_("Set-up"), "/setup", True),
    ("preferences", N_("My settings"), "/preferences", False),
)
"""Name, label, path below /{organisation}/staff, and whether only administrators see it."""


def staff_page(
    request: web.Request,
    organisation: Organisation,
    account: Account,
    here: str,
    template: str,
    context: Mapping[str, Any],
    title: str,
    status: int = 200,
) -> web.Response:
    """Return the page made from the template and the context, in the frame; `here` is its name in PAGES."""
    home = f"/{organisation.id}/staff"
    frame = {
        "pages": [
            (gettext(label), home + path, name == here)
            for name, label, path, admins in PAGES
            if not admins or account.role is Role.ADMIN
        ],
        "me": account.name,
        "sign_out": f"{home}/sign-out",
        "boot": {
            **live(request, organisation),
            "me": {"id": account.id},
            "ws": f"/{organisation.id}/ws",
            "home": home,
            "session": f"{home}/session",
            "notify": account.notify,
        },
    }
    return page(request, template, {**frame, **context}, title=title, status=status)
