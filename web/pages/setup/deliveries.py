"""Serves the set-up's page of deliveries: mails, messages and webhooks that are due, late or given up, by receiver.

An administrator can press a button to send deliveries again. No patient is named: the page shows the subject of each
delivery, its time, the number of its attempts, and the reason why it failed.
"""

import re
from collections import Counter
from typing import Any

from aiohttp import web
from yarl import URL

from web.audit.noting import noted
from web.keys import BREAKERS, SERVICE, WEBHOOKS
from web.languages.i18n import N_, gettext
from web.organisations.settings import Organisation
from web.pages.setup.frame import admin, draw, path_of, posted_to, when
from web.pages.setup.unreached import about
from web.programs.calls import NO_ANSWER, NO_CONNECTION
from web.programs.deliveries import Delivery, State, deliveries, of_breaker, send_again

NAME = "deliveries"
SHOWN = 20
"""The greatest number of deliveries in the list of a receiver."""
WANTED = re.compile(r"([a-z]{1,16}|h_[\w-]{16})(?: (j_[\w-]{16}))?", re.ASCII)
"""The format of the posted field `do`: a receiver, and the id of a job if only this job is sent again."""
RECEIVERS = {"mail": N_("Mail"), "text": N_("Text messages"), "push": N_("Notifications")}
STATES = {
    State.DUE: (N_("Due: %(num)s"), ""),
    State.LATE: (N_("Late: %(num)s"), "amber"),
    State.DEAD: (N_("Given up: %(num)s"), "red"),
    State.PLANNED: (N_("For a later time: %(num)s"), "off"),
}
"""State -> words with the number of deliveries in this state, and the CSS class of the label that shows them."""
REASONS = {
    "ConnectionRefusedError": NO_CONNECTION,
    "SMTPAuthenticationError": N_("the user name or the password is refused"),
    "SMTPConnectError": NO_CONNECTION,
    "SMTPConnectTimeoutError": NO_ANSWER,
    "SMTPReadTimeoutError": NO_ANSWER,
    "SMTPServerDisconnected": NO_CONNECTION,
    "SMTPTimeoutError": NO_ANSWER,
    "TimeoutError": NO_ANSWER,
}
"""Name of a library's error class -> the words that the page shows. Greenroom's own errors contain such words already.
"""


async def page(request: web.Request) -> web.Response:
    """Answer GET …/setup/deliveries with the list of receivers and their deliveries."""
    organisation, _ = await admin(request)
    found = await deliveries(request.app, organisation.id)
    webhooks = {one.id: one.url for one in await request.app[WEBHOOKS].of(organisation.id)}
    now_ms = request.app[SERVICE].clock_ms()
    paused = await request.app[BREAKERS].all_paused(organisation.id, now_ms)
    names = {name: gettext(words) for name, words in RECEIVERS.items()}
    names |= {name: URL(url).host or url for name, url in webhooks.items()}
    names |= {name: gettext("A webhook that was deleted") for name in found if name not in names}
    receivers = [
        {
            "id": name,
            "name": words,
            "webhook": name not in RECEIVERS,
            "states": _counts(found.get(name, [])),
            "pauses": [
                (
                    URL(breaker.partition(" ")[2]).host or "",
                    pause.failures,
                    when(pause.until_ms, organisation),
                )
                for breaker, pause in paused.items()
                if of_breaker(breaker) == name
            ],
            "rows": _rows(found.get(name, []), organisation),
        }
        for name, words in names.items()
    ]
    again = request.query.get("again", "")
    context = {
        "receivers": receivers,
        "again": int(again) if again.isascii() and again.isdigit() and len(again) < 7 else None,
        "now": when(now_ms, organisation),
    }
    return draw(request, organisation, NAME, "setup/deliveries.html", context)


async def act(request: web.Request) -> web.Response:
    """Answer POST …/setup/deliveries: send one or all deliveries of a receiver again, as the field `do` says."""
    organisation, _ = await admin(request)
    wanted = WANTED.fullmatch((await posted_to(request)).get("do", ""))
    if wanted is None:
        raise web.HTTPBadRequest
    receiver, job = wanted[1], wanted[2] or ""
    count = await send_again(request.app, organisation.id, receiver, job)
    await noted(request, "delivery.sent_again", job or receiver)
    raise web.HTTPSeeOther(f"{path_of(organisation, NAME)}?again={count}")


def _counts(found: list[Delivery]) -> list[tuple[str, str]]:
    """Return, for each state that has deliveries: words with their number, and the CSS class of the label."""
    counts = Counter(one.state for one in found)
    return [
        (gettext(words) % {"num": counts[state]}, look)
        for state, (words, look) in STATES.items()
        if counts[state]
    ]


def _rows(found: list[Delivery], organisation: Organisation) -> list[dict[str, Any]]:
    """Return the values to show of the newest deliveries that are late or given up, the newest first."""
    listed = [one for one in found if one.state in (State.LATE, State.DEAD)]
    return [
        {
            "id": one.job.id,
            "at": when(one.at_ms, organisation),
            "about": about(one.job),
            "dead": one.state is State.DEAD,
            "attempts": one.attempts,
            "reason": gettext(REASONS.get(one.reason, one.reason)) if one.reason else "",
        }
        for one in listed[: -SHOWN - 1 : -1]
    ]
