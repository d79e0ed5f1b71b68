"""Tests what each request of a client does, without a store or a network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from signalling.errors import UnavailableError
from signalling.protocol import client_messages as client
from signalling.protocol import server_messages as server
from signalling.sockets.handlers import MOST_TOPICS
from signalling.visit import commands as c
from signalling.visit.record import Actor
from signalling.visit.relations import GUEST_PREFIX, Refusal
from tests.signalling import visits
from tests.signalling.rooms.apart import Noted
from tests.signalling.sockets.apart import ORIGIN
from tests.signalling.sockets.test_connection_apart import CLAIMANT, PATIENT, VISIT, answer, opened

DONE = server.Done(reply_to=9, version=6)


@pytest.mark.parametrize(
    ("request_", "command"),
    [
        (client.VisitSave(id=9, visit=VISIT, step="s", answer="a", left=True), c.Save("s", "a", True)),
        (client.VisitFinish(id=9, visit=VISIT), c.Finish()),
        (client.VisitWithdraw(id=9, visit=VISIT), c.Withdraw()),
        (client.VisitHangUp(id=9, visit=VISIT), c.HangUp()),
        (client.VisitClaim(id=9, visit=VISIT), c.Claim()),
        (client.VisitRelease(id=9, visit=VISIT), c.Release()),
        (client.VisitEnd(id=9, visit=VISIT, by_phone=True), c.End(True)),
        (client.VisitStart(id=9, visit=VISIT), c.Start()),
        (client.VisitAssign(id=9, visit=VISIT, to="lin"), c.Assign("lin")),
        (client.VisitUnassign(id=9, visit=VISIT), c.Unassign()),
        (client.VisitMove(id=9, visit=VISIT, area="mind"), c.Move("mind")),
        (client.VisitClose(id=9, visit=VISIT), c.Close()),
        (client.VisitTransfer(id=9, visit=VISIT, to="lin"), c.Transfer("lin")),
        (client.VisitReopen(id=9, visit=VISIT), c.Reopen()),
        (client.VisitTag(id=9, visit=VISIT, tags=("x",)), c.SetTags(("x",))),
        (client.VisitDismiss(id=9, visit=VISIT, guest="g"), c.Dismiss("g")),
        (client.VisitEnter(id=9, visit=VISIT), c.Enter("c_1", "w-own")),
    ],
)
async def test_each_request_about_a_visit_is_its_command(request_: Any, command: c.Command) -> None:
    made, services, _ = opened()
    assert await answer(made, request_) == DONE
    assert services.noted[0] == ("command", VISIT, command)
    services.outcome = Refusal("wrong_status", {"status": "ended"})
    refused = await answer(made, request_)
    assert (refused.reply_to, refused.code, refused.details) == (9, "wrong_status", {"status": "ended"})


async def test_a_page_is_entered_and_left_once_and_kept_for_a_resume() -> None:
    made, services, _ = opened()
    enter, leave = client.VisitEnter(id=9, visit=VISIT), client.VisitLeave(id=9, visit=VISIT)
    await answer(made, enter)
    assert made.entered == {VISIT}
    assert services.noted[-1][0] == "on_pages"
    assert await answer(made, leave) == server.Done(reply_to=9, version=0)
    assert made.entered == set()
    assert [call[0] for call in services.noted[2:]] == ["leave", "command", "on_pages"]
    assert await answer(made, leave) == server.Done(reply_to=9, version=0)
    assert len(services.noted) == 5
    services.outcome = Refusal("not_allowed")
    await answer(made, enter)
    assert made.entered == set()


async def test_a_page_that_could_not_be_left_is_left_when_the_request_is_repeated() -> None:
    made, services, _ = opened()
    leave = client.VisitLeave(id=9, visit=VISIT)
    made.entered = frozenset({VISIT})
    services.away = True
    with pytest.raises(UnavailableError):
        await answer(made, leave)
    services.away, services.noted = False, []
    await answer(made, leave)
    assert [call[0] for call in services.noted] == ["leave", "command", "on_pages"]
    assert made.entered == set()


async def test_a_connection_has_at_most_200_topics() -> None:
    assert MOST_TOPICS == 200
    made, services, _ = opened()
    request = client.Subscribe(id=9, topic="sessions")
    for number, code in ((199, None), (200, "not_allowed")):
        made.socket.topics = frozenset(map(str, range(number)))
        assert getattr(await answer(made, request), "code", None) == code
    assert services.noted == [("subscribe", "sessions")]
    assert await answer(made, client.Unsubscribe(id=9, topic="sessions")) == server.Done(
        reply_to=9, version=0
    )
    assert services.noted[-1] == (made.socket, "sessions")


@pytest.mark.parametrize(
    ("actor", "topic", "counted", "times", "noted"),
    [
        (CLAIMANT, "case/v_1", False, 2, 2),
        (PATIENT, "case/v_1", False, 2, 1),
        (CLAIMANT, "queue", True, 1, 0),
        (CLAIMANT, "queue", False, 1, 1),
        (CLAIMANT, "place/v_1", False, 1, 0),
    ],
)
async def test_what_is_read_is_noted_in_the_audit_log_for_a_patient_once(
    actor: Actor, topic: str, counted: bool, times: int, noted: int
) -> None:
    made, services, _ = opened(actor)
    for _ in range(times):
        await answer(made, client.Subscribe(id=9, topic=topic, counted=counted))
    assert len(services.audit_log.named("note")) == noted
    assert len(services.audit_log.named("ready")) == times
    if noted:
        (organisation, person, _, about) = services.audit_log.named("note")[0]
        assert (organisation, person, about) == (visits.ORG, actor.id, topic.partition("/")[2])


@pytest.mark.parametrize(
    ("request_", "name", "about"),
    [
        (client.VisitHistory(id=9, visit=VISIT), "history.read", VISIT),
        (client.SessionsPast(id=9, text="Ruiz"), "past.searched", ""),
        (client.BellMark(id=9, until_ms=1), "bell.read", ""),
        (client.Subscribe(id=9, topic=f"case/{VISIT}"), "case.read", VISIT),
    ],
)
async def test_what_staff_read_has_a_name_in_the_audit_log_that_stays(
    request_: Any, name: str, about: str
) -> None:
    made, services, _ = opened()
    await answer(made, request_)
    assert services.audit_log.named("note") == [(visits.ORG, CLAIMANT.id, name, about)]
    assert len(services.noted) == 1


async def test_marking_the_bell_as_read_is_answered_with_its_new_version() -> None:
    made, services, _ = opened()
    assert await answer(made, client.BellMark(id=9, until_ms=7)) == server.Done(reply_to=9, version=5)
    assert services.noted == [("mark", 7)]


async def test_a_read_that_is_refused_is_not_noted() -> None:
    made, services, _ = opened(PATIENT)
    for request in (client.SessionsPast(id=9, text="Ruiz"), client.VisitHistory(id=9, visit=VISIT)):
        assert (await answer(made, request)).code == "not_allowed"
    assert (await answer(made, client.BellMark(id=9, until_ms=1))).code == "not_allowed"
    assert services.audit_log.named("note") == []


async def test_only_staff_go_on_call() -> None:
    made, _, _ = opened()
    assert await answer(made, client.OnCall(id=9, on=True)) == server.Done(reply_to=9, version=8)
    patient, _, _ = opened(PATIENT)
    assert (await answer(patient, client.OnCall(id=9, on=True))).code == "not_allowed"


RESTART = client.MediaRestart(id=9, visit=VISIT)


@pytest.mark.parametrize(
    ("actor", "known", "now", "code"),
    [
        (CLAIMANT, visits.claimed(), None, None),
        (CLAIMANT, visits.queued(), visits.claimed(), None),
        (CLAIMANT, None, visits.live(), None),
        (CLAIMANT, visits.queued(), visits.queued(), "not_allowed"),
        (PATIENT, visits.queued(), visits.queued(), "wrong_status"),
        (PATIENT, None, None, "not_found"),
        (PATIENT, None, replace(visits.live(), organisation="other"), "not_found"),
        (visits.COLLEAGUE, visits.live(), visits.live(), "not_allowed"),
    ],
)
async def test_media_is_for_the_parties_of_a_visit_as_the_store_says(
    actor: Actor, known: Any, now: Any, code: str | None
) -> None:
    made, services, _ = opened(actor, *([] if known is None else [known]))
    if now is not None:
        services.now[VISIT] = now
    found = await answer(made, RESTART)
    assert getattr(found, "code", None) == code
    assert len([1 for call in services.noted if call[0] == "ask"]) == (code is None)
    if code == "wrong_status":
        assert found.details == {"status": "queued"}
    services.asked = False
    if code is None:
        assert (await answer(made, RESTART)).code == "no_room"


@pytest.mark.parametrize(("entered", "commands"), [(True, 0), (False, 1)])
async def test_a_person_who_joins_the_media_is_on_the_page_of_the_visit(entered: bool, commands: int) -> None:
    made, services, _ = opened(CLAIMANT, visits.live())
    made.entered = frozenset({VISIT} if entered else ())
    request = client.MediaJoin(id=9, visit=VISIT, able=False)
    assert await answer(made, request) is None
    assert len([1 for call in services.noted if call[0] == "command"]) == commands
    (_, member, number, origin) = services.noted[-1]
    assert (member.party, member.able, number, origin) == ("provider", False, 9, ORIGIN)
    services.outcome = Refusal("not_allowed")
    made.entered = frozenset()
    assert (await answer(made, request)).code == "not_allowed"
    assert (await answer(opened(visits.COLLEAGUE, visits.live())[0], request)).code == "not_allowed"


@pytest.mark.parametrize(("actor", "pulled"), [(PATIENT, 1), (CLAIMANT, 0)])
async def test_the_trace_of_a_claim_ends_when_the_patient_joins(actor: Actor, pulled: int) -> None:
    made, services, _ = opened(actor, visits.live())
    services.traces = Noted()
    await answer(made, client.MediaJoin(id=9, visit=VISIT))
    assert services.traces.named("pulled_in") == [(VISIT,)] * pulled


@pytest.mark.parametrize(
    ("outcome", "result"), [(None, "unavailable"), (Refusal("not_on_call"), "not_on_call"), (6, "done")]
)
async def test_a_traced_claim_ends_with_its_result(outcome: Any, result: str) -> None:
    made, services, _ = opened()
    trace = Noted()
    services.traces = SimpleNamespace(begin=lambda: trace)
    services.away = outcome is None
    services.outcome = outcome if isinstance(outcome, Refusal) else SimpleNamespace(version=6)
    try:
        await answer(made, client.VisitClaim(id=9, visit=VISIT))
    except UnavailableError:
        assert services.away
    assert trace.named("end") == [(result,)]


async def test_a_network_is_tested_with_an_offer_if_there_is_room() -> None:
    made, services, _ = opened()
    request = client.MediaProbe(id=9)
    assert await answer(made, request) == server.Probe(reply_to=9, sdp="sdp", ice_servers=[])
    assert (await answer(made, request)).code == "too_often"
    other, services, _ = opened()
    services.relay.probe = lambda: None
    assert (await answer(other, request)).code == "too_often"
    probed = client.MediaProbed(id=9, path="udp")
    assert await answer(made, probed) == server.Done(reply_to=9, version=0)


async def test_an_invited_guest_gets_a_link_that_expires() -> None:
    made, services, _ = opened()
    request = client.VisitInvite(id=9, visit=VISIT, name="Rosa", relation="interpreter")
    found = await answer(made, request)
    guest = found.guest
    assert guest.startswith(GUEST_PREFIX)
    assert len(guest) == len(GUEST_PREFIX) + 8
    assert (found.path, found.expires_ms) == (f"/{visits.ORG}/join/token", 61_000)
    assert services.noted[0] == ("command", VISIT, c.Invite(guest, "Rosa", "interpreter"))
    (_, organisation, link, for_ms) = services.noted[1]
    assert (organisation, link.visit, link.guest, for_ms) == (visits.ORG, VISIT, guest, 60_000)
    services.outcome = Refusal("limit_reached")
    assert (await answer(made, request)).code == "limit_reached"
