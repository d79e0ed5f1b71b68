"""Makes credentials that expire, for a TURN server (draft-uberti-behave-turn-rest-00; coturn's `use-auth-secret`).

The user name and the password are made from a secret that is shared with the TURN server. This server never connects to
the TURN server: browsers connect to it, and the TURN server relays their packets to the media ports. Does no I/O.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from hashlib import sha1
from typing import Final

# the time in s for which credentials are valid; a browser needs them only when it begins to use the TURN server
LASTS_S: Final = 300


@dataclass(frozen=True, slots=True)
class IceServer:
    """A TURN server with credentials for one browser, in the fields of W3C WebRTC's RTCIceServer."""

    urls: tuple[str, ...]
    username: str
    credential: str


def ice_server(urls: tuple[str, ...], secret: str, name: str, now_s: float) -> IceServer:
    """Return a TURN server at `urls` with new credentials, valid for LASTS_S.

    `name`: a random text that makes the user name unique. `secret`: the secret that is shared with the TURN server.
    `now_s`: the Unix time in s.
    """
    username = f"{int(now_s) + LASTS_S}:{name}"
    digest = hmac.new(secret.encode(), username.encode(), sha1).digest()
    return IceServer(urls, username, base64.b64encode(digest).decode("ascii"))
