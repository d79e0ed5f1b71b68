"""Checks what a server lets an administrator do with a waiting request and with a colleague's visit.

Each check needs an administrator and a provider among the credentials, and some need a second provider. If one of
them is missing, the check is not carried out. `bell.py` checks the notifications about an administrator's actions.
"""

from __future__ import annotations

from web.peers.conformance.checked_socket import CheckedSocket, Message
from web.peers.conformance.people import People, off_call
from web.peers.conformance.table import check
from web.peers.conformance.topics import whole
from web.peers.conformance.visits import status

REASON = "A conformance check: please call 911."
NOBODY = "u_nosuchcolleague"


async def row_of(line: CheckedSocket, visit: str, what: str) -> Message:
    """Wait until the server sends the queue's row of this visit, and return the row.

    `what`: names the row in the error's text. Raises ViolationError if the row does not arrive.
    """
    found = await line.expect("queue.row", lambda m: m["row"]["visit"] == visit, what)
    row: Message = found["row"]
    return row


async def stands(line: CheckedSocket, visit: str, wanted: str) -> Message:
    """Subscribe to a visit and return its state. Raises ViolationError if its status is not `wanted`."""
    state: Message = (await whole(line, f"visit/{visit}", "visit.state"))["visit"]
    line.want(
        state["status"] == wanted, f"`status` {wanted}, for a refused request has changed nothing", state
    )
    return state


# --- checks of assigning a request to a colleague, and of removing the assignment


@check("assign", "an assigned request names its assignee in everybody’s queue", "admins", codecs=True)
async def assigned(people: People) -> None:
    admin, provider = await people.admin(), await people.provider()
    patient, _ = await people.in_line()
    for line in (admin, provider):
        await whole(line, "queue", "queue.snapshot")
    done = await admin.get("visit.assign", visit=patient.visit, to=provider.me["id"])
    admin.want(done["version"] > 0, "`version` at which it is seen", done)
    for line in (admin, provider):
        row = await row_of(line, patient.visit, "once it is assigned")
        line.want(row["assignee"] == provider.me, f"`assignee` {provider.me}", row)
        line.want(row["assigned_ms"] is not None, "`assigned_ms`", row)


@check("assign", "an unassigned request is everybody’s again", "admins")
async def unassigned(people: People) -> None:
    admin, provider = await people.admin(), await people.provider()
    patient, _ = await people.in_line()
    await admin.get("visit.assign", visit=patient.visit, to=provider.me["id"])
    await whole(provider, "queue", "queue.snapshot")
    await admin.get("visit.unassign", visit=patient.visit)
    row = await row_of(provider, patient.visit, "once it is unassigned")
    provider.want(
        (row["assignee"], row["assigned_ms"]) == (None, None), "`assignee`, `assigned_ms` null", row
    )


@check("assign", "nobody is assigned who is not on call, or whom nobody knows", "errors")
async def not_available(people: People) -> None:
    admin, provider = await people.admin(), await people.provider()
    patient, _ = await people.in_line()
    await admin.refused("not_found", "visit.assign", visit=patient.visit, to=NOBODY)
    async with off_call(provider):
        to = provider.me["id"]
        details = await admin.refused("not_on_call", "visit.assign", visit=patient.visit, to=to)
    admin.want(details.get("staff") == to, f"`details.staff` {to}", details)


@check("assign", "the assignee may claim without being on call", "commands")
async def assignee_claims(people: People) -> None:
    admin, provider = await people.admin(), await people.provider()
    patient, line = await people.in_line()
    await whole(line, f"visit/{patient.visit}", "visit.state")
    await admin.get("visit.assign", visit=patient.visit, to=provider.me["id"])
    async with off_call(provider):
        await provider.get("visit.claim", visit=patient.visit)
    state = await status(line, patient.visit, "claimed")
    line.want(state["claimant"] == provider.me, f"`claimant` {provider.me}", state)


@check("assign", "nobody but an admin assigns, unassigns or declines", "commands")
async def admins_alone(people: People) -> None:
    provider = await people.provider()
    patient, line = await people.in_line()
    for who in (provider, line):
        await who.refused("not_allowed", "visit.assign", visit=patient.visit, to=provider.me["id"])
        await who.refused("not_allowed", "visit.unassign", visit=patient.visit)
        await who.refused("not_allowed", "visit.decline", visit=patient.visit, reason=REASON)
    await stands(line, patient.visit, "queued")


