"""Checks a server's subscriptions: the updates, the state after a lost connection, and the end of a subscription."""

from __future__ import annotations

from typing import Any

from web.peers.conformance.checked_socket import CheckedSocket
from web.peers.conformance.people import People, off_call
from web.peers.conformance.table import check

ENDS_WITHIN_S = 2.0
STAFF_TOPICS = {"queue": "queue.snapshot", "sessions": "sessions.snapshot", "bell": "bell.snapshot"}
PATIENT_TOPICS = {
    "visit": "visit.state",
    "case": "case.state",
    "place": "place.state",
    "chat": "chat.snapshot",
}


async def whole(line: CheckedSocket, topic: str, kind: str) -> dict[str, Any]:
    """Discard the messages received before, and subscribe to a topic; return the first state of the topic.

    `kind`: the type of the message with the state. Raises ViolationError if this state has another version than
    the server's answer to the subscription.
    """
    line.news.clear()
    answer = await line.get("subscribe", "subscribed", topic=topic)
    line.want(answer["topic"] == topic, f"`topic` {topic}", answer)
    state = await line.expect(
        kind,
        # States with a lower version than the answer are skipped. They may arrive if this socket had subscribed to the
        # topic before.
        lambda m: m["topic"] == topic and m["version"] >= answer["version"],
        f"of {topic}, with `subscribed`",
    )
    line.want(state["epoch"] == answer["epoch"], f"`epoch` {answer['epoch']}, as in `subscribed`", state)
    line.want(
        state["version"] == answer["version"], f"`version` {answer['version']}, as in `subscribed`", state
    )
    return state


async def ended(line: CheckedSocket, topic: str) -> None:
    """Wait for the server's message `gone` about a topic.

    Raises ViolationError if it does not come within ENDS_WITHIN_S seconds.
    """
    await line.expect("gone", lambda m: m["topic"] == topic, f"of {topic}", within_s=ENDS_WITHIN_S)


@check("topics", "staff are given the queue, the sessions and their bell", "topics", codecs=True)
async def staffs(people: People) -> None:
    line = await people.staff()
    for topic, kind in STAFF_TOPICS.items():
        await whole(line, topic, kind)
    me = line.welcome["me"]
    answer = await line.get("subscribe", "subscribed", topic="queue")
    line.want(answer["topic"] == "queue", "a topic can be asked for again", answer)
    line.want(me["id"] != "", "an id of one’s own", me)


@check("topics", "a patient is given their visit, case, place and chat", "topics", codecs=True)
async def patients(people: People) -> None:
    patient, line = await people.in_line()
    states = {
        room: await whole(line, f"{room}/{patient.visit}", kind) for room, kind in PATIENT_TOPICS.items()
    }
    visit, case, place = states["visit"]["visit"], states["case"]["case"], states["place"]
    line.want(
        visit["id"] == patient.visit and visit["status"] == "queued", "their visit, queued", states["visit"]
    )
    line.want(set(visit["parties"]) == {"patient"}, "one party, the patient", visit["parties"])
    line.want(case["visit"] == patient.visit and case["answers"] == {}, "their case, without answers", case)
    ids = [step["id"] for step in case["steps"]]
    line.want(len(set(ids)) == len(ids), "steps with an id each", ids)
    shown, waiting = place["place"], place["waiting"]
    line.want(shown is None or 1 <= shown <= waiting, "a place from 1 to the number of those who wait", place)
    line.want(states["chat"]["lines"] == [], "no lines yet", states["chat"])


@check("topics", "staff’s topics are not a patient’s, nor another patient’s", "topics")
async def not_theirs(people: People) -> None:
    one, line = await people.in_line()
    other, _ = await people.in_line()
    for topic in STAFF_TOPICS:
        await line.refused("not_allowed", "subscribe", topic=topic)
    for room in PATIENT_TOPICS:
        await line.refused("not_found", "subscribe", topic=f"{room}/{other.visit}")
    for topic in ("weather", "visit/v_nosuchvisit", f"recipes/{one.visit}", "visit/"):
        await line.refused("not_found", "subscribe", topic=topic)
    staff = await people.staff()
    await staff.refused("not_found", "subscribe", topic=f"place/{one.visit}")


@check("topics", "a colleague on call sees no topic of a visit that another has claimed", "topics")
async def not_a_colleagues(people: People) -> None:
    colleague = await people.provider(1)
    patient, provider, visit = await people.claimed_visit()
    await patient.get("chat.send", visit=visit, text="For my provider alone.")
    for room in PATIENT_TOPICS:
        await colleague.refused("not_found", "subscribe", topic=f"{room}/{visit}")
    await patient.get("visit.start", visit=visit)
    await provider.get("visit.start", visit=visit)
    for room in PATIENT_TOPICS:
        await colleague.refused("not_found", "subscribe", topic=f"{room}/{visit}")
    await provider.get("visit.end", visit=visit)
    for room in PATIENT_TOPICS:
        await colleague.refused("not_found", "subscribe", topic=f"{room}/{visit}")
    for room, kind in (("visit", "visit.state"), ("case", "case.state"), ("chat", "chat.snapshot")):
        await whole(provider, f"{room}/{visit}", kind)


@check("topics", "a colleague’s right ends with the claim, and they are told so", "topics", codecs=True)
async def ends_with_the_claim(people: People) -> None:
    colleague = await people.provider(1)
    patient, line = await people.in_line()
    visit = patient.visit
    rooms = {"case": "case.state", "chat": "chat.snapshot", "visit": "visit.state"}
    for room, kind in rooms.items():
        await whole(colleague, f"{room}/{visit}", kind)
    provider = await people.provider(0)
    await provider.get("visit.claim", visit=visit)
    for room in rooms:
        await ended(colleague, f"{room}/{visit}")
    await line.get("chat.send", visit=visit, text="For my provider alone.")
    await line.get("visit.start", visit=visit)
    await colleague.quiet(
        "nothing of a visit that another has claimed",
        lambda m: not str(m.get("topic", "")).endswith(visit) or m["type"] == "gone",
    )


