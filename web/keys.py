"""Defines the keys under which an app or a request holds objects for its handlers, with the objects' types.

The types are imported for the type checker only. So every package can import this file without a circle of
imports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    import asyncio

    from redis.asyncio import Redis

    from media import Relay
    from signalling.rooms.liveness import Liveness
    from signalling.service import Consequences, Service
    from signalling.store.audit_log import AuditLog
    from signalling.store.encryption import Seal
    from signalling.store.guest_links import GuestLinks
    from signalling.store.jobs import Jobs
    from signalling.supervision import Supervisor
    from signalling.tracing import Tracer
    from signalling.worker import Worker
    from web.appointments.desk import Desk
    from web.appointments.feeds import Feeds
    from web.channels.push import Push
    from web.channels.text_service import TextServices
    from web.channels.texts import Texts
    from web.config import Settings
    from web.identity.accounts import Account, Accounts
    from web.identity.second_factor import SecondFactors
    from web.identity.sessions import Storage
    from web.intake.patient_links import PatientLinks
    from web.intake.visit_limit import Openings
    from web.jobs import Handler, Report
    from web.mail.mail_queue import MailQueue
    from web.organisations.documents import Organisations
    from web.organisations.facilities import Facilities
    from web.organisations.settings import Organisation
    from web.programs.breaker import Breakers
    from web.programs.keys import ApiKeys
    from web.programs.webhooks import Known, Webhooks
    from web.requests.admission import Admission
    from web.requests.pictures import Pictures
    from web.requests.security import Throttle
    from web.server.processes import Worker as Process

# Keys of the server's settings and resources
SETTINGS: web.AppKey[Settings] = web.AppKey("settings")
WORKER: web.AppKey[Process] = web.AppKey("worker")
"""The process that serves the app; set when the app starts. The app of a test may have none."""
REDIS: web.AppKey[Redis] = web.AppKey("redis")
SEAL: web.AppKey[Seal] = web.AppKey("seal")
"""Encrypts records. All parts of the app use the same object, because its keys change while the app runs."""
DRAINING: web.AppKey[asyncio.Event] = web.AppKey("draining")
SUPERVISOR: web.AppKey[Supervisor] = web.AppKey("supervisor")
TRACER: web.AppKey[Tracer | None] = web.AppKey("tracer")
"""Records traces for OpenTelemetry; None if tracing is off."""
LIVENESS: web.AppKey[Liveness] = web.AppKey("liveness")
"""Writes a small value to the store twice a second, to find out whether the store accepts writes."""

# Keys of the objects about visits
SIGNALLING: web.AppKey[Worker] = web.AppKey("signalling")
RELAY: web.AppKey[Relay] = web.AppKey("relay")
SERVICE: web.AppKey[Service] = web.AppKey("service")
AUDIT_LOG: web.AppKey[AuditLog] = web.AppKey("audit log")
OPENINGS: web.AppKey[Openings] = web.AppKey("openings")
INVITES: web.AppKey[GuestLinks] = web.AppKey("invites")
PATIENT_LINKS: web.AppKey[PatientLinks] = web.AppKey("patient links")
PICTURES: web.AppKey[Pictures] = web.AppKey("pictures")
DESK: web.AppKey[Desk] = web.AppKey("desk")
FEEDS: web.AppKey[Feeds] = web.AppKey("feeds")

# Keys of the objects about people and organisations
ORGANISATIONS: web.AppKey[Organisations] = web.AppKey("organisations")
FACILITIES: web.AppKey[Facilities] = web.AppKey("facilities")
ACCOUNTS: web.AppKey[Accounts] = web.AppKey("accounts")
SECOND_FACTORS: web.AppKey[SecondFactors] = web.AppKey("second factors")
SESSIONS: web.AppKey[Storage] = web.AppKey("sessions")
THROTTLE: web.AppKey[Throttle] = web.AppKey("throttle")
ADMISSION: web.AppKey[Admission] = web.AppKey("admission")

# Keys of the objects about jobs, and about programs that use the API
JOBS: web.AppKey[Jobs] = web.AppKey("jobs")
"""The queue with the jobs that send mails, and with all jobs whose kind has no queue of its own."""
JOB_QUEUES: web.AppKey[dict[str, Jobs]] = web.AppKey("job queues")
TEXT_SERVICES: web.AppKey[TextServices] = web.AppKey("text services")
TEXTS: web.AppKey[Texts] = web.AppKey("texts")
PUSH: web.AppKey[Push] = web.AppKey("push")
BREAKERS: web.AppKey[Breakers] = web.AppKey("breakers")
HANDLERS: web.AppKey[dict[str, Handler]] = web.AppKey("handlers")
REPORTS: web.AppKey[list[Report]] = web.AppKey("reports of jobs")
CONSEQUENCES: web.AppKey[list[Consequences]] = web.AppKey("consequences")
MAIL_QUEUE: web.AppKey[MailQueue] = web.AppKey("mail queue")
API_KEYS: web.AppKey[ApiKeys] = web.AppKey("api keys")
WEBHOOKS: web.AppKey[Webhooks] = web.AppKey("webhooks")
KNOWN_WEBHOOKS: web.AppKey[Known] = web.AppKey("known webhooks")

# Keys of values of one request
HELD_BACK: web.RequestKey[bool] = web.RequestKey("held back")
"""True if the response asks a new visitor to wait because of much work; this is no failure of the server."""
ORGANISATION: web.RequestKey[Organisation] = web.RequestKey("organisation")
"""The organisation that the request's path names; set as soon as a handler has read it."""
SIGNED_IN: web.RequestKey[Account] = web.RequestKey("signed in")
"""The signed-in account; set as soon as a handler has found it. A request without a signed-in account may send
only a small form."""