# --- checks of declining a request


@check("decline", "the patient is told, with the reason; the queue’s row goes", "admins", codecs=True)
async def declined(people: People) -> None:
    admin, provider = await people.admin(), await people.provider()
    patient, line = await people.in_line()
    await whole(line, f"visit/{patient.visit}", "visit.state")
    await whole(provider, "queue", "queue.snapshot")
    await admin.get("visit.decline", visit=patient.visit, reason=REASON)
    state = await status(line, patient.visit, "ended")
    line.want(state["outcome"] == "declined", "`outcome` declined", state)
    line.want(state["reason"] == REASON, f"`reason` {REASON!r}, for the patient", state)
    gone = await provider.expect("queue.gone", lambda m: m["visit"] == patient.visit, "of who was declined")
    provider.want(gone["why"] == "declined", "`why` declined", gone)


@check("decline", "a declined visit is among the past with its outcome and reason", "history")
async def past_declined(people: People) -> None:
    admin = await people.admin()
    patient, _ = await people.in_line()
    await admin.get("visit.decline", visit=patient.visit, reason=REASON)
    found = await admin.get("sessions.past", "past", text=patient.visit, outcome="declined")
    admin.want(
        [row["visit"] for row in found["rows"]] == [patient.visit], "one row, the declined visit", found
    )
    row = found["rows"][0]
    admin.want((row["outcome"], row["reason"]) == ("declined", REASON), f"declined, {REASON!r}", row)


@check("decline", "a claimed visit can be neither declined nor assigned", "commands")
async def too_late(people: People) -> None:
    admin = await people.admin()
    patient, provider, visit = await people.claimed_visit()
    for kind, fields in (
        ("visit.decline", {"reason": REASON}),
        ("visit.assign", {"to": provider.me["id"]}),
        ("visit.unassign", {}),
    ):
        details = await admin.refused("wrong_status", kind, visit=visit, **fields)
        admin.want(details.get("status") == "claimed", "`details.status` claimed", details)
    await stands(patient, visit, "claimed")


# --- checks of what an administrator may do with a colleague's visit


@check("claim", "an admin claims without being on call, and invites as any claimant", "commands")
async def admin_claims(people: People) -> None:
    admin = await people.admin()
    # A provider goes on call first: Meet Now may be closed while no provider is on call.
    await people.provider()
    patient, line = await people.in_line()
    await whole(line, f"visit/{patient.visit}", "visit.state")
    await admin.get("on_call", on=False)
    await admin.get("visit.claim", visit=patient.visit)
    state = await status(line, patient.visit, "claimed")
    line.want(state["claimant"] == admin.me, f"`claimant` {admin.me}", state)
    asked = {"visit": patient.visit, "name": "Rosa Diaz", "relation": "family"}
    made = await admin.get("visit.invite", "invited", **asked)
    await line.expect("visit.state", lambda m: made["guest"] in m["visit"]["parties"], "with the guest")


@check("visit", "an admin returns a colleague’s visit to its original place", "commands")
async def admin_returns(people: People) -> None:
    admin = await people.admin()
    patient, _, visit = await people.claimed_visit()
    before = await stands(patient, visit, "claimed")
    await whole(admin, "queue", "queue.snapshot")
    await admin.get("visit.release", visit=visit)
    row = await row_of(admin, visit, "of who came back")
    seen = row["arrived_ms"], row["returned"], row["assignee"]
    expected = before["arrived_ms"], 1, None
    admin.want(seen == expected, f"`arrived_ms`, `returned`, `assignee` {expected}", row)
    state = await status(patient, visit, "queued")
    patient.want(state["claimant"] is None, "`claimant` null", state)


@check("visit", "an admin ends a colleague’s visit", "commands")
async def admin_ends(people: People) -> None:
    admin = await people.admin()
    patient, _, visit = await people.claimed_visit()
    await admin.get("visit.end", visit=visit)
    state = await status(patient, visit, "ended")
    patient.want(state["outcome"] == "completed", "`outcome` completed", state)


@check("visit", "an admin reads the case of a visit that a colleague has claimed", "topics")
async def admin_reads(people: People) -> None:
    admin = await people.admin()
    _, _, visit = await people.claimed_visit()
    case = (await whole(admin, f"case/{visit}", "case.state"))["case"]
    admin.want(case["visit"] == visit, f"the case of {visit}", case)


