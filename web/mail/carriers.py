"""Sends a mail to an SMTP server, or writes it to a file in the data folder if no server is set.

The section [mail] of the settings names the server. What the server answers about a recipient is never
logged.
"""

import asyncio
import contextlib
import os
import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

import aiosmtplib

from web.config import Settings, first_line
from web.errors import DeliveryError, PermanentJobError
from web.languages.i18n import N_
from web.mail.outbox import OUTBOX

TIMEOUT_S = 20.0
NOT_NOW = N_("the mail server asks to come later")


class Carrier(Protocol):
    """Sends a mail.

    Raises PermanentJobError if the mail can never be sent, DeliveryError if the server asks to send this mail
    later, and another error if the server takes no mails at all.
    """

    async def carry(self, message: EmailMessage, name: str) -> None: ...


def smtp_client(settings: Settings) -> aiosmtplib.SMTP:
    """Return a client for the mail server in the settings; the client is not connected yet."""
    mail = settings.mail
    return aiosmtplib.SMTP(
        hostname=mail.host,
        port=mail.port,
        use_tls=mail.tls == "tls",
        start_tls=mail.tls == "starttls",
        username=mail.username or None,
        password=_password(settings),
        timeout=TIMEOUT_S,
        tls_context=ssl.create_default_context() if mail.tls != "none" else None,
    )


class Smtp:
    """Sends mails to the SMTP server of the settings, each over a new TCP connection."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # The password is read here, so that the server does not start if the file cannot be read.
        _password(settings)

    async def carry(self, message: EmailMessage, name: str) -> None:
        client = smtp_client(self._settings)
        try:
            await client.connect()
            await client.send_message(message)
            # The server has accepted the mail, so an error of QUIT is ignored.
            with contextlib.suppress(aiosmtplib.SMTPException):
                await client.quit()
        except aiosmtplib.SMTPRecipientsRefused as refused:
            if all(recipient.code >= 500 for recipient in refused.recipients):
                raise PermanentJobError(N_("the mail server refuses the recipient")) from None
            raise DeliveryError(NOT_NOW) from None
        except aiosmtplib.SMTPDataError as refused:
            if refused.code >= 500:
                raise PermanentJobError(N_("the mail server refuses the mail")) from None
            raise DeliveryError(NOT_NOW) from None
        finally:
            # The TCP connection is closed at once, because a cancelled task must not wait for a server that does
            # not answer.
            client.close()


class Files:
    """Writes each mail to the folder `outbox`, readable only by the server's account."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / OUTBOX

    async def carry(self, message: EmailMessage, name: str) -> None:
        await asyncio.to_thread(self._write, bytes(message), name)

    def _write(self, data: bytes, name: str) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self.folder / f".{name}.{os.getpid()}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        draft.rename(self.folder / f"{name}.eml")


def carrier(settings: Settings) -> Carrier:
    """Return the object that sends mails with these settings.

    Raises ConfigError if the password cannot be read.
    """
    return Smtp(settings) if settings.mails else Files(Path(settings.data.folder))


def where(settings: Settings) -> str:
    """Return a few words, for the person who starts the server, about where this server sends or writes its mails."""
    if settings.mails:
        return f"through {settings.mail.host}"
    return f"files in {Path(settings.data.folder) / OUTBOX} (no SMTP server is set)"


def _password(settings: Settings) -> str | None:
    path = settings.mail.password_file
    if not path:
        return settings.mail.password or None
    return first_line("mail.password_file", path)
