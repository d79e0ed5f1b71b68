"""Adds API keys, webhooks, and the delivery of events to the app."""

from aiohttp import web

from web.config import Settings
from web.keys import (
    API_KEYS,
    BREAKERS,
    CONSEQUENCES,
    HANDLERS,
    JOB_QUEUES,
    KNOWN_WEBHOOKS,
    REDIS,
    SEAL,
    WEBHOOKS,
)
from web.programs import delivery
from web.programs.breaker import Breakers
from web.programs.keys import ApiKeys
from web.programs.public_addresses import networks
from web.programs.webhooks import Known, Webhooks, knowing


def setup(app: web.Application, settings: Settings) -> None:
    """Create the API keys, the webhooks and their delivery, and register handlers; call it after `web.jobs.setup`."""
    redis = app[REDIS]
    app[API_KEYS] = ApiKeys(redis)
    app[WEBHOOKS] = webhooks = Webhooks(redis, app[SEAL])
    app[KNOWN_WEBHOOKS] = Known(webhooks)
    app[BREAKERS] = Breakers(redis)
    courier = delivery.Courier(webhooks, app[BREAKERS], networks(settings.webhooks.allow))
    app[HANDLERS][delivery.KIND] = courier.deliver
    app[CONSEQUENCES].append(delivery.consequences(app[JOB_QUEUES][delivery.KIND], app[KNOWN_WEBHOOKS]))
    app.cleanup_ctx.append(knowing)
