"""Encrypts stored records with AES-256-GCM. Each ciphertext is bound to its place in the store, and keys can be
rotated.

A ciphertext that was moved to another visit or organisation cannot be decrypted (SECURITY.md row 23). Does no I/O,
except for the random nonce.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from signalling.errors import SealError

_NONCE = 12


def prefix_of(key_id: bytes) -> bytes:
    """Return the first bytes of all data that is encrypted with the key `key_id`."""
    return bytes((len(key_id),)) + key_id


class Seal:
    """Encrypts data with the newest key, and decrypts data with any key.

    `keys`: id of a key (1 to 16 bytes) -> the key (32 bytes), the newest last.
    """

    def __init__(self, keys: Mapping[bytes, bytes]) -> None:
        self.replace(keys)

    def replace(self, keys: Mapping[bytes, bytes]) -> None:
        """Use these keys from now on instead of the present keys, so that keys can be changed while a worker runs."""
        if not keys or any(not 1 <= len(i) <= 16 or len(k) != 32 for i, k in keys.items()):
            raise ValueError("keys: at least one, an id of 1 to 16 bytes and a key of 32 each")
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        newest = list(keys)[-1]
        # Both fields change in one assignment, because `close` may run in another thread at the same time.
        self._newest = (
            prefix_of(newest),
            self._keys[newest],
        )

    @property
    def ids(self) -> tuple[bytes, ...]:
        """Return the ids of the keys that this object has, that of the newest key last."""
        return tuple(self._keys)

    def close(self, data: bytes, place: str) -> bytes:
        """Encrypt data for a place in the store, such as the id of a record; return the bytes.

        `open` needs the same place.
        """
        nonce = os.urandom(_NONCE)
        prefix, key = self._newest
        return prefix + nonce + key.encrypt(nonce, data, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """Return the data that was encrypted as `sealed`. `place`: the place in the store for which it was encrypted.

        Raises `SealError` if it was not encrypted for this place by a known key, or was changed.
        """
        end = 1 + sealed[0] if sealed else 0
        key = self._keys.get(sealed[1:end])
        if key is None:
            raise SealError("sealed with a key that this server does not have")
        try:
            return key.decrypt(sealed[end : end + _NONCE], sealed[end + _NONCE :], place.encode())
        except (InvalidTag, ValueError):
            # the data was changed, or is too short
            raise SealError("not sealed for this place, or changed since") from None
