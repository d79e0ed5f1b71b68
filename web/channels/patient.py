"""Sends messages to a patient who is absent when the visit is claimed, and records the results, which staff see.

Each channel to a patient has its own texts; `rules.py` decides when a message is sent.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from signalling import service
from signalling.store.jobs import Jobs, Taken
from signalling.store.records import Extra
from signalling.sweep import system
from signalling.visit.commands import RecordContact
from signalling.visit.record import Visit
from signalling.visit.relations import Event
from web.channels.messages import Message, digits, jobs_of
from web.channels.messages import Resolver as Write
from web.channels.rules import PATIENT_FOR_MS, patient_due_ms, patient_is_awaited
from web.languages.i18n import gettext, using
from web.mail.letters import Letter
from web.mail.mail_queue import MailQueue, Resolver
from web.mail.visits import language_of
from web.organisations.settings import Organisation

LETTER, TURN = "claimed", "turn"


def letters(mail_queue: MailQueue, *, sent: bool) -> service.Consequences:
    """Return a function that gets an event of a visit, and returns jobs for mails to the patient about this event.

    `sent`: True if mails are sent by SMTP, not only written to files; then their results are recorded in the visit.
    """
    recorded = {"contact": "mail"} if sent else {}

    def of(_: service.Organisation, __: Visit | None, after: Visit, event: Event) -> Iterable[Extra]:
        due_ms = patient_due_ms(after, event)
        if due_ms is not None and after.patient.email:
            yield mail_queue.promise(
                after.organisation,
                LETTER,
                {"visit": after.id, "claimed_ms": after.claimed_ms, **recorded},
                now_ms=event.at_ms,
                due_ms=due_ms,
                expires_ms=event.at_ms + PATIENT_FOR_MS,
            )

    return of


def messages(queues: Mapping[str, Jobs]) -> service.Consequences:
    """Return a function that gets an event of a visit, and returns jobs for short messages to the patient about this
    event.
    """

    def of(_: service.Organisation, __: Visit | None, after: Visit, event: Event) -> Iterable[Extra]:
        due_ms = patient_due_ms(after, event)
        if due_ms is None:
            return
        payload = {"visit": after.id, "claimed_ms": after.claimed_ms}
        for job in jobs_of(TURN, payload, after.agreed, event.at_ms, event.at_ms + PATIENT_FOR_MS):
            yield queues[job.kind].entry(after.organisation, job, due_ms)

    return of


def turn(visits: Callable[[], service.Service]) -> Write:
    """Return the function that writes the short message "it is your turn" when the message is due.

    `visits` returns the worker's service for visits.
    """

    async def write(organisation: Organisation, payload: dict[str, Any]) -> Message | None:
        visit = await _awaited(visits(), organisation, payload)
        if visit is None:
            return None
        language = language_of(visit, organisation)
        with using(language):
            sentence = gettext("It is your turn. Open your visit:")
        return Message(sentence, f"/{organisation.id}/visit", digits(visit.patient.phone), language)

    return write


def letter(visits: Callable[[], service.Service]) -> Resolver:
    """Return the function that writes the mail "it is your turn" when the mail is due.

    `visits` returns the worker's service for visits.
    """

    async def write(organisation: Organisation, payload: dict[str, Any]) -> Letter | None:
        visit = await _awaited(visits(), organisation, payload)
        if visit is None:
            return None
        language = language_of(visit, organisation)
        return Letter(name=LETTER, to=visit.patient.email, language=language, context={})

    return write


async def _awaited(
    visits: service.Service, organisation: Organisation, payload: dict[str, Any]
) -> Visit | None:
    """Return the visit that a job's message is about, if the patient of this visit is still absent; otherwise None.

    `payload`: the values of the job. Raises `UnavailableError` if the store does not answer.
    """
    visit = await visits.visit_now(organisation.id, payload["visit"])
    awaited = visit is not None and patient_is_awaited(visit, payload["claimed_ms"])
    return visit if awaited else None


def recorder(visits: Callable[[], service.Service]) -> Callable[[str, Taken, str], Awaitable[None]]:
    """Return a function that writes the result of a job into its visit, if the job is a message to the patient.

    The function raises `UnavailableError` if the store does not answer. `visits` returns the service for
    visits.
    """

    async def record(organisation: str, taken: Taken, state: str) -> None:
        payload = taken.job.payload
        if "claimed_ms" not in payload or "contact" not in payload:
            return
        visit = await visits().visit(organisation, payload["visit"])
        if visit is None or visit.claimed_ms != payload["claimed_ms"]:
            # the result is about a message of an earlier claim of the visit, so it is not recorded
            return
        await visits().command(system(organisation), visit.id, RecordContact(payload["contact"], state))

    return record
