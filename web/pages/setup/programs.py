"""Serves the set-up's page of programs: makes and revokes API keys and webhooks, and shows the newest deliveries.

A key and a webhook's secret are shown once, in the answer to the form that made them. Their rules are defined in
`web/programs/keys.py` and `web/programs/webhooks.py`.
"""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from web.audit.noting import noted
from web.errors import ApiKeyError
from web.keys import API_KEYS, BREAKERS, KNOWN_WEBHOOKS, SERVICE, SETTINGS, WEBHOOKS
from web.languages.i18n import N_, date_words, gettext, time_words
from web.organisations.settings import Organisation
from web.pages.setup.frame import admin, draw, path_of, posted_to
from web.programs.delivery import EVENTS
from web.programs.keys import SCOPES
from web.programs.public_addresses import networks, url_problem
from web.programs.scopes import Scope

NAME = "api"
GONE = {"revoke-key": "key.revoked", "drop-webhook": "webhook.dropped"}
WRONG_URL = N_("Write an address that begins with https:// and can be reached from the internet.")
TOO_MANY = N_("There are as many webhooks as there can be; delete one first.")


async def desk(request: web.Request) -> web.Response:
    """Answer GET …/setup/api with the keys, the webhooks and their newest deliveries."""
    organisation, _ = await admin(request)
    return await _draw(request, organisation)


async def act(request: web.Request) -> web.Response:
    """Answer POST …/setup/api: make or remove a key or a webhook, as the field `do` says."""
    organisation, account = await admin(request)
    posted = await posted_to(request)
    one, _, what = posted.get("do", "").partition(" ")
    if one == "add-key":
        label, chosen = posted.get("label", "")[:200], posted.getall("scopes", [])
        scopes = [scope for scope in Scope if scope in chosen]
        try:
            key, token = await request.app[API_KEYS].add(organisation.id, label, scopes, account.name)
        except ApiKeyError as problem:
            wrong = {"label": gettext(str(problem))}
            form = {"label": label, "scopes": chosen}
            return await _draw(request, organisation, form=form, errors=wrong, status=422)
        await noted(request, "key.added", key.id)
        return await _draw(request, organisation, made_key=key.label, token=token)
    if one == "add-webhook":
        return await _add_webhook(request, organisation, posted.get("url", ""), posted.getall("events", []))
    gone = {"revoke-key": request.app[API_KEYS].revoke, "drop-webhook": request.app[WEBHOOKS].drop}.get(one)
    if gone is not None:
        if await gone(organisation.id, what[:64]):
            await noted(request, GONE[one], what[:64])
    elif one in ("on", "off"):
        if await request.app[WEBHOOKS].change(organisation.id, what[:64], enabled=one == "on"):
            await noted(request, "webhook.changed", what[:64])
    else:
        raise web.HTTPBadRequest
    await request.app[KNOWN_WEBHOOKS].refresh()
    raise web.HTTPSeeOther(path_of(organisation, NAME) + "?saved")


async def _add_webhook(
    request: web.Request, organisation: Organisation, url: str, events: list[str]
) -> web.Response:
    url = url.strip()[:500]
    form = {"url": url, "events": events}
    if url_problem(url, networks(request.app[SETTINGS].webhooks.allow)) is not None:
        wrong = {"url": gettext(WRONG_URL)}
        return await _draw(request, organisation, form=form, errors=wrong, status=422)
    received = tuple(event for event in EVENTS if event in events)
    made = await request.app[WEBHOOKS].add(
        organisation.id, url, () if len(received) == len(EVENTS) else received
    )
    if made is None:
        return await _draw(request, organisation, form=form, errors={"url": gettext(TOO_MANY)}, status=422)
    await noted(request, "webhook.added", made.id)
    await request.app[KNOWN_WEBHOOKS].refresh()
    return await _draw(request, organisation, made_webhook=made.url, token=made.secret)


async def _draw(
    request: web.Request,
    organisation: Organisation,
    *,
    form: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
    **more: Any,
) -> web.Response:
    keys = [
        {"key": key, "made": _when(key.made_ms, organisation), "used": _when(used_ms, organisation)}
        for key, used_ms in await request.app[API_KEYS].list(organisation.id)
    ]
    webhooks, now_ms = [], request.app[SERVICE].clock_ms()
    for webhook in await request.app[WEBHOOKS].of(organisation.id):
        log = await request.app[WEBHOOKS].log(organisation.id, webhook.id)
        tries = [(entry, _when(entry.at_ms, organisation)) for entry in log[:50]]
        paused = await request.app[BREAKERS].paused(organisation.id, webhook.id, now_ms)
        until = None if paused is None else _when(paused.until_ms, organisation)
        webhooks.append({"webhook": webhook, "tries": tries, "paused": paused, "until": until})
    context = {
        "form": {"label": "", "scopes": ["read"], "url": "", "events": [], **(form or {})},
        "errors": errors or {},
        "keys": keys,
        "webhooks": webhooks,
        "scopes": [(scope, gettext(text)) for scope, text in SCOPES.items()],
        "events": EVENTS,
        **more,
    }
    return draw(request, organisation, NAME, "setup/api.html", context, status)


def _when(at_ms: int | None, organisation: Organisation) -> str:
    if at_ms is None:
        return ""
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(organisation.timezone))
    return f"{date_words(local, 'medium')}, {time_words(local)}"
