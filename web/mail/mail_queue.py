"""Stores mails as jobs in the store's mail queue, from which each is sent when it is due.

A job has either the complete mail, or only a promise of it: its name and a few values (`{"mail": name, ...}`). The
mail of a promise is written when it is due, from the data at that time, by a function that is called its resolver. If
a mail is sent twice after a crash, both copies have the same Message-ID.
"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from signalling.store.jobs import Job, Jobs, Taken, new_job
from signalling.store.records import Extra
from web.config import Settings
from web.errors import DeliveryError, LetterError, PermanentJobError
from web.languages.i18n import N_
from web.mail.carriers import Carrier
from web.mail.letters import Attachment, Letter, written
from web.mail.outbox import named
from web.organisations.documents import Organisations
from web.organisations.settings import Organisation
from web.programs.breaker import Breakers

KIND = "mail"
LONGEST_PAUSE_MS = 60_000
"""The longest time in ms without attempts after failures of the mail server. It is short, because people wait
for mails such as links to set a password."""
Resolver = Callable[[Organisation, dict[str, Any]], Awaitable[Letter | None]]
"""Writes a mail whose job has no text (a promise), from current data, when the mail is due; returns None if the mail
is no longer needed.
"""


class MailQueue:
    """The mail queue of one worker.

    A mail may be stored without its text (as a promise). For each such mail, register in `resolvers`, under the
    mail's name, a function that writes the text.
    """

    def __init__(
        self,
        jobs: Jobs,
        organisations: Organisations,
        carrier: Carrier,
        breakers: Breakers,
        settings: Settings,
    ) -> None:
        self._jobs = jobs
        self._organisations = organisations
        self._carrier = carrier
        self._breakers = breakers
        self._settings = settings
        self.resolvers: dict[str, Resolver] = {}

    def promise(
        self,
        organisation: str,
        kind: str,
        payload: dict[str, Any],
        *,
        now_ms: int,
        due_ms: int | None = None,
        expires_ms: int | None = None,
    ) -> Extra:
        """Return the job of a mail that is written later, for a commit to add: (key of a sorted set, score, member).

        If the commit fails, no mail is sent. `kind`: the mail's name; `payload`: the values for the function that
        writes the mail when it is due. `due_ms`: the time to send the mail, None for at once; after `expires_ms`, the
        mail is not tried again.
        """
        job = new_job(KIND, {"mail": kind, **payload}, now_ms, expires_ms=expires_ms)
        return self._jobs.entry(organisation, job, due_ms)

    async def queue(
        self,
        organisation: str,
        kind: str,
        to: str,
        language: str,
        context: dict[str, Any],
        attachments: Iterable[Attachment] = (),
        *,
        now_ms: int,
        due_ms: int | None = None,
    ) -> None:
        """Add a mail to the mail queue, from which it is sent at `due_ms` (None: at once) to the address `to`.

        If the mail cannot be sent then, it is tried again later. `kind`: the name of the mail; `language`: its
        language; `context`: the values for its template; `attachments`: its files. Raises `UnavailableError` if
        the store does not answer.
        """
        letter = Letter(name=kind, to=to, language=language, context=context, attachments=tuple(attachments))
        await self._jobs.add(organisation, _job(letter, now_ms), due_ms)

    async def deliver(self, organisation_id: str, taken: Taken) -> bool:
        """Write the mail of a job and send it. Return False if the mail is no longer needed.

        This is the handler of jobs of the kind "mail". Raises PermanentJobError if the mail can never be sent,
        PutOffError while deliveries to the mail server are paused after failures, or another error if a later
        try may succeed.
        """
        organisation = await self._organisations.get(organisation_id)
        if organisation is None:
            raise PermanentJobError(N_("there is no such organisation"))
        letter = await self._letter(organisation, taken.job.payload)
        if letter is None:
            return False
        sender = organisation.mail_sender or self._settings.mail.sender
        domain = self._settings.mail.sender.rpartition("@")[2]
        try:
            message = written(
                letter,
                organisation,
                sender=sender,
                origin=self._settings.origin,
                message_id=f"<{taken.job.id}@{domain}>",
                now=datetime.fromtimestamp(taken.now_ms / 1000, UTC),
            )
        except LetterError as problem:
            raise PermanentJobError(str(problem)) from None
        day = f"{datetime.fromtimestamp(taken.job.made_ms / 1000, UTC):%Y-%m-%d}"
        await self._breakers.require(organisation_id, KIND)
        try:
            await self._carrier.carry(message, named(day, letter.name, taken.job.id, organisation_id))
        except (PermanentJobError, DeliveryError):
            # The server has refused this mail only: the server works, so no failure of the server is counted.
            await self._breakers.succeeded(organisation_id, KIND)
            raise
        except Exception:
            await self._breakers.failed(organisation_id, KIND, taken.now_ms, LONGEST_PAUSE_MS)
            raise
        await self._breakers.succeeded(organisation_id, KIND)
        return True

    async def _letter(self, organisation: Organisation, payload: dict[str, Any]) -> Letter | None:
        if "letter" in payload:
            return msgspec.convert(payload["letter"], Letter)
        resolver = self.resolvers.get(payload.get("mail", ""))
        if resolver is None:
            raise PermanentJobError(N_("nobody can write this letter"))
        return await resolver(organisation, payload)


def _job(letter: Letter, now_ms: int) -> Job:
    return new_job(KIND, {"letter": msgspec.to_builtins(letter, builtin_types=(bytes,))}, now_ms)
