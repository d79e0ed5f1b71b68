"""Puts the API's parts into the app: what it keeps there, what runs, what is routed. Knows no operation."""

from pathlib import Path

from aiohttp import web

from signalling.store.encryption import Seal
from web.api.dispatch import routes
from web.config import Settings
from web.intake.patient_links import PatientLinks
from web.keys import (
    API_KEYS,
    CONSEQUENCES,
    FACILITIES,
    HANDLERS,
    JOBS,
    KNOWN_WEBHOOKS,
    PATIENT_LINKS,
    REDIS,
    WEBHOOKS,
)
from web.organisations.facilities import Facilities
from web.pages import api_reference as reading
from web.pages.facility import kiosk
from web.pages.patient import entry_links as links
from web.pages.setup import facilities as facilities_desk
from web.pages.setup import programs as keys_desk
from web.programs import delivery
from web.programs.keys import ApiKeys
from web.programs.public_addresses import networks
from web.programs.webhooks import Known, Webhooks, knowing
from web.server.data_key import data_key, key_id

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
    app[API_KEYS] = ApiKeys(redis)
    app[PATIENT_LINKS] = PatientLinks(redis)
    app[FACILITIES] = Facilities(redis, key)
    app[WEBHOOKS] = webhooks = Webhooks(redis, Seal({key_id(key): key}))
    app[KNOWN_WEBHOOKS] = Known(webhooks)
    courier = delivery.Courier(webhooks, networks(settings.webhooks.allow))
    app[HANDLERS][delivery.KIND] = courier.deliver
    app[CONSEQUENCES].append(delivery.consequences(app[JOBS], app[KNOWN_WEBHOOKS]))
    app.cleanup_ctx.append(knowing)
