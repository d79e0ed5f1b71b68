"""Reads the server's address from the candidates of an SDP offer, and replaces it by the address of a proxy.

Only the lines `a=candidate` of an SDP are read.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

CANDIDATE: Final = re.compile(
    r"^(a=candidate:\S+ \d+ (?:udp|tcp) \d+) (\S+) (\d+)( typ host[^\r\n]*)\r?\n",
    re.MULTILINE | re.IGNORECASE,
)


def server_of(offer: str) -> tuple[str, int]:
    """Return the address and port of the offer's first candidate.

    Raises ValueError if there is no candidate, or if its address is a host name.
    """
    found = CANDIDATE.search(offer)
    if found is None:
        raise ValueError("the offer has no candidate")
    return str(ip_address(found[2])), int(found[3])


def led_through(offer: str, host: str, port: int) -> str:
    """Return the offer with the address of the proxy (`host` and `port`) in all candidates.

    The candidates of one section (one media line of the SDP) become equal, so only one candidate for UDP and one for
    TCP is kept.
    """
    sections = re.split(r"(?=^m=)", offer, flags=re.MULTILINE)
    return "".join(_led(section, f"{host} {port}") for section in sections)


def _led(section: str, address: str) -> str:
    protocols: set[str] = set()

    def led(candidate: re.Match[str]) -> str:
        protocol = candidate[1].split()[2].lower()
        if protocol in protocols:
            return ""
        protocols.add(protocol)
        return f"{candidate[1]} {address}{candidate[4]}\r\n"

    return CANDIDATE.sub(led, section)
