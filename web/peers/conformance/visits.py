"""Checks what patient, provider and guest may do in each status of a visit, and what the server then sends them."""

from __future__ import annotations

from typing import Any

from web.peers.conformance.checked_socket import CheckedSocket
from web.peers.conformance.people import People
from web.peers.conformance.table import check
from web.peers.conformance.topics import whole
from web.peers.errors import UntestableError
from web.peers.people.answers import asked, plausible
from web.peers.people.entry import Browser

STRANGE_STEP = "no-such-step"


async def status(line: CheckedSocket, visit: str, wanted: str) -> dict[str, Any]:
    """Wait until the visit has the status `wanted`; return its state."""
    found = await line.expect(
        "visit.state",
        lambda m: m["visit"]["id"] == visit and m["visit"]["status"] == wanted,
        f"with status {wanted}",
    )
    state: dict[str, Any] = found["visit"]
    return state


@check(
    "guide",
    "a half-typed answer is kept as it is and shown live; a left one is checked",
    "the-patients",
    codecs=True,
)
async def guide(people: People) -> None:
    staff = await people.on_call()
    patient, line = await people.in_line()
    state = await whole(line, f"case/{patient.visit}", "case.state")
    await whole(staff, f"case/{patient.visit}", "case.state")
    steps = state["case"]["steps"]
    await line.refused(
        "not_found", "visit.save", visit=patient.visit, step=STRANGE_STEP, answer="x", left=False
    )
    text = next((step for step in steps if step["kind"] == "text" and step["only_if"] is None), None)
    if text is None:
        raise UntestableError("the organisation’s setup guide has no step of kind text")
    save = {"visit": patient.visit, "step": text["id"]}
    await line.get("visit.save", **save, answer="Half typ", left=False)
    seen = await staff.expect(
        "case.state", lambda m: m["case"]["typing"] == text["id"], "while the patient types"
    )
    staff.want(
        seen["case"]["answers"].get(text["id"]) == "Half typ",
        "the half-typed answer",
        seen["case"]["answers"],
    )
    details = await line.refused("invalid_answer", "visit.save", **save, answer=True, left=True)
    line.want(
        details.get("step") == text["id"] and bool(details.get("problem")),
        "`details.step`, `.problem`",
        details,
    )
    await line.get("visit.save", **save, answer="Penicillin", left=True)
    await staff.expect("case.state", lambda m: m["case"]["typing"] is None, "once the step is left")


@check("guide", "it cannot be finished while steps are missing, and can once all are there", "the-patients")
async def finishes(people: People) -> None:
    patient, line = await people.in_line()
    steps = (await whole(line, f"case/{patient.visit}", "case.state"))["case"]["steps"]
    required = [step["id"] for step in asked(steps, {}) if step["required"]]
    if required:
        details = await line.refused("guide_incomplete", "visit.finish", visit=patient.visit)
        missing = details.get("steps")
        line.want(
            isinstance(missing, list) and set(required) <= set(missing),
            f"`details.steps` with {required}",
            details,
        )
    answers: dict[str, Any] = {}
    while left := [step for step in asked(steps, answers) if step["id"] not in answers]:
        answers[left[0]["id"]] = given = plausible(left[0], "Synthetic Patient")
        await line.get("visit.save", visit=patient.visit, step=left[0]["id"], answer=given, left=True)
    await line.get("visit.finish", visit=patient.visit)
    await line.get("visit.finish", visit=patient.visit)
    await line.expect("case.state", lambda m: m["case"]["guide_done"], "with `guide_done`")


@check("claim", "whoever is not on call may not claim", "staffs")
async def not_on_call(people: People) -> None:
    staff = await people.on_call()
    if staff.welcome["me"]["role"] == "admin":
        raise UntestableError("the first credentials are an admin’s, who may claim without being on call")
    patient, _ = await people.in_line()
    await staff.get("on_call", on=False)
    try:
        await staff.refused("not_on_call", "visit.claim", visit=patient.visit)
    finally:
        await staff.get("on_call", on=True)


