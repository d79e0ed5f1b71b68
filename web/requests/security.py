"""Applies security rules to every response and every request from a browser, on all pages.

This module adds response headers, recognizes requests of this site's own pages, and delays, then refuses, attempts
after wrong passwords and codes. The throttle (the counter of such attempts) is in the store, so that all workers count
together.
"""

import asyncio
import hashlib
import ipaddress
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware
from redis.asyncio import Redis

from signalling.repeated import due
from signalling.store import keys
from web.errors import BlockedError, BusyError

log = structlog.get_logger("web.security")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
RETRY_S = 5
"""The time in s after which a client that could not be served should try again (header Retry-After)."""

POLICY: Mapping[str, str] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' blob: mediastream:",
    "font-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "manifest-src": "'self'",
}

HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), fullscreen=(self), screen-wake-lock=(self), "
    "geolocation=(), payment=(), usb=()",
}
"""The headers of every response, errors included, except files of `PARTS` and WebSocket handshakes."""

PARTS = frozenset({"text/css", "text/javascript"})
"""Content types of scripts and style sheets below /static/. They have the policies of the page that loads them."""
PART_HEADERS = {name: HEADERS[name] for name in ("X-Content-Type-Options", "Cross-Origin-Resource-Policy")}
"""The headers of scripts and style sheets. They define which sites may load the file, and as which type.

The other headers are not needed, and would add half a kilobyte to each file."""

HSTS = "max-age=31536000"


def origin_of(request: web.Request, public: str) -> str:
    """Return the origin (RFC 6454 §6.2) that pages of this server have in the browser that sent the request.

    `public`: the origin in the settings, "" for none. It is returned if it is not "", because behind a proxy the server
    does not know its origin.
    """
    return public or f"{request.scheme}://{host_of(request)}"


def host_of(request: web.Request) -> str:
    """Return the Host header; "" if there is none. aiohttp's `request.host` might then wait for a name server."""
    return request.headers.get("Host", "")


def is_own_origin(request: web.Request, public: str) -> bool:
    """Return whether the request has an Origin header with this server's origin.

    `public`: the origin in the settings, "" for none.
    """
    given = request.headers.get("Origin", "")
    return bool(given) and _origin(given) == _origin(origin_of(request, public))


def is_own_request(request: web.Request, public: str) -> bool:
    """Return whether a page of this server made the request, or a person typed the address into the browser.

    The header Sec-Fetch-Site decides if the browser sends it; otherwise the header Origin decides. The result is
    False for a request with neither, because each current browser sends one of them with a request that changes
    something. `public`: the origin in the settings, "" for none.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    return is_own_origin(request, public)


def is_silent(request: web.Request) -> bool:
    """Return whether a browser sent `Origin: null` and no Sec-Fetch-Site, so that the request's origin is unknown."""
    return "Sec-Fetch-Site" not in request.headers and request.headers.getall("Origin", []) == ["null"]


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", "", None
    return parts.scheme, parts.hostname or "", port or {"http": 80, "https": 443}.get(parts.scheme)


def _nobody(_: web.Request) -> tuple[str, ...]:
    return ()


async def _proves_nothing(_: web.Request) -> bool:
    return False


def same_site_middleware(
    public: str,
    exempt: Callable[[web.Request], bool] = lambda _: False,
    proven: Callable[[web.Request], Awaitable[bool]] = _proves_nothing,
) -> Middleware:
    """Return a middleware that answers 403 to a request that changes something and comes from another site.

    OWASP ASVS 5.0 3.5.1 requires this. `public`: the origin in the settings, "" for none. `exempt`: returns True
    for requests that need no check: no cookie identifies them, so another site cannot make them in a person's
    name. `proven`: returns whether the token in a posted form shows that the form is our own. It is called only
    for requests of unknown origin (`is_silent`), such as those of Safari before 16.4.
    """

    @web.middleware
    async def same_site(request: web.Request, handler: Handler) -> web.StreamResponse:
        unsafe = request.method not in SAFE_METHODS and not exempt(request)
        if (
            unsafe
            and not is_own_request(request, public)
            and not (is_silent(request) and await proven(request))
        ):
            raise web.HTTPForbidden(text="This request did not come from a page of this site.")
        return await handler(request)

    return same_site


