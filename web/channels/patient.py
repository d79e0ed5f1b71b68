"""Messages to a patient who is absent when the visit is claimed, and their results, which staff see. Knows the channels
to a patient. Each channel has its own texts; `rules.py` decides when a message is sent.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from signalling import service
from signalling.store.jobs import Taken
from signalling.store.records import Extra
from signalling.sweep import system
from signalling.visit.commands import RecordContact
from signalling.visit.record import Visit
from signalling.visit.relations import Event
from web.channels.rules import PATIENT_FOR_MS, patient_due_ms, patient_is_awaited
from web.mail.letters import Letter
from web.mail.mail_queue import MailQueue, Resolver
from web.mail.visits import language_of
from web.organisations.settings import Organisation

LETTER = "claimed"


def letters(mail_queue: MailQueue) -> service.Consequences:
    """Return the function that returns the mail to the patient that follows from a visit's event."""

    def of(_: service.Organisation, __: Visit | None, after: Visit, event: Event) -> Iterable[Extra]:
        due_ms = patient_due_ms(after, event)
        if due_ms is not None and after.patient.email:
            yield mail_queue.promise(
                after.organisation,
                LETTER,
                {"visit": after.id, "contact": "mail", "claimed_ms": after.claimed_ms},
                now_ms=event.at_ms,
                due_ms=due_ms,
                expires_ms=event.at_ms + PATIENT_FOR_MS,
            )

    return of


def letter(visits: Callable[[], service.Service]) -> Resolver:
    """Return the function that writes the mail."""

    async def write(organisation: Organisation, payload: dict[str, Any]) -> Letter | None:
        visit = await visits().visit_now(organisation.id, payload["visit"])
        if visit is None or not patient_is_awaited(visit, payload["claimed_ms"]):
            return None
        language = language_of(visit, organisation)
        return Letter(name=LETTER, to=visit.patient.email, language=language, context={})

    return write


def recorder(visits: Callable[[], service.Service]) -> Callable[[str, Taken, str], Awaitable[None]]:
    """Return the function that writes what came of a job into the visit that it is about, if it is a message to its
    patient. Raises `UnavailableError`.
    """

    async def record(organisation: str, taken: Taken, state: str) -> None:
        payload = taken.job.payload
        if "contact" not in payload:
            return
        visit = await visits().visit(organisation, payload["visit"])
        if visit is None or visit.claimed_ms != payload["claimed_ms"]:
            return  # another claim has its own
        await visits().command(system(organisation), visit.id, RecordContact(payload["contact"], state))

    return record
