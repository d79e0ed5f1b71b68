"""Uses HTTP as a browser does: pages, forms, cookies, Origin, and the upgrade to the WebSocket.

`Clinic` is one organisation on one server; `Browser` has one person's cookies and TCP connection. If a server is not
Greenroom, does not answer or is not trusted, the text of the raised error is a sentence about it.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import quote_plus, urlsplit

import aiohttp

from web.peers.errors import EntryError, HttpError
from web.peers.people.wire import Answer, Wire

TIMEOUT_S = 30.0
SLUG = re.compile(r"[a-z0-9][a-z0-9-]*")
OPTION = re.compile(r'<option value="([^"]+)"')
PROBLEM = re.compile(r'<span class="wrong" id="([a-z_]+)-wrong">')
PORTS = {"http": 80, "https": 443}


class Page(NamedTuple):
    """A response: its status, the target of its redirect ("" if none), and its text.

    `again_s`: after how many seconds the browser loads the page again by itself (header Refresh); None if it does not.
    """

    status: int
    location: str
    text: str
    again_s: int | None = None


class Clinic:
    """An organisation on a server, which many browsers may share.

    The organisation's slug is the argument `organisation` or the path in `url`; the slug may be missing if the
    server has one organisation only. `ca`: a PEM file with the certificate authority to trust; `insecure`: True
    to trust any certificate. `timeout_s`: the longest time in s for a page. The object is an async context
    manager, which closes `http`. Raises EntryError if `ca` is not valid.
    """

    def __init__(
        self,
        url: str,
        organisation: str | None = None,
        *,
        ca: Path | None = None,
        insecure: bool = False,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        try:
            parts = urlsplit(url if "//" in url else f"//{url}")
            port = parts.port or PORTS.get(parts.scheme)
            (parts.hostname or "").encode("idna")  # fails if the network cannot look this name up
        except ValueError:
            port = None
        if port is None or not parts.hostname:
            raise EntryError(
                f"expected the address of a server, like https://visits.example.org; found {url}"
            )
        if parts.username or parts.password or parts.query:
            raise EntryError("expected an address without credentials or a query")
        self.host, self.port = parts.hostname, port
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.authority = parts.netloc
        self.timeout_s = timeout_s
        self.organisation = organisation or parts.path.strip("/").split("/")[0]
        if self.organisation and not SLUG.fullmatch(self.organisation):
            raise EntryError(f"expected an organisation’s slug, like riverside; found {self.organisation}")
        self.ssl: ssl.SSLContext | bool = trust(ca, insecure) if parts.scheme == "https" else True
        self._http: aiohttp.ClientSession | None = None
        self._addresses: itertools.cycle[str] | None = None
        self._language = ""

    async def connect(self) -> Wire:
        """Open a TCP connection to the server and return it. Raises EntryError if the server cannot be reached."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.timeout_s):
                if self._addresses is None:
                    # The server's name is resolved once, not for each of thousands of people. If it has several
                    # addresses, they are used in turn.
                    found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
                    self._addresses = itertools.cycle(dict.fromkeys(str(entry[4][0]) for entry in found))
                name = self.host if self.ssl is not True else None
                _, wire = await loop.create_connection(
                    Wire,
                    next(self._addresses),
                    self.port,
                    ssl=None if self.ssl is True else self.ssl,
                    server_hostname=name,
                )
        except (OSError, TimeoutError) as problem:
            raise EntryError(sentence(problem, self.origin)) from problem
        return wire

    @property
    def http(self) -> aiohttp.ClientSession:
        """An aiohttp session without cookies, for checks that do not use `Browser`; it is opened at its first use."""
        if self._http is None:
            connector = aiohttp.TCPConnector(limit=0, ssl=self.ssl)
            self._http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), connector=connector)
        return self._http

    @property
    def socket_url(self) -> str:
        """The address of the organisation's WebSocket."""
        return f"{self.origin}{self.path}/ws"

    async def close(self) -> None:
        """Close the aiohttp session `http`, if it was opened."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def path(self) -> str:
        """The path of the organisation's pages."""
        return f"/{self.organisation}"

    async def check(self) -> None:
        """Check that the server is a Greenroom with this organisation.

        Raises EntryError with the reason if it is not.
        """
        browser = Browser(self)
        try:
            await self._check(browser)
        finally:
            browser.close()

    async def _check(self, browser: Browser) -> None:
        alive = await browser.get("/healthz")
        if alive.status != 200 or '"status"' not in alive.text or "alive" not in alive.text:
            raise EntryError(f"{self.origin} is not a Greenroom server: nothing of it is at /healthz")
        if not self.organisation:
            start = await browser.get("/")
            self.organisation = start.location.strip("/")
            if not SLUG.fullmatch(self.organisation):
                raise EntryError(f"say which organisation of {self.origin} is meant, with --organisation")
        page = await browser.get(self.path)
        if page.status == 404:
            raise EntryError(f"there is no organisation {self.organisation} at {self.origin}")
        # This GET of the WebSocket's path asks for no upgrade. The server answers 403 if the header Origin is not its
        # own address, otherwise 426.
        answer = await browser.get(f"{self.path}/ws", {"Origin": self.origin})
        if answer.status == 403:
            raise EntryError(
                f"{self.origin} is not the address that the server knows itself by: see server.public_url"
            )
        if answer.status != 426:
            raise EntryError(f"{self.origin} has no signalling of a Greenroom at {self.path}/ws")

    async def language(self, browser: Browser) -> str:
        """Return the first language that the patient information form offers.

        `browser` loads the form at the first call; later calls return the same language without a request.
        Raises EntryError if Meet Now is closed.
        """
        if not self._language:
            page = await browser.get(f"{self.path}/information")
            _, _, select = page.text.partition('name="language"')
            found = OPTION.search(select)
            if page.status != 200 or found is None:
                raise EntryError(f"Meet Now is closed at {self.origin}{self.path}")
            self._language = found[1]
        return self._language


