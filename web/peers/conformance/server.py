"""Runs the checks of a server: checks that only wait run at the same time, all other checks one after another.

This module defines the order of the checks, and turns an unexpected exception into an outcome.
"""

from __future__ import annotations

import asyncio
import fnmatch
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from signalling.protocol.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL
from web.peers.conformance import admins, asking, bell, connecting, media, rights, topics, visits
from web.peers.conformance.checked_socket import CheckedSocket
from web.peers.conformance.people import People
from web.peers.conformance.table import CHECKS, Check, Outcome
from web.peers.errors import EntryError, MissingPersonError, UntestableError, ViolationError
from web.peers.people.entry import Clinic

CHECK_S: Final = 30.0
SLOW_S: Final = 60.0
ORDER: Final = [room.__name__ for room in (connecting, asking, topics, visits, rights, admins, bell, media)]
"""The modules that define the checks, in the order in which the table shows their checks."""
CODECS: Final = {JSON_SUBPROTOCOL: "JSON", MSGPACK_SUBPROTOCOL: "MessagePack"}


async def run(
    clinic: Clinic,
    credentials: Sequence[tuple[str, str]],
    *,
    only: Sequence[str] = (),
    slow: bool = False,
    on_outcome: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Check the server of `clinic`; return the outcome of each check, in the table's order.

    `on_outcome` is called with each outcome as soon as it is known. `credentials`: (email, password) of at
    least one member of staff; all checks need two providers and an administrator. `only`: groups
    (`Check.room`), or parts of names of checks. `slow`: also run the checks that take half a minute. Raises
    EntryError if there is no such server or sign-in fails.
    """
    await clinic.check()
    people = People(clinic, tuple(credentials))
    if not people.credentials:
        raise EntryError("name at least one member of staff, a provider, in the credentials")
    await people.sign_in()
    listens: asyncio.Task[None] | None = None
    # A provider goes on call first, because Meet Now may be closed while no provider is on call. Wrong replies are
    # ignored here and at the end: checks report them, or the server is gone.
    with suppress(ViolationError):
        listens = asyncio.create_task(_listen(await people.on_call()))
    try:
        return await play(people, only=only, slow=slow, on_outcome=on_outcome)
    finally:
        if listens is not None:
            listens.cancel()
        for number in range(len(people.staff_browsers) - len(people.admins) or 1):
            with suppress(ViolationError, UntestableError):
                await (await people.staff(number)).ask("on_call", on=False)
        await people.tidy()


async def play(
    people: People,
    *,
    only: Sequence[str] = (),
    slow: bool = False,
    subprotocols: Sequence[str] = tuple(CODECS),
    on_outcome: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Run the checks with people whose staff have signed in; return the outcomes.

    `only`: groups (`Check.room`), or parts of names of checks. `slow`: also run the checks that take half a
    minute. `on_outcome`: called with each outcome as soon as it is known. A check that must run in each codec
    runs in each of `subprotocols`; all other checks run in JSON.
    """
    wanted = [
        (check, subprotocol)
        for check in sorted(CHECKS, key=lambda check: ORDER.index(check.run.__module__))
        if (slow or not check.slow) and _fits(check, only)
        for subprotocol in (subprotocols if check.codecs else (JSON_SUBPROTOCOL,))
    ]
    outcomes: dict[int, Outcome] = {}

    async def one(place: int) -> None:
        check, subprotocol = wanted[place]
        outcomes[place] = outcome = await _outcome(check, people.speaking(subprotocol))
        on_outcome(outcome)

    async with asyncio.TaskGroup() as group:
        for place, (check, _) in enumerate(wanted):
            if check.waits:
                group.create_task(one(place))
        for place, (check, _) in enumerate(wanted):
            if not check.waits:
                await one(place)
    return [outcomes[place] for place in sorted(outcomes)]


async def _listen(line: CheckedSocket) -> None:
    """Read from a socket until it closes, and drop the messages, so that the server's pings are answered."""
    while not line.ws.closed:
        await line.ws.receive()


def _fits(check: Check, only: Sequence[str]) -> bool:
    return not only or any(check.room == word or fnmatch.fnmatch(check.name, f"*{word}*") for word in only)


async def _outcome(check: Check, people: People) -> Outcome:
    name = f"{check.name} ({CODECS[people.subprotocol]})" if check.codecs else check.name
    fault, undecided, tried = None, "", True
    try:
        async with asyncio.timeout(SLOW_S if check.slow else CHECK_S):
            await check.run(people)
    except ViolationError as wrong:
        fault = wrong
    except UntestableError as reason:
        undecided, tried = str(reason), not isinstance(reason, MissingPersonError)
    except EntryError as problem:
        fault = ViolationError("an answer", str(problem))
    except TimeoutError:
        fault = ViolationError("an end", f"none within {CHECK_S:g} s")
    except (KeyError, TypeError, AttributeError, IndexError) as problem:
        # These errors mean that a received message lacks a part that the check reads, or that the part has another type
        # than in PROTOCOL.md.
        fault = ViolationError("messages as the reference has them", f"{type(problem).__name__}: {problem}")
    finally:
        await people.tidy()
    return Outcome(check.room, name, check.section, fault, undecided, tried)