def headers_signal(
    secure: bool, framing_sites: Callable[[web.Request], Sequence[str]] = _nobody
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Return an `on_response_prepare` handler that adds the security headers to a response.

    A page may show patient data, so the headers forbid browsers to store a response, unless its handler has set
    Cache-Control. `secure`: True if pages are served by https only. `framing_sites`: returns the origins whose pages
    may show a response in a frame.
    """

    async def add(request: web.Request, response: web.StreamResponse) -> None:
        # The header is removed, so that no software version is disclosed.
        response.headers.popall("Server", None)
        if response.status == HTTPStatus.SWITCHING_PROTOCOLS:
            # The response opens a WebSocket, so no page gets the headers below.
            return
        if request.path.startswith("/static/") and response.content_type in PARTS:
            response.headers.update(PART_HEADERS)
            return
        host = host_of(request)
        socket = f"{'wss' if secure else 'ws'}://{host}"
        # The policy names the WebSocket's address, because 'self' does not include it in Safari before 15.4. A policy
        # cannot name an IPv6 address, so then only 'self' is allowed.
        policy = {**POLICY, "connect-src": f"'self' {socket}" if _is_plain_host(host) else "'self'"}
        sites = framing_sites(request)
        if sites:
            policy["frame-ancestors"] = " ".join(sites)
        response.headers["Content-Security-Policy"] = "; ".join(
            f"{key} {value}" for key, value in policy.items()
        )
        response.headers.update(HEADERS)
        if sites:
            # X-Frame-Options cannot list the origins that may frame the page, so only `frame-ancestors` in the policy
            # does.
            del response.headers["X-Frame-Options"]
        response.headers.setdefault("Cache-Control", "no-store")
        if secure:
            response.headers["Strict-Transport-Security"] = HSTS

    return add


def _is_plain_host(host: str) -> bool:
    """Return whether the text of the Host header may be put into a content security policy.

    It must contain nothing that could end a directive or add another directive.
    """
    return bool(host) and all(char.isalnum() or char in ".-:_" for char in host)


def remote_of(request: web.Request, proxies: Sequence[str]) -> str:
    """Return the IP address from which a request came; addresses that a client may have invented are ignored.

    `proxies`: the addresses or networks of trusted proxies. The first address is that of the TCP connection. While an
    address is a trusted proxy's, the next address to the left in the header X-Forwarded-For is used instead. The
    address is returned in the form of `ipaddress`, without port, brackets and zone. A text that is not an address is
    returned unchanged.
    """
    networks = [ipaddress.ip_network(proxy, strict=False) for proxy in proxies]
    address = plain_address(request.remote or "")
    forwarded = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
    for hop in reversed(forwarded):
        if not _is_in(address, networks) or not hop.strip():
            break
        address = plain_address(hop)
    return address


PORT = re.compile(r"(?P<v6>\[[^\[\]]*\])(:[\w.]+)?|(?P<v4>[0-9.]+):[\w.]+", re.ASCII)


def plain_address(text: str) -> str:
    """Return the IP address in a text, which proxies write in many ways; return a text without an address unchanged.

    Some proxies add a port (`203.0.113.5:51123`, `[2001:db8::1]:443`), brackets, quotes or a zone (`fe80::1%eth0`).
    An IPv4 address may be written as an IPv6 address (`::ffff:203.0.113.5`), usually by a server that listens on IPv4
    and IPv6 with one socket.
    """
    text = text.strip().strip('"').strip()
    ported = PORT.fullmatch(text)
    bare = text if ported is None else (ported["v6"] or ported["v4"]).strip("[]")
    try:
        found = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return text
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def _is_in(address: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in networks)


def neighbourhood(address: str) -> str:
    """Return the range of IP addresses that a person at `address` can use: the address itself, or its /64 if IPv6.

    For a text that is not an address, return a hash of it: a proxy may replace addresses by names of its own (RFC
    7239 §6.3), and these must not all count as one person.
    """
    try:
        found = ipaddress.ip_address(plain_address(address))
    except ValueError:
        if count := due("remote.unreadable"):
            hint = "a trusted proxy sends an X-Forwarded-For that is no address"
            log.warning("remote.unreadable", hint=hint, count=count)
        return "unreadable-" + hashlib.sha256(address.encode(errors="replace")).hexdigest()[:16]
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


@dataclass(frozen=True, slots=True)
class Rule:
    """The delay and the limit for guesses at one kind of secret, such as a password or a code.

    After `limit` wrong guesses within `window_ms`, further guesses are refused; a `limit` of 0 refuses none. Each wrong
    guess doubles the delay of the next guess, from `first_delay_ms` to `longest_delay_ms`; a first delay of 0 stays 0.
    """

    name: str
    limit: int = 10
    window_ms: int = 30 * 60_000
    first_delay_ms: int = 100
    longest_delay_ms: int = 25_000

    def delay_ms(self, failed: int) -> int:
        """Return the time in ms that the next guess must wait after `failed` wrong guesses."""
        return min(self.first_delay_ms << min(failed - 1, 20), self.longest_delay_ms) if failed else 0


SIGN_IN = Rule("sign_in")
ACCOUNT = Rule("account", limit=0, longest_delay_ms=5_000)
"""The rule for guesses at one account, from all addresses together. They are delayed but never refused: otherwise
strangers could block an account."""

PENDING_MS = 60_000
"""An unfinished guess counts against the limit for at most this time in ms. If it is still unfinished then, the worker
that checked it must have died."""

BEGIN = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local limit, window = tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[4]))
local failed, pending = redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2])
if limit > 0 and failed >= limit then
  local oldest = redis.call('ZRANGE', KEYS[1], -limit, -limit, 'WITHSCORES')
  return {'blocked', oldest[2] + window - now}
end
if limit > 0 and failed + pending >= limit then return {'busy', 0} end
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return {'go', failed}
"""

SETTLE = """
local t = redis.call('TIME')
redis.call('ZREM', KEYS[2], ARGV[1])
if ARGV[2] == '1' then
  redis.call('ZADD', KEYS[1], t[1] * 1000 + math.floor(t[2] / 1000), ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
"""


class Attempt:
    """A guess that is being checked; it counts as wrong unless `succeeded` is called."""

    def __init__(self) -> None:
        self.failed = True

    def succeeded(self) -> None:
        """Record that the guess was right, so that it does not count as a wrong guess."""
        self.failed = False


class Throttle:
    """Delays and stops guesses, by the store's clock, across all workers.

    A guess is recorded before it is checked, so that many guesses at once cannot exceed the limit. If wrong guesses and
    unfinished guesses together reach `limit`, the next guess waits until an unfinished guess has a result. A guess that
    fails because of an error of the server does not count.
    """

    def __init__(self, redis: Redis) -> None:
        self._begin = redis.register_script(BEGIN)
        self._settle = redis.register_script(SETTLE)

    @asynccontextmanager
    async def attempt(self, rule: Rule, organisation: str, who: str) -> AsyncIterator[Attempt]:
        """Wait for the delay of the next guess; then run the body of this context, which checks the guess.

        `rule`: the delay and the limit. `who`: the IP address or the account whose guesses are counted together. Raises
        BlockedError after too many wrong guesses, and BusyError if the guess could not begin within ten seconds.
        """
        kinds, member = (keys.THROTTLE, keys.THROTTLE_PENDING), secrets.token_hex(8)
        names = [kind(organisation, rule.name, who) for kind in kinds]
        failed = await self._turn(rule, names, member)
        attempt = Attempt()
        try:
            await asyncio.sleep(rule.delay_ms(failed) / 1000)
            yield attempt
        except BaseException:
            attempt.failed = False
            raise
        finally:
            await self._settle(keys=names, args=[member, int(attempt.failed), rule.window_ms])

    async def _turn(self, rule: Rule, names: list[str], member: str) -> int:
        for _ in range(200):
            answer, number = await self._begin(
                keys=names, args=[member, rule.limit, rule.window_ms, PENDING_MS]
            )
            if answer == b"go":
                return int(number)
            if answer == b"blocked":
                raise BlockedError(max(1, round(int(number) / 1000)))
            await asyncio.sleep(0.05)
        raise BusyError
