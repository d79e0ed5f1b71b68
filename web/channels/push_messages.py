"""Push messages: reads a browser's subscription from a page, and makes a message that only this browser can read.

pywebpush encrypts (RFC 8291) and py-vapid signs (RFC 8292). The key pair of the installation is derived from the data
key. So all servers of a store have the same pair, and no other key must be stored.
"""

import base64
import binascii
import time
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid
from pywebpush import WebPusher
from yarl import URL

from web.channels.devices import Device
from web.programs.public_addresses import Network, url_problem
from web.server.data_key import derived

ENDPOINT_LENGTH = 1000
AUTH_BYTES = 16
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of the curve P-256 (FIPS 186-5). A private key is a number from 1 to this order minus 1."""
TOKEN_S = 12 * 3600
"""The time in s for which a signature is valid. RFC 8292 allows a day; this is less, because clocks differ."""


def device_of(posted: Mapping[str, str], name: str, now_ms: int, allowed: Sequence[Network]) -> Device | None:
    """Return the device that a page's form describes; None if no message can be sent to it.

    `posted`: the fields `endpoint`, `p256dh` and `auth`; `name`: the device's name for its owner; `allowed`:
    networks that may be called although they are not public.
    """
    endpoint, p256dh, auth = (posted.get(field, "") for field in ("endpoint", "p256dh", "auth"))
    if len(endpoint) > ENDPOINT_LENGTH or url_problem(endpoint, allowed) is not None:
        return None
    if ":" in (URL(endpoint).raw_host or ""):
        return None  # no push service has a bare IPv6 address, and py-vapid cannot sign for such an address
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _decoded(p256dh))
        if len(_decoded(auth)) != AUTH_BYTES:
            return None
    except ValueError:
        return None
    return Device(endpoint, p256dh, auth, name, now_ms)


class Sender:
    """Writes push messages in the name of this installation of Greenroom.

    `origin`: the origin of the server's pages; a push service can find the operator of the server there.
    """

    def __init__(self, data_key: bytes, origin: str) -> None:
        number = 1 + int.from_bytes(derived(data_key, "push messages"), "big") % (ORDER - 1)
        private = ec.derive_private_key(number, ec.SECP256R1())
        # The option switches off a rule of py-vapid that refuses an origin with a port.
        self._vapid = Vapid(private, conf={"no-strict": True})
        # Push services accept an https address or a mail address as contact. A developer's machine has neither, so an
        # address that nobody reads is given.
        self._contact = origin if origin.startswith("https://") else "mailto:postmaster@localhost"
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public_key = base64.urlsafe_b64encode(point).rstrip(b"=").decode()
        """The public key, in base64url, for `PushManager.subscribe` of a page."""

    def written(self, device: Device, text: bytes, kept_s: int) -> tuple[dict[str, str], bytes]:
        """Return the headers and the body of the HTTP request that brings a text to a device.

        `kept_s`: the time in s for which the push service keeps the message.
        """
        claims = {"aud": device.service, "sub": self._contact, "exp": int(time.time()) + TOKEN_S}
        headers = {
            **self._vapid.sign(claims),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(kept_s),
            "Urgency": "high",
        }
        subscription = {"endpoint": device.endpoint, "keys": {"p256dh": device.p256dh, "auth": device.auth}}
        return headers, WebPusher(subscription).encode(text)["body"]


def _decoded(text: str) -> bytes:
    """Return the bytes of a text in base64url. Raises ValueError if the text is not valid."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("no base64url") from None