@check("claim", "the patient is pulled in, the queue’s row goes, the sessions’ comes", "visit", codecs=True)
async def claims(people: People) -> None:
    staff = await people.on_call()
    patient, line = await people.in_line()
    await whole(line, f"visit/{patient.visit}", "visit.state")
    await whole(staff, "queue", "queue.snapshot")
    await whole(staff, "sessions", "sessions.snapshot")
    done = await staff.get("visit.claim", visit=patient.visit)
    staff.want(done["version"] > 0, "`version` at which it is seen", done)
    me = staff.welcome["me"]
    state = await status(line, patient.visit, "claimed")
    line.want(state["claimant"] == {"id": me["id"], "name": me["name"]}, f"`claimant` {me['name']}", state)
    line.want(
        set(state["parties"]) == {"patient", "provider"}, "parties patient and provider", state["parties"]
    )
    received = [
        await staff.receive("queue.gone and sessions.row") if not staff.news else staff.news.popleft()
        for _ in range(2)
    ]
    kinds = {message["type"]: message for message in received}
    staff.want({"queue.gone", "sessions.row"} <= kinds.keys(), "`queue.gone` and `sessions.row`", received)
    staff.want(kinds["queue.gone"]["why"] == "claimed", "`why` claimed", kinds["queue.gone"])
    await line.get("visit.withdraw", visit=patient.visit)
    state = await status(line, patient.visit, "ended")
    line.want(state["outcome"] == "withdrawn", "`outcome` withdrawn", state)


@check("claim", "a second provider is told who has it; the first may say it again", "staffs")
async def second(people: People) -> None:
    first, other = await people.on_call(0), await people.on_call(1)
    patient, _ = await people.in_line()
    await first.get("visit.claim", visit=patient.visit)
    await first.get("visit.claim", visit=patient.visit)
    details = await other.refused("already_claimed", "visit.claim", visit=patient.visit)
    me = first.welcome["me"]
    other.want(
        details.get("by") == {"id": me["id"], "name": me["name"]}, f"`details.by` {me['name']}", details
    )
    await other.refused("already_claimed", "visit.claim", visit=patient.visit)
    await other.refused("not_allowed", "media.join", visit=patient.visit)


@check(
    "visit",
    "it is live when both have pressed Start, hung up when the patient leaves the call",
    "both-parties",
    codecs=True,
)
async def journey(people: People) -> None:
    patient, provider, visit = await people.claimed_visit()
    await patient.get("visit.start", visit=visit)
    state = await provider.expect(
        "visit.state", lambda m: m["visit"]["parties"]["patient"]["started"], "with the patient’s Start"
    )
    provider.want(state["visit"]["status"] == "claimed", "`status` claimed until both have pressed", state)
    await provider.get("visit.start", visit=visit)
    for line in (patient, provider):
        state = await status(line, visit, "live")
        line.want(state["live_ms"] is not None, "`live_ms`", state)
    # `visit.start` is sent a second time, which must change nothing.
    await provider.get("visit.start", visit=visit)
    await patient.get("visit.hang_up", visit=visit)
    state = await status(provider, visit, "claimed")
    started = {key: party["started"] for key, party in state["parties"].items()}
    provider.want(
        started == {"patient": False, "provider": True}, "only the provider’s Start stands", started
    )
    provider.want(state["live_ms"] is None, "`live_ms` null", state)
    await patient.get("visit.start", visit=visit)
    await status(provider, visit, "live")
    await provider.get("visit.end", visit=visit)
    state = await status(patient, visit, "ended")
    patient.want(state["outcome"] == "completed", "`outcome` completed", state)
    # `visit.end` is sent a second time, which must change nothing.
    await provider.get("visit.end", visit=visit)
    details = await patient.refused("wrong_status", "visit.start", visit=visit)
    patient.want(details.get("status") == "ended", "`details.status` ended", details)


@check("visit", "returned to the queue it stands at its original place", "staffs")
async def released(people: People) -> None:
    patient, provider, visit = await people.claimed_visit()
    before = await whole(patient, f"visit/{visit}", "visit.state")
    await whole(provider, "queue", "queue.snapshot")
    await provider.get("visit.release", visit=visit)
    row = await provider.expect("queue.row", lambda m: m["row"]["visit"] == visit, "of who came back")
    provider.want(row["fresh"] is True, "`fresh` true", row)
    provider.want(row["row"]["returned"] == 1, "`returned` 1", row)
    same = row["row"]["arrived_ms"] == before["visit"]["arrived_ms"]
    provider.want(same, f"`arrived_ms` {before['visit']['arrived_ms']}", row)
    state = await status(patient, visit, "queued")
    patient.want(state["claimant"] is None, "`claimant` null", state)


@check("visit", "who is on the page is seen there, and seen to leave", "both-parties")
async def presence(people: People) -> None:
    patient, provider, visit = await people.claimed_visit()
    await provider.expect(
        "visit.state", lambda m: m["visit"]["parties"]["patient"]["present"], "with the patient present"
    )
    await patient.get("visit.leave", visit=visit)
    state = await provider.expect(
        "visit.state", lambda m: not m["visit"]["parties"]["patient"]["present"], "without the patient"
    )
    away = state["visit"]["parties"]["patient"]["away_since_ms"]
    provider.want(away is not None, "`away_since_ms`", state)


