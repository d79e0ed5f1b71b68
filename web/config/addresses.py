"""What an address is in a setting: of a machine, a network, an origin, a mailbox; and which are of this machine only.

Reads texts; asks no name server. Which key holds which of them is known in `keys.py` and `rules.py`.
"""

import ipaddress
import re
from urllib.parse import urlsplit

MAILBOX = re.compile(r"[^@\s<>()\[\],;:\"\\\\]{1,64}@[A-Za-z0-9.-]{1,189}")
"""An email address that mail may be sent from."""


def is_origin(url: str) -> bool:
    """Whether `url` is a scheme, host and port alone, https or of this machine; an empty text is no wrong one."""
    if not url:
        return True
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    return plain and bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and local))


def is_address(text: str) -> bool:
    """Whether `text` is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_network(text: str) -> bool:
    """Whether `text` is an IP address or a network of them (RFC 4632 §3.1)."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether `host`, as written in the settings, is reached from this machine only."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def is_store(url: str) -> bool:
    """Whether `url` can be read as the address of a Redis or Valkey; an empty text is the embedded one."""
    if not url:
        return True
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    # A password with "/" or "#" in it, unescaped, ends the host early.
    whole = not parts.fragment and "@" not in parts.path
    return whole and parts.scheme in ("redis", "rediss", "unix") and bool(parts.hostname or parts.path)


def without_password(text: str) -> str:
    """The text as it may be shown; of a URL neither the user and password nor the values of its query."""
    scheme, marked, rest = text.partition("://")
    if not marked:
        return text
    address, asked, _ = rest.partition("?")
    _, known, host = address.rpartition("@")  # a password may have "/", "#" and "@" in it
    return f"{scheme}://{'[hidden]@' if known else ''}{host}{'?[hidden]' if asked else ''}"
