"""Tests what staff do, over two workers: assign, decline, chat, transfer, reopen, invite guests.

Tests also past visits, and the bell (the notifications of a person).
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from signalling.clients.client import SignallingClient
from signalling.errors import RequestError
from signalling.store import keys
from signalling.store.mirror import Change, Reset
from signalling.visit.record import Actor, Role
from tests.signalling.clinic import ORG, Clinic, clinic
from tests.signalling.waits import until

OSEI, LIN, HALE = "Dr M. Osei", "Dr B. Lin", "Robin Hale"


@pytest.fixture
async def two(valkey: Redis) -> AsyncIterator[Clinic]:
    async with clinic(valkey) as opened:
        yield opened


async def staff(two: Clinic, name: str, worker: int, role: Role = Role.PROVIDER) -> SignallingClient:
    client = await two.on_call(two.provider(name, role), worker)
    await client.request("subscribe", topic="bell")
    await client.request("subscribe", topic="queue")
    return client


async def waiting(two: Clinic, worker: int = 0) -> tuple[str, SignallingClient]:
    actor = await two.arrive(worker)
    assert actor.visit is not None
    client = await two.connect(actor, worker)
    await client.request("subscribe", topic=f"visit/{actor.visit}")
    await client.request("visit.enter", visit=actor.visit)
    return actor.visit, client


def me(client: SignallingClient) -> str:
    found: str = client.welcome["me"]["id"]
    return found


async def refused(client: SignallingClient, request: str, **fields: Any) -> str:
    with pytest.raises(RequestError) as problem:
        await client.request(request, **fields)
    return problem.value.code


async def test_notifications_after_the_read_mark_stay_unread(two: Clinic) -> None:
    admin, provider = await staff(two, HALE, 0, Role.ADMIN), await staff(two, OSEI, 1)
    bells = []
    for _ in range(2):
        visit, _ = await waiting(two)
        await admin.request("visit.assign", visit=visit, to=me(provider))
        bells.append(await provider.expect("bell.item"))
    assert [bell["unread"] for bell in bells] == [1, 2]
    # The worker's estimate of the store's clock may run back a little, so `last` may be the lower number.
    first, last = (bell["item"]["at_ms"] for bell in bells)
    await provider.request("bell.mark", until_ms=first)
    assert (await provider.expect("bell.marked"))["unread"] == (1 if last != first else 0)
    await provider.request("bell.mark", until_ms=last)
    assert (await provider.expect("bell.marked"))["unread"] == 0


async def test_a_notification_in_the_snapshot_is_not_counted_again_when_its_event_arrives(
    two: Clinic,
) -> None:
    admin, provider = await staff(two, HALE, 0, Role.ADMIN), await staff(two, OSEI, 1)
    worker = two.workers[1]
    late: list[Change | Reset] = []
    worker.service.mirrors.observers.append(late.append)
    visit, _ = await waiting(two)
    late.clear()
    await admin.request("visit.assign", visit=visit, to=me(provider))
    assert (await provider.expect("bell.item"))["unread"] == 1
    await provider.request("subscribe", topic="bell")
    assert (await provider.expect("bell.snapshot"))["unread"] == 1
    for change in late:  # as on a worker whose mirror (copy of the records) gets these changes late
        worker.topics.bell.news(change)
    assert (await provider.expect("bell.item"))["unread"] == 1


async def test_an_assigned_provider_is_notified_on_another_worker_and_claims(two: Clinic) -> None:
    admin, provider = await staff(two, HALE, 0, Role.ADMIN), await staff(two, OSEI, 1)
    visit, _ = await waiting(two)
    await admin.request("visit.assign", visit=visit, to=me(provider))
    bell = await provider.expect("bell.item")
    assert (bell["unread"], bell["item"]["kind"], bell["item"]["visit"]) == (1, "assigned", visit)
    assert (bell["item"]["name"], bell["item"]["by"]) == ("Ana Ruiz", HALE)
    row = await admin.expect("queue.row", lambda m: m["row"]["assignee"] is not None)
    assert row["row"]["assignee"]["id"] == me(provider)
    await provider.request("bell.mark", until_ms=bell["item"]["at_ms"])
    assert (await provider.expect("bell.marked"))["unread"] == 0
    again = await two.connect(two.provider(OSEI), 0)
    await again.request("subscribe", topic="bell")
    snapshot = await again.expect("bell.snapshot")
    assert (snapshot["unread"], len(snapshot["items"])) == (0, 1)
    assert await refused(provider, "visit.assign", visit=visit, to=me(provider)) == "not_allowed"
    await provider.request("visit.claim", visit=visit)


async def test_an_assignment_that_is_not_claimed_in_time_ends_and_the_admin_is_notified(
    valkey: Redis,
) -> None:
    async with clinic(valkey, assignment_ms=700) as two:
        admin, provider = await staff(two, HALE, 0, Role.ADMIN), await staff(two, OSEI, 1)
        visit, _ = await waiting(two)
        await admin.request("visit.assign", visit=visit, to=me(provider))
        lapsed = await admin.expect("bell.item", lambda m: m["item"]["kind"] == "assignment_lapsed")
        assert lapsed["item"]["visit"] == visit
        await provider.expect("queue.row", lambda m: m["row"]["assignee"] is None)


async def test_a_declined_patient_receives_the_reason_at_once(two: Clinic) -> None:
    admin, colleague = await staff(two, HALE, 0, Role.ADMIN), await staff(two, "Kim Doe", 1, Role.ADMIN)
    provider = await staff(two, OSEI, 1)
    visit, patient = await waiting(two, 1)
    assert await refused(provider, "visit.decline", visit=visit, reason="no") == "not_allowed"
    await admin.request("visit.decline", visit=visit, reason="Please call 911.")
    told = await patient.expect("visit.state", lambda m: m["visit"]["status"] == "ended")
    assert (told["visit"]["outcome"], told["visit"]["reason"]) == ("declined", "Please call 911.")
    assert (await colleague.expect("bell.item"))["item"]["note"] == "Please call 911."
    gone = await provider.expect("queue.gone")
    assert gone["why"] == "declined"


async def test_during_the_front_desks_time_only_admins_claim(valkey: Redis) -> None:
    async with clinic(valkey, front_desk_ms=60_000) as two:
        admin, provider = await staff(two, HALE, 0, Role.ADMIN), await staff(two, OSEI, 1)
        visit, _ = await waiting(two)
        row = await provider.expect("queue.row")
        assert row["row"]["admins_until_ms"] == row["row"]["arrived_ms"] + 60_000
        assert await refused(provider, "visit.claim", visit=visit) == "front_desk"
        await admin.request("visit.assign", visit=visit, to=me(provider))
        await provider.request("visit.claim", visit=visit)


async def test_staff_write_to_a_patient_who_waits_and_the_parties_to_each_other(two: Clinic) -> None:
    provider = await staff(two, OSEI, 1)
    visit, patient = await waiting(two)
    await patient.request("subscribe", topic=f"chat/{visit}")
    await provider.request("chat.send", visit=visit, text="Please have your pen beside you.")
    line = (await patient.expect("chat.line"))["line"]
    assert (line["party"], line["name"], line["text"]) == ("staff", OSEI, "Please have your pen beside you.")
    assert await refused(patient, "chat.send", visit=visit, text="I have it") == "wrong_status"
    await provider.request("visit.claim", visit=visit)
    await provider.request("subscribe", topic=f"chat/{visit}")
    assert len((await provider.expect("chat.snapshot"))["lines"]) == 1
    assert not any(worker.topics.chat._reading for worker in two.workers), (
        "nothing is kept of a finished read"
    )
    await patient.request("chat.send", visit=visit, text="I have it")
    assert (await provider.expect("chat.line"))["line"]["party"] == "patient"
    colleague = await staff(two, LIN, 0)
    assert await refused(colleague, "chat.send", visit=visit, text="hello") == "wrong_status"


async def test_s47_a_visit_keeps_a_limited_number_of_chat_lines_and_staff_can_still_write(
    two: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.topics.chat.MOST_MESSAGES", 20)
    monkeypatch.setattr("signalling.topics.chat.MOST_MESSAGES_WITH_STAFF", 22)
    provider = await staff(two, OSEI, 1)
    visit, patient = await waiting(two)
    await provider.request("visit.claim", visit=visit)
    for _ in range(20):
        await patient.request("chat.send", visit=visit, text="again and again")
    assert await refused(patient, "chat.send", visit=visit, text="more") == "limit_reached"
    for _ in range(2):
        await provider.request("chat.send", visit=visit, text="Please speak, I hear you.")
    assert await refused(provider, "chat.send", visit=visit, text="more") == "limit_reached"
    await patient.request("visit.save", visit=visit, step="allergies", answer="none", left=True)
    other, another = await waiting(two)
    await provider.request("visit.claim", visit=other)
    await another.request("chat.send", visit=other, text="hello")


async def test_s47_chat_far_below_its_limit_does_not_ask_for_the_number_of_messages_each_time(
    two: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, asked = two.workers[0].service.store, 0
    count = store.count_lines

    async def counted(organisation: str, visit: str) -> int:
        nonlocal asked
        asked += 1
        return await count(organisation, visit)

    monkeypatch.setattr(store, "count_lines", counted)
    provider = await staff(two, OSEI, 1)
    visit, patient = await waiting(two)
    await provider.request("visit.claim", visit=visit)
    for number in range(30):
        await patient.request("chat.send", visit=visit, text=f"line {number}")
    assert asked == 1


async def test_a_chat_message_sent_right_after_a_claim_through_another_worker_is_accepted(
    two: Clinic,
) -> None:
    provider = await staff(two, OSEI, 1)
    visit, patient = await waiting(two)
    # The patient's worker no longer receives events, so its mirror (copy of the open records) does not have the claim.
    two.workers[0].service.bus._handlers.pop(keys.EVENTS(ORG).encode())
    await provider.request("visit.claim", visit=visit)
    await patient.request("chat.send", visit=visit, text="Hello.")
    assert await refused(patient, "chat.send", visit="v_none", text="Hello.") == "not_found"


async def test_a_chat_message_whose_random_id_is_taken_is_refused(
    two: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.topics.chat.new_id", lambda prefix: f"{prefix}_once")
    provider = await staff(two, OSEI, 1)
    visit, _ = await waiting(two)
    await provider.request("chat.send", visit=visit, text="Hello.")
    assert await refused(provider, "chat.send", visit=visit, text="Hello again.") == "unavailable"


async def test_as_6_5_03_a_transferred_visit_keeps_its_place_and_is_assigned_to_another(two: Clinic) -> None:
    provider, colleague = await staff(two, OSEI, 1), await staff(two, LIN, 0)
    visit, patient = await waiting(two)
    await provider.request("visit.claim", visit=visit)
    await provider.request("visit.transfer", visit=visit, to=me(colleague))
    assert (await colleague.expect("bell.item"))["item"]["kind"] == "transferred"
    row = await colleague.expect("queue.row", lambda m: m["row"]["returned"] == 1)
    assert row["row"]["assignee"]["id"] == me(colleague)
    await patient.expect("visit.state", lambda m: m["visit"]["status"] == "queued")
    await colleague.request("visit.claim", visit=visit)


async def test_a_visit_held_by_phone_is_shown_to_the_patient_and_found_under_that_outcome(
    two: Clinic,
) -> None:
    provider = await staff(two, OSEI, 1)
    visit, patient = await waiting(two)
    await provider.request("visit.claim", visit=visit)
    with pytest.raises(RequestError) as refused:
        await patient.request("visit.end", visit=visit, by_phone=True)
    assert refused.value.code == "not_allowed"
    await provider.request("visit.end", visit=visit, by_phone=True)
    ended = await patient.expect("visit.state", lambda m: m["visit"]["status"] == "ended")
    assert ended["visit"]["outcome"] == "by_phone"
    past = await provider.request("sessions.past", outcome="by_phone")
    assert [(row["visit"], row["outcome"]) for row in past["rows"]] == [(visit, "by_phone")]
    assert (await provider.request("sessions.past", outcome="completed"))["rows"] == []


async def test_a_past_visit_is_found_with_its_history_and_can_be_reopened(two: Clinic) -> None:
    provider = await staff(two, OSEI, 1)
    await provider.request("subscribe", topic="sessions")
    visit, patient = await waiting(two)
    await provider.request("visit.claim", visit=visit)
    await provider.expect("sessions.row", lambda m: m["row"]["visit"] == visit)
    await provider.request("visit.end", visit=visit)
    await provider.expect("sessions.gone")
    past = await provider.request("sessions.past", text="RUIZ", outcome="completed", provider=me(provider))
    assert [row["visit"] for row in past["rows"]] == [visit]
    assert (await provider.request("sessions.past", text="nobody"))["rows"] == []
    assert (await provider.request("sessions.past", since_ms=past["rows"][0]["ended_ms"] + 1))["rows"] == []
    story = await provider.request("visit.history", visit=visit)
    assert [event["kind"] for event in story["events"]] == ["opened", "claimed", "ended"]
    reopened = (await provider.request("visit.reopen", visit=visit))["version"]
    seen = await patient.expect("visit.state", lambda m: m["version"] > reopened)
    assert (seen["visit"]["status"], seen["visit"]["parties"]["patient"]["present"]) == ("claimed", True)
    assert (await provider.request("sessions.past"))["rows"] == []
    assert await refused(patient, "sessions.past") == "not_allowed"
    assert await refused(patient, "visit.history", visit=visit) == "not_allowed"


async def test_s31_a_colleague_finds_past_visits_and_their_events_without_the_texts(
    two: Clinic,
) -> None:
    admin, colleague = await staff(two, HALE, 0, Role.ADMIN), await staff(two, LIN, 1)
    visit, _ = await waiting(two)
    await admin.request("visit.decline", visit=visit, reason="Chest pain: please call 911.")
    for client, text in ((admin, "Chest pain: please call 911."), (colleague, None)):
        (row,) = (await client.request("sessions.past"))["rows"]
        assert (row["visit"], row["outcome"], row["reason"]) == (visit, "declined", text)
        events = (await client.request("visit.history", visit=visit))["events"]
        assert [(event["kind"], event["note"]) for event in events] == [("opened", None), ("declined", text)]
    assert (await colleague.request("sessions.past", text="chest"))["rows"] == []


async def test_a_guest_enters_by_a_link_once_and_is_shown_by_name(two: Clinic) -> None:
    provider = await staff(two, OSEI, 1)
    visit, patient = await waiting(two)
    assert (
        await refused(provider, "visit.invite", visit=visit, name="Rosa", relation="interpreter")
        == "wrong_status"
    )
    await provider.request("visit.claim", visit=visit)
    invited = await provider.request("visit.invite", visit=visit, name="Rosa Diaz", relation="interpreter")
    guest = invited["guest"]
    seen = await patient.expect("visit.state", lambda m: guest in m["visit"]["parties"])
    assert seen["visit"]["parties"][guest]["relation"] == "interpreter"
    token = invited["path"].rsplit("/", 1)[1]
    guest_links = two.workers[0].guest_links
    redeemed = await guest_links.redeem("riverside", token)
    assert redeemed is not None
    assert (redeemed.visit, redeemed.guest) == (visit, guest)
    assert await guest_links.redeem("riverside", token) is None
    rosa = Actor(organisation="riverside", id=guest, name="Rosa Diaz", role=Role.GUEST, visit=visit)
    client = await two.connect(rosa, 0)
    await client.request("subscribe", topic=f"visit/{visit}")
    await client.request("visit.enter", visit=visit)
    await patient.expect("visit.state", lambda m: m["visit"]["parties"][guest]["present"])
    assert await refused(client, "subscribe", topic=f"case/{visit}") == "not_found"
    for request in ("visit.end", "visit.release", "visit.hang_up", "visit.withdraw"):
        assert await refused(client, request, visit=visit) in ("not_allowed", "wrong_status")
    await provider.request("visit.dismiss", visit=visit, guest=guest)
    await patient.expect("visit.state", lambda m: guest not in m["visit"]["parties"])
    assert await refused(client, "visit.enter", visit=visit) == "not_allowed"


async def test_on_call_ends_when_no_page_was_open_for_the_limit_and_a_notification_says_so(
    valkey: Redis,
) -> None:
    async with clinic(valkey, off_call_ms=1500) as two:
        colleague, provider = await staff(two, LIN, 0), await staff(two, OSEI, 1)
        who = me(provider)
        await provider.close()
        off = await colleague.expect(
            "queue.staff", lambda m: m["staff"]["id"] == who and not m["staff"]["on_call"]
        )
        assert off["staff"]["name"] == OSEI
        back = await two.connect(two.provider(OSEI), 1)
        await back.request("subscribe", topic="bell")
        assert [item["kind"] for item in (await back.expect("bell.snapshot"))["items"]] == ["off_call"]


async def test_a_subscription_ends_with_the_right_to_it(two: Clinic) -> None:
    provider = await staff(two, OSEI, 1)
    visit, patient = await waiting(two)
    await provider.request("subscribe", topic=f"case/{visit}")
    await provider.expect("case.state")
    await provider.request("on_call", on=False)
    await patient.request("visit.save", visit=visit, step="allergies", answer="Penicillin", left=True)
    await provider.request("ping")
    with pytest.raises(TimeoutError):
        await provider.expect("case.state", timeout_s=0.5)
    assert await refused(provider, "subscribe", topic=f"case/{visit}") == "not_found"


async def test_as_6_5_04_staff_are_alerted_once_each_time_when_more_wait_than_the_limit(
    valkey: Redis,
) -> None:
    async with clinic(valkey, alert_waiting=1) as two:
        provider, admin = await staff(two, OSEI, 1), await staff(two, HALE, 0, Role.ADMIN)
        await admin.request("on_call", on=False)
        await (await staff(two, LIN, 0)).request("on_call", on=False)
        visits = [(await waiting(two, worker))[0] for worker in range(2)]

        def calm() -> bool:
            mirrors = [worker.service.mirrors.known(ORG) for worker in two.workers]
            return all(mirror is not None and not mirror.watch.alerts for mirror in mirrors)

        for unread in (1, 2):
            for person in (provider, admin):
                bell = await person.expect("bell.item")
                assert (bell["item"]["kind"], bell["item"]["count"], bell["unread"]) == (
                    "queue_many",
                    2,
                    unread,
                )
            await provider.request("visit.claim", visit=visits[0])
            await until(calm)
            await provider.request("visit.release", visit=visits[0])
        off_call = await two.connect(two.provider(LIN), 1)
        await off_call.request("subscribe", topic="bell")
        assert (await off_call.expect("bell.snapshot"))["items"] == []


async def test_f18_closing_time_reaches_staff_and_the_waiting_patient(two: Clinic) -> None:
    closed_ms = two.workers[0].service.clock_ms() // 3_600_000 * 3_600_000
    for worker in two.workers:
        worker.service.closes = lambda _settings, now_ms, _area: closed_ms
    provider = await staff(two, OSEI, 1)
    await provider.request("subscribe", topic="queue")
    visit, patient = await waiting(two)
    changed = await provider.expect("queue.changed", lambda message: message["limits"]["closing"])
    closing = changed["limits"]["closing"][""]
    assert (closing["over"], closing["rule"]) == (True, "keep")
    await patient.request("subscribe", topic=f"place/{visit}")
    assert (await patient.expect("place.state", lambda message: message["closing"]))["closing"] == closing
    again = await staff(two, LIN, 0)
    await again.request("subscribe", topic="queue")
    assert (await again.expect("queue.snapshot"))["limits"]["closing"] == {"": closing}
    await provider.request("visit.claim", visit=visit)
    await provider.expect("queue.changed", lambda message: not message["limits"]["closing"])
