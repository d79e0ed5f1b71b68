"""Plays a push service on this machine, with a browser that has subscribed to it and decrypts its messages."""

import base64
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import http_ece
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid

from web.programs.public_addresses import networks

LOOPBACK = networks(["127.0.0.0/8"])


def base64url(data: bytes) -> str:
    """Return the bytes as text in base64url, in which browsers write their keys."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class PushService:
    """A push service. `statuses`: the statuses of its next answers; when none is left, it answers 201.

    `read`: the decrypted messages; all subscriptions at this service use the same keys. `headers`: the HTTP headers of
    the newest message.
    """

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.asked = 0
        self.read: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.url = ""
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._auth = secrets.token_bytes(16)

    def subscription(self, name: str = "ana") -> dict[str, str]:
        """Return the fields of the form in which a page sends a browser's subscription."""
        point = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {
            "endpoint": f"{self.url}/{name}",
            "p256dh": base64url(point),
            "auth": base64url(self._auth),
        }

    async def take(self, request: web.Request) -> web.Response:
        """Answer POST /push/{name}. Raises an error for a message that is not signed, or that the browser cannot
        decrypt.
        """
        body = await request.read()
        self.asked += 1
        status = self.statuses.pop(0) if self.statuses else 201
        if status == 201:
            self.headers = dict(request.headers)
            assert Vapid.verify(self.headers["Authorization"])
            text = http_ece.decrypt(body, private_key=self._private, auth_secret=self._auth)
            self.read.append(json.loads(text))
        return web.Response(status=status)


SUBSCRIBES = """(told) => {
    // Chromium asks Google's server for a subscription; all else of the browser is its own.
    const { endpoint, p256dh, auth } = told;
    // A browser without a screen never allows notifications.
    Object.defineProperty(Notification, "permission", { get: () => window.says ?? "granted" });
    Notification.requestPermission = async () => Notification.permission;
    const made = { endpoint, toJSON: () => ({ endpoint, keys: { p256dh, auth } }) };
    PushManager.prototype.subscribe = async (how) => {
        localStorage.setItem("asked", JSON.stringify(how));
        return made;
    };
    PushManager.prototype.getSubscription = async () => (localStorage.getItem("asked") ? made : null);
}"""


def subscribing(there: PushService) -> str:
    """Return a script that lets the browser of a page subscribe to this push service.

    The browser then reports the value of `window.says` as its permission for notifications, by default "granted".
    """
    return f"({SUBSCRIBES})({json.dumps(there.subscription())})"


def claims_of(headers: dict[str, str]) -> dict[str, Any]:
    """Return the claims of the signed token (VAPID) in the headers of a message."""
    token = headers["Authorization"].removeprefix("vapid t=").partition(",")[0]
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


@asynccontextmanager
async def push_service() -> AsyncIterator[PushService]:
    """Yield a push service on this machine."""
    found, app = PushService(), web.Application()
    app.router.add_post("/push/{name}", found.take)
    server = TestServer(app)
    await server.start_server()
    found.url = str(server.make_url("/push"))
    yield found
    await server.close()
