"""Adds, tests and removes the devices on which a member of staff gets notifications.

The list of devices is a part of the page *My settings*. A browser can add only itself. `web/channels/push.py` sends
the notifications.
"""

from typing import Any

from aiohttp import web

from web.audit.noting import noted
from web.channels.devices import device_name
from web.channels.messages import Message
from web.channels.push import WORKER
from web.errors import BlockedError, BusyError, DeliveryError, PermanentJobError, PutOffError
from web.identity.accounts import Account
from web.identity.visitors import require
from web.keys import PUSH, SERVICE, THROTTLE
from web.languages.i18n import N_, current, gettext
from web.organisations.by_path import organisation_of
from web.organisations.settings import Organisation
from web.pages.setup.frame import when
from web.requests.fields import read_form
from web.requests.security import Rule

PATH = "/{organisation}/staff/preferences/devices"
ENOUGH = N_("These were enough messages for now. Try it again in an hour.")
TRIED = {
    "sent": N_("It is on its way, and should appear within seconds."),
    "failed": N_("It could not be sent. Try again in a minute."),
    "late": ENOUGH,
    "gone": N_("No device takes notifications any more. Turn them on again on each device."),
}
"""Result of a test notification -> the sentence that the page shows about it."""
TRIAL_KEPT_S = 60
TRIALS = Rule("push_trial", limit=5, window_ms=3600_000, first_delay_ms=0)
"""The number of test notifications that a person may send within an hour; push services block frequent senders."""


async def change(request: web.Request) -> web.Response:
    """Answer POST …/preferences/devices: carry out the action in the field `do`.

    "add" adds this browser, "try" sends a test to all devices. Without `do`, the field `remove` names the device to
    remove. Raises HTTP 422 if nothing can be sent to the browser, or if there are too many devices.
    """
    organisation = await organisation_of(request)
    account = await require(request, organisation.id)
    posted = await read_form(request)
    do, back = posted.get("do"), f"/{organisation.id}/staff/preferences"
    if do == "add":
        return await _add(request, organisation, account, posted)
    if do == "try":
        raise web.HTTPSeeOther(f"{back}?tried={await _tried(request, organisation, account)}#devices")
    if "remove" not in posted:
        raise web.HTTPBadRequest
    if await request.app[PUSH].staff.drop(organisation.id, account.id, posted["remove"]):
        await noted(request, "device.removed", account.id)
    raise web.HTTPSeeOther(f"{back}?saved")


async def _add(
    request: web.Request, organisation: Organisation, account: Account, posted: dict[str, str]
) -> web.Response:
    push, now_ms = request.app[PUSH], request.app[SERVICE].clock_ms()
    device = push.device(posted, device_name(request.headers.get("User-Agent", "")), now_ms)
    if device is None or not await push.staff.add(organisation.id, account.id, device):
        raise web.HTTPUnprocessableEntity
    await noted(request, "device.added", account.id)
    return web.Response(status=204)


async def _tried(request: web.Request, organisation: Organisation, account: Account) -> str:
    """Send a test notification to the person's devices.

    Return a word for the result; the table TRIED has the sentence for each word.
    """
    try:
        async with request.app[THROTTLE].attempt(TRIALS, organisation.id, account.id):
            return await _sent(request, organisation, account)
    except (BlockedError, BusyError):
        return "late"


async def _sent(request: web.Request, organisation: Organisation, account: Account) -> str:
    sentence = gettext("This is a test message. Notifications reach you here.")
    message = Message(sentence, f"/{organisation.id}/staff", language=current(), person=account.id)
    now_ms = request.app[SERVICE].clock_ms()
    try:
        sent = await request.app[PUSH].to_account(organisation, account.id, message, now_ms, TRIAL_KEPT_S)
    except (DeliveryError, PutOffError):
        return "failed"
    except PermanentJobError:
        return "gone"
    return "sent" if sent else "gone"


async def context_of(request: web.Request, organisation: Organisation, account: Account) -> dict[str, Any]:
    """Return the values for the template of this part of the page *My settings*."""
    push, tried = request.app[PUSH], request.query.get("tried", "")
    return {
        "devices": [
            (device.id, device.name, when(device.added_ms, organisation))
            for device in await push.staff.of(organisation.id, account.id)
        ],
        "push_key": push.public_key,
        "push_worker": WORKER,
        "pushed": gettext(TRIED[tried]) if tried in TRIED else "",
    }


ROUTES = (web.post(PATH, change),)
