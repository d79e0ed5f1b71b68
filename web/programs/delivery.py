"""Delivers events to webhooks: the list of events, the signature of a message, and which answers count as delivered.

When an event is stored, `consequences` adds a job for each webhook that receives the event, in the same
transaction of the store. The runner of jobs tries a failed delivery again. A message contains the event
and the visit's state, but no text from the patient.

Signature: `Greenroom-Signature: v1=` and the hex of HMAC-SHA256, keyed with the webhook's secret, over the value of
`Greenroom-Timestamp` (seconds), a full stop, and the body.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Sequence

import msgspec
import structlog

from signalling.service import Organisation
from signalling.store.jobs import Job, Jobs, Taken, new_job
from signalling.store.records import Extra
from signalling.visit.audit_entries import kind_of
from signalling.visit.record import Visit
from signalling.visit.relations import Event
from signalling.visit.rules import DEADLINES, QUIET, RULES
from web.errors import DeliveryError, PermanentJobError
from web.languages.i18n import N_
from web.programs import types as t
from web.programs import views
from web.programs.breaker import Breakers
from web.programs.calls import post
from web.programs.public_addresses import Network
from web.programs.webhooks import Known, Webhook, Webhooks

KIND = "webhook"
EVENTS: tuple[str, ...] = tuple(
    dict.fromkeys(row.event for table in (RULES, DEADLINES) for row in table if row.event not in QUIET)
)
"""The names of all events that a webhook may receive, in the order of the tables in `signalling/visit`."""

REDIRECTED = N_("redirects are not followed")
NOT_TAKEN = N_("not taken")

log = structlog.get_logger("web.webhooks")


def signature(secret: str, timestamp_s: int, body: bytes) -> str:
    """Return the value of the header Greenroom-Signature for a message with this body.

    `secret`: the secret of the webhook; `timestamp_s`: the value of Greenroom-Timestamp.
    """
    signed = f"{timestamp_s}.".encode() + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def consequences(jobs: Jobs, known: Known) -> Callable[..., Iterable[Extra]]:
    """Return a function that signalling calls for each event before it stores the event.

    The returned function yields the jobs that are stored together with the event, one for each webhook that receives
    the event. `jobs`: the queue for the jobs; `known`: this worker's copy of the webhooks.
    """

    def of(_: Organisation, __: Visit | None, after: Visit, event: Event) -> Iterable[Extra]:
        if event.kind in QUIET:
            return
        for webhook in known.of(after.organisation, event.kind):
            yield jobs.entry(after.organisation, _job(webhook, after, event))

    return of


def _job(webhook: Webhook, visit: Visit, event: Event) -> Job:
    # Who the patient is, and whom the patient brings, is not for the receiver.
    unnamed = event.by is None or kind_of(event.by.id) in ("patient", "guest")
    message = t.Message(
        id="",
        event=event.kind,
        organisation=visit.organisation,
        at_ms=event.at_ms,
        by=None if unnamed else views.person(event.by),
        visit=views.visit(msgspec.structs.replace(visit, reason=None)),
    )
    job = new_job(KIND, {}, event.at_ms)
    body = msgspec.json.encode(msgspec.structs.replace(message, id=job.id))
    payload = {"webhook": webhook.id, "event": event.kind, "visit": visit.id, "body": body}
    return msgspec.structs.replace(job, payload=payload)


class Courier:
    """Delivers messages to webhooks. `allowed`: networks that may be called although they are not public."""

    def __init__(self, webhooks: Webhooks, breakers: Breakers, allowed: Sequence[Network]) -> None:
        self._webhooks = webhooks
        self._breakers = breakers
        self._allowed = allowed

    async def deliver(self, organisation: str, taken: Taken) -> None:
        """Deliver the message of a job to its webhook.

        Raises DeliveryError if the delivery has failed and must be tried again, PutOffError while the receiver has a
        pause after failures, and PermanentJobError if the webhook was deleted or switched off.
        """
        payload = taken.job.payload
        webhook = await self._webhooks.get(organisation, payload["webhook"])
        if webhook is None or not webhook.enabled:
            raise PermanentJobError(N_("the webhook is gone or off"))
        await self._breakers.require(organisation, webhook.id)
        began = time.monotonic()
        status, problem = await self._post(webhook, taken.job.id, payload["body"], taken.now_ms)
        attempt = t.Delivery(
            id=taken.job.id,
            event=payload["event"],
            visit=payload["visit"],
            attempt=taken.attempt,
            at_ms=taken.now_ms,
            took_ms=round((time.monotonic() - began) * 1000),
            status=status,
            problem=problem,
        )
        await self._webhooks.attempted(organisation, webhook.id, attempt)
        if problem is not None:
            await self._breakers.failed(organisation, webhook.id, taken.now_ms)
            raise DeliveryError(problem)
        await self._breakers.succeeded(organisation, webhook.id)

    async def _post(self, webhook: Webhook, job: str, body: bytes, now_ms: int) -> tuple[int, str | None]:
        """Send a message to a webhook; return (the HTTP status of the answer, why the message was not delivered).

        The status is 0 if there is no answer; the reason is None if the message was delivered. `job`: the id of the
        job; `body`: the JSON to send; `now_ms`: the time for the signature.
        """
        timestamp_s = now_ms // 1000
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Greenroom-Webhook/1",
            "Greenroom-Delivery": job,
            "Greenroom-Timestamp": str(timestamp_s),
            "Greenroom-Signature": signature(webhook.secret, timestamp_s, body),
        }
        status, problem = await post(webhook.url, body, headers, self._allowed)
        if problem is not None:
            return 0, problem
        if 200 <= status < 300:
            return status, None
        return status, REDIRECTED if 300 <= status < 400 else NOT_TAKEN
