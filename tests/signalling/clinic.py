"""Runs a clinic of several workers on real sockets and a real store, with the people who use it.

Instead of the sign-in of the pages, a header names the person. All other parts are the product's own.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis

from media import Relay, RelaySettings
from signalling.clients.client import MSGPACK, SignallingClient
from signalling.service import Accepted, new_id
from signalling.sockets.handshake import serve
from signalling.store.encryption import Seal
from signalling.tracing import Tracer
from signalling.visit.record import Actor, PatientInformation, Policy, Role
from signalling.visit.setup_guide import Guide, Kind, Step
from signalling.worker import Limits, Worker
from tests.limits import WAIT_S
from web.server.media_relay import Relay as MediaPort

GUIDE = Guide(
    version=1,
    steps=(
        Step(id="allergies", kind=Kind.TEXT, title="Allergies"),
        Step(id="fever", kind=Kind.YES_NO, title="Do you have a fever?"),
        Step(id="since", kind=Kind.DATE, title="Since when?", required=False),
        Step(id="consent", kind=Kind.CONSENT, title="Consent", text="I agree to be seen by video."),
    ),
)
ANA = PatientInformation(
    name="Ana Ruiz",
    birth_date="1990-04-02",
    phone="+1 512 555 0142",
    email="ana@example.org",
    state="TX",
    reason="Rash, three days",
    language="es",
)
ORG = "riverside"
AREAS = {"walk-in": "Walk-in", "mind": "Behavioural health"}


class Settings:
    """The settings of an organisation, with a setup guide and tags. `policy`: its limits."""

    def __init__(self, **policy: Any) -> None:
        chosen: dict[str, Any] = {"tags": ("Follow-up",), "survey": True, **policy}
        self.policy = Policy(**chosen)
        self.guide = GUIDE
        self.area_names = AREAS

    def guide_of(self, area: str, /) -> Guide:
        """Return the setup guide, which is the same for every waiting area."""
        return self.guide


class Organisations:
    """The settings of two organisations that share nothing. `policy`: the limits of the first organisation."""

    def __init__(self, **policy: Any) -> None:
        self._known = {ORG: Settings(**policy), "hillside": Settings()}

    async def get(self, organisation: str, /) -> Settings | None:
        return self._known.get(organisation)

    read = get

    def change(self, **policy: Any) -> None:
        """Change the limits of the first organisation."""
        self._known[ORG] = Settings(**policy)

    async def list(self) -> list[str]:
        return list(self._known)


async def authenticate(request: web.Request, role: str) -> Actor | None:
    """Return the person whom the header X-Person names; None if it is missing, or if the person has another role."""
    said = json.loads(request.headers.get("X-Person", "null"))
    if said is None or {"patient": "patient", "guest": "guest"}.get(said["role"], "staff") != role:
        return None
    return Actor(**{**said, "role": Role(said["role"])})


def headers(actor: Actor) -> dict[str, str]:
    """Return the HTTP header X-Person for this person, which `authenticate` reads."""
    person = {"organisation": actor.organisation, "id": actor.id, "name": actor.name, "role": str(actor.role)}
    if actor.visit is not None:
        person["visit"] = actor.visit
    return {"X-Person": json.dumps(person)}


class Server(TestServer):
    """A test server whose handlers continue after their sockets close, as the product's do. aiohttp's test server
    cancels them.
    """

    async def _make_runner(self, **options: Any) -> web.BaseRunner:
        return await super()._make_runner(**{**options, "handler_cancellation": False})


class Clinic:
    """Several workers, and the connections of people to them. `worker` is the index of a worker, or the URL of one in
    another process.
    """

    def __init__(self, workers: list[Worker], servers: list[TestServer], http: aiohttp.ClientSession) -> None:
        self.workers = workers
        self.servers = servers
        self.http = http

    def url(self, worker: int | str) -> str:
        """Return the WebSocket URL of a worker. `worker`: its index; or its URL, which is returned unchanged."""
        if isinstance(worker, str):
            return worker
        return str(self.servers[worker].make_url("/ws"))

    async def arrive(
        self, worker: int = 0, information: PatientInformation = ANA, organisation: str = ORG
    ) -> Actor:
        """Send the patient information of a new patient, who enters the setup guide; return the patient.

        `worker`: the index of the worker that opens the visit.
        """
        visit_id = new_id("v")
        patient = Actor(
            organisation=organisation,
            id=f"patient:{visit_id}",
            name=information.name,
            role=Role.PATIENT,
            visit=visit_id,
        )
        opened = await self.workers[worker].service.open(patient, information, visit_id)
        assert isinstance(opened, Accepted)
        return patient

    @staticmethod
    def provider(name: str = "Dr M. Osei", role: Role = Role.PROVIDER, organisation: str = ORG) -> Actor:
        """Return a member of staff with this role. The id comes from the last word of the name."""
        return Actor(organisation=organisation, id=f"u_{name.split()[-1].lower()}", name=name, role=role)

    async def connect(self, actor: Actor, worker: int | str = 0, **how: Any) -> SignallingClient:
        """Connect a person to a worker; return the client after its welcome. `how`: arguments of
        `SignallingClient.connect`.
        """
        role = "staff" if actor.is_staff else str(actor.role)
        how = {"subprotocol": MSGPACK, "timeout_s": WAIT_S, **how}
        return await SignallingClient.connect(
            self.http, self.url(worker), role, headers=headers(actor), **how
        )

    async def on_call(self, actor: Actor, worker: int | str = 0) -> SignallingClient:
        """Connect the provider `actor` to a worker, and turn On-Call on; return the client."""
        client = await self.connect(actor, worker)
        await client.request("on_call", on=True)
        return client


@asynccontextmanager
async def open_worker(
    redis: Redis, index: int, limits: Limits | None = None, tracer: Tracer | None = None, **policy: Any
) -> AsyncIterator[tuple[Worker, TestServer]]:
    """Yield a worker with its relay, and the server that has its WebSocket route; close both at the end.

    `index`: the index of the worker. `limits`: None for the product's, except that `hello` may come late on a busy
    machine. `tracer`: None for no tracing. `policy`: limits of the organisation.
    """
    async with AsyncExitStack() as stack:
        relay = await Relay.open(RelaySettings(host="127.0.0.1"))
        stack.push_async_callback(relay.close)
        worker = Worker(
            redis,
            Seal({b"1": b"k" * 32}),
            b"k" * 32,
            Organisations(**policy),
            MediaPort(relay),
            limits or Limits(hello_s=WAIT_S),
            index,
            tracer=tracer,
        )
        await worker.start()
        stack.push_async_callback(worker.close)

        async def handler(request: web.Request) -> web.StreamResponse:
            return await serve(request, worker, authenticate)

        app = web.Application()
        app.router.add_get("/ws", handler)
        server = Server(app)
        await server.start_server()
        stack.push_async_callback(server.close)
        yield worker, server
        # If a failed test has left a socket open, this closes it. Otherwise the end would wait 37 s for the heartbeat.
        for connection in list(worker.connections.values()):
            connection.socket.abort()


@asynccontextmanager
async def clinic(
    redis: Redis,
    workers: int = 2,
    limits: Limits | None = None,
    tracers: Mapping[int, Tracer] = {},
    **policy: Any,
) -> AsyncIterator[Clinic]:
    """Yield a clinic with this number of workers; close it at the end.

    `tracers`: index of a worker -> its tracer. `policy`: limits of the organisation.
    """
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(open_worker(redis, index, limits, tracers.get(index), **policy))
            for index in range(workers)
        ]
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Clinic([worker for worker, _ in opened], [server for _, server in opened], http)
