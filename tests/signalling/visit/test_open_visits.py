"""What is asked of all open visits at once is always what the visits themselves say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from signalling.protocol import views
from signalling.visit.open_visits import TAKEN, OpenVisits
from signalling.visit.record import Party, Status, Visit
from tests.signalling.visits import T0, claimed, live, queued

PATIENTS = [f"v_{i}" for i in range(4)]
STATES = {"queued": queued, "claimed": claimed, "live": live}


def one(visit_id: str, state: str, arrived_ms: int, held_by: str) -> Visit:
    """Return a visit with one connection of its patient, on some worker."""
    visit = STATES[state]()
    parties = {
        **visit.parties,
        "patient": replace(visit.parties["patient"], connections={f"c_{visit_id}": held_by}),
    }
    return replace(visit, id=visit_id, arrived_ms=T0 + arrived_ms, parties=parties)


visits = st.builds(
    one, st.sampled_from(PATIENTS), st.sampled_from(sorted(STATES)), st.integers(0, 3), st.sampled_from("ab")
)
changes = st.lists(visits | st.sampled_from(PATIENTS), max_size=30)


def parties(visit: Visit) -> list[Party]:
    """Return a visit's parties."""
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
    assert kept.queue() == queue
    assert kept.waiting == len(queue)
    assert [kept.place(v.id) for v in queue] == list(range(1, len(queue) + 1))
    assert [v for v in PATIENTS if kept.place(v) is None] == [
        v for v in PATIENTS if v not in {q.id for q in queue}
    ]
    taken = {v.id: v for v in plain.values() if v.status in TAKEN}
    assert {v.id: v for v in kept.taken} == taken
    assert kept.in_session == {
        v.claimant.id for v in taken.values() if v.status is Status.LIVE and v.claimant is not None
    }
    held = {(w, v.id, c) for v in plain.values() for p in parties(v) for c, w in p.connections.items()}
    assert kept.holders == {worker for worker, _, _ in held}
    assert {(w, v, c) for w in kept.holders for v, c in kept.held_by(w)} == held
    assert OpenVisits(plain.values()).queue() == queue, "loaded at once it is the same"


@given(st.permutations(range(6)))
def test_the_longest_waiting_is_first_whatever_order_they_are_known_in(shuffled: list[int]) -> None:
    kept = OpenVisits(one(f"v_{i}", "queued", i // 2, "a") for i in shuffled)
    assert [v.id for v in kept.queue()] == [f"v_{i}" for i in range(6)]


def test_a_patients_place_is_the_row_in_the_providers_list() -> None:
    kept = OpenVisits(one(f"v_{i}", "queued", -i, "a") for i in range(9))
    rows = [views.row(v).visit for v in kept.queue()]
    for visit_id in kept:
        place = kept.place(visit_id)
        assert place is not None
        assert rows[place - 1] == visit_id
