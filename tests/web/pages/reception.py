"""Runs the HTTP server of a test's clinic on a free port: real templates, static files, and a WebSocket.

This module has default values for each template. `clinic.py` defines the messages on the WebSocket.
"""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

from aiohttp import WSMsgType, web
from markupsafe import Markup

from tests.web.pages.clinic import JSON, OSEI, Clinic
from web.languages import i18n
from web.organisations.translations import Translated
from web.pages.rendering import environment
from web.pages.static_files import link, static_file

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob: mediastream:; connect-src 'self'; font-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'"
)


SURVEY = {"question": "How was your visit?", "choices": ["Very good", "Good", "Fair", "Poor", "Very poor"],
          "comment": "What went well?"}  # fmt: skip


async def _socket(request: web.Request) -> web.StreamResponse:
    clinic = request.app[CLINIC]
    if clinic.drops_upgrade:
        raise web.HTTPUpgradeRequired
    if not clinic.open_to_all:
        return web.Response(status=503)
    socket = web.WebSocketResponse(protocols=["greenroom.v1.json"])
    await socket.prepare(request)
    try:
        await _follow(clinic, socket)
    finally:
        clinic.sockets.pop(socket, None)
    return socket


async def _follow(clinic: Clinic, socket: web.WebSocketResponse) -> None:
    """Answer the messages of a page until it closes its socket."""
    async for frame in socket:
        if frame.type is not WSMsgType.TEXT:
            break
        message = json.loads(frame.data)
        if message["type"] != "hello":
            await clinic.answer(socket, message)
            continue
        clinic.hellos.append(message)
        if "resume" in message and clinic.refuse_resume:
            refusal = {
                "type": "error",
                "reply_to": message["id"],
                "code": clinic.refuse_resume,
                "text": "No.",
                "details": {},
            }
            await socket.send_str(json.dumps(refusal))
            continue
        staff = message["role"] == "staff"
        clinic.roles[socket] = {"staff": "provider", "guest": ROSA}.get(message["role"], "patient")
        clinic.sockets[socket] = set()
        await socket.send_str(
            json.dumps(
                {
                    "type": "welcome",
                    "reply_to": message["id"],
                    "connection": "c_1",
                    "resume": "r_1",
                    "resumed": "resume" in message,
                    "worker": "w1",
                    "me": {**OSEI, "role": "provider"}
                    if staff
                    else {"id": "p_1", "role": "patient", "name": "Ana Ruiz"},
                    "visit": clinic.current if staff else "v_1",
                    "server_ms": int(time.time() * 1000),
                }
            )
        )


