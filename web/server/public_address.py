"""Keeps the media relay's public address up to date, by requests to a STUN server.

It logs a warning if the relay has only private addresses, which browsers in other networks cannot reach.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable

import structlog

from media import Relay, public_address
from web.config import Settings
from web.config.addresses import stun_server

EVERY_S = 300.0

log = structlog.get_logger("web.media")


def only_private(hosts: Iterable[str]) -> bool:
    """Return True if none of the IP addresses `hosts` can be reached from the internet."""
    return not any(ipaddress.ip_address(host).is_global for host in hosts)


class PublicAddress:
    """Finds the public address of one worker's media relay. Only the worker with the index 0 logs."""

    def __init__(self, relay: Relay, settings: Settings, index: int) -> None:
        self._relay, self._settings, self._logs = relay, settings, index == 0
        self._answered = True

    async def run(self) -> None:
        """Send a request to the STUN server at once and then every EVERY_S seconds, until cancelled.

        After the first request, log a warning if the relay has only private addresses.
        """
        await self.look()
        if self._logs and self._settings.public and only_private(self.hosts()):
            log.warning(
                "media.private_address_only",
                hint="calls from other networks need [media] announce or stun, and forwarded ports; docs/NETWORKS.md",
            )
        while True:
            await asyncio.sleep(EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Request this machine's public address from the STUN server, and pass the address to the media relay.

        Do nothing if the settings name no STUN server. A known address is kept while the STUN server does not
        answer.
        """
        if not self._settings.media.stun:
            return
        found = await public_address(*stun_server(self._settings.media.stun))
        if found is not None and found != self._relay.public_host:
            self._relay.public_host = found
            if self._logs:
                log.info("media.public_address", host=found)
        if found is None and self._answered and self._logs:
            log.warning(
                "media.stun_unanswered",
                hint="does [media] stun name a STUN server that this machine reaches?",
            )
        self._answered = found is not None

    def hosts(self) -> list[str]:
        """Return the IP addresses that browsers get for the media relay."""
        return [candidate.host for candidate in self._relay.candidates()]
