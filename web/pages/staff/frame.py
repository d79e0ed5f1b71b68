"""Makes the frame of all pages of the staff: the navigation, and the data for the frame's scripts."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from signalling.visit.record import STAFF_ROLES, Role
from web.identity.accounts import ROLES, Account
from web.languages.i18n import N_, gettext
from web.organisations.settings import Organisation
from web.pages.rendering import live, page

ADMINS = frozenset({Role.ADMIN})
PAGES: tuple[tuple[str, str, str, frozenset[Role]], ...] = (
    ("sessions", N_("Sessions List"), "", STAFF_ROLES),
    ("calendar", N_("Calendar"), "/calendar", STAFF_ROLES),
    ("reports", N_("Reports"), "/reports", ADMINS),
    ("setup", N_("Set-up"), "/setup", ADMINS),
    ("audit", N_("Audit log"), "/setup/audit", frozenset({Role.AUDITOR})),
    ("preferences", N_("My settings"), "/preferences", frozenset(ROLES)),
)
"""The pages: name, label, path below /{organisation}/staff, and the roles whose accounts see the page."""


def boot_of(request: web.Request, organisation: Organisation, account: Account, here: str) -> dict[str, Any]:
    """Return the data that the scripts of every page of the staff need; `here`: the key of the page in the table
    PAGES.
    """
    home = f"/{organisation.id}/staff"
    return {
        **live(request, organisation, "staff/app.js"),
        "me": {"id": account.id, "name": account.name, "role": account.role, "states": account.states},
        "ws": f"/{organisation.id}/ws",
        "home": home,
        "session": f"{home}/session",
        "sign_out": f"{home}/sign-out",
        "notify": account.notify,
        "pages": [
            {"key": name, "path": home + path} for name, _, path, roles in PAGES if account.role in roles
        ],
        "here": here,
    }


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
    """Return a page of the staff, with the navigation that all their pages have.

    `here`: the key of the page in the table PAGES; `context`: the values for the template; `title`: the title of the
    browser's tab.
    """
    boot = boot_of(request, organisation, account, here)
    labels = {name: gettext(label) for name, label, _, _ in PAGES}
    frame = {
        "pages": [(labels[link["key"]], link["path"], link["key"] == here) for link in boot["pages"]],
        "sign_out": boot["sign_out"],
        "boot": boot,
    }
    return page(request, template, {**frame, **context}, title=title, status=status)
