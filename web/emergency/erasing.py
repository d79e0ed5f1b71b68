"""Erases the emergency accesses to visits that were erased, and all notifications about these visits.

The reason of an access may name the patient, and a notification about an access has the reason and the patient's name.
"""

import asyncio
import contextlib
from collections.abc import Collection

import msgspec

from signalling.errors import SealError
from signalling.store import keys
from signalling.store.notices import Notices, people
from signalling.store.records import Store
from signalling.store.unavailable import answering
from web.emergency.grants import Grants
from web.server.store_rewriting import erasing

AT_ONCE = 100
"""The number of notifications that are decrypted in one turn of the event loop."""


async def erase_without_visit(store: Store, organisation: str) -> None:
    """Erase the emergency accesses to visits that were erased, and all notifications about these visits.

    Raises `UnavailableError` if the store does not answer.
    """
    grants = Grants(store.redis, store.seal)
    gone = await grants.without_visit(organisation)
    if not gone:
        return
    async with answering(), erasing(store.redis):
        # The accesses are erased last, so that a call after an interruption still finds them and erases the rest.
        await _notifications(store, organisation, {grant.visit for _, grant in gone})
        await grants.erase(organisation, [sealed for sealed, _ in gone])


async def _notifications(store: Store, organisation: str, visits: Collection[str]) -> None:
    """Erase all notifications about these visits from the bells of the organisation's staff."""
    notices = Notices(store)
    for person in await people(store.redis, organisation):
        bell = keys.BELL(organisation, person)
        for number, sealed in enumerate(await store.redis.zrange(bell, 0, -1)):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
            # A notification that cannot be read is not erased here, but later, when it is too old.
            with contextlib.suppress(SealError, msgspec.DecodeError):
                if notices.opened(organisation, person, sealed).visit in visits:
                    await store.redis.zrem(bell, sealed)
