"""The photos of a visit in the store: JPEG files, encrypted, by visit and id.

The visit's record lists its photos (`visit/record.py`). A stored file that is not in the list is never shown, and is
erased with the visit. All methods raise `UnavailableError` if the store does not answer.
"""

from __future__ import annotations

from typing import cast

from signalling.store import keys
from signalling.store.records import Store
from signalling.store.unavailable import answering


def _place(organisation: str, visit: str, photo: str) -> str:
    return f"{organisation}/photo/{visit}/{photo}"


class Photos:
    """Stores, reads and erases the photos that patients add to their visits."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(self, organisation: str, visit: str, photo: str, data: bytes) -> None:
        """Store a photo of a visit, unless the visit has been erased or packed.

        `photo`: its id. `data`: its JPEG file.
        """
        sealed = self._store.seal.close(data, _place(organisation, visit, photo))
        await self._store.packed.add_beside(organisation, visit, keys.PHOTOS, {photo: sealed})

    async def get(self, organisation: str, visit: str, photo: str) -> bytes | None:
        """Return the JPEG file of a visit's photo, None if there is none. `photo`: its id.

        Raises `SealError` if the stored file was not encrypted for this photo by a known key, or was changed.
        """
        async with answering():
            sealed = cast(bytes | None, await self._store.redis.hget(keys.PHOTOS(organisation, visit), photo))
        return None if sealed is None else self._store.seal.open(sealed, _place(organisation, visit, photo))

    async def erase(self, organisation: str, visit: str, photo: str) -> None:
        """Erase the file of a photo, if it is stored. `photo`: its id."""
        async with answering():
            await self._store.redis.hdel(keys.PHOTOS(organisation, visit), photo)
