"""Opens many visits for a benchmark, by the product's own rules and store, but without a form for each of them.

The workers receive the usual events of each visit.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import redis.asyncio
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from signalling.store.encryption import Seal
from signalling.store.records import Store
from signalling.visit.commands import Open
from signalling.visit.record import PatientInformation, Visit
from signalling.visit.relations import Context, Refusal
from signalling.visit.rules import decide, next_deadline_ms
from tests.benchmarks.peers import Login
from tests.limits import WAIT_S
from web.config import Settings
from web.identity import sessions
from web.identity.visitors import patient, visit_key
from web.organisations import demo
from web.server.data_key import data_key, key_id

AT_ONCE = 32
INFORMATION = PatientInformation(
    name="Bench Patient",
    birth_date="1990-04-02",
    phone="+1 512 555 0142",
    email="patient@example.org",
    state="TX",
    reason="Rash, three days",
    language="en",
)


@asynccontextmanager
async def client(settings: Settings) -> AsyncIterator[Any]:
    """Yield a client of the server's store."""
    found = redis.asyncio.Redis.from_url(settings.redis.url, socket_timeout=WAIT_S)
    try:
        yield found
    finally:
        await found.aclose()


async def browser(storage: sessions.Storage, key: str, value: object, role: str) -> Login:
    """Return a browser (its cookie) with a new HTTP session, in which the entry `key` has this value.

    `role`: "staff" or "patient". `storage`: the storage of HTTP sessions.
    """
    session, response = await storage.new_session(), web.Response()
    session[key] = value
    await storage.save_session(make_mocked_request("GET", "/"), response, session)
    return Login(f"{storage.cookie_name}={response.cookies[storage.cookie_name].value}", role)


async def open_visits(settings: Settings, organisation: str, number: int) -> list[str]:
    """Open `number` visits at an organisation of the server with these settings; return their ids in the order of their
    arrival.
    """
    key = data_key(Path(settings.data.folder))
    async with client(settings) as found:
        store = Store(found, Seal({key_id(key): key}))
        await store.keep_guide(organisation, demo.ORGANISATION.guide)
        opened: list[str] = []
        for start in range(0, number, AT_ONCE):
            some = range(start, min(number, start + AT_ONCE))
            opened += await asyncio.gather(*(open_visit(store, organisation) for _ in some))
    return opened


async def open_visit(store: Store, organisation: str) -> str:
    """Open a visit of the organisation, written directly to `store`; it waits in the queue. Return its id."""
    visit_id = f"v_{secrets.token_urlsafe(12)}"
    _, now_ms = await store.load(organisation, Visit, visit_id)
    context = Context(now_ms=now_ms, policy=demo.ORGANISATION.policy, guide=demo.ORGANISATION.guide)
    actor = patient(organisation, visit_id, INFORMATION.name)
    decided = decide(None, Open(visit_id, INFORMATION), actor, context)
    assert not isinstance(decided, Refusal)
    assert decided.event is not None
    await store.commit(
        organisation,
        decided.visit,
        decided.event,
        index_score=decided.visit.arrived_ms,
        deadline_ms=next_deadline_ms(decided.visit, demo.ORGANISATION.policy),
    )
    return visit_id


async def patients(settings: Settings, organisation: str, visits: Sequence[str]) -> list[Login]:
    """Return a browser, signed in as the patient, for each visit id in `visits`. `settings`: the settings of the
    server.
    """
    async with client(settings) as found:
        storage = sessions.storage(found, settings)
        return [await browser(storage, visit_key(organisation), visit, "patient") for visit in visits]
