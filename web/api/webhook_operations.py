"""Defines the API operations that add, show, change and delete webhooks.

A webhook is an address to which the server sends a clinic's events; `web/programs/delivery.py` sends them.
"""

from typing import Any

from web.api.operation import Call
from web.api.problems import FieldProblem
from web.audit.noting import noted
from web.errors import ProblemError
from web.keys import KNOWN_WEBHOOKS, SETTINGS, WEBHOOKS
from web.programs import types as t
from web.programs.delivery import EVENTS
from web.programs.public_addresses import networks, url_problem
from web.programs.webhooks import Webhook


async def make(call: Call, body: t.NewWebhook) -> t.MadeWebhook:
    """Make a webhook with the URL and the events in the body; return it with its secret."""
    _check_events(body.events)
    problem = url_problem(body.url, networks(call.request.app[SETTINGS].webhooks.allow))
    if problem is not None:
        raise ProblemError("invalid", errors=(FieldProblem(field="url", problem=problem),))
    made = await call.request.app[WEBHOOKS].add(call.organisation.id, body.url, _in_order(body.events))
    if made is None:
        raise ProblemError("too_many_webhooks")
    await noted(call.request, "webhook.added", made.id, who=f"api:{call.key.id}")
    await call.request.app[KNOWN_WEBHOOKS].refresh()
    return t.MadeWebhook(webhook=_shown(made), secret=made.secret)


async def list_all(call: Call, _: None) -> t.Webhooks:
    """Return all webhooks of the organisation."""
    found = await call.request.app[WEBHOOKS].of(call.organisation.id)
    return t.Webhooks(webhooks=tuple(map(_shown, found)))


async def show(call: Call, _: None) -> t.WebhookShown:
    """Return the webhook that the path names."""
    return _shown(await _webhook(call))


async def change(call: Call, body: t.ChangedWebhook) -> t.WebhookShown:
    """Change the fields that the body contains, in the webhook that the path names; return the webhook."""
    changes: dict[str, Any] = {}
    if body.events is not None:
        _check_events(body.events)
        changes["events"] = _in_order(body.events)
    if body.enabled is not None:
        changes["enabled"] = body.enabled
    after = await call.request.app[WEBHOOKS].change(call.organisation.id, call.path("webhook"), **changes)
    if after is None:
        raise ProblemError("not_found")
    await call.request.app[KNOWN_WEBHOOKS].refresh()
    return _shown(after)


async def drop(call: Call, _: None) -> None:
    """Delete the webhook that the path names, and the deliveries that wait for it."""
    if not await call.request.app[WEBHOOKS].drop(call.organisation.id, call.path("webhook")):
        raise ProblemError("not_found")
    await call.request.app[KNOWN_WEBHOOKS].refresh()


async def deliveries(call: Call, _: None) -> t.Deliveries:
    """Return the newest attempts to deliver events to the webhook that the path names."""
    webhook = await _webhook(call)
    found = await call.request.app[WEBHOOKS].log(call.organisation.id, webhook.id)
    return t.Deliveries(deliveries=tuple(found))


async def _webhook(call: Call) -> Webhook:
    found = await call.request.app[WEBHOOKS].get(call.organisation.id, call.path("webhook"))
    if found is None:
        raise ProblemError("not_found")
    return found


def _check_events(events: tuple[str, ...]) -> None:
    unknown = sorted(set(events) - set(EVENTS))
    if unknown:
        sentence = f"there is no event {unknown[0][:40]!r}; there are {', '.join(EVENTS)}"
        raise ProblemError("invalid", errors=(FieldProblem(field="events", problem=sentence),))


def _in_order(events: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(event for event in EVENTS if event in events)


def _shown(of: Webhook) -> t.WebhookShown:
    return t.WebhookShown(id=of.id, url=of.url, events=of.events, enabled=of.enabled, made_ms=of.made_ms)
