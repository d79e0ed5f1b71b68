"""Getting in over HTTP as a browser does: pages, forms, cookies, Origin, the WebSocket's address.

`Clinic` is one organisation on one server and the connections to it, which many browsers may share; `Browser` is one
person's cookies. Knows what a server that is no Greenroom, is not there or is not trusted looks like, and says so in a
sentence. Knows nothing of what is said on the WebSocket.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlsplit

import aiohttp

TIMEOUT_S = 30.0
MOST_BYTES = 1 << 20
SLUG = re.compile(r"[a-z0-9][a-z0-9-]*")
OPTION = re.compile(r'<option value="([^"]+)"')
PROBLEM = re.compile(r'<span class="wrong" id="([a-z_]+)-wrong">')


class CannotEnter(Exception):
    """There is no way in; the text is one clear sentence for the person who wants it."""


class Page(NamedTuple):
    """An answer: its status, where it leads on to ("" for nowhere), and its text."""

    status: int
    location: str
    text: str


class Clinic:
    """An organisation on a server, and the HTTP connections to it. An async context manager; else `close` it.

    `url` may end in the organisation, or `organisation` names it; where there is one only, neither is needed. `ca` is a
    PEM file with the authority to trust; `insecure` trusts any certificate. Raises CannotEnter where it is none.
    """

    def __init__(
        self, url: str, organisation: str | None = None, *, ca: Path | None = None, insecure: bool = False
    ) -> None:
        parts = urlsplit(url if "//" in url else f"//{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CannotEnter(
                f"expected the address of a server, like https://visits.example.org; found {url}"
            )
        if parts.username or parts.password or parts.query:
            raise CannotEnter("expected an address without credentials or a query")
        path = parts.path.strip("/").split("/")
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.organisation = organisation or path[0]
        if self.organisation and not SLUG.fullmatch(self.organisation):
            raise CannotEnter(f"expected an organisation’s slug, like riverside; found {self.organisation}")
        self.ssl: ssl.SSLContext | bool = _trust(ca, insecure) if parts.scheme == "https" else True
        self._http: aiohttp.ClientSession | None = None
        self._language = ""

    @property
    def http(self) -> aiohttp.ClientSession:
        """The connections, opened with the first use in a running loop."""
        if self._http is None:
            self._http = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                # Not one connection for each browser: what is kept alive serves whoever comes next.
                connector=aiohttp.TCPConnector(limit=0, ssl=self.ssl, keepalive_timeout=10),
                auto_decompress=True,
            )
        return self._http

    @property
    def path(self) -> str:
        """Where the organisation's pages begin."""
        return f"/{self.organisation}"

    @property
    def socket_url(self) -> str:
        """The address of the organisation's WebSocket."""
        return f"{self.origin}{self.path}/ws"

    async def check(self) -> None:
        """Return if this is a Greenroom with this organisation. Raises CannotEnter, saying what is wrong instead."""
        browser = Browser(self)
        alive = await browser.get("/healthz")
        if alive.status != 200 or '"status"' not in alive.text or "alive" not in alive.text:
            raise CannotEnter(f"{self.origin} is not a Greenroom server: nothing of it is at /healthz")
        if not self.organisation:
            start = await browser.get("/")
            self.organisation = start.location.strip("/")
            if not SLUG.fullmatch(self.organisation):
                raise CannotEnter(f"say which organisation of {self.origin} is meant, with --organisation")
        page = await browser.get(self.path)
        if page.status == 404:
            raise CannotEnter(f"there is no organisation {self.organisation} at {self.origin}")
        # A socket's address that is visited without an upgrade asks for one, of the server's own pages only.
        door = await browser.get(f"{self.path}/ws", {"Origin": self.origin})
        if door.status == 403:
            raise CannotEnter(
                f"{self.origin} is not the address that the server knows itself by: see server.public_url"
            )
        if door.status != 426:
            raise CannotEnter(f"{self.origin} has no signalling of a Greenroom at {self.path}/ws")

    async def language(self, browser: Browser) -> str:
        """The first language of the organisation's patient information. Raises CannotEnter where Meet Now is closed."""
        if not self._language:
            page = await browser.get(f"{self.path}/information")
            _, _, select = page.text.partition('name="language"')
            found = OPTION.search(select)
            if page.status != 200 or found is None:
                raise CannotEnter(f"Meet Now is closed at {self.origin}{self.path}")
            self._language = found[1]
        return self._language

    async def close(self) -> None:
        """Let go of the connections."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class Browser:
    """One person's browser: its cookies, and requests as the clinic's own pages make them."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.cookies: dict[str, str] = {}

    @property
    def headers(self) -> dict[str, str]:
        """What identifies this browser: Cookie and Origin."""
        headers = {"Origin": self.clinic.origin}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return headers

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Page:
        """GET a page, without following where it leads. Raises CannotEnter where there is no answer."""
        return await self._ask("GET", path, None, headers)

    async def post(self, path: str, form: Mapping[str, str]) -> Page:
        """Send a form of the clinic's. Raises CannotEnter where there is no answer."""
        return await self._ask("POST", path, form, None)

    async def _ask(
        self, method: str, path: str, form: Mapping[str, str] | None, headers: Mapping[str, str] | None
    ) -> Page:
        clinic, sent = self.clinic, self.headers
        if method == "GET":
            del sent["Origin"]
        try:
            async with clinic.http.request(
                method,
                clinic.origin + path,
                data=form,
                headers={**sent, **(headers or {})},
                allow_redirects=False,
            ) as answer:
                body = await answer.content.read(MOST_BYTES) if answer.status >= 400 else await answer.read()
                self._take(answer.headers.getall("Set-Cookie", ()))
                location = answer.headers.get("Location", "")
                return Page(answer.status, location, body.decode("utf-8", "replace"))
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise CannotEnter(sentence(problem, clinic.origin)) from problem

    def _take(self, given: tuple[str, ...] | list[str]) -> None:
        for cookie in given:
            pair, _, attributes = cookie.partition(";")
            name, _, value = pair.strip().partition("=")
            if value.strip('"') and "max-age=0" not in attributes.lower():
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)


def sentence(problem: BaseException, origin: str) -> str:
    """What an error of the network means to somebody who named the address `origin`."""
    if isinstance(problem, aiohttp.ClientConnectorCertificateError):
        why = getattr(problem.certificate_error, "verify_message", "") or "it cannot be verified"
        return f"the certificate of {origin} is not trusted ({why}): name its authority with --ca, or say --insecure"
    if isinstance(problem, aiohttp.ClientConnectorDNSError):
        return f"there is no host {urlsplit(origin).hostname}"
    if isinstance(problem, aiohttp.ClientSSLError):
        return f"{origin} does not speak TLS: is it http://?"
    if isinstance(problem, aiohttp.ClientConnectorError):
        return f"nobody answers at {origin}: is the address right, and Greenroom running?"
    if isinstance(problem, TimeoutError):
        return f"{origin} did not answer within {TIMEOUT_S:.0f} s"
    return f"{origin} does not answer as a web server does ({type(problem).__name__})"


def wrong_fields(page: Page) -> list[str]:
    """The names of the fields that a form, shown again, calls wrong."""
    return PROBLEM.findall(page.text)


def _trust(ca: Path | None, insecure: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca is not None:
        try:
            context.load_verify_locations(ca)
        except (OSError, ssl.SSLError):
            raise CannotEnter(f"expected a PEM file with certificates after --ca; found {ca}") from None
    return context
