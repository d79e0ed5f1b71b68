"""Checks the origins of other sites that may show a patient's pages in a frame."""

from yarl import URL

from web.config import is_loopback


def exact_origin(text: str) -> str:
    """Return an address in the form in which browsers write its origin (RFC 6454 §6.2); "" if it is no https origin.

    http is allowed for this machine only. A domain with other letters than ASCII is written in ASCII (A-labels). An
    IPv6 address is refused, because a content security policy cannot name it (CSP 3, host-source).
    """
    try:
        url = URL(text.strip())
        host, port = url.raw_host or "", url.explicit_port
    except ValueError:
        return ""
    plain = not (url.raw_user or url.raw_password or url.raw_query_string or url.raw_fragment)
    named = plain and url.raw_path in ("", "/") and host.replace("-", "").replace(".", "").isalnum()
    if not named or not (url.scheme == "https" or (url.scheme == "http" and is_loopback(host))):
        return ""
    shown = "" if port in (None, {"https": 443, "http": 80}[url.scheme]) else f":{port}"
    return f"{url.scheme}://{host}{shown}"
