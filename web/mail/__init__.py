"""Sends mails: writes them in the reader's language, and tries each again until it is sent.

Use `await app[MAIL_QUEUE].queue(organisation, kind, to, language, context, attachments)`.
"""

from aiohttp import web

from web.config import Settings
from web.keys import BREAKERS, CONSEQUENCES, HANDLERS, JOBS, MAIL_QUEUE, ORGANISATIONS, SERVICE
from web.mail import visits
from web.mail.carriers import carrier
from web.mail.mail_queue import KIND, MailQueue


def setup(app: web.Application, settings: Settings) -> None:
    """Create the mail queue of an app. Call `web.programs.setup` before this function.

    Raises ConfigError if the file with the mail server's password cannot be read.
    """
    mail_queue = app[MAIL_QUEUE] = MailQueue(
        app[JOBS], app[ORGANISATIONS], carrier(settings), app[BREAKERS], settings
    )
    app[HANDLERS][KIND] = mail_queue.deliver
    app[CONSEQUENCES].append(visits.promises(mail_queue))
    visits.register(app, mail_queue, lambda: app[SERVICE])
