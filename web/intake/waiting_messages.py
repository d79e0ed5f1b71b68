"""Sends the clinic's automatic messages to patients who have waited for a number of minutes.

The messages are in `Organisation.messages`. Every worker checks which messages are due; each is sent once, because
its id is made from the visit's id and the number of minutes. The message appears in the chat on the visit's page.
An absent patient reads it there later, and gets no mail and no text message.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator
from functools import partial

from aiohttp import web

from signalling.errors import UnavailableError
from signalling.service import Service
from signalling.ticks import tick
from signalling.visit.record import ChatMessage, Visit
from web.keys import ORGANISATIONS, SERVICE, SUPERVISOR
from web.organisations.documents import Organisations
from web.organisations.settings import Organisation, WaitingMessage

TASK = "web.waiting_messages"
PERIOD_S = 15.0
MINUTE_MS = 60_000
CLINIC = "clinic"


def due(organisation: Organisation, visit: Visit, now_ms: int) -> WaitingMessage | None:
    """Return the message that is due for a waiting visit; None if no message is due.

    If several messages are due, return the message with the longest wait. A visit that was returned to the queue gets
    no message.
    """
    waited_ms = now_ms - visit.arrived_ms
    come = [one for one in organisation.messages if one.after_min * MINUTE_MS <= waited_ms]
    return None if visit.returned else max(come, key=lambda one: one.after_min, default=None)


class Sender:
    """Sends the clinics' automatic messages that are due, for one worker."""

    def __init__(self, service: Service, organisations: Organisations) -> None:
        self._service = service
        self._organisations = organisations
        # The ids of messages that were sent to visits that still wait; these messages are not sent again.
        self._sent: set[str] = set()

    async def send_due(self) -> int:
        """Send the automatic messages that are due; return their number.

        Raises `UnavailableError` if the store does not answer.
        """
        there = set[str]()
        count = await self._organisations.at_each(TASK, partial(self._send_at, there))
        self._sent = there
        return count

    async def _send_at(self, there: set[str], organisation: Organisation) -> int:
        """Send the messages that are due at one organisation; return the number sent.

        `there`: a set to which this function adds the ids of all due messages, those sent earlier included. `send_due`
        keeps the set as `_sent`.
        """
        if not organisation.messages:
            return 0
        count, mirror = 0, await self._service.mirrors.get(organisation.id)
        for message in self._due(organisation, mirror.visits.queue(urgent_first=False)):
            there.add(message.id)
            if message.id not in self._sent:
                count += await self._service.write(organisation.id, message, None) is not None
        return count

    def _due(self, organisation: Organisation, waiting: list[Visit]) -> Iterator[ChatMessage]:
        now_ms = self._service.clock_ms()
        for visit in waiting:
            message = due(organisation, visit, now_ms)
            if message is not None:
                yield ChatMessage(
                    id=f"wait-{message.after_min}-{visit.id}",
                    visit=visit.id,
                    at_ms=now_ms,
                    party=CLINIC,
                    name=organisation.name,
                    text=message.text,
                )

    async def run(self) -> None:
        """Send the messages that are due, every PERIOD_S seconds, until this task is cancelled."""
        while True:
            # After an error of the store, the worker tries some seconds later to send the messages.
            with contextlib.suppress(UnavailableError):
                await self.send_due()
            await tick(PERIOD_S)


async def running(app: web.Application) -> AsyncIterator[None]:
    """Send the automatic messages from the start of the app to its end.

    The app must open this context after the context of signalling, because it uses signalling.
    """
    app[SUPERVISOR].keep(TASK, Sender(app[SERVICE], app[ORGANISATIONS]).run)
    yield
