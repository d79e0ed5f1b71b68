"""Sends each text message in a process of its own (`send_text.py`), and interprets the word that this process
prints.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping, Sequence

from signalling.store.jobs import Taken
from web.channels.messages import Resolver, digits
from web.channels.text_service import KIND, Service, TextServices
from web.errors import DeliveryError, PermanentJobError
from web.languages.i18n import N_, gettext
from web.organisations.documents import Organisations
from web.organisations.settings import Organisation
from web.programs.breaker import Breakers

TIMEOUT_S = 25.0
WORDS = {
    "sent": N_("The service has taken the message. It should arrive within a minute."),
    "unknown": N_("Greenroom does not know this kind of address, or a part of it is missing."),
    "address": N_("This address leads to a server that Greenroom may not call: it must be on the internet."),
    "refused": N_("The service did not take the message. Look at its own page for the reason."),
    "late": N_("The service did not answer in time."),
}
"""The word that `send_text.py` prints -> a sentence that explains this result to the clinic's administrator."""


async def ask(url: str, text: str | None, allowed: Sequence[str]) -> str:
    """Run the program `send_text.py` and return the word that it prints.

    Returns "late" if it has not ended after TIMEOUT_S, and "refused" if it prints nothing. `url`: the clinic's service;
    `text`: the message, None to check only the URL; `allowed`: networks that may be called although they are not
    public.
    """
    asked = json.dumps({"url": url, "text": text, "allowed": list(allowed)}).encode()
    # The option -I and an empty environment make Python ignore proxies, configuration files and passwords of
    # the server's account.
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-m", "web.channels.send_text", stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env={},
    )  # fmt: skip
    try:
        async with asyncio.timeout(TIMEOUT_S):
            output, _ = await program.communicate(asked)
    except TimeoutError:
        return "late"
    finally:
        if program.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                program.kill()
            await program.wait()
    return output.decode() or "refused"


class Texts:
    """Delivers text messages. `allowed`: networks that may be called although they are not public."""

    def __init__(
        self,
        services: TextServices,
        organisations: Organisations,
        resolvers: Mapping[str, Resolver],
        breakers: Breakers,
        origin: str,
        allowed: Sequence[str],
    ) -> None:
        self._services = services
        self._organisations = organisations
        self._resolvers = resolvers
        self._breakers = breakers
        self._origin = origin
        self._allowed = allowed

    async def try_out(self, organisation: Organisation, service: Service, phone: str) -> str:
        """Send a test message through a clinic's service to a phone number (E.164) at once; return the result as a
        word.

        The words are those of `ask`, such as "sent" or "late". "sent" also ends the pause that failures have caused.
        """
        text = gettext("%(clinic)s: this is a test message.") % {"clinic": organisation.name}
        word = await ask(service.to(digits(phone)), text, self._allowed)
        if word == "sent":
            await self._breakers.succeeded(organisation.id, KIND)
        return word

    async def deliver(self, organisation_id: str, taken: Taken) -> bool:
        """Deliver the message of a job; return False if it is no longer needed, or if there is no service or number.

        Raises PutOffError during a pause after failures, and DeliveryError if the job must be tried again. Raises
        PermanentJobError if the service cannot be called, so that another try would be useless.
        """
        organisation = await self._organisations.get(organisation_id)
        service = await self._services.get(organisation_id)
        if organisation is None or service is None:
            return False
        message = await self._resolvers[taken.job.payload["message"]](organisation, taken.job.payload)
        if message is None or not message.phone:
            return False
        await self._breakers.require(organisation_id, KIND)
        text = f"{organisation.name}: {message.sentence} {self._origin}{message.path}"
        word = await ask(service.to(message.phone), text, self._allowed)
        if word == "sent":
            await self._breakers.succeeded(organisation_id, KIND)
            return True
        if word in ("unknown", "address"):
            raise PermanentJobError(N_("the service for text messages cannot be called"))
        await self._breakers.failed(organisation_id, KIND, taken.now_ms)
        raise DeliveryError(WORDS.get(word, WORDS["refused"]))
