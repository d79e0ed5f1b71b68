"""Runs a site in this process for tests of pages and sockets: the whole app on a real store, and people who use it.

A `Person` is a browser, with its cookies, its Origin and the forms it sends.
"""

import re
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import ClientResponse, ClientWebSocketResponse, CookieJar, TCPConnector
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from web.app import create_app
from web.config import Settings, parse
from web.keys import ORGANISATIONS
from web.organisations import demo
from web.requests import admission

FORM = {
    "name": "Ana Ruiz",
    "birth_date": "1990-04-02",
    "phone": "(512) 555-0142",
    "email": "ana@example.org",
    "state": "TX",
    "reason": "Rash, three days",
    "language": "es",
    "filled_in_by": "",
}
OSEI, LIND, ADMIN = "osei@riverside.example", "lind@riverside.example", "admin@riverside.example"


def settings_for(valkey_url: str, folder: Path, **sections: dict[str, Any]) -> Settings:
    """Return settings with this store, the demo organisation, and a data folder in `folder`. Keywords are sections with
    other values.
    """
    sections["server"] = {"demo": "yes", **sections.get("server", {})}
    return parse({"redis": {"url": valkey_url}, "data": {"folder": str(folder)}, **sections}, "test")


class Site:
    """A running app. Its people are closed together with it. Use it by `async with`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.app: Application = create_app(settings)
        # Newcomers are not limited in tests. A test and its people share the app's event loop, so on a busy machine
        # people would have to wait by chance.
        self.app.cleanup_ctx.remove(admission.running)
        self.server = TestServer(self.app)
        self.people: list[Person] = []

    async def __aenter__(self) -> "Site":
        await self.server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        for person in self.people:
            await person.client.session.close()
        await self.server.close()

    def person(self, **headers: str) -> "Person":
        """Return a new person with a browser of their own. `headers`: sent with each request."""
        self.people.append(Person(self, headers))
        return self.people[-1]

    async def change(self, **fields: Any) -> None:
        """Change settings of the demo organisation. With another `id`, add an organisation that has these settings."""
        kept = await self.app[ORGANISATIONS].get("demo") or demo.ORGANISATION
        changed = msgspec.structs.replace(kept, **fields)
        if changed.id != kept.id:
            changed = msgspec.structs.replace(changed, revision=0)
        await self.app[ORGANISATIONS].save(changed)


class Answer(ClientResponse):
    """A response. If an assert about it fails, pytest shows its status and text."""

    def __repr__(self) -> str:
        text = re.sub(
            r"<(style|title|nav).*?</\1>|<[^>]*>", " ", (self._body or b"").decode(errors="replace")
        )
        return f"<{self.status} {self.url.path}: {' '.join(text.split())[:160]}>"


class Person:
    """A browser, which keeps cookies and sends its origin with each request."""

    def __init__(self, site: Site, headers: dict[str, str]) -> None:
        self.site = site
        # Each person has a connection of their own, as browsers do. So no request waits for a delayed answer to another
        # person.
        self.client: TestClient[Request, Application] = TestClient(
            site.server,
            cookie_jar=CookieJar(unsafe=True),
            connector=TCPConnector(),
            headers=headers,
            response_class=Answer,
        )

    @property
    def origin(self) -> str:
        """The Origin of this site's pages."""
        return str(self.site.server.make_url("")).rstrip("/")

    @property
    def cookie(self) -> str:
        """The value of the session cookie; "" if there is none."""
        return next((c.value for c in self.client.session.cookie_jar if c.key == "greenroom"), "")

    def take_cookie(self, value: str) -> None:
        """Put the session cookie of another person into this browser."""
        self.client.session.cookie_jar.update_cookies({"greenroom": value}, self.site.server.make_url("/"))

    async def get(self, path: str) -> ClientResponse:
        """Send a GET, and follow no redirect; return the response."""
        return await self.client.get(path, allow_redirects=False)

    async def post(self, path: str, data: Any = None, **headers: str) -> ClientResponse:
        """Send a POST from a page of this site, and follow no redirect; return the response. `headers`: further
        headers.
        """
        headers = {"Origin": self.origin, **headers}
        answer = await self.client.post(path, data=data, headers=headers, allow_redirects=False)
        await answer.read()
        return answer

    async def ask_for_a_visit(self, **fields: str) -> ClientResponse:
        """Fill in the patient information and send it; return the response.

        `fields`: values that replace the usual values in the form.
        """
        await self.get("/demo/information")
        return await self.post("/demo/information", {**FORM, **fields})

    async def sign_in(self, email: str, password: str | None = None) -> ClientResponse:
        """Sign in to the demo organisation; return the response.

        `password`: None for the right password of this person.
        """
        password = demo.password(self.site.settings, email) if password is None else password
        return await self.post("/demo/staff/sign-in", {"email": email, "password": password})

    async def socket(self, role: str, visit: str = "") -> ClientWebSocketResponse:
        """Open a WebSocket and send hello; return the socket, whose first message will be the answer to hello."""
        ws = await self.client.ws_connect(
            f"/demo/ws?visit={visit}" if visit else "/demo/ws",
            protocols=("greenroom.v1.json",),
            headers={"Origin": self.origin},
        )
        await ws.send_json({"type": "hello", "id": 1, "role": role})
        return ws
