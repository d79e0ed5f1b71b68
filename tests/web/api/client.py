"""Plays a program that uses an organisation's API: it sends a key, but no cookie and no Origin."""

from typing import Any

from aiohttp import ClientResponse

from tests.web.site import FORM, Person, Site
from web.keys import API_KEYS
from web.programs.scopes import Scope

PATIENT = {name: value for name, value in FORM.items() if name != "filled_in_by"}
ALL = tuple(Scope)


class Program:
    """A program that sends requests to the API, with an API key or without any key."""

    def __init__(self, person: Person, organisation: str, token: str | None) -> None:
        self.person, self.base = person, f"/{organisation}/api/v1"
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    async def ask(self, method: str, path: str, **how: Any) -> ClientResponse:
        """Send a request to a path of the API; return the response."""
        headers = {**self.headers, **how.pop("headers", {})}
        return await self.person.client.request(
            method, self.base + path, headers=headers, allow_redirects=False, **how
        )

    async def call(self, method: str, path: str, json: Any = None, **how: Any) -> tuple[int, Any]:
        """Send a request; return (status, the JSON of the answer, or None for the status 204)."""
        response = await self.ask(method, path, json=json, **how)
        return response.status, None if response.status == 204 else await response.json(content_type=None)

    async def code(self, method: str, path: str, json: Any = None, **how: Any) -> tuple[int, str]:
        """Send a request that must be answered by a problem; return (status, the code of the problem)."""
        response = await self.ask(method, path, json=json, **how)
        assert response.content_type == "application/problem+json", await response.text()
        problem = await response.json(content_type=None)
        assert problem["status"] == response.status
        return response.status, problem["code"]

    async def open(self, **fields: str) -> Any:
        """Open a visit; return the JSON of the answer.

        `fields`: values of the patient to send instead of the usual values.
        """
        status, found = await self.call("POST", "/visits", {"patient": {**PATIENT, **fields}})
        assert status == 201, found
        return found


async def program(
    site: Site, *scopes: Scope, organisation: str = "demo", label: str = "Front office"
) -> Program:
    """Return a program with a new API key.

    `scopes`: the scopes of the key, all scopes if none is given; `label`: the program's name.
    """
    _, token = await site.app[API_KEYS].add(organisation, label, scopes or ALL, "Robin Hale")
    return Program(site.person(), organisation, token)


def stranger(site: Site, token: str | None = None, organisation: str = "demo") -> Program:
    """Return a program that sends `token` as its API key; None: it sends no key."""
    return Program(site.person(), organisation, token)
