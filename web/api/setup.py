"""Puts the API's parts into the app: what it keeps there, what runs, what is routed. Knows no operation."""

from pathlib import Path

from aiohttp import web

from signalling.seal import Seal
from web import jobs
from web.api import delivery, facilities_desk, keys_desk, kiosk, links, reading
from web.api.addresses import networks
from web.api.door import KEYS, routes
from web.api.facilities import FACILITIES, Facilities
from web.api.keys import ApiKeys
from web.api.links import LINKS, PatientLinks
from web.api.webhooks import KNOWN, WEBHOOKS, Known, Webhooks, knowing
from web.config import Settings
from web.health import REDIS
from web.secret import data_key, key_id

HOME = "/{organisation}/staff/setup"
KIOSK = "/{organisation}/facility/{token}"

ROUTES: tuple[web.RouteDef, ...] = (
    *routes(),
    web.get("/{organisation}/api", reading.read),
    web.get("/{organisation}/enter/{token:[A-Za-z0-9_-]{16,64}}", links.enter_page),
    web.post("/{organisation}/enter/{token:[A-Za-z0-9_-]{16,64}}", links.enter),
    web.get(KIOSK, kiosk.kiosk),
    web.post(KIOSK, kiosk.place),
    web.get(f"{KIOSK}/list", kiosk.rows),
    web.post(f"{KIOSK}/visits/{{visit}}", kiosk.act),
    web.get("/{organisation}/qr.svg", facilities_desk.patient_qr),
    web.get(f"{HOME}/links/poster", facilities_desk.patient_poster),
    web.get(f"{HOME}/facilities", facilities_desk.desk),
    web.post(f"{HOME}/facilities", facilities_desk.act),
    web.get(f"{HOME}/facilities/{{facility}}/qr.svg", facilities_desk.facility_qr),
    web.get(f"{HOME}/facilities/{{facility}}/poster", facilities_desk.facility_poster),
    web.get(f"{HOME}/api", keys_desk.desk),
    web.post(f"{HOME}/api", keys_desk.act),
)


def setup(app: web.Application, settings: Settings) -> None:
    """Prepares everything; call it after the jobs' own set-up."""
    redis = app[REDIS]
    key = data_key(Path(settings.data.folder))
    app[KEYS] = ApiKeys(redis)
    app[LINKS] = PatientLinks(redis)
    app[FACILITIES] = Facilities(redis, key)
    app[WEBHOOKS] = webhooks = Webhooks(redis, Seal({key_id(key): key}))
    app[KNOWN] = Known(webhooks)
    courier = delivery.Courier(webhooks, networks(settings.webhooks.allow))
    app[jobs.HANDLERS][delivery.KIND] = courier.deliver
    app[jobs.CONSEQUENCES].append(delivery.consequences(app[jobs.JOBS], app[KNOWN]))
    app.cleanup_ctx.append(knowing)