@check("guests", "an admin neither invites to nor dismisses from a colleague’s visit", "commands")
async def admin_does_not_invite(people: People) -> None:
    admin = await people.admin()
    patient, provider, visit = await people.claimed_visit()
    asked = {"visit": visit, "name": "Rosa Diaz", "relation": "family"}
    for who in (admin, patient):
        await who.refused("not_allowed", "visit.invite", **asked)
    made = await provider.get("visit.invite", "invited", **asked)
    await admin.refused("not_allowed", "visit.dismiss", visit=visit, guest=made["guest"])


@check("chat", "an admin writes to who waits without being on call, and no more after the claim", "chat")
async def admin_writes(people: People) -> None:
    admin, provider = await people.admin(), await people.provider()
    patient, line = await people.in_line()
    await admin.get("on_call", on=False)
    for reader in (line, provider):
        await whole(reader, f"chat/{patient.visit}", "chat.snapshot")
    await admin.get("chat.send", visit=patient.visit, text="We call you in a moment.")
    for reader in (line, provider):
        received = (await reader.expect("chat.line", what="from the admin"))["line"]
        seen = received["party"], received["name"], received["text"]
        expected = "staff", admin.me["name"], "We call you in a moment."
        reader.want(seen == expected, f"`party`, `name`, `text` {expected}", received)
    await line.refused("wrong_status", "chat.send", visit=patient.visit, text="Thank you.")
    await provider.get("visit.claim", visit=patient.visit)
    answer = await admin.ask("chat.send", visit=patient.visit, text="One more word.")
    admin.is_error(answer, "wrong_status", "not_allowed")


# --- checks of handing a visit over to a colleague


@check(
    "transfer",
    "a transferred visit is at its original place, assigned to the colleague",
    "staffs",
    codecs=True,
)
async def transferred(people: People) -> None:
    colleague = await people.provider(1)
    patient, provider, visit = await people.claimed_visit()
    before = await stands(patient, visit, "claimed")
    await whole(provider, "queue", "queue.snapshot")
    await provider.get("visit.transfer", visit=visit, to=colleague.me["id"])
    row = await row_of(provider, visit, "of who was transferred")
    seen = row["arrived_ms"], row["returned"], row["assignee"]
    expected = before["arrived_ms"], 1, colleague.me
    provider.want(seen == expected, f"`arrived_ms`, `returned`, `assignee` {expected}", row)
    state = await status(patient, visit, "queued")
    patient.want(state["claimant"] is None, "`claimant` null", state)


@check("transfer", "nobody is transferred to who is not on call", "errors")
async def not_to_the_absent(people: People) -> None:
    colleague = await people.provider(1)
    patient, provider, visit = await people.claimed_visit()
    async with off_call(colleague):
        to = colleague.me["id"]
        details = await provider.refused("not_on_call", "visit.transfer", visit=visit, to=to)
    provider.want(details.get("staff") == to, f"`details.staff` {to}", details)
    await provider.refused("not_found", "visit.transfer", visit=visit, to=NOBODY)
    await stands(patient, visit, "claimed")


@check("transfer", "an admin transfers a colleague’s visit", "commands")
async def admin_transfers(people: People) -> None:
    admin, colleague = await people.admin(), await people.provider(1)
    patient, _, visit = await people.claimed_visit()
    await whole(admin, "queue", "queue.snapshot")
    await admin.get("visit.transfer", visit=visit, to=colleague.me["id"])
    row = await row_of(admin, visit, "of who was transferred")
    admin.want(row["assignee"] == colleague.me, f"`assignee` {colleague.me}", row)
    await status(patient, visit, "queued")


@check(
    "transfer", "whoever is neither the claimant nor an admin returns, transfers and ends nothing", "commands"
)
async def not_a_colleagues(people: People) -> None:
    colleague = await people.provider(1)
    patient, _, visit = await people.claimed_visit()
    for who in (colleague, patient):
        await who.refused("not_allowed", "visit.release", visit=visit)
        await who.refused("not_allowed", "visit.transfer", visit=visit, to=colleague.me["id"])
        await who.refused("not_allowed", "visit.end", visit=visit)
    await stands(patient, visit, "claimed")
