"""Mail: texts in each language, made outside of requests and tried until they are sent.

Use `await app[POST].queue(organisation, kind, to, language, context, attachments)`.
"""

from aiohttp import web

from web.config import Settings
from web.keys import CONSEQUENCES, HANDLERS, JOBS, ORGANISATIONS, POST, SERVICE
from web.mail import visits
from web.mail.carriers import carrier
from web.mail.post import KIND, Post


def setup(app: web.Application, settings: Settings) -> None:
    """Create the mail queue of an app, after `web.jobs.setup`. Raises ConfigError."""
    post = app[POST] = Post(app[JOBS], app[ORGANISATIONS], carrier(settings), settings)
    app[HANDLERS][KIND] = post.deliver
    app[CONSEQUENCES].append(visits.promises(post))
    visits.register(app, post, lambda: app[SERVICE])
