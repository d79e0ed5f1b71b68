"""Defines and writes the mails that a visit's events cause.

"declined" and "closed" are sent to the patient, "assigned" to staff. The job that sends a mail is stored in the same
commit as the event. So no mail is lost, and none is sent about a change that failed. The mail is written from the
visit's record when it is due.
"""

from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from signalling import service
from signalling.store.records import Extra
from signalling.visit.record import STAFF_ROLES, Outcome, Status, Visit
from signalling.visit.relations import Event
from web.identity.accounts import Accounts
from web.keys import ACCOUNTS
from web.languages.i18n import SOURCE, languages
from web.mail.letters import Letter
from web.mail.mail_queue import MailQueue
from web.organisations.settings import Organisation

MINUTE_MS = 60_000
LETTERS = {"closed": "closed", "declined": "declined", "assigned": "assigned", "transferred": "assigned"}
"""Name of an event -> name of the mail that it causes."""


def promises(mail_queue: MailQueue) -> service.Consequences:
    """Return a function that returns the jobs of the mails that an event of a visit causes."""

    def of(
        settings: service.Organisation, before: Visit | None, after: Visit, event: Event
    ) -> Iterable[Extra]:
        letter = LETTERS.get(event.kind)
        if letter is None:
            return
        by = "" if event.by is None else event.by.name
        yield mail_queue.promise(
            after.organisation, letter, {"visit": after.id, "by": by}, now_ms=event.at_ms
        )

    return of


def register(app: web.Application, mail_queue: MailQueue, visits: Callable[[], service.Service]) -> None:
    """Register the functions that write the mails "declined", "closed" and "assigned" when they are due.

    `visits` returns the worker's service for visits.
    """

    async def declined(organisation: Organisation, payload: dict[str, Any]) -> Letter | None:
        visit = await visits().visit(organisation.id, payload["visit"])
        if visit is None or visit.outcome is not Outcome.DECLINED or not visit.patient.email:
            return None
        return Letter(
            name="declined",
            to=visit.patient.email,
            language=language_of(visit, organisation),
            context={
                "reason": visit.reason or ""
                # The mail contains no text of the patient, because the address may be a stranger's.
            },
        )

    async def closed(organisation: Organisation, payload: dict[str, Any]) -> Letter | None:
        visit = await visits().visit(organisation.id, payload["visit"])
        if visit is None or visit.outcome is not Outcome.CLOSED or not visit.patient.email:
            return None
        return Letter(name="closed", to=visit.patient.email, language=language_of(visit, organisation))

    async def assigned(organisation: Organisation, payload: dict[str, Any]) -> Letter | None:
        visit = await visits().visit(organisation.id, payload["visit"])
        if visit is None or visit.status is not Status.QUEUED or visit.assignee is None:
            # No mail is sent, because the visit was claimed, or its assignment removed, after the job was
            # stored.
            return None
        account = await accounts().get(organisation.id, visit.assignee.id)
        if account is None or account.disabled or not account.mail_assigned:
            return None
        if account.role not in STAFF_ROLES:
            return None
        return Letter(
            name="assigned",
            to=account.email,
            language=account.language or organisation.languages[0],
            context={
                "name": account.name,
                "by": payload["by"] or organisation.name,
                "minutes": organisation.policy.assignment_ms // MINUTE_MS,
            },
        )

    def accounts() -> Accounts:
        return app[ACCOUNTS]

    mail_queue.resolvers.update(closed=closed, declined=declined, assigned=assigned)


def language_of(visit: Visit, organisation: Organisation) -> str:
    """Return the language of a mail to the patient.

    It is the first of these in which mails can be written: the patient's language, the organisation's languages in
    their order, English.
    """
    wanted = (visit.patient.language, *organisation.languages)
    return next((code for code in wanted if code in languages()), SOURCE)
