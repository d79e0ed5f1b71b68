"""Tests that the totals over all open visits always match the visits themselves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from signalling.protocol import views
from signalling.visit.open_visits import TAKEN, OpenVisits
from signalling.visit.record import Party, Status, Triage, Visit
from signalling.visit.urgency import SEVERITY, Urgency
from signalling.visit.waiting_area import Area
from tests.signalling.visits import T0, claimed, live, queued

PATIENTS = [f"v_{i}" for i in range(4)]
AREAS = ("", "mind")
STATES = {"queued": queued, "claimed": claimed, "live": live}


def one(
    visit_id: str,
    state: str,
    arrived_ms: int,
    held_by: str,
    level: Urgency = Urgency.ROUTINE,
    area: str = "",
) -> Visit:
    """Return a visit with one connection of its patient, who arrived at `arrived_ms`. `state`: a key of `STATES`.

    `held_by`: the worker of the connection. `level`: how urgent the visit is. `area`: its waiting area, "" for none.
    """
    visit = STATES[state]()
    parties = {
        **visit.parties,
        "patient": replace(visit.parties["patient"], connections={f"c_{visit_id}": held_by}),
    }
    return replace(
        visit,
        id=visit_id,
        arrived_ms=T0 + arrived_ms,
        parties=parties,
        triage=Triage(level=level),
        area=Area(area, area) if area else None,
    )


visits = st.builds(
    one,
    st.sampled_from(PATIENTS),
    st.sampled_from(sorted(STATES)),
    st.integers(0, 3),
    st.sampled_from("ab"),
    st.sampled_from(Urgency),
    st.sampled_from(AREAS),
)
changes = st.lists(visits | st.sampled_from(PATIENTS), max_size=30)


def parties(visit: Visit) -> list[Party]:
    return list(visit.parties.values())


@given(changes)
def test_the_open_visits_give_the_answers_of_a_scan_of_all_visits(story: list[Visit | str]) -> None:
    kept, plain = OpenVisits(), dict[str, Visit]()
    for change in story:
        if isinstance(change, Visit):
            kept.put(change)
            plain[change.id] = change
        else:
            kept.drop(change)
            plain.pop(change, None)
    queue = sorted(
        (v for v in plain.values() if v.status is Status.QUEUED), key=lambda v: (v.arrived_ms, v.id)
    )
    assert kept == plain
    assert kept.waiting == len(queue)
    for urgent_first in (False, True):
        ordered = sorted(queue, key=lambda v: SEVERITY[v.urgency]) if urgent_first else queue
        assert kept.queue(urgent_first=urgent_first) == ordered
        for area in AREAS:
            line = [v.id for v in ordered if v.area_id == area]
            places = [kept.place(visit_id, urgent_first=urgent_first) for visit_id in line]
            assert places == list(range(1, len(line) + 1))
        assert [v for v in PATIENTS if kept.place(v, urgent_first=urgent_first) is None] == [
            v for v in PATIENTS if v not in {q.id for q in queue}
        ]
    assert kept.first == next(iter(queue), None)
    for area in AREAS:
        waiting = [v for v in queue if v.area_id == area]
        assert (kept.waiting_in(area), kept.first_in(area)) == (len(waiting), next(iter(waiting), None))
    taken = {v.id: v for v in plain.values() if v.status in TAKEN}
    assert {v.id: v for v in kept.taken} == taken
    assert kept.in_session == {
        v.claimant.id for v in taken.values() if v.status is Status.LIVE and v.claimant is not None
    }
    held = {(w, v.id, c) for v in plain.values() for p in parties(v) for c, w in p.connections.items()}
    assert kept.holders == {worker for worker, _, _ in held}
    assert {(w, v, c) for w in kept.holders for v, c in kept.held_by(w)} == held
    assert OpenVisits(plain.values()).queue(urgent_first=False) == queue, "loaded at once it is the same"


@given(st.permutations(range(6)))
def test_the_longest_waiting_is_first_whatever_order_they_are_known_in(shuffled: list[int]) -> None:
    kept = OpenVisits(one(f"v_{i}", "queued", i // 2, "a") for i in shuffled)
    assert [v.id for v in kept.queue(urgent_first=False)] == [f"v_{i}" for i in range(6)]


def test_as_6_5_01_a_patients_place_is_the_row_in_the_providers_list() -> None:
    levels = list(Urgency)
    kept = OpenVisits(one(f"v_{i}", "queued", -i, "a", levels[i % 3]) for i in range(9))
    for urgent_first in (False, True):
        rows = [views.row(v).visit for v in kept.queue(urgent_first=urgent_first)]
        for visit_id in kept:
            place = kept.place(visit_id, urgent_first=urgent_first)
            assert place is not None
            assert rows[place - 1] == visit_id


def test_the_longest_waiting_patient_is_first_also_if_a_later_visit_is_more_urgent() -> None:
    kept = OpenVisits([one("v_1", "queued", 0, "a"), one("v_2", "queued", 1, "a", Urgency.EMERGENCY)])
    assert [visit.id for visit in kept.queue(urgent_first=True)] == ["v_2", "v_1"]
    for first in (kept.first, kept.first_in("")):
        assert first is not None
        assert first.id == "v_1"