ROSA = "guest-rosa"
CLINIC = web.AppKey("clinic", Clinic)
ORGANISATION = SimpleNamespace(id="demo", name="Riverside Clinic", accent=None, timezone="America/Chicago")
PERSON = {
    "organisation": {"id": "demo", "name": "Riverside Clinic", "logo": None},
    "languages": [
        {
            "code": code,
            "name": language.name,
            "words": None if code == i18n.SOURCE else f"/static/locale/{code}.js",
            "dir": language.direction,
        }
        for code, language in i18n.languages().items()
    ],
    "ws": "/demo/ws",
    "mails": True,
}
WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
HOURS: list[JSON] = [
    {"day": day, "spans": [("08:00", "12:00"), ("13:00", "18:00")], "today": day == "Tuesday"} for day in WEEK
]
HOURS += [
    {"day": "Saturday", "spans": [("09:00", "13:00")], "today": False},
    {"day": "Sunday", "spans": [], "today": False},
]
FORM = dict.fromkeys(
    ("name", "birth_date", "phone", "email", "state", "reason", "language", "filled_in_by"), ""
)
PAGES: dict[str, tuple[str, str, JSON]] = {
    "/demo": (
        "calendar.html",
        "Riverside Clinic",
        {
            "hours": HOURS,
            "open_visits": [],
            "welcome": Translated("See a clinician by video today, without an appointment.", "en"),
            "notice": Translated("", "en"),
            "information_path": "/demo/information",
            "areas": [("/demo/mind", "Behavioural health")],
            "meet_now": {
                "available": True,
                "why": None,
                "opens": None,
                "zone": "Central Standard Time",
                "on_call": 2,
                "waiting": 3,
                "wait": "Usually 4 to 9 minutes",
            },
        },
    ),
    "/demo/information": (
        "information.html",
        "Your information",
        {
            "form": FORM,
            "errors": {},
            "regions": [("OH", "Ohio"), ("TX", "Texas")],
            "languages": [("en", "English"), ("es", "Español")],
        },
    ),
    "/demo/visit": (
        "visit.html",
        "Your visit",
        {
            "boot": {
                **PERSON,
                "visit": "v_1",
                "visits": ["v_1"],
                "home": "/demo",
                "book": "/demo/appointments",
                "next_time": "/demo/appointments/next",
                "contact": {"text": True, "push": {"key": "BA", "worker": "/static/push_worker.js"}},
                "answers": 5,
                "main": "en",
                "texts": {},
                "survey": SURVEY,
            }
        },
    ),
    "/demo/guest": ("guest.html", "Your session", {"boot": {**PERSON, "visit": "v_1", "guest": ROSA}}),
    "/demo/join/t0ken": (
        "join.html",
        "Join the session",
        {
            "name": "Rosa Diaz",
            "relation": "interpreter",
            "host": "Dr M. Osei",
            "action": "/demo/join/t0ken",
        },
    ),
    "/demo/staff/sign-in": (
        "sign_in.html",
        "Sign in",
        {"form": {"email": ""}, "form_path": "/demo/staff/sign-in", "error": None},
    ),
    "/demo/staff": (
        "staff.html",
        "Sessions List",
        {
            "boot": {
                **PERSON,
                "me": {**OSEI, "role": "provider", "states": ["TX", "OK"]},
                "home": "/demo/staff",
                "sign_out": "/demo/staff/sign-out",
                "session": "/demo/staff/session",
                "notify": True,
                "here": "sessions",
                "pages": [
                    {"key": "sessions", "path": "/demo/staff"},
                    {"key": "preferences", "path": "/demo/staff/preferences"},
                ],
                "on_call": False,
                "reopen_ms": 1_800_000,
                "answers": True,
                "tags": ["Follow-up", "Billing"],
                "regions": {"OH": "Ohio", "OK": "Oklahoma", "TX": "Texas"},
            },
        },
    ),
    "/demo/nowhere": (
        "error.html",
        "Not found",
        {
            "status": 404,
            "heading": "There is no such page",
            "text": "The address may be mistyped.",
            "links": [("Go to Riverside Clinic", "/demo")],
        },
    ),
}


async def _page(request: web.Request) -> web.Response:
    path = "/demo/staff" if request.path.startswith("/demo/staff/visits/") else request.path
    if path not in PAGES:
        raise web.HTTPNotFound
    template, title, context = PAGES[path]
    values = {
        "org": ORGANISATION,
        "title": title,
        "request_path": request.path,
        "static": link,
        "module": _module,
    }
    with i18n.using(request.query.get("lang", i18n.SOURCE)):
        values |= {
            "lang": i18n.current(),
            "dir": i18n.direction(),
            "language_links": i18n.choices(request),
        }
        html = (
            environment()
            .get_template(template)
            .render({**values, **context, **request.app[CLINIC].contexts.get(path, {})})
        )
    return web.Response(text=html, content_type="text/html")


def _module(path: str, *, first: bool = False) -> Markup:
    tag = Markup('<script type="module" src="{}"{}></script>')
    script = tag.format(link(path), Markup(" async") if first else "")
    language = i18n.current()
    return script if language == i18n.SOURCE else tag.format(f"/static/locale/{language}.js", "") + script


async def _signed_in(_: web.Request) -> web.Response:
    return web.json_response({"ends_in_ms": 1_800_000})


async def _next_time(request: web.Request) -> web.Response:
    return web.json_response({"starts_ms": request.app[CLINIC].next_time_ms})


async def _headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Content-Security-Policy"] = CSP


@asynccontextmanager
async def running() -> AsyncIterator[Clinic]:
    """Yield a clinic on a free port of the loopback interface."""
    app = web.Application()
    clinic = app[CLINIC] = Clinic()
    app.on_response_prepare.append(_headers)
    app.router.add_get("/demo/ws", _socket)
    app.router.add_route("*", "/demo/staff/session", _signed_in)
    app.router.add_get("/demo/appointments/next", _next_time)
    app.router.add_get("/static/{path:.+}", static_file)
    app.router.add_get("/{path:.*}", _page)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    clinic.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield clinic
    await clinic.cut(1001)
    await runner.cleanup()
