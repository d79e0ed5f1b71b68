"""The letters that a visit's own events bring about: declined, to the patient; assigned, to whoever wishes to know.

Knows which event promises which letter, and how the record becomes one when it is due. They are promised in the same
commit as the event, so that none is lost and none comes of what did not happen.
"""

from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from signalling import service
from signalling.store.records import Extra
from signalling.visit.record import Outcome, Status, Visit
from signalling.visit.rules import Event
from web.identity.accounts import Accounts
from web.keys import ACCOUNTS
from web.languages.i18n import SOURCE, languages
from web.mail.letters import Letter
from web.mail.post import Post
from web.organisations.documents import Organisation

MINUTE_MS = 60_000
LETTERS = {"declined": "declined", "assigned": "assigned", "transferred": "assigned"}
"""Event -> the letter that it promises."""


def promises(post: Post) -> service.Consequences:
    """What a visit's events bring about in mail."""

    def of(
        settings: service.Organisation, before: Visit | None, after: Visit, event: Event
    ) -> Iterable[Extra]:
        letter = LETTERS.get(event.kind)
        if letter is None:
            return
        by = "" if event.by is None else event.by.name
        yield post.promise(after.organisation, letter, {"visit": after.id, "by": by}, now_ms=event.at_ms)

    return of


def register(app: web.Application, post: Post, visits: Callable[[], service.Service]) -> None:
    """Makes the post office able to write these letters."""

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
            },  # no word of who wrote the address, which may be anybody's
        )

    async def assigned(organisation: Organisation, payload: dict[str, Any]) -> Letter | None:
        visit = await visits().visit(organisation.id, payload["visit"])
        if visit is None or visit.status is not Status.QUEUED or visit.assignee is None:
            return None  # it has been claimed, or given to somebody else, since
        account = await accounts().get(organisation.id, visit.assignee.id)
        if account is None or account.disabled or not account.mail_assigned:
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

    post.resolvers.update(declined=declined, assigned=assigned)


def language_of(visit: Visit, organisation: Organisation) -> str:
    """The patient's own language where we have it, else the organisation's first that we do."""
    wanted = (visit.patient.language, *organisation.languages)
    return next((code for code in wanted if code in languages()), SOURCE)
