"""Checks whether picture and sound can reach the server: the ports, and the addresses that browsers receive."""

import ipaddress
import os
from pathlib import Path
from urllib.parse import urlsplit

from media import RelaySettings, public_address
from media.transport.udp import bind
from web.config import Settings, is_loopback
from web.config.addresses import stun_server
from web.doctor.findings import Finding, doubtful, good, wrong
from web.server.public_address import only_private
from web.server.tls import local_addresses
from web.server.valkey import running_origin

ADVICE = (
    "Set media.stun, or media.announce to the public address, and forward the ports; see docs/NETWORKS.md."
)
TAKEN = "Stop what has it, or choose other ports with media.ports."


def ports(settings: Settings) -> Finding:
    """Check whether the ports of [media] are free for UDP, and for TCP if it is on, or used by the running server."""
    numbers = [number for index in range(settings.server.workers) for number in settings.media_ports(index)]
    if not any(numbers):
        return (
            doubtful("each start takes other UDP ports", "Set media.ports, so that a firewall can open them.")
            if settings.public
            else good("any free UDP ports")
        )
    span = f"UDP {min(numbers)} to {max(numbers)}"
    if running_origin(Path(settings.data.folder)) is not None:
        return good(f"{span}, which the running server has")
    host, tcp = settings.media_host, settings.media.tcp
    without_tcp: Finding | None = None
    for number in sorted(set(numbers)):
        try:
            bound, listening = bind(RelaySettings(host=host, ports=(number,), tcp=tcp))
        except OSError as error:
            why = os.strerror(error.errno or 0)
            return wrong(f"{host} port {number} cannot be used ({why})", TAKEN)
        for sock in (*bound, *listening):
            sock.close()
        if tcp and len(listening) < len(bound):
            without_tcp = without_tcp or doubtful(f"{host} port {number} cannot be used for TCP", TAKEN)
    return without_tcp or good(f"{span} are free; open them in the firewall{', for TCP too' if tcp else ''}")


async def address(settings: Settings) -> Finding:
    """Check whether browsers in other networks can reach an address that they get for media."""
    if is_loopback(settings.media_host) and not is_loopback(urlsplit(settings.origin).hostname or ""):
        return wrong(
            f"picture and sound are received on this machine alone ({settings.media_host})",
            'They do not pass the proxy: set media.host to "::".',
        )
    if settings.media.stun:
        found = await public_address(*stun_server(settings.media.stun))
        if found is None:
            return wrong(
                "the STUN server does not answer", "Does media.stun name one that this machine reaches?"
            )
        return good(f"the internet sees this machine as {found}")
    announced = settings.media.announce or _own(settings.media_host)
    if not settings.public:
        return good("calls stay on this machine")
    if only_private(announced):
        return doubtful(f"browsers are told private addresses alone ({', '.join(announced)})", ADVICE)
    return good(f"browsers are told {', '.join(announced)}")


def _own(host: str) -> list[str]:
    """Return the IP addresses that the media relay announces to browsers when it listens on `host`."""
    if not ipaddress.ip_address(host).is_unspecified:
        return [host]
    return [str(each) for each in local_addresses() if not each.is_loopback] or ["127.0.0.1"]
