"""Computes the codes of authenticator apps (RFC 6238): HMAC-SHA-1, six digits, a new code every thirty seconds.

The functions use only their arguments: the secret, the time and the typed code.
"""

import base64
import hmac
from collections.abc import Iterable
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

STEP_MS = 30_000
DIGITS = 6
# The length of a secret in bytes. RFC 4226 §4, R6 recommends 160 bits.
SECRET_BYTES = 20
AROUND = (-1, 0, 1)
"""The time steps, counted from the present step, whose codes are accepted (RFC 6238 §5.2).

A phone's clock may be wrong, and typing takes time.
"""


def step_at(now_ms: int) -> int:
    """Return the number of the time step (RFC 6238 §4.2, T) to which this time belongs; a step is 30 seconds."""
    return now_ms // STEP_MS


def code(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """Return the code that a secret gives in a time step, as a text of `digits` digits."""
    # Authenticator apps expect SHA-1. Its known weakness, collisions, does not matter inside an HMAC.
    return HOTP(secret, digits, SHA1()).generate(step).decode()  # noqa: S303


def steps_of(secret: bytes, written: str, now_ms: int) -> Iterable[int]:
    """Return the accepted time steps (`AROUND`) whose code is the typed code, the oldest first; usually one or none.

    `secret`: the key of the person's app; `written`: the code as typed. The codes of all accepted steps are always
    compared, so that the time for an answer reveals nothing.
    """
    steps = [step_at(now_ms) + off for off in AROUND]
    right = [hmac.compare_digest(code(secret, step).encode(), written.encode()) for step in steps]
    return [step for step, found in zip(steps, right, strict=True) if found]


def is_code(written: str) -> bool:
    """Return whether the text has the form of an authenticator app's code: six digits."""
    return len(written) == DIGITS and written.isascii() and written.isdigit()


def spelled(secret: bytes) -> str:
    """Return the secret in the form that a person types into an app: base32 in groups of four."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def address(secret: bytes, issuer: str, account: str) -> str:
    """Return the otpauth URI for the QR code, with the secret, the clinic (`issuer`) and the account's email.

    Algorithm, digits and period are left out, because their default values are used.
    """
    names = [quote(name.replace(":", " "), safe="@") for name in (issuer, account)]
    values = {"secret": spelled(secret).replace(" ", ""), "issuer": issuer.replace(":", " ")}
    return f"otpauth://totp/{':'.join(names)}?{urlencode(values, quote_via=quote)}"
