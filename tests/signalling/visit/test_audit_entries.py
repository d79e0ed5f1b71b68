"""Tests the chain of the audit log, without a store: every later change is detected, and its place is found."""

from __future__ import annotations

import pytest

from signalling.errors import BrokenHeadError
from signalling.visit import audit_entries as audit
from signalling.visit.audit_entries import Chain, Checker, Head
from signalling.visit.commands import Assign
from signalling.visit.record import ChatMessage, Staff
from signalling.visit.relations import Decided, Event
from signalling.visit.rules import QUIET, RULES, decide
from tests.signalling.visits import ADMIN, ORG, T0, context, on_call, queued

CHAIN = Chain(b"k" * 32, ORG)


def audit_log(count: int = 6) -> tuple[Head, list[bytes]]:
    """Return (the head of an audit log, its entries as bytes). The `count` entries were chained in two steps."""
    acts = [audit.act(T0 + number, "u_osei", "case.read", f"v_{number}") for number in range(count)]
    middle, first = CHAIN.bind(CHAIN.begin, acts[: count // 2])
    head, rest = CHAIN.bind(middle, acts[count // 2 :])
    return head, first + rest


def problem(head: Head, kept: list[bytes], seen_entry: tuple[int, bytes] | None = None) -> str:
    """Return the problem that a check of the audit log with this head and these entries finds; "" if there is none.

    `seen_entry`: (number, bytes) of an entry seen before.
    """
    checker = Checker(CHAIN, head, seen_entry)
    for entry in kept:
        checker.read(entry)
    return checker.end()


def test_an_unchanged_log_is_valid() -> None:
    head, kept = audit_log()
    assert problem(head, kept) == ""
    assert (head.first, head.count, head.since_ms) == (1, 6, T0)


def test_a_changed_entry_is_named() -> None:
    head, kept = audit_log()
    kept[2] = kept[2][: audit.TAG] + kept[2][audit.TAG :].replace(b"u_osei", b"u_lind")
    assert problem(head, kept) == "entry 3 was changed, or stands in another's place"


def test_every_changed_bit_is_seen() -> None:
    head, kept = audit_log(3)
    for at in range(len(kept[1])):
        changed = bytearray(kept[1])
        changed[at] ^= 1 << at % 8
        assert problem(head, [kept[0], bytes(changed), kept[2]]), at


def test_a_removed_entry_is_named() -> None:
    head, kept = audit_log()
    assert problem(head, kept[:2] + kept[3:]) == "entry 3 was removed or moved"
    assert problem(head, kept[:2] + kept[4:]) == "entries 3 to 4 were removed or moved"


def test_a_log_cut_at_its_beginning_or_end_is_reported() -> None:
    head, kept = audit_log()
    assert problem(head, kept[2:]) == "entries 1 to 2 were cut from the beginning"
    assert problem(head, kept[:-1]) == "entry 6 was cut from the end"
    assert problem(head, []) == "entries 1 to 6 were cut from the end"


def test_entries_that_changed_places_are_seen() -> None:
    head, kept = audit_log()
    kept[1], kept[2] = kept[2], kept[1]
    assert problem(head, kept).startswith("entry 2 was removed")


def test_an_entry_that_was_put_in_or_added_is_seen() -> None:
    head, kept = audit_log()
    assert problem(head, [*kept[:2], kept[1], *kept[2:]]).startswith("entry 3 was changed")
    assert problem(head, [*kept, kept[-1]]) == "entry 7 was added after the end"


def test_a_logs_head_cannot_be_forged_without_the_key_nor_copied_from_another_organisation() -> None:
    head, _ = audit_log()
    assert CHAIN.open(CHAIN.seal(head)) == head
    for stranger in (Chain(b"x" * 32, ORG), Chain(b"k" * 32, "hillside")):
        with pytest.raises(BrokenHeadError):
            CHAIN.open(stranger.seal(head))


def test_a_log_restored_to_an_earlier_state_is_detected_by_the_last_seen_entry() -> None:
    earlier, kept = audit_log(4)
    head, all_of_them = CHAIN.bind(earlier, [audit.act(T0, "u_osei", "case.read")])
    seen_entry = (head.count, head.last)
    assert problem(head, kept + all_of_them, seen_entry) == ""
    assert problem(earlier, kept, seen_entry) == "entry 5 was cut from the end"
    other, others = CHAIN.bind(earlier, [audit.act(T0, "u_lind", "case.read")])
    assert "is not the one that this server has seen" in problem(other, kept + others, seen_entry)


def test_every_event_leaves_an_audit_entry_except_the_very_frequent_ones() -> None:
    for row in RULES:
        act = audit.act_of(queued(), Event(row.event, T0, ADMIN.person, "a note"))
        assert (act is None) is (row.event in QUIET), row.event
        if act is not None:
            assert (act.what, act.who, act.about, act.at_ms) == (f"visit.{row.event}", ADMIN.id, "v_1", T0)
    line = ChatMessage(id="m_1", visit="v_1", at_ms=T0, party="staff", name="Zoe", text="You are next, Ana.")
    assert audit.act_of(line, Event("wrote", T0, ADMIN.person)) == audit.act(
        T0, ADMIN.id, "chat.written", "v_1"
    )
    assert audit.act_of(Staff(id="u_1", name="", role=ADMIN.role), Event("enrolled", T0)) is None


def test_an_assignment_says_to_whom() -> None:
    decided = decide(queued(), Assign("lin"), ADMIN, context(staff=on_call("lin")))
    assert isinstance(decided, Decided)
    assert decided.event is not None
    act = audit.act_of(decided.visit, decided.event)
    assert act is not None
    assert (act.what, act.who, act.to) == ("visit.assigned", ADMIN.id, "lin")


@pytest.mark.parametrize(
    ("who", "kind"),
    [
        ("u_osei", "staff"),
        ("patient:v_1", "patient"),
        ("guest-1a2b", "guest"),
        ("api:0a1b", "key"),
        ("facility:f_1", "facility"),
        ("command:root", "command"),
        ("", "system"),
    ],
)
def test_an_id_shows_the_kind_of_person(who: str, kind: str) -> None:
    assert audit.kind_of(who) == kind


def test_the_names_of_entries_are_stored_and_stay() -> None:
    topics = ("queue", "sessions", "visit", "case", "chat")
    assert {topic: f"{topic}.read" for topic in topics} == audit.OF_TOPICS
    assert audit.OPENED_BELL == "bell.read"
    others = {name for (kind, _), name in audit.OF_EVENTS.items() if not name.startswith("visit.")}
    assert others == {"chat.written", "staff.on_call", "staff.off_call"}
    staff = Staff(id="u_1", name="", role=ADMIN.role)
    for kind in ("on_call", "off_call"):
        act = audit.act_of(staff, Event(kind, T0))
        assert act == audit.act(T0, "", f"staff.{kind}", "u_1")
    assert (audit.BROKEN, audit.FORGED, audit.TAG) == ("trail.broken", "trail.forged", 16)
    assert audit.kind_of("nobody") == "nobody"
    assert audit.kind_of("system") == "system"


def test_an_entry_about_a_broken_log_is_reported_as_a_fault() -> None:
    for what, words in ((audit.BROKEN, "beginning and end"), (audit.FORGED, "no server of ours")):
        head, kept = CHAIN.bind(CHAIN.begin, [audit.act(T0, "", what)])
        found = problem(head, kept)
        assert found.startswith("entry 1 ")
        assert words in found


def test_a_log_is_bound_from_its_beginning() -> None:
    begin = CHAIN.begin
    assert (begin.first, begin.count, begin.since_ms) == (1, 0, 0)
    assert begin.anchor == begin.last
    assert len(begin.last) == 16
    assert CHAIN.bind(begin, []) == (begin, [])
    head, kept = CHAIN.bind(begin, [audit.act(T0, "u_osei", "case.read", "v_1", "u_lin")])
    entry = audit.entry_of(kept[0])
    assert entry is not None
    assert (entry.number, entry.act.at_ms, entry.act.kind, entry.act.who) == (1, T0, "staff", "u_osei")
    assert (entry.act.what, entry.act.about, entry.act.to) == ("case.read", "v_1", "u_lin")
    assert audit.hash_of(kept[0]) == head.last == kept[0][:16]
    assert audit.decode(audit.encode(entry.act)) == entry.act
    assert audit.entry_of(b"x" * 20) is None
    assert CHAIN.follows(begin.last, kept[0])
    assert not CHAIN.follows(head.last, kept[0])


def test_a_checker_stops_at_the_first_fault_and_counts_what_was_right() -> None:
    head, kept = audit_log(4)
    checker = Checker(CHAIN, head)
    assert [checker.read(entry) for entry in (kept[0], kept[2], kept[1])] == [True, False, False]
    assert checker.count == 1
    assert checker.problem == checker.end() == "entry 2 was removed or moved"


def test_a_log_of_an_earlier_version_is_still_valid() -> None:
    head, kept = CHAIN.bind(CHAIN.begin, [audit.act(T0, "u_osei", "case.read", "v_1")])
    assert CHAIN.begin.last.hex() == "29fba02d147802db61cac72daea76c1a"
    assert head.last.hex() == kept[0][: audit.TAG].hex() == "8adc31de85e21291a59725a5e976b4bd"
