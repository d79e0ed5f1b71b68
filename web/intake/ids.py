"""Makes ids from a secret. A request that is sent again gets the same id, and so creates nothing twice."""

import base64
import hashlib

ENOUGH = 32
"""The least length in characters of a secret that cannot be guessed: 24 random bytes in base64."""


def derived_id(prefix: str, *parts: str) -> str:
    """Return an id: `prefix`, "_", and a hash of the parts, so that the same parts always give the same id.

    The hash has 96 bits, and none of the parts can be calculated from it.
    """
    digest = hashlib.sha256("/".join(parts).encode()).digest()[:12]
    return f"{prefix}_{base64.urlsafe_b64encode(digest).decode()}"
