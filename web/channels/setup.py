"""Adds the messages about visits to the app; call it after `web.jobs.setup` and `web.mail.setup`."""

from aiohttp import web

from web.channels import patient
from web.keys import CONSEQUENCES, MAIL_QUEUE, REPORTS, SERVICE


def setup(app: web.Application) -> None:
    """Register what follows from a visit's events, and who receives what came of it."""
    app[CONSEQUENCES].append(patient.letters(app[MAIL_QUEUE]))
    app[MAIL_QUEUE].resolvers[patient.LETTER] = patient.letter(lambda: app[SERVICE])
    app[REPORTS].append(patient.recorder(lambda: app[SERVICE]))