@check(
    "chat",
    "staff may write to who waits, who cannot answer; from the claim on both write",
    "chat",
    codecs=True,
)
async def chat(people: People) -> None:
    staff = await people.on_call()
    patient, line = await people.in_line()
    visit = patient.visit
    await whole(line, f"chat/{visit}", "chat.snapshot")
    await staff.get("chat.send", visit=visit, text="Please have your pen ready.")
    received = await line.expect("chat.line", what="from staff")
    line.want(received["line"]["party"] == "staff", "`party` staff", received)
    await line.refused("wrong_status", "chat.send", visit=visit, text="Hello?")
    await staff.get("visit.claim", visit=visit)
    await line.get("chat.send", visit=visit, text="I have it here.")
    lines = (await whole(staff, f"chat/{visit}", "chat.snapshot"))["lines"]
    staff.want([each["party"] for each in lines] == ["staff", "patient"], "both lines, oldest first", lines)


@check("guests", "an invitation is a path and a party; dismissed they are none", "staffs")
async def guests(people: People) -> None:
    patient, provider, visit = await people.claimed_visit()
    made = await provider.get(
        "visit.invite", "invited", visit=visit, name="Rosa Diaz", relation="interpreter"
    )
    provider.want(made["path"].startswith("/"), "a path on this server", made)
    state = await patient.expect(
        "visit.state", lambda m: made["guest"] in m["visit"]["parties"], "with the guest"
    )
    patient.want(
        state["visit"]["parties"][made["guest"]]["relation"] == "interpreter", "`relation` interpreter", state
    )
    await patient.refused("not_allowed", "visit.dismiss", visit=visit, guest=made["guest"])
    await provider.get("visit.dismiss", visit=visit, guest=made["guest"])
    await patient.expect(
        "visit.state", lambda m: made["guest"] not in m["visit"]["parties"], "without the guest"
    )


@check("guests", "a link lets its guest in once, to that visit alone, until they are dismissed", "entry")
async def link(people: People) -> None:
    _, provider, visit = await people.claimed_visit()
    other, _ = await people.in_line()
    asked = {"visit": visit, "name": "Rosa Diaz", "relation": "family"}
    made = await provider.get("visit.invite", "invited", **asked)
    browser, home = Browser(people.clinic), f"{people.clinic.path}/guest"
    for who, enters in ((browser, True), (Browser(people.clinic), False)):
        page = await who.post(made["path"], {})
        came = (page.status, page.location) == (303, home)
        expected = f"303 to {home}" if enters else "no way in by a link that was used"
        provider.sent = f"POST {people.clinic.path}/join/…"
        provider.want(came is enters, expected, f"{page.status} {page.location}")
    guest = await people.hello(browser, "guest")
    guest.want(guest.welcome["me"]["role"] == "guest", "`me.role` guest", guest.welcome)
    await whole(guest, f"visit/{visit}", "visit.state")
    await guest.get("visit.enter", visit=visit)
    await provider.expect(
        "visit.state",
        lambda m: m["visit"]["parties"].get(made["guest"], {}).get("present", False),
        "with the guest present",
    )
    await guest.refused("not_found", "subscribe", topic=f"visit/{other.visit}")
    await guest.refused("not_allowed", "subscribe", topic="queue")
    await provider.get("visit.dismiss", visit=visit, guest=made["guest"])
    await guest.refused("not_found", "subscribe", topic=f"chat/{visit}")


@check("past", "an ended visit is among the past, with its story", "history")
async def past(people: People) -> None:
    _, provider, visit = await people.claimed_visit()
    await provider.get("visit.end", visit=visit)
    found = await provider.get("sessions.past", "past", text=visit)
    rows = [row["visit"] for row in found["rows"]]
    provider.want(rows == [visit], f"one row, {visit}", found)
    story = await provider.get("visit.history", "history", visit=visit)
    kinds = [event["kind"] for event in story["events"]]
    provider.want(
        kinds[:1] == ["opened"] and "claimed" in kinds and kinds[-1] == "ended",
        "opened, claimed … ended",
        kinds,
    )
    none = await provider.get("sessions.past", "past", text=visit, outcome="expired")
    provider.want(none["rows"] == [] and none["more"] is False, "no rows of another outcome", none)
