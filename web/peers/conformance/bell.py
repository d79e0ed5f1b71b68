"""Checks to whom a server sends notifications, and how long it keeps them.

Checks also that a notification which is read in one tab is marked as read in all tabs.

Most checks need an administrator, because only administrators assign and decline. Without an administrator
these checks are not carried out.
"""

from __future__ import annotations

import asyncio

from web.peers.conformance.admins import REASON
from web.peers.conformance.checked_socket import CheckedSocket, Message
from web.peers.conformance.people import PatientBrowser, People
from web.peers.conformance.table import check
from web.peers.conformance.topics import whole


async def listening(*lines: CheckedSocket) -> Message:
    """Subscribe each of these sockets to the topic `bell`; return the snapshot that the first socket receives."""
    bells = [await whole(line, "bell", "bell.snapshot") for line in lines]
    return bells[0]


async def rung(
    line: CheckedSocket, visit: str, kind: str, by: CheckedSocket, note: str | None = None
) -> Message:
    """Return the next notification about a visit, after checking it.

    `kind` and `note`: the values that these fields of the notification must have; `by`: the socket of the person whom
    it must name. Raises ViolationError if one of them differs.
    """
    found = await line.expect("bell.item", lambda m: m["item"]["visit"] == visit, f"of kind {kind}")
    item = found["item"]
    line.want(item["kind"] == kind, f"`kind` {kind}", found)
    line.want(item["by"] == by.me["name"], f"`by` {by.me['name']}", found)
    line.want(item["note"] == note, f"`note` {note!r}", found)
    return found


async def assign(admin: CheckedSocket, patient: PatientBrowser, provider: CheckedSocket) -> None:
    """Assign the patient's visit to the provider, as the administrator."""
    await admin.get("visit.assign", visit=patient.visit, to=provider.me["id"])


@check("bell", "the assignee’s rings once, nobody else’s, and counts what is unread", "bell", codecs=True)
async def rings(people: People) -> None:
    admin, provider = await people.admin(), await people.provider()
    patient, _ = await people.in_line()
    await listening(admin)
    before = await listening(provider)
    await assign(admin, patient, provider)
    found = await rung(provider, patient.visit, "assigned", admin)
    unread = before["unread"] + 1
    provider.want(found["unread"] == unread, f"`unread` {unread}", found)

    def other(message: Message) -> bool:
        return bool(message["type"] != "bell.item" or message["item"]["visit"] != patient.visit)

    await asyncio.gather(provider.quiet("one notification", other), admin.quiet("none for who did it", other))


@check("bell", "what it held is there for who opens it later, newest first", "bell")
async def keeps(people: People) -> None:
    admin, provider = await people.admin(), await people.provider()
    await listening(provider)
    ids: list[str] = []
    for _ in range(2):
        patient, _ = await people.in_line()
        await assign(admin, patient, provider)
        found = await rung(provider, patient.visit, "assigned", admin)
        ids.insert(0, found["item"]["id"])
    later = await people.provider()
    bell = await listening(later)
    newest = [item["id"] for item in bell["items"][:2]]
    later.want(newest == ids, f"the newest items {ids}, as they were told", newest)
    later.want(
        bell["unread"] == found["unread"], f"`unread` {found['unread']}, as it was told", bell["unread"]
    )


@check("bell", "what is marked as read is read in all tabs, and later", "bell", codecs=True)
async def marked(people: People) -> None:
    admin, provider, tab = await people.admin(), await people.provider(), await people.provider()
    patient, _ = await people.in_line()
    await listening(provider, tab)
    await assign(admin, patient, provider)
    received = [await rung(line, patient.visit, "assigned", admin) for line in (provider, tab)]
    until_ms = received[0]["item"]["at_ms"]
    await provider.get("bell.mark", until_ms=until_ms)
    for line in (provider, tab):
        marked = await line.expect("bell.marked", what="in each tab")
        line.want(
            (marked["until_ms"], marked["unread"]) == (until_ms, 0),
            f"`until_ms` {until_ms}, `unread` 0",
            marked,
        )
    bell = await listening(await people.provider())
    tab.want(bell["unread"] == 0, "`unread` 0 in a snapshot after it", bell["unread"])


@check("bell", "the assignee is notified of a decline, with its reason", "bell")
async def notified_of_a_decline(people: People) -> None:
    admin, provider = await people.admin(), await people.provider()
    patient, _ = await people.in_line()
    await assign(admin, patient, provider)
    await listening(provider)
    await admin.get("visit.decline", visit=patient.visit, reason=REASON)
    await rung(provider, patient.visit, "declined", admin, REASON)


@check("bell", "the claimant is notified when an admin returns or transfers the visit", "bell")
async def notified_of_a_return(people: People) -> None:
    admin, colleague = await people.admin(), await people.provider(1)
    _, provider, visit = await people.claimed_visit()
    await listening(provider, colleague)
    await admin.get("visit.release", visit=visit)
    await rung(provider, visit, "returned", admin)
    await provider.get("visit.claim", visit=visit)
    await admin.get("visit.transfer", visit=visit, to=colleague.me["id"])
    for line in (provider, colleague):
        await rung(line, visit, "transferred", admin)


@check("bell", "the colleague is notified of a transfer to them", "bell")
async def notified_of_a_transfer(people: People) -> None:
    colleague = await people.provider(1)
    _, provider, visit = await people.claimed_visit()
    await listening(colleague)
    await provider.get("visit.transfer", visit=visit, to=colleague.me["id"])
    await rung(colleague, visit, "transferred", provider)