class Browser:
    """The browser of one person: has the cookies, and makes the same requests as the clinic's pages, one at a time."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.cookies: dict[str, str] = {}
        self._wire: Wire | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The headers for this browser's WebSocket: Cookie and Origin."""
        headers = {"Origin": self.clinic.origin}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return headers

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Page:
        """Get a page without following redirects. Raises EntryError if there is no answer."""
        return await self._ask(self._head("GET", path, headers or {}))

    async def post(self, path: str, form: Mapping[str, str]) -> Page:
        """Post the fields of a form to a path of the clinic. Raises EntryError if there is no answer."""
        body = "&".join(f"{name}={quote_plus(value)}" for name, value in form.items()).encode()
        headers = {
            "Origin": self.clinic.origin,
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(body)),
        }
        return await self._ask(self._head("POST", path, headers), body)

    async def socket(self) -> Wire:
        """Open the organisation's WebSocket, on the TCP connection of this browser's page requests if it is still open.

        Raises EntryError if the server refuses it or does not answer.
        """
        wire, self._wire = self._wire, None
        head = self._head("GET", f"{self.clinic.path}/ws", {"Origin": self.clinic.origin})
        try:
            async with asyncio.timeout(self.clinic.timeout_s):
                if wire is not None and not wire.closed:
                    try:
                        await wire.upgrade(head)
                    except HttpError:
                        # Perhaps the server has only closed the idle TCP connection, so the upgrade is tried again on a
                        # new connection. If the server refuses the WebSocket, this second try raises an error, too.
                        wire.abort()
                    else:
                        return wire
                wire = await self.clinic.connect()
                await wire.upgrade(head)
                return wire
        except (HttpError, TimeoutError) as problem:
            if wire is not None:
                wire.abort()
            raise EntryError(sentence(problem, self.clinic.origin)) from problem

    def close(self) -> None:
        """Close this browser's TCP connection to the server; the browser's next request opens a new one."""
        if self._wire is not None:
            self._wire.abort()
            self._wire = None

    def _head(self, method: str, path: str, headers: Mapping[str, str]) -> str:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.clinic.authority}", "User-Agent: greenroom-peers"]
        if self.cookies:
            lines.append(f"Cookie: {self.headers['Cookie']}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join(lines) + "\r\n"

    async def _ask(self, head: str, body: bytes = b"") -> Page:
        try:
            async with asyncio.timeout(self.clinic.timeout_s):
                answer = await self._answered(head, body)
        except (HttpError, TimeoutError) as problem:
            self.close()
            raise EntryError(sentence(problem, self.clinic.origin)) from problem
        self._take(answer.headers.get("set-cookie", "").split("\n"))
        again = answer.headers.get("refresh", "")
        return Page(
            answer.status,
            answer.headers.get("location", ""),
            answer.body.decode("utf-8", "replace"),
            int(again) if again.isdecimal() else None,
        )

    async def _answered(self, head: str, body: bytes) -> Answer:
        if self._wire is not None and not self._wire.closed:
            try:
                return await self._wire.request(head, body)
            except HttpError:
                # The server has just closed the idle TCP connection. The request is sent again, as browsers do.
                self.close()
        self._wire = await self.clinic.connect()
        return await self._wire.request(head, body)

    def _take(self, given: list[str]) -> None:
        for cookie in given:
            pair, _, attributes = cookie.partition(";")
            name, _, value = pair.strip().partition("=")
            if value.strip('"') and "max-age=0" not in attributes.lower():
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)


def sentence(problem: Any, origin: str) -> str:
    """Return a sentence about a network error (`problem`), for the person who typed the address `origin`."""
    host = urlsplit(origin).hostname
    if isinstance(problem, ssl.SSLCertVerificationError):
        why = problem.verify_message or "it cannot be verified"
        return f"the certificate of {origin} is not trusted ({why}): name its authority with --ca, or say --insecure"
    if isinstance(problem, ssl.SSLError):
        return f"{origin} does not speak TLS: is it http://?"
    if isinstance(problem, socket.gaierror):
        return f"there is no host {host}"
    if isinstance(problem, TimeoutError):
        return f"{origin} did not answer in time"
    if isinstance(problem, HttpError):
        return f"{origin} does not answer as a web server does ({problem})"
    if origin.startswith("https") and isinstance(problem, ConnectionResetError | ConnectionAbortedError):
        return f"{origin} does not speak TLS: is it http://?"
    return f"nobody answers at {origin}: is the address right, and Greenroom running?"


def wrong_fields(page: Page) -> list[str]:
    """Return the names of the fields with an error, from a page that shows a refused form again."""
    return PROBLEM.findall(page.text)


def trust(ca: Path | None, insecure: bool) -> ssl.SSLContext:
    """Return a client's TLS context, which trusts the certificate authority in the file `ca`.

    If `insecure`, it trusts any certificate; without `ca`, the machine's authorities. Raises EntryError if the file
    cannot be used.
    """
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca is not None:
        try:
            context.load_verify_locations(ca)
        except (OSError, ssl.SSLError):
            raise EntryError(f"expected a PEM file with certificates after --ca; found {ca}") from None
    return context
