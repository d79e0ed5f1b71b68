"""A real SMTP server for tests, on a port of its own. It records mails, and refuses recipients if a test wants it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.limits import WAIT_S
from tests.ports import free_ports


class MailServer:
    """A mail server. `mails`: the mails that have arrived.

    `answers`: the server's SMTP replies to the next recipients. When none is left, it accepts each recipient.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answers: list[str] = []
        self.arrived = asyncio.Event()
        self.asked = 0
        self.hold: asyncio.Event | None = None
        (self.port,) = free_ports(1)
        self._server: asyncio.Server | None = None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.asked += 1
        if self.answers:
            return self.answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = cast(bytes, envelope.content)
        self.mails.append(message_from_bytes(content, policy=default))
        self.arrived.set()
        if self.hold is not None:
            await self.hold.wait()
        return "250 OK"

    async def start(self) -> None:
        """Listen on the port; before, and after `stop`, connections are refused."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="mail.example", enable_SMTPUTF8=False), "127.0.0.1", self.port
        )

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def until(self, count: int) -> list[EmailMessage]:
        """Return all mails as soon as `count` mails have arrived. Raises TimeoutError after WAIT_S."""
        async with asyncio.timeout(WAIT_S):
            while len(self.mails) < count:
                self.arrived.clear()
                await self.arrived.wait()
        return self.mails

    @property
    def settings(self) -> dict[str, Any]:
        """The section [mail] of the settings of a server that sends through this mail server."""
        return {"host": "127.0.0.1", "port": self.port, "tls": "none", "sender": "visits@example.org"}


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    """Yield a mail server that is running; stop it at the end."""
    server = MailServer()
    await server.start()
    yield server
    await server.stop()
