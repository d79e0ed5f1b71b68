"""Tests who may use which route, by one reviewed table: SECURITY.md row 46.

People review the table `MAY` in `reviewed_routes.py`. Each person sends a request to each route of a running site.
The test fails if a route has no row, or admits a person whom its row does not name.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientResponse, web

from signalling.visit import commands as c
from signalling.visit.record import Actor, Role
from signalling.visit.relations import Decided
from tests.web.appointments.visitor import BOOKING, appointments, book, offered
from tests.web.conftest import OpenSite
from tests.web.identity.test_throttle import WAYS, right_token
from tests.web.pages.facility.test_kiosk import place
from tests.web.reviewed_routes import API, KEYS_OF, SEES_PATIENTS, WHO, reviewed
from tests.web.site import ADMIN, LIND, OSEI, Person, Site
from tests.web.test_organisations_apart import PASSWORD, lakeside
from web.api import dispatch
from web.api.operations import OPERATIONS
from web.identity import throttle
from web.identity.throttle import TokenKind
from web.identity.visitors import patient
from web.keys import ACCOUNTS, API_KEYS, FACILITIES, REDIS, SERVICE
from web.programs.scopes import Scope
from web.requests.security import Rule

CANARY = "Canary Quillfeather"
AUDITOR = "auditor@riverside.example"
ROBIN = Actor(organisation="demo", id="u_robin", name="Robin Hale", role=Role.ADMIN)


def routes(app: web.Application) -> list[tuple[str, str]]:
    """Return (method, path) of every route. A route for all methods is returned once for each method
    that it answers.
    """
    methods: dict[str, list[str]] = {}
    for row in OPERATIONS:
        methods.setdefault(API + row.path, []).append(row.method)
    found = []
    for route in app.router.routes():
        assert route.resource is not None, "every route has a path"
        path = re.sub(r"\{(\w+):[^/]*\}", r"{\1}", route.resource.canonical)
        if route.method == "*":
            found += [(method, path) for method in methods.get(path, ("GET", "POST"))]
        elif route.method != "HEAD":
            found.append((route.method, path))
    return found


WRONG_TOKEN = "x" * 32
LAST = (
    "POST /{organisation}/information",
    "POST /{organisation}/staff/sign-in",
    "POST /{organisation}/staff/sign-out",
)
"""Routes after which a browser may belong to another person. So each person gets a new browser afterwards."""


@dataclass
class Cast:
    """All people who send requests, and the values that the paths of the routes need.

    `made`: path -> the valid token to use for it; for other paths a new one is made.
    """

    site: Site
    people: dict[str, Person] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    _number: int = 0

    async def bring(self) -> None:
        """Make a clinic that has one object of each kind, and all people."""
        site, app = self.site, self.site.app
        await site.change(booking=BOOKING)
        await lakeside(site)
        for who in WHO:
            await self.come(who)
        booked = site.person()
        path = await book(booked, (await offered(booked))[20])
        _, key = await app[API_KEYS].add("demo", "Front office", list(Scope), "Robin Hale")
        office = {"Authorization": f"Bearer {key}"}
        hook = await self.people["anonymous"].client.post(
            "/demo/api/v1/webhooks",
            json={"url": "https://example.org/", "events": ["reopened"]},
            headers=office,
        )
        account = await app[ACCOUNTS].find("demo", OSEI)
        assert account is not None
        facility = await app[FACILITIES].add("demo", "Ward 3", "Robin Hale")
        self.parts |= {
            "organisation": "demo",
            "person": account.id,
            "appointment": (await appointments(site))[0].id,
            "facility": facility.id,
            "webhook": (await hook.json())["webhook"]["id"],
            "name": "logo.png",
            "rest": "nothing/here",
            "area": "nothing",
            "path": "signalling.js",
        }
        self.tokens |= {
            "facility": app[FACILITIES].token("demo", facility),
            "appointments": path.rsplit("/", 1)[1],
        }
        before = set((await app[SERVICE].mirrors.get("demo")).visits)
        assert await place(self.people["holder"], f"/demo/facility/{self.tokens['facility']}") == 303
        (self.parts["placed"],) = set((await app[SERVICE].mirrors.get("demo")).visits) - before

    async def come(self, who: str) -> Person:
        """Return a person of this kind, in a new browser."""
        self._number += 1
        site, person = (
            self.site,
            self.site.person(**{"X-Forwarded-For": f"203.0.{self._number // 250}.{self._number % 250}"}),
        )
        self.people[who] = person
        if who in ("patient", "over"):
            assert (await person.ask_for_a_visit(name=CANARY)).status == 303
            visits = (await site.app[SERVICE].mirrors.get("demo")).visits
            visit = list(visits)[-1]
            if who == "patient":
                self.parts |= {"visit": visit, "photo": "p_1"}
                ana, photo = patient("demo", visit, CANARY), c.AddPhoto("p_1", 8, 6, CANARY)
                assert isinstance(await site.app[SERVICE].command(ana, visit, photo), Decided)
                await site.app[SERVICE].photos.keep("demo", visit, "p_1", b"a JPEG")
            else:
                await site.app[SERVICE].command(ROBIN, visit, c.Decline("No"))
        elif who == "guest":
            token = await right_token(site, TokenKind.GUEST)
            assert (await person.post(f"/demo/join/{token}")).status == 303
        elif who in ("provider", "admin"):
            assert (await person.sign_in(OSEI if who == "provider" else ADMIN)).status == 303
        elif who == "auditor":
            if await site.app[ACCOUNTS].find("demo", AUDITOR) is None:
                await site.app[ACCOUNTS].add(
                    "demo", email=AUDITOR, name="Uma Roth", role=Role.AUDITOR, password=PASSWORD
                )
            assert (await person.sign_in(AUDITOR, PASSWORD)).status == 303
        elif who == "half":
            await site.app[ACCOUNTS].set_second_factor("demo", LIND, on=True)
            assert (await person.sign_in(LIND)).headers["Location"] == "/demo/staff/sign-in/code"
        elif who == "invited":
            token = await right_token(site, TokenKind.INVITATION)
            assert (await person.get(f"/demo/staff/invitation/{token}")).status == 303
        elif who in KEYS_OF:
            _, self.tokens[who] = await site.app[API_KEYS].add("demo", who, [KEYS_OF[who]], "Robin Hale")
        elif who == "other admin":
            signed = {"email": "ida@lakeside.example", "password": PASSWORD}
            assert (await person.post("/lakeside/staff/sign-in", signed)).status == 303
        return person

    async def ask(self, who: str, method: str, path: str) -> ClientResponse:
        """Send a request as `who`, a key of `people`; return the answer."""
        parts = {**self.parts, "token": WRONG_TOKEN}
        person, headers = self.people[who], {"Origin": self.people[who].origin}
        if who in KEYS_OF:
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        if who == "holder":
            parts |= {"token": self.made.get(path) or await self.right(path), "visit": parts["placed"]}
        how: dict[str, Any] = {"json": {}} if path.startswith(API) else {"data": self._form()}
        if method == "GET":
            how = {}
        where = path.format(**parts)
        return await person.client.request(method, where, headers=headers, allow_redirects=False, **how)

    def _form(self) -> dict[str, str]:
        self._number += 1
        return {
            "do": "nothing",
            "email": f"nobody-{self._number}@example.org",
            "password": "wrong wrong wrong",
            "visit": self.parts["visit"],
        }

    async def right(self, path: str) -> str:
        """Return a valid token for this path; an invalid one if the path needs no token."""
        kind = next((kind for kind, ways in WAYS.items() if path in ways), None)
        if kind is None:
            return WRONG_TOKEN
        return self.tokens.get(path.split("/")[2]) or await right_token(self.site, kind)

    async def everybodys(self, method: str, path: str) -> dict[str, ClientResponse]:
        """Send a request as each person to whom the route could matter; return person -> answer."""
        asking = [
            who
            for who in WHO
            if (who not in KEYS_OF or path.startswith(API)) and (who != "holder" or "{token}" in path)
        ]
        answers = await asyncio.gather(*(self.ask(who, method, path) for who in asking))
        if f"{method} {path}" in LAST:
            for who in asking:
                await self.come(who)
        return dict(zip(asking, answers, strict=True))


def let_in(answer: ClientResponse) -> bool:
    """Return whether an answer admits the person.

    It is no admission if the answer is a refusal, "not found", or a redirect to the sign-in or to the first page.
    """
    if answer.status == 303:
        where = answer.headers["Location"]
        return where not in ("/", "/demo") and not where.partition("?")[0].endswith("/staff/sign-in")
    return answer.status not in (401, 403, 404)


async def opened(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch) -> Cast:
    """Open a site whose limits do not stop the many requests of a test; return its people."""
    site = await open_site(server={"trusted_proxies": ["127.0.0.1"]}, limits={"visits_per_address": 0})
    for kind in TokenKind:
        monkeypatch.setitem(throttle.RULES, kind, Rule(kind, limit=0, first_delay_ms=0))
    monkeypatch.setattr(dispatch, "WRONG_PER_WINDOW", 100_000)
    cast = Cast(site)
    await cast.bring()
    return cast


async def wrong_answers(cast: Cast, asked: Iterable[tuple[str, str]]) -> list[object]:
    """Send a request to each route of `asked` as each person; return the answers that the reviewed table does not
    allow.
    """
    wrong, rows = list[object](), reviewed()
    for method, path in asked:
        answers = await cast.everybodys(method, path)
        assert not [who for who, answer in answers.items() if answer.status in (429, 500, 503)], path
        came_in = {who for who, answer in answers.items() if let_in(answer)}
        if came_in != rows[method, path] & answers.keys():
            wrong.append((method, path, {who: answer.status for who, answer in answers.items()}))
        for who, answer in answers.items():
            if who not in SEES_PATIENTS and who != "holder" and CANARY in await answer.text():
                wrong.append((method, path, who, "is shown a patient"))
    return wrong


OF_REQUESTS = re.compile(
    rb"^session:|^worker|^greenroom:|\}:(audit|throttle|api-rate|api-used|feeds|here|resume|watch|webhook-log)"
)
"""The keys that a GET request may change (a session, counts, the audit log, since when a calendar's content is the
same), or that workers change by themselves.
"""


async def records(cast: Cast) -> dict[bytes, bytes | None]:
    """Return the content of each key of the store, except the keys of OF_REQUESTS."""
    redis = cast.site.app[REDIS]
    names = [name async for name in redis.scan_iter(count=1000) if not OF_REQUESTS.search(name)]
    return {name: await redis.dump(name) for name in names}


async def settled(cast: Cast) -> dict[bytes, bytes | None]:
    """Return the records as soon as mails are sent and nothing else has changed them for a second."""
    found = await records(cast)
    while True:
        await asyncio.sleep(1.0)
        before, found = found, await records(cast)
        if found == before:
            return found


async def test_s46_each_page_is_shown_to_those_whom_its_row_names_and_no_get_changes_a_record(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast = await opened(open_site, monkeypatch)
    gets = [(method, path) for method, path in sorted(routes(cast.site.app)) if method == "GET"]
    # Tokens are made before the records are read, because to make one is a change.
    cast.made = {path: await cast.right(path) for _, path in gets}
    before = await settled(cast)
    assert await wrong_answers(cast, gets) == []
    after = await records(cast)
    assert [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)] == []


async def test_s46_every_other_route_lets_in_whom_its_row_names_and_nobody_else(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast = await opened(open_site, monkeypatch)
    every = routes(cast.site.app)
    assert sorted(every) == sorted(reviewed()), "each route has its row, and each row its route"
    others = sorted(
        (route for route in every if route[0] != "GET"),
        key=lambda route: (route[0] == "DELETE", " ".join(route) in LAST),
    )
    assert await wrong_answers(cast, others) == []


def test_s46_every_person_of_the_table_is_tested() -> None:
    assert set().union(*reviewed().values()) == set(WHO)


def test_s45_an_auditor_opens_the_audit_log_and_their_own_settings_and_nothing_else_of_the_staffs() -> None:
    staffs = {f"{method} {path}" for (method, path), who in reviewed().items() if "admin" in who} - {
        f"{method} {path}" for (method, path), who in reviewed().items() if who == set(WHO)
    }
    opened = {f"{method} {path}" for (method, path), who in reviewed().items() if "auditor" in who} & staffs
    home = "/{organisation}/staff"
    assert opened == {
        f"GET {home}/setup/audit",
        f"GET {home}/setup/audit/export",
        f"GET {home}/two-factor",
        f"POST {home}/two-factor",
        f"GET {home}/preferences",
        f"POST {home}/preferences",
        f"POST {home}/preferences/password",
    }
    assert len(staffs) > 50
