"""Tests a visit as its patient and its staff use it, over two workers, real sockets and a real store."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from signalling.clients.client import SignallingClient
from signalling.errors import RequestError
from signalling.service import Accepted
from signalling.sockets import clean_up
from signalling.visit import commands as c
from signalling.visit.record import Role, Visit
from tests.signalling.clinic import ORG, Clinic, Organisations, clinic
from tests.signalling.waits import until


@pytest.fixture
async def two(valkey: Redis) -> AsyncIterator[Clinic]:
    async with clinic(valkey) as opened:
        yield opened


def change(two: Clinic, **policy: Any) -> None:
    """Change the organisation's limits on both workers."""
    for worker in two.workers:
        settings = worker.service.organisations
        assert isinstance(settings, Organisations)
        settings.change(**policy)


async def in_line(two: Clinic, patient_worker: int = 0) -> tuple[str, SignallingClient]:
    patient = await two.arrive(patient_worker)
    assert patient.visit is not None
    client = await two.connect(patient, patient_worker)
    for room in ("visit", "case", "place"):
        await client.request("subscribe", topic=f"{room}/{patient.visit}")
    await client.request("visit.enter", visit=patient.visit)
    return patient.visit, client


async def test_a_patient_stands_in_the_queue_from_the_first_page_of_the_setup_guide(two: Clinic) -> None:
    provider = await two.on_call(two.provider(), 1)
    await provider.request("subscribe", topic="queue")
    visit, _ = await in_line(two)
    row = await provider.expect("queue.row", lambda m: m["row"]["visit"] == visit)
    assert row["fresh"]
    assert row["row"]["name"] == "Ana Ruiz"
    online = await provider.expect("queue.row", lambda m: m["row"]["online"])
    assert not online["fresh"]


async def test_case_information_fills_in_while_the_patient_types(two: Clinic) -> None:
    visit, patient = await in_line(two)
    provider = await two.on_call(two.provider(), 1)
    await provider.request("subscribe", topic=f"case/{visit}")
    await patient.request("visit.save", visit=visit, step="allergies", answer="Peni", left=False)
    typing = await provider.expect("case.state", lambda m: m["case"]["typing"] == "allergies")
    assert typing["case"]["answers"] == {"allergies": "Peni"}
    await patient.request("visit.save", visit=visit, step="allergies", answer="Penicillin", left=True)
    kept = await provider.expect("case.state", lambda m: m["case"]["typing"] is None)
    assert kept["case"]["answers"] == {"allergies": "Penicillin"}
    with pytest.raises(RequestError) as refused:
        await patient.request("visit.save", visit=visit, step="fever", answer="perhaps", left=True)
    assert refused.value.code == "invalid_answer"
    with pytest.raises(RequestError) as refused:
        await patient.request("visit.finish", visit=visit)
    assert refused.value.details == {"steps": ["fever", "consent"]}


