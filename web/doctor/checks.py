"""Lists the checks of `greenroom doctor`, and carries them out at the same time, each with a time limit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from web.config import Settings
from web.doctor import machine, mail, media, pages, store
from web.doctor.findings import Finding, wrong

Check = Callable[[Settings], Awaitable[Finding] | Finding]
"""A check of the installation: a coroutine function, or a plain function that may block its thread."""

EACH_S = 15.0

CHECKS: dict[str, Check] = {
    "data folder": machine.data_folder,
    "data key": machine.data_key,
    "disk": machine.disk,
    "time zones": machine.time_zones,
    "store": store.answers,
    "store keeps": store.keeps,
    "store contents": store.contents,
    "clock": store.clock,
    "demo": store.demo,
    "certificate": pages.certificate,
    "proxy": pages.proxy,
    "pages": pages.answer,
    "sockets": pages.sockets,
    "media ports": media.ports,
    "media address": media.address,
    "mail": mail.server,
}


async def look(settings: Settings) -> AsyncIterator[tuple[str, Finding]]:
    """Carry out all checks at the same time; yield the name and the finding of each, in the order of the table."""
    running = {name: asyncio.create_task(_within(check, settings)) for name, check in CHECKS.items()}
    for name, task in running.items():
        yield name, await task


async def _within(check: Check, settings: Settings) -> Finding:
    try:
        async with asyncio.timeout(EACH_S):
            # The check runs in a thread, because it may wait for a disk. If it returns a coroutine, the event
            # loop awaits it.
            found = await asyncio.to_thread(check, settings)
            return found if isinstance(found, Finding) else await found
    except TimeoutError:
        return wrong(
            f"no answer within {EACH_S:g} s", "Look at the network between this machine and that one."
        )
    except Exception as error:  # noqa: BLE001 - a check that fails must not hide the results of other checks
        return wrong(f"the check failed ({type(error).__name__})", "Report it.")
