"""Builds the web application of one worker from the pages, the signalling and the media.

It defines the order in which the parts are opened and closed, and the handler of each path. It contains no
rule of a visit and no text of a page.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp_session
from aiohttp import web

from signalling.store.encryption import Seal
from web import jobs, mail, retention
from web.api.dispatch import is_api
from web.api.dispatch import routes as api_routes
from web.audit.noting import audited
from web.audit.routes import DECLARED
from web.channels import escalation
from web.channels import setup as channels
from web.config import Settings
from web.identity import sessions
from web.identity.accounts import Accounts, Hasher
from web.identity.second_factor import SecondFactors
from web.intake import closing, waiting_messages
from web.intake.patient_links import PatientLinks
from web.intake.visit_limit import Openings
from web.keys import (
    ACCOUNTS,
    ADMISSION,
    DRAINING,
    FACILITIES,
    OPENINGS,
    ORGANISATIONS,
    PATIENT_LINKS,
    PICTURES,
    REDIS,
    SEAL,
    SECOND_FACTORS,
    SESSIONS,
    SETTINGS,
    SUPERVISOR,
    THROTTLE,
)
from web.languages.i18n import language_middleware
from web.metrics import report, scrape
from web.organisations import demo
from web.organisations.documents import Organisations
from web.organisations.facilities import Facilities
from web.pages import api_reference, rendering
from web.pages.appointments import routes as calendar_routes
from web.pages.errors import error_pages, is_own_form, needs_cookies
from web.pages.facility import kiosk
from web.pages.patient import contact, entry_links, guest, phone, photos
from web.pages.patient import visit as public
from web.pages.please_wait import admission
from web.pages.setup.routes import ROUTES as SETUP
from web.pages.staff import (
    emergency,
    preferences,
    reports,
    sign_in_code,
    two_factor,
)
from web.pages.staff import (
    shell as staff,
)
from web.programs import setup as programs
from web.requests import admission as watching_work
from web.requests import frames
from web.requests.admission import Admission
from web.requests.forms import refuse_other_encodings
from web.requests.path_prefix import add_to_redirect
from web.requests.pictures import Pictures
from web.requests.security import Throttle, headers_signal, same_site_middleware
from web.server import data_key as secret
from web.server import key_rotation, packing, store_version, tracing
from web.server import store_rewriting as rewriting
from web.server.health import healthz, readyz
from web.server.redis_client import connect
from web.websocket import drain, signalling, socket, straight

BODY_BYTES = 64 * 1024

ROUTES = (
    web.get("/", public.start),
    web.get("/healthz", healthz),
    web.get("/readyz", readyz),
    web.get("/metrics", scrape.metrics),
    web.get("/{organisation}", public.calendar),
    web.get("/{organisation}/information", public.information),
    web.post("/{organisation}/information", public.open_a_visit),
    web.get("/{organisation}/visit", public.visit_page),
    web.post("/{organisation}/visits/{visit}/contact", contact.agree),
    web.get("/{organisation}/staff", staff.shell),
    web.get("/{organisation}/staff/visits/{visit}", staff.shell),
    web.get("/{organisation}/staff/sign-in", staff.sign_in_page),
    web.post("/{organisation}/staff/sign-in", staff.sign_in_form),
    web.post("/{organisation}/staff/sign-out", staff.sign_out_form),
    web.get("/{organisation}/staff/session", staff.session_left),
    web.post("/{organisation}/staff/session", staff.session_prolonged),
    *SETUP,
    *calendar_routes.ROUTES,
    *preferences.ROUTES,
    *sign_in_code.ROUTES,
    *two_factor.ROUTES,
    *emergency.ROUTES,
    *guest.ROUTES,
    *photos.ROUTES,
    *phone.ROUTES,
    web.get("/{organisation}/staff/reports", reports.reports),
    web.get("/{organisation}/staff/reports.csv", reports.table),
    *api_routes(),
    *api_reference.ROUTES,
    *entry_links.ROUTES,
    *kiosk.ROUTES,
    web.get("/{organisation}/ws", socket),
    web.get("/{organisation}/{area:[a-z0-9-]{1,40}}", public.area_calendar),
    web.route("*", "/{organisation}/{rest:.*}", public.no_such_page),
)


def create_app(settings: Settings) -> web.Application:
    """Return the web application of one worker process, built from the settings.

    The start of the application raises ConfigError if it cannot work with the settings, or a RedisError if the store
    does not answer.
    """
    secret.make_data_key(Path(settings.data.folder))
    found = secret.content(Path(settings.data.folder))
    redis = connect(settings)
    storage = sessions.storage(redis, settings)
    language = storage.cookie_name + "-lang"
    app = web.Application(
        client_max_size=BODY_BYTES,
        middlewares=[
            straight,
            language_middleware(language, frames.cookie_of, secure=settings.secure, path=storage.path),
            error_pages,
            admission,
            needs_cookies,
            refuse_other_encodings(is_api),
            same_site_middleware(settings.server.public_url, is_api, is_own_form),
            aiohttp_session.session_middleware(storage),
            audited(DECLARED, is_api),
        ],
    )
    app[SETTINGS] = settings
    app[REDIS] = redis
    app[SEAL] = Seal(secret.keys_in(found))
    app[SESSIONS] = storage
    app[ORGANISATIONS] = Organisations(redis)
    app[THROTTLE] = Throttle(redis)
    app[ADMISSION] = Admission()
    app[OPENINGS] = Openings(app[THROTTLE], settings)
    app[PATIENT_LINKS] = PatientLinks(redis)
    app[PICTURES] = Pictures()
    app[FACILITIES] = Facilities(redis, found[: secret.BYTES])
    app[DRAINING] = asyncio.Event()
    app.on_shutdown.append(drain)
    app.on_response_prepare.append(headers_signal(settings.secure, frames.framing_sites))
    app.on_response_prepare.append(frames.add_twins)
    app.on_response_prepare.append(lambda _, response: add_to_redirect(settings.path_prefix, response))
    app.cleanup_ctx.extend(
        [
            _store,
            _accounts,
            tracing.running,
            signalling,
            _settings,
            calendar_routes.desk,
            jobs.running,
            retention.running,
            packing.running,
            closing.running,
            escalation.running,
            waiting_messages.running,
            rewriting.running,
            key_rotation.running,
            scrape.running,
            report.running,
            watching_work.running,
        ]
    )
    jobs.setup(app, settings)
    programs.setup(app, settings)
    mail.setup(app, settings)
    channels.setup(app, settings)
    rendering.setup(app)
    app.add_routes(ROUTES)
    return app


async def _store(app: web.Application) -> AsyncIterator[None]:
    found = secret.content(Path(app[SETTINGS].data.folder))
    app[SEAL].replace(await secret.check(app[REDIS], found))
    await store_version.check(app[REDIS])
    yield
    await app[REDIS].aclose()


async def _settings(app: web.Application) -> AsyncIterator[None]:
    app[SUPERVISOR].keep("organisations", app[ORGANISATIONS].run)
    yield
    await app[SUPERVISOR].stop("organisations")


async def _accounts(app: web.Application) -> AsyncIterator[None]:
    hasher = Hasher()
    app[ACCOUNTS] = Accounts(app[REDIS], hasher)
    app[SECOND_FACTORS] = SecondFactors(app[REDIS], app[SEAL], hasher)
    await demo.seed(app[SETTINGS], app[REDIS], app[ORGANISATIONS], app[ACCOUNTS])
    yield
    hasher.close()