async def test_a_claim_pulls_the_patient_in_on_another_worker_without_a_sweep(
    valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signalling.sweep.PERIOD_S", 3600.0)
    async with clinic(valkey) as two:
        visit, patient = await in_line(two)
        provider = await two.on_call(two.provider(), 1)
        await provider.request("visit.claim", visit=visit)
        pulled = await patient.expect("visit.state", lambda m: m["visit"]["status"] == "claimed")
        assert pulled["visit"]["claimant"]["name"] == "Dr M. Osei"


def _loads(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets the id of each visit that a worker loads from the store from now on."""
    loaded: list[str] = []
    for store in (worker.service.store for worker in clinic.workers):

        async def load(organisation: str, what: Any, member: str, read: Any = store.load) -> Any:
            if what is Visit:
                loaded.append(member)
            return await read(organisation, what, member)

        monkeypatch.setattr(store, "load", load)
    return loaded


async def test_of_fifty_simultaneous_claims_one_succeeds_and_all_others_name_the_winner(
    two: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine, a claim would give up to wait for its turn, and load the visit.
    monkeypatch.setattr("signalling.store.turns.TURN_S", 3600.0)
    visit, _ = await in_line(two)
    claimers = [await two.on_call(two.provider(f"Dr {chr(65 + i // 26)}{i}"), i % 2) for i in range(50)]
    for claimer in claimers:
        await claimer.request("subscribe", topic="queue")
    loaded = _loads(two, monkeypatch)
    answers = await asyncio.gather(
        *(c.request("visit.claim", visit=visit) for c in claimers), return_exceptions=True
    )
    assert len(loaded) < 10, "who waits behind others need not ask the store what they have just seen"
    winners = [c for c, a in zip(claimers, answers, strict=True) if isinstance(a, dict)]
    assert len(winners) == 1
    won = winners[0].welcome["me"]
    for answer in answers:
        if isinstance(answer, dict):
            continue
        assert isinstance(answer, RequestError)
        assert answer.code == "already_claimed"
        assert answer.details["by"] == {"id": won["id"], "name": won["name"]}
    for claimer in claimers:
        gone = await claimer.expect("queue.gone")
        assert (gone["visit"], gone["why"], gone["by"]["id"]) == (visit, "claimed", won["id"])


async def test_the_visit_is_live_when_both_have_pressed_start_and_not_before(two: Clinic) -> None:
    visit, patient = await in_line(two)
    provider = await two.on_call(two.provider(), 1)
    await provider.request("visit.claim", visit=visit)
    await provider.request("subscribe", topic=f"visit/{visit}")
    await provider.request("visit.enter", visit=visit)
    await provider.request("visit.start", visit=visit)
    seen = await patient.expect(
        "visit.state", lambda m: m["visit"]["parties"].get("provider", {}).get("started")
    )
    assert seen["visit"]["status"] == "claimed"
    await patient.request("visit.start", visit=visit)
    for side in (patient, provider):
        assert (await side.expect("visit.state", lambda m: m["visit"]["status"] == "live"))["visit"][
            "live_ms"
        ]
    await patient.request("visit.hang_up", visit=visit)
    hung_up = await provider.expect("visit.state", lambda m: m["visit"]["status"] == "claimed")
    patients = hung_up["visit"]["parties"]["patient"]
    assert (patients["started"], patients["left"]) == (False, True)
    await patient.request("visit.start", visit=visit)
    await provider.expect("visit.state", lambda m: m["visit"]["status"] == "live")
    await provider.request("visit.end", visit=visit)
    assert (await patient.expect("visit.state", lambda m: m["visit"]["status"] == "ended"))["visit"][
        "outcome"
    ] == "completed"


async def test_a_visit_put_back_has_its_original_place_and_rings_again(two: Clinic) -> None:
    first, _ = await in_line(two)
    second, waiting = await in_line(two)
    provider = await two.on_call(two.provider(), 1)
    colleague = await two.on_call(two.provider("Dr B. Lin"), 0)
    await provider.request("visit.claim", visit=first)
    await waiting.expect("place.state", lambda m: m["place"] == 1)
    await colleague.request("subscribe", topic="queue")
    await provider.request("visit.release", visit=first)
    row = await colleague.expect("queue.row")
    assert (row["fresh"], row["row"]["returned"]) == (True, 1)
    await waiting.expect("place.state", lambda m: m["place"] == 2)
    snapshot = await two.connect(two.provider("Dr C. Ray"), 1)
    await snapshot.request("subscribe", topic="queue")
    assert [r["visit"] for r in (await snapshot.expect("queue.snapshot"))["rows"]] == [first, second]


async def test_a_lost_socket_that_resumes_on_another_worker_is_never_shown_offline(
    two: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = asyncio.Event()

    async def lingered(seconds: float) -> None:
        assert seconds == clean_up.LINGER_S
        await over.wait()

    monkeypatch.setattr(two.workers[0], "lingered", lingered)
    visit, patient = await in_line(two)
    provider = await two.on_call(two.provider(), 1)
    await provider.request("subscribe", topic=f"visit/{visit}")
    provider.backlog.clear()
    await patient.close()
    actor = two.provider()
    person = await two.workers[0].service.visit(actor.organisation, visit)
    assert person is not None
    back = await two.connect(
        type(actor)(
            organisation=actor.organisation,
            id=f"patient:{visit}",
            name="Ana Ruiz",
            role=Role.PATIENT,
            visit=visit,
        ),
        1,
        resume=patient.welcome["resume"],
    )
    assert back.welcome["resumed"]
    assert back.welcome["connection"] == patient.welcome["connection"]
    await back.request("visit.enter", visit=visit)
    over.set()
    await until(lambda: not two.workers[0].lingering)
    # If the server sent a message that the patient has left the page, it would arrive in this time.
    await asyncio.sleep(0.3)
    assert all(m["visit"]["parties"]["patient"]["present"] for m in provider.backlog)


async def test_a_patient_whose_socket_stays_away_is_shown_offline(two: Clinic) -> None:
    visit, patient = await in_line(two)
    provider = await two.on_call(two.provider(), 1)
    await provider.request("subscribe", topic="queue")
    await patient.close()
    row = await provider.expect("queue.row", lambda m: not m["row"]["online"])
    assert row["row"]["visit"] == visit


async def test_media_is_offered_by_whichever_worker_has_the_room(two: Clinic) -> None:
    visit, patient = await in_line(two)
    with pytest.raises(RequestError) as refused:
        await patient.request("media.join", visit=visit)
    assert refused.value.code == "wrong_status"
    provider = await two.on_call(two.provider(), 1)
    await provider.request("visit.claim", visit=visit)
    for side in (provider, patient):
        await side.request("media.join", visit=visit)
        offer = await side.expect("media.offer")
        assert offer["fresh"]
        assert "a=ice-lite" in offer["sdp"]
    with pytest.raises(RequestError) as refused:
        await patient.request("media.answer", visit=visit, offer=1, sdp="v=0\r\nnonsense")
    assert refused.value.code == "bad_sdp"
    await patient.request("media.mute", visit=visit, kind="video", muted=True)
    muted = await provider.expect("media.muted")
    assert (muted["party"], muted["kind"], muted["muted"]) == ("patient", "video", True)
    stranger = await two.on_call(two.provider("Dr B. Lin"), 0)
    with pytest.raises(RequestError) as refused:
        await stranger.request("media.join", visit=visit)
    assert refused.value.code == "not_allowed"


async def test_another_organisation_sees_nothing_and_may_do_nothing(two: Clinic) -> None:
    visit, _ = await in_line(two)
    stranger = await two.on_call(two.provider("Dr X. Other", organisation="hillside"), 1)
    await stranger.request("subscribe", topic="queue")
    assert (await stranger.expect("queue.snapshot"))["rows"] == []
    for request in ("visit.claim", "visit.enter", "visit.start", "visit.end", "media.join"):
        with pytest.raises(RequestError) as refused:
            await stranger.request(request, visit=visit)
        assert refused.value.code == "not_found"
    with pytest.raises(RequestError) as refused:
        await stranger.request("subscribe", topic=f"case/{visit}")
    assert refused.value.code == "not_found"


async def test_a_subscription_from_before_the_first_event_gets_the_state_after_a_return(two: Clinic) -> None:
    provider = await two.connect(two.provider(), 0)
    await provider.request("subscribe", topic="queue")
    held = await provider.expect("queue.snapshot")
    assert held["epoch"] == ""
    await two.arrive(1)
    back = await two.connect(two.provider(), 1)
    await back.request("subscribe", topic="queue", epoch=held["epoch"], version=held["version"])
    assert len((await back.expect("queue.snapshot"))["rows"]) == 1


async def test_topics_of_a_visit_are_sent_whole_after_events_were_lost(two: Clinic) -> None:
    provider = await two.on_call(two.provider(), 0)
    patient = await two.arrive()
    shown = {"visit.state": f"visit/{patient.visit}", "case.state": f"case/{patient.visit}"}
    for message, topic in shown.items():
        await provider.request("subscribe", topic=topic)
        await provider.expect(message)
    await (await two.workers[0].service.mirrors.get(ORG))._reload()
    for message, topic in shown.items():
        assert (await provider.expect(message))["topic"] == topic


async def test_a_topic_ends_with_a_right_whose_end_was_among_lost_events(two: Clinic) -> None:
    provider, colleague = await two.on_call(two.provider(), 0), two.provider("Dr B. Lin")
    await two.on_call(colleague, 1)
    patient = await two.arrive()
    await provider.request("visit.claim", visit=patient.visit)
    await provider.request("subscribe", topic=f"chat/{patient.visit}")
    mirror = await two.workers[0].service.mirrors.get(ORG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mirror, "_take", lambda *_: None)
        patch.setattr(mirror, "repair", lambda *_: None)
        for actor, command in ((two.provider(), c.Release()), (colleague, c.Claim())):
            outcome = await two.workers[1].service.command(actor, f"{patient.visit}", command)
            assert isinstance(outcome, Accepted)
        await mirror._reload()
    assert (await provider.expect("gone"))["topic"] == f"chat/{patient.visit}"


async def test_a_topic_is_not_sent_for_a_change_that_it_does_not_show(two: Clinic) -> None:
    provider, patient = await two.on_call(two.provider(), 0), await two.arrive()
    await provider.request("subscribe", topic=f"visit/{patient.visit}")
    await provider.request("subscribe", topic=f"case/{patient.visit}")
    await provider.expect("visit.state")
    await provider.expect("case.state")
    save = c.Save("allergies", "none", left=False)
    await two.workers[0].service.command(patient, f"{patient.visit}", save)
    assert (await provider.expect("case.state"))["case"]["typing"] == "allergies"
    await provider.request("visit.claim", visit=patient.visit)
    assert (await provider.expect("visit.state"))["visit"]["status"] == "claimed"


async def test_f38_as_6_5_02_urgency_moves_a_patient_up_on_every_screen_by_the_clinics_rule(
    two: Clinic,
) -> None:
    # this provider is not On-Call, and may still set the urgency
    provider = await two.connect(two.provider(), 1)
    await provider.request("subscribe", topic="queue")
    first, waiting = await in_line(two)
    second, urgent = await in_line(two)
    await waiting.expect("place.state", lambda m: m["waiting"] == 2 and m["place"] == 1)
    await provider.request("visit.urgency", visit=second, level="urgent")
    row = await provider.expect("queue.row", lambda m: m["row"]["urgency"] is not None)
    by = {"id": "u_osei", "name": "Dr M. Osei"}
    assert row["row"]["urgency"] == {"level": "urgent", "by": by, "answer": ""}
    change(two, urgent_first=True, urgent_word="Soon")
    told = await provider.expect("queue.changed")
    assert (told["limits"]["urgent_first"], told["limits"]["level_words"]) == (True, {"urgent": "Soon"})
    await waiting.expect("place.state", lambda m: m["place"] == 2)
    await urgent.expect("place.state", lambda m: m["place"] == 1)
    colleague = await two.connect(two.provider("Dr B. Lin"), 0)
    await colleague.request("subscribe", topic="queue")
    snapshot = await colleague.expect("queue.snapshot")
    assert [r["visit"] for r in snapshot["rows"]] == [second, first]
    assert snapshot["limits"] == told["limits"]
    await colleague.request("visit.urgency", visit=second, level="routine")
    await waiting.expect("place.state", lambda m: m["place"] == 1)
    with pytest.raises(RequestError) as refused:
        await urgent.request("visit.urgency", visit=second, level="emergency")
    assert refused.value.code == "not_allowed"
