"""Checks whether the pages can be reached: certificate, proxy, the pages' answer, a WebSocket."""

import datetime
import ipaddress
import ssl
from pathlib import Path

import aiohttp
from cryptography import x509

from web.config import Settings
from web.doctor.findings import Finding, doubtful, good, wrong
from web.doctor.store import NOT_ASKED, organisations
from web.server import tls

DAYS = 14
LEAST_PREFIX = 7
"""The least length of the prefix of a network of proxies, in bits. No network of proxies is larger, even fc00::/7."""
ASK = aiohttp.ClientTimeout(total=10)
UPGRADE = "Let the proxy pass Upgrade and Connection on: nginx needs proxy_http_version 1.1 and both headers."


def certificate(settings: Settings) -> Finding:
    """Check for how many days the certificate of [tls] is still valid."""
    if not settings.tls.certificate:
        return good("this server has none" + (", a proxy serves https" if settings.secure else ""))
    tls.server_context(settings.tls.certificate, settings.tls.key)
    found = x509.load_pem_x509_certificate(Path(settings.tls.certificate).read_bytes())
    left = (found.not_valid_after_utc - datetime.datetime.now(datetime.UTC)).days
    text = f"it ends on {found.not_valid_after_utc:%Y-%m-%d}"
    if left < 0:
        return wrong(f"it ended on {found.not_valid_after_utc:%Y-%m-%d}", "Renew it.")
    if left < DAYS:
        return doubtful(text, "Renew it; the new files are taken up within seconds.")
    return good(text)


def proxy(settings: Settings) -> Finding:
    """Check whether the settings name the proxy in front of the server, so that the server learns each person's IP
    address.
    """
    proxies = settings.server.trusted_proxies
    if wide := [
        each for each in proxies if ipaddress.ip_network(each, strict=False).prefixlen < LEAST_PREFIX
    ]:
        return wrong(
            f"server.trusted_proxies has {', '.join(wide)}: a client there can invent its address",
            "Name the addresses of your proxies alone; limits by address hold nobody off otherwise.",
        )
    behind = bool(settings.server.public_url) and not settings.tls.certificate
    if behind and not proxies:
        return wrong(
            "public_url names a proxy that is not trusted: everybody has its address",
            "Name its address in server.trusted_proxies; limits by address shut everybody out otherwise.",
        )
    if proxies:
        return good(f"X-Forwarded-For is read from {', '.join(proxies)}")
    return good("browsers reach this server itself")


async def answer(settings: Settings) -> Finding:
    """Request /readyz at the address that people use, and check the answer."""
    address = f"{settings.origin}/readyz"
    try:
        async with aiohttp.ClientSession(timeout=ASK) as http, http.get(address) as found:
            body = await found.text()
    except aiohttp.ClientConnectorCertificateError as error:
        reason = error.certificate_error
        why = reason.verify_message if isinstance(reason, ssl.SSLCertVerificationError) else str(reason)
        return wrong(
            f"browsers refuse the certificate at {settings.origin}: {why}", "Give it its whole chain."
        )
    except (aiohttp.ClientError, OSError) as error:
        return doubtful(
            f"nobody answers at {settings.origin} ({type(error).__name__})",
            "Start the server; if it runs, look at name, firewall and proxy.",
        )
    if found.status == 200:
        return good(f"{settings.origin} is ready")
    return wrong(f"{address} answers {found.status}: {body[:200]}", "See Health in docs/OPERATIONS.md.")


async def sockets(settings: Settings) -> Finding:
    """Open a WebSocket at the address that people use, and check that it opens."""
    slugs = await organisations(settings)
    if slugs is None:
        return NOT_ASKED
    if not slugs:
        return good("there is no organisation to ask for yet")
    address = f"{settings.origin}/{slugs[0]}/ws"
    try:
        async with (
            aiohttp.ClientSession(timeout=ASK, headers={"Origin": settings.origin}) as http,
            http.ws_connect(address),
        ):
            return good("WebSockets reach the server")
    except aiohttp.WSServerHandshakeError as refused:
        if refused.status == 426:
            return wrong("a proxy drops the header Upgrade: no page stays connected", UPGRADE)
        return wrong(f"a WebSocket is answered with {refused.status}", UPGRADE)
    except (aiohttp.ClientError, OSError) as error:
        return doubtful(f"nobody answers ({type(error).__name__})", "See the check of the pages.")
