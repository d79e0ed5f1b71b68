"""Checks the mail server (connects and signs in, but sends no mail), and the links in mails."""

import contextlib
from urllib.parse import urlsplit

import aiosmtplib

from web.config import Settings, is_loopback
from web.doctor.findings import Finding, doubtful, good, wrong
from web.mail.carriers import smtp_client


async def server(settings: Settings) -> Finding:
    """Check whether the mail server accepts a connection and the sign-in, and where the links in mails lead.

    No mail is sent.
    """
    name = f"{settings.mail.host}:{settings.mail.port}"
    if not settings.mail.host:
        return doubtful("no mail leaves: each is a file in outbox/", "Set mail.host and what belongs to it.")
    client = smtp_client(settings)
    try:
        await client.connect()
        with contextlib.suppress(aiosmtplib.SMTPException):
            await client.quit()
    except aiosmtplib.SMTPAuthenticationError:
        return wrong(f"{name} refuses mail.username or the password", "Correct them.")
    except (aiosmtplib.SMTPException, OSError) as error:
        return wrong(
            f"{name} does not take the connection ({type(error).__name__})", "Look at host, port and tls."
        )
    finally:
        client.close()
    if settings.public and is_loopback(urlsplit(settings.origin).hostname or ""):
        return wrong(
            f"the links in mails begin with {settings.origin}, which opens on this machine alone",
            "Set server.public_url to the address that people use.",
        )
    return good(f"{name} takes mails")
