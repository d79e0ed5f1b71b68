"""Adds to the app what other programs need: API keys, webhooks, and the delivery of events."""

from pathlib import Path

from aiohttp import web

from signalling.store.encryption import Seal
from web.config import Settings
from web.keys import (
    API_KEYS,
    BREAKERS,
    CONSEQUENCES,
    HANDLERS,
    JOB_QUEUES,
    KNOWN_WEBHOOKS,
    REDIS,
    WEBHOOKS,
)
from web.programs import delivery
from web.programs.breaker import Breakers
from web.programs.keys import ApiKeys
from web.programs.public_addresses import networks
from web.programs.webhooks import Known, Webhooks, knowing
from web.server.data_key import data_key, key_id


def setup(app: web.Application, settings: Settings) -> None:
    """Create the keys, the webhooks and their delivery, and register the handlers; call it after `web.jobs.setup`."""
    redis = app[REDIS]
    key = data_key(Path(settings.data.folder))
    app[API_KEYS] = ApiKeys(redis)
    app[WEBHOOKS] = webhooks = Webhooks(redis, Seal({key_id(key): key}))
    app[KNOWN_WEBHOOKS] = Known(webhooks)
    app[BREAKERS] = Breakers(redis)
    courier = delivery.Courier(webhooks, app[BREAKERS], networks(settings.webhooks.allow))
    app[HANDLERS][delivery.KIND] = courier.deliver
    app[CONSEQUENCES].append(delivery.consequences(app[JOB_QUEUES][delivery.KIND], app[KNOWN_WEBHOOKS]))
    app.cleanup_ctx.append(knowing)
