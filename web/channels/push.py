"""Sends notifications to devices through their push services, and interprets a service's answer.

A browser names its push service, and a stranger's browser may name any address. So the server calls push services only
by https and at public addresses, even if `[webhooks] allow` lists other addresses. Each push service has its own
breaker (a pause after failures); a device that its service no longer knows is removed.
"""

import asyncio
import re
from collections.abc import Mapping

import msgspec

from signalling.store.jobs import Taken, last_try_ms
from web.channels.devices import Device, Devices
from web.channels.messages import Message, Resolver
from web.channels.push_messages import Sender, device_of
from web.errors import DeliveryError, PermanentJobError, PutOffError
from web.languages.i18n import N_, languages
from web.organisations.documents import Organisations
from web.organisations.settings import Organisation
from web.programs.breaker import Breakers
from web.programs.calls import NOT_ALLOWED, post
from web.programs.public_addresses import Network

KIND = "push"
WORKER = "/static/push_worker.js"
"""The path of the script that shows notifications. It contains no hash, because the browser finds the
subscription by this path."""
GONE = (404, 410)
"""The statuses by which a push service reports that a subscription no longer exists (RFC 8030 §7.3)."""
LATER = (408, 429)


def result_of(status: int, problem: str | None) -> str:
    """Return the result of a call to a push service. `status`: the HTTP status, 0 if the call got no answer.

    `problem`: why the call got no answer, None if it got an answer. The result is "sent", "gone" (the device no longer
    exists), "failed" (the caller tries again) or "refused" (the caller does not try again).
    """
    if 200 <= status < 300:
        return "sent"
    if status in GONE:
        return "gone"
    again = status in LATER or status >= 500 or (status == 0 and problem != NOT_ALLOWED)
    return "failed" if again else "refused"


class Push:
    """Sends notifications to the devices of patients and staff.

    `visits` and `staff`: the stored devices of patients and of staff; `prefix`: the path below which browsers find the
    pages.
    """

    allowed: tuple[Network, ...] = ()
    """Networks that may be called although they are not public. Empty, except in tests."""

    def __init__(
        self,
        sender: Sender,
        visits: Devices,
        staff: Devices,
        organisations: Organisations,
        resolvers: Mapping[str, Resolver],
        breakers: Breakers,
        prefix: str,
    ) -> None:
        self.public_key = sender.public_key
        self.visits = visits
        self.staff = staff
        self._sender = sender
        self._organisations = organisations
        self._resolvers = resolvers
        self._breakers = breakers
        self._prefix = prefix

    def device(self, posted: Mapping[str, str], name: str, now_ms: int) -> Device | None:
        """Return the device that the fields of a sent form describe; None if no message can be sent to it.

        `posted`: the fields; `name`: the device's name for its owner.
        """
        return device_of(posted, name, now_ms, self.allowed)

    async def deliver(self, organisation_id: str, taken: Taken) -> bool:
        """Send the message of a job to all devices of its recipient: a member of staff, or else the patient of the
        visit.

        Handles the jobs of the kind "push". Returns False if the message is no longer needed. Raises PutOffError while
        all services have a pause, DeliveryError if the job must be tried again, PermanentJobError if another try would
        be useless.
        """
        organisation, payload = await self._organisations.get(organisation_id), taken.job.payload
        if organisation is None:
            return False
        message = await self._resolvers[payload["message"]](organisation, payload)
        if message is None:
            return False
        kept_s = max(0, last_try_ms(taken) - taken.now_ms) // 1000
        devices, owner = (self.staff, message.person) if message.person else (self.visits, payload["visit"])
        if not await self._send(devices, organisation, owner, message, taken.now_ms, kept_s):
            # the device was removed after the job was stored
            raise PermanentJobError(N_("there is no device any more"))
        return True

    async def to_account(
        self, organisation: Organisation, person: str, message: Message, now_ms: int, kept_s: int
    ) -> bool:
        """Send a message to all devices of a member of staff; return True if at least one push service has accepted it.

        Returns False if the person has no device. `message`: a text without data of a patient, in the person's
        language; a press on the notification opens its `path`. `now_ms`: the time by the store's clock. `kept_s`: the
        time in s for which the push services keep the message for a device that is not reached at once. Takes at most
        `calls.EACH_S` seconds. Raises PutOffError while all services have a pause, DeliveryError if the message must be
        sent again later, PermanentJobError if no device accepts notifications any longer. A handler of jobs need not
        catch these errors.
        """
        return await self._send(self.staff, organisation, person, message, now_ms, kept_s)

    async def _send(
        self,
        devices: Devices,
        organisation: Organisation,
        owner: str,
        message: Message,
        now_ms: int,
        kept_s: int,
    ) -> bool:
        found = await devices.of(organisation.id, owner)
        waits = [await self._breakers.wait_until_ms(organisation.id, _receiver(device)) for device in found]
        text = self._text(organisation, message)
        ready = [device for device, wait_ms in zip(found, waits, strict=True) if not wait_ms]
        results = await asyncio.gather(
            *(self._post(organisation.id, device, text, now_ms, kept_s) for device in ready)
        )
        gone = [device.id for device, result in zip(ready, results, strict=True) if result == "gone"]
        if gone:
            await devices.drop(organisation.id, owner, *gone)
        if not found or "sent" in results:
            return bool(found)
        if "failed" in results:
            raise DeliveryError(N_("the push service did not take it"))
        if any(waits):
            raise PutOffError(min(wait_ms for wait_ms in waits if wait_ms))
        raise PermanentJobError(N_("no device takes notifications any more"))

    async def _post(self, organisation: str, device: Device, text: bytes, now_ms: int, kept_s: int) -> str:
        headers, body = self._sender.written(device, text, kept_s)
        result = result_of(*await post(device.endpoint, body, headers, self.allowed))
        if result == "failed":
            await self._breakers.failed(organisation, _receiver(device), now_ms)
        else:
            await self._breakers.succeeded(organisation, _receiver(device))
        return result

    def _text(self, organisation: Organisation, message: Message) -> bytes:
        """Return the JSON text that `static/push_worker.js` shows.

        A press on the notification opens the page, so the sentence of the message ends without the colon before a link.
        """
        return msgspec.json.encode(
            {
                "title": organisation.name,
                "body": re.sub(r"\s*:$", ".", message.sentence),
                "path": self._prefix + message.path,
                "lang": message.language,
                "dir": languages()[message.language].direction,
            }
        )


def _receiver(device: Device) -> str:
    """Return the name of the device's push service as a receiver; failures and pauses are counted under this name."""
    return f"{KIND} {device.service}"
