"""Tests properties that hold for every visit.

Hypothesis sends random commands of random people, and searches for an order that breaks a property.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from signalling.visit import commands as c
from signalling.visit.record import HELD, Actor, Policy, Status, Visit
from signalling.visit.relations import PATIENT, PROVIDER, Decided
from signalling.visit.rules import decide, next_deadline_ms
from tests.signalling.visits import ANA, OTHER, STAFF, SYSTEM, T0, VISIT, context, on_call, people

POLICY = Policy()
CLAIMANTS_OF = {Status.QUEUED: False, Status.CLAIMED: True, Status.LIVE: True}
STAFF_IDS = st.sampled_from([*STAFF, "nobody"])
CONNECTIONS = st.sampled_from(["c_1", "c_2"])
GUESTS = st.sampled_from(["guest-rosa", "guest-2", "patient", "provider"])
WORKERS = st.sampled_from(["w1", "w2"])
ANSWERS = st.one_of(st.none(), st.booleans(), st.sampled_from(["", "Penicillin", "2026-01-02", "x" * 5000]))
COMMANDS: st.SearchStrategy[c.Command] = st.one_of(
    st.builds(c.Save, st.sampled_from(["allergies", "since", "other"]), ANSWERS, st.booleans()),
    st.sampled_from([c.Start(), c.Start(), c.HangUp(), c.Release(), c.End(), c.Reopen(), c.Due(), c.Claim()]),
    st.sampled_from([c.Finish(), c.Withdraw(), c.Unassign(), c.Open(VISIT, ANA)]),
    st.builds(c.Decline, st.sampled_from([None, "No"])),
    st.builds(c.Assign, STAFF_IDS),
    st.builds(c.Transfer, STAFF_IDS),
    st.builds(c.Invite, GUESTS, st.just("Rosa"), st.just("interpreter")),
    st.builds(c.Dismiss, GUESTS),
    st.builds(c.Enter, CONNECTIONS, WORKERS),
    st.builds(c.Leave, CONNECTIONS, WORKERS),
)
ACTORS = st.sampled_from([*people().values(), *people().values(), *people(OTHER).values()])
WAITS = st.sampled_from([0, 1, 1000, 29_999, 30_000, 120_000, 3_600_000])
STEPS = st.lists(st.tuples(ACTORS, COMMANDS, WAITS), max_size=60)


class Promises:
    """One visit that gets random commands, and the properties that must be true after each of them."""

    def __init__(self) -> None:
        self.visit: Visit | None = None
        # The people who have pressed Start Session, unless their press was removed by a later change.
        self.pressed: set[str] = set()
        self.now_ms = T0

    def take(self, actor: Actor, command: c.Command) -> None:
        """Decide a person's command by the rules, and check that the properties hold for the decision."""
        facts: dict[str, Any] = {"staff": on_call("lin", "osei")}
        before = self.visit
        decided = decide(before, command, actor, context(self.now_ms, **facts))
        assert decide(before, command, actor, context(self.now_ms, **facts)) == decided, (
            "a decision is a function"
        )
        if not isinstance(decided, Decided):
            return
        after = decided.visit
        if decided.event is None:
            assert after == before
            return
        assert actor.organisation == after.organisation, "nothing happens by somebody of another organisation"
        assert after.version == (before.version if before is not None else 0) + 1
        assert decided.event.by == (None if actor.id == "system" else actor.person)
        if before is not None:
            assert after.arrived_ms == before.arrived_ms
            assert after.talked_ms >= before.talked_ms
            assert after.id == before.id
            assert after.organisation == before.organisation
            if before.status is Status.ENDED:
                assert isinstance(command, c.Reopen), "what has ended stays ended"
        self.presses(before, after, command, actor)
        self.visit = after
        self.state(after)

    def presses(self, before: Visit | None, after: Visit, command: c.Command, actor: Actor) -> None:
        """Check that each press of Start Session is the actor's own. Some commands must remove all presses.

        `before`, `after`: the visit before and after the command.
        """
        for side, party in after.parties.items():
            had = before.parties.get(side) if before is not None else None
            if party.started_ms is not None and (had is None or had.started_ms is None):
                assert isinstance(command, c.Start)
                own = {PATIENT: actor.visit == after.id, PROVIDER: after.claimant == actor.person}.get(
                    side, side == actor.id
                )
                assert own, f"{actor.id} pressed for the {side}"
        if isinstance(command, c.Release | c.Transfer | c.Reopen):
            assert all(party.started_ms is None for party in after.parties.values())

    def state(self, visit: Visit) -> None:
        """Check the properties that hold in every state of a visit."""
        both = [visit.parties[s].started_ms for s in (PATIENT, PROVIDER) if s in visit.parties]
        pressed = len(both) == 2 and None not in both
        if visit.is_open:
            assert (visit.status is Status.LIVE) == pressed
            assert (visit.claimant is not None) == CLAIMANTS_OF[visit.status]
            assert (PROVIDER in visit.parties) == CLAIMANTS_OF[visit.status]
            assert visit.outcome is None
            assert visit.ended_ms is None
        else:
            assert (visit.claimant is not None) == (visit.outcome in HELD)
        assert (visit.live_ms is not None) == (visit.status is Status.LIVE)
        assert visit.assignee is None or visit.status is not Status.CLAIMED
        for party in visit.parties.values():
            assert party.present == (party.away_since_ms is None)
        assert 1 <= visit.step <= visit.steps
        due = next_deadline_ms(visit, POLICY)
        if due is not None:
            happened = decide(visit, c.Due(), SYSTEM, context(due))
            assert isinstance(happened, Decided)
            assert happened.event is not None, "a deadline that was promised is kept"
            early = decide(visit, c.Due(), SYSTEM, context(due - 1))
            assert early == Decided(visit, None), "and not before its time"


@settings(max_examples=150)
@given(STEPS)
def test_the_invariants_of_a_visit_hold_for_any_sequence_of_commands(
    steps: list[tuple[Actor, c.Command, int]],
) -> None:
    promises = Promises()
    promises.take(people()["patient"], c.Open(VISIT, ANA))
    for actor, command, wait_ms in steps:
        promises.now_ms += wait_ms
        promises.take(actor, command)


@settings(max_examples=40)
@given(STEPS)
def test_repeated_sweeps_reach_a_state_without_further_changes(
    steps: list[tuple[Actor, c.Command, int]],
) -> None:
    promises = Promises()
    promises.take(people()["patient"], c.Open(VISIT, ANA))
    for actor, command, wait_ms in steps:
        promises.now_ms += wait_ms
        promises.take(actor, command)
    visit = promises.visit
    assert visit is not None
    for _ in range(10):
        due = next_deadline_ms(visit, POLICY)
        if due is None:
            return
        decided = decide(visit, c.Due(), SYSTEM, context(max(due, promises.now_ms)))
        assert isinstance(decided, Decided)
        visit = decided.visit
    raise AssertionError(f"something is due again and again: {visit}")
