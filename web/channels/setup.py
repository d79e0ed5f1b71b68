"""Adds the messages about visits to the app. Call `setup` after jobs, mail and programs are set up."""

from pathlib import Path

from aiohttp import web

from signalling.store import keys
from web.channels import patient, push, staff
from web.channels.devices import VISIT_MS, Devices
from web.channels.messages import Resolver
from web.channels.push_messages import Sender
from web.channels.text_service import KIND, TextServices
from web.channels.texts import Texts
from web.config import Settings
from web.keys import (
    BREAKERS,
    CONSEQUENCES,
    HANDLERS,
    JOB_QUEUES,
    MAIL_QUEUE,
    ORGANISATIONS,
    PUSH,
    REDIS,
    REPORTS,
    SEAL,
    SERVICE,
    TEXT_SERVICES,
    TEXTS,
)
from web.server.data_key import data_key


def setup(app: web.Application, settings: Settings) -> None:
    """Register the messages that a visit's events cause, the handlers that send them, and the recorders of their
    results.
    """
    key = data_key(Path(settings.data.folder))
    seal = app[SEAL]
    app[TEXT_SERVICES] = TextServices(app[REDIS], seal, app[BREAKERS])
    resolvers: dict[str, Resolver] = {
        patient.TURN: patient.turn(lambda: app[SERVICE]),
        staff.WAITING: staff.waiting(app),
    }
    app[TEXTS] = Texts(
        app[TEXT_SERVICES],
        app[ORGANISATIONS],
        resolvers,
        app[BREAKERS],
        settings.origin,
        settings.webhooks.allow,
    )
    app[HANDLERS][KIND] = app[TEXTS].deliver
    app[PUSH] = push.Push(
        Sender(key, settings.origin),
        Devices(app[REDIS], seal, keys.VISIT_DEVICES, VISIT_MS),
        Devices(app[REDIS], seal, keys.STAFF_DEVICES),
        app[ORGANISATIONS],
        resolvers,
        app[BREAKERS],
        settings.path_prefix,
    )
    app[HANDLERS][push.KIND] = app[PUSH].deliver
    app[MAIL_QUEUE].resolvers[patient.LETTER] = patient.letter(lambda: app[SERVICE])
    queues = app[JOB_QUEUES]
    app[CONSEQUENCES] += [
        patient.letters(app[MAIL_QUEUE], sent=settings.mails),
        patient.messages(queues),
        staff.messages(queues),
    ]
    app[REPORTS] += [recorder(lambda: app[SERVICE]) for recorder in (patient.recorder, staff.recorder)]
