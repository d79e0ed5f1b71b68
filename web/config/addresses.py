"""Checks the addresses in settings (machine, network, origin, mailbox), and whether only this machine can reach them.

It reads only the text of an address, and asks no name server. `keys.py` and `rules.py` define which kind of address
each key holds.
"""

import ipaddress
import re
from urllib.parse import urlsplit

MAILBOX = re.compile(r"[^@\s<>()\[\],;:\"\\\\]{1,64}@[A-Za-z0-9.-]{1,189}")
"""Matches an email address from which mail may be sent."""


TURN = re.compile(
    r"turns?:(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?(?:\?transport=(?:udp|tcp))?"
)
"""Matches a TURN URI (RFC 7065)."""


STUN = re.compile(r"stun:([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{1,5}))?")
"""Matches a STUN URI (RFC 7064); its groups are the host and the port."""


def stun_server(url: str) -> tuple[str, int]:
    """Return the host and port of a STUN URI (RFC 7064). Raises ValueError if `url` is no such URI."""
    found = STUN.fullmatch(url)
    port = int(found[2] or 3478) if found is not None else 0
    if found is None or not 0 < port < 65536:
        raise ValueError(url)
    return found[1].strip("[]"), port


def is_stun(url: str) -> bool:
    """Return whether `url` is a STUN URI (RFC 7064)."""
    try:
        stun_server(url)
    except ValueError:
        return False
    return True


def is_turn(url: str) -> bool:
    """Return whether `url` is a TURN URI (RFC 7065)."""
    return TURN.fullmatch(url) is not None


PUBLIC_URL = re.compile(
    r"https?://(?:[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[1-9]\d{0,4})?(?:/[A-Za-z0-9_~.-]+)*/?"
)
"""Matches a public address; a name in other letters is written as browsers send it (xn--…, RFC 5890)."""


def is_public_url(url: str) -> bool:
    """Return whether `url` may be the public address of the server, or is empty.

    A public address has a scheme and a host, and perhaps a port and a path, but no user and no query. It
    begins with https, or with http if the host is this machine.
    """
    if not url:
        return True
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return PUBLIC_URL.fullmatch(url) is not None and (parts.scheme == "https" or local)


def is_http_url(url: str) -> bool:
    """Return whether `url` is an http or https URL with a host."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def is_address(text: str) -> bool:
    """Return whether `text` is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_network(text: str) -> bool:
    """Return whether `text` is an IP address, or a network such as 10.0.0.0/8 (RFC 4632 §3.1)."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether a server that listens on `host` (a host of the settings) can be reached only from this machine."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def without_password(text: str) -> str:
    """Return a setting's text without secrets: in a URL, "[hidden]" replaces user, password and the values of the
    query.
    """
    scheme, marked, rest = text.partition("://")
    if not marked:
        return text
    address, asked, _ = rest.partition("?")
    # A password may contain "/", "#" and "@", so the last "@" is the end of the password.
    _, known, host = address.rpartition("@")
    return f"{scheme}://{'[hidden]@' if known else ''}{host}{'?[hidden]' if asked else ''}"