@check("topics", "who goes off call is shown no case any more, and is told so", "topics")
async def ends_off_call(people: People) -> None:
    provider = await people.provider()
    patient, _ = await people.in_line()
    await whole(provider, f"case/{patient.visit}", "case.state")
    async with off_call(provider):
        wanted = f"case/{patient.visit}"
        await ended(provider, wanted)
        await provider.refused("not_found", "subscribe", topic=wanted)


@check("topics", "an ended visit shows its patient the end alone", "topics")
async def over(people: People) -> None:
    patient, provider, visit = await people.claimed_visit()
    for room in ("case", "chat"):
        await whole(patient, f"{room}/{visit}", PATIENT_TOPICS[room])
    await provider.get("visit.end", visit=visit)
    for room in ("case", "chat"):
        await ended(patient, f"{room}/{visit}")
        await patient.refused("not_found", "subscribe", topic=f"{room}/{visit}")
    state = (await whole(patient, f"visit/{visit}", "visit.state"))["visit"]
    seen = state["status"], state["parties"], state["claimant"]
    patient.want(seen == ("ended", {}, None), "`status` ended, `parties` {}, `claimant` null", state)


@check("queue", "whoever arrives appears once as fresh, and goes when they leave", "queue", codecs=True)
async def arrives(people: People) -> None:
    staff = await people.on_call()
    await whole(staff, "queue", "queue.snapshot")
    patient, line = await people.in_line()
    row = await staff.expect("queue.row", lambda m: m["row"]["visit"] == patient.visit, "of who arrived")
    staff.want(row["fresh"] is True, "`fresh` true", row)
    await line.get("visit.enter", visit=patient.visit)
    row = await staff.expect(
        "queue.row", lambda m: m["row"]["visit"] == patient.visit and m["row"]["online"], "online"
    )
    staff.want(row["fresh"] is False, "`fresh` false, for they have been there", row)
    await line.get("visit.withdraw", visit=patient.visit)
    gone = await staff.expect("queue.gone", lambda m: m["visit"] == patient.visit, "of who left")
    staff.want(gone["why"] == "withdrawn", "`why` withdrawn", gone)


@check(
    "queue",
    "whoever comes back with epoch and version is told what they missed, in order",
    "topics",
    codecs=True,
)
async def catches_up(people: People) -> None:
    staff = await people.on_call()
    held = await whole(staff, "queue", "queue.snapshot")
    await staff.vanish()
    patient, line = await people.in_line()
    await line.get("visit.enter", visit=patient.visit)
    back = await people.hello(people.staff_browser(), "staff", resume=staff.welcome["resume"])
    answer = await back.get(
        "subscribe", "subscribed", topic="queue", epoch=held["epoch"], version=held["version"]
    )
    back.want(answer["version"] > held["version"], f"a version above {held['version']}", answer)
    newest = held["version"]
    while True:
        message = back.news.popleft() if back.news else await back.receive("what was missed of the queue")
        if message["type"] == "queue.snapshot":
            rows = {row["visit"] for row in message["rows"]}
            back.want(patient.visit in rows, "a snapshot with who arrived meanwhile", message)
            return
        if message.get("topic") != "queue":
            continue
        back.want(message["version"] > newest, f"changes above version {newest} only, each once", message)
        newest = message["version"]
        if (
            message["type"] == "queue.row"
            and message["row"]["visit"] == patient.visit
            and message["row"]["online"]
        ):
            return


@check("queue", "whoever holds another epoch is given a snapshot", "topics")
async def other_epoch(people: People) -> None:
    staff = await people.staff()
    held = await whole(staff, "queue", "queue.snapshot")
    again = await people.staff()
    await again.get(
        "subscribe", "subscribed", topic="queue", epoch="e_elsewhere", version=held["version"] + 1000
    )
    await again.expect("queue.snapshot", what="for who holds another epoch")


@check("queue", "whoever holds the newest is not given it again", "topics")
async def holds_the_newest(people: People) -> None:
    staff = await people.staff()
    held = await whole(staff, "queue", "queue.snapshot")
    again = await people.staff()
    await again.get("subscribe", "subscribed", topic="queue", epoch=held["epoch"], version=held["version"])
    await again.quiet("nothing, or changes only", lambda m: m["type"] != "queue.snapshot")


@check("topics", "what was let go is silent, and letting go twice is no error", "topics")
async def lets_go(people: People) -> None:
    staff = await people.on_call()
    await whole(staff, "queue", "queue.snapshot")
    await staff.get("unsubscribe", topic="queue")
    await staff.get("unsubscribe", topic="queue")
    staff.news.clear()
    await people.in_line()
    await staff.quiet("nothing of a topic that was let go", lambda m: m.get("topic") != "queue")


@check("topics", "another socket of the same person receives the same, each once", "topics", codecs=True)
async def two_sockets(people: People) -> None:
    one, other = await people.on_call(), await people.staff()
    for line in (one, other):
        await whole(line, "queue", "queue.snapshot")
    patient, _ = await people.in_line()
    rows = [
        await line.expect("queue.row", lambda m: m["row"]["visit"] == patient.visit, "on each socket")
        for line in (one, other)
    ]
    one.want(rows[0] == rows[1], "the same on both sockets", rows)
