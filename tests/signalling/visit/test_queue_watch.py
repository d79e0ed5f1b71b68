"""Tests the state of the whole queue: its rules, such as the longest wait, and when staff get an alert."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from signalling.visit.open_visits import OpenVisits
from signalling.visit.queue_state import AtClosing, Closing, QueueRules, Watch
from signalling.visit.queue_watch import notices, watched
from signalling.visit.record import Notice, Policy, Role, Staff
from signalling.visit.urgency import Urgency
from signalling.visit.waiting_area import Area
from tests.signalling.visits import STAFF, T0, queued

MINUTE_MS = 60_000


def line(waiting: int) -> OpenVisits:
    """Return the open visits of `waiting` patients.

    The first patient arrived at the time T0, each next patient a minute later.
    """
    visits = (replace(queued(), id=f"v_{n}", number=n, arrived_ms=T0 + n * MINUTE_MS) for n in range(waiting))
    return OpenVisits(visits)


def watch(waiting: int, minutes: float, before: Watch | None = None, **policy: Any) -> Watch:
    """Return the state of the whole queue `minutes` after T0, with this number of waiting patients.

    `before`: the state before. `policy`: limits of the organisation.
    """
    now_ms = T0 + round(minutes * MINUTE_MS)
    return watched(before or Watch(), line(waiting), Policy(**policy), now_ms)


def test_an_organisation_that_changed_nothing_sends_its_pages_nothing() -> None:
    assert watch(500, 600) == Watch()


def test_f38_a_changed_rule_is_sent_with_the_clinics_words() -> None:
    rules = QueueRules(
        amber_ms=60_000, urgent_first=True, words={Urgency.URGENT: "Soon"}, alert_waiting=3, alert_wait_ms=7
    )
    found = watch(
        0, 0, amber_ms=60_000, urgent_first=True, urgent_word="Soon", alert_waiting=3, alert_wait_ms=7
    )
    assert found == Watch(rules=rules)


@pytest.mark.parametrize(
    ("waiting", "minutes", "alerts"),
    [
        (0, 90, ()),
        (2, 29, ()),
        (3, 30, ("queue_many",)),
        (2, 30.1, ("queue_long",)),
        (3, 31, ("queue_many", "queue_long")),
    ],
)
def test_as_6_5_04_an_alert_lasts_while_a_limit_is_passed(
    waiting: int, minutes: float, alerts: tuple[str, ...]
) -> None:
    found = watch(waiting, minutes, alert_waiting=2, alert_wait_ms=30 * MINUTE_MS)
    assert found.alerts == alerts


def recipients_of(before: Watch, after: Watch, on_call: str = "ray") -> list[tuple[str, Notice]]:
    """Return (recipient, notice) for each notice that the change of the queue's state from `before` to `after` causes.

    The time is 31 minutes after T0, and three patients wait. `on_call`: the person who is on call.
    """
    staff = {s.id: Staff(id=s.id, name=s.name, role=s.role, on_call=s.id == on_call) for s in STAFF.values()}
    return notices(before, after, line(3), staff, T0 + 31 * MINUTE_MS, "n_1")


def test_as_6_5_04_those_on_call_and_admins_are_notified_once_of_each_crossing() -> None:
    calm, full = Watch(), Watch(alerts=("queue_many",))
    many = Notice(id="n_1-queue_many", kind="queue_many", at_ms=T0 + 31 * MINUTE_MS, count=3)
    assert recipients_of(calm, full) == [("ray", many), ("zoe", many)]
    assert recipients_of(full, full) == [], "not again"
    assert recipients_of(full, calm) == []
    both = replace(full, alerts=("queue_many", "queue_long"))
    long = Notice(
        id="n_1-queue_long",
        kind="queue_long",
        at_ms=T0 + 31 * MINUTE_MS,
        visit="v_0",
        name="Ana Ruiz",
        count=31,
    )
    assert recipients_of(full, both) == [("ray", long), ("zoe", long)]


def lines(**waiting: int) -> OpenVisits:
    """Return the open visits of this number of patients in each area, who all wait since T0. `none`: patients without
    an area.
    """
    return OpenVisits(
        replace(queued(), id=f"v_{area}_{n}", number=n, area=None if area == "none" else Area(area, area))
        for area, count in waiting.items()
        for n in range(count)
    )


def test_f39_an_alert_counts_the_line_of_each_area_with_the_patients_of_no_area() -> None:
    policy, areas = Policy(alert_waiting=2), ("dental", "skin")
    few = watched(Watch(), lines(dental=2), policy, T0, areas)
    one = watched(Watch(), lines(dental=2, skin=1, none=1), policy, T0, areas)
    both = watched(Watch(), lines(dental=3, skin=3), policy, T0, areas)
    assert few.alerts == ()
    assert one.alerts == ("queue_many", "queue_many/dental")
    assert both.alerts == ("queue_many", "queue_many/dental", "queue_many/skin")
    assert watched(Watch(), OpenVisits(), policy, T0, areas).alerts == ()


def test_f39_the_longest_wait_of_an_area_is_that_of_its_own_line_or_of_no_area() -> None:
    policy, areas = Policy(alert_wait_ms=MINUTE_MS), ("dental", "skin")
    late = replace(queued(), id="v_late", arrived_ms=T0 + MINUTE_MS, area=Area("dental", "Dental"))
    now_ms = T0 + 2 * MINUTE_MS
    visits = OpenVisits([late, *lines(skin=1).values()])
    assert watched(Watch(), visits, policy, now_ms, areas).alerts == ("queue_long", "queue_long/skin")
    visits.put(next(iter(lines(none=1).values())))
    assert watched(Watch(), visits, policy, now_ms, areas).alerts == (
        "queue_long",
        "queue_long/dental",
        "queue_long/skin",
    )


def test_f39_an_alert_of_an_area_is_for_its_staff_and_that_of_all_for_all_others() -> None:
    def member(name: str, *areas: str, on_call: bool = True, role: Role = Role.PROVIDER) -> Staff:
        return Staff(id=name, name=name, role=role, on_call=on_call, areas=areas)

    people = (
        member("ann", "dental"),
        member("bob", "skin"),
        member("cy"),
        member("dan", "dental", on_call=False),
        member("zoe", "dental", on_call=False, role=Role.ADMIN),
    )
    after = Watch(alerts=("queue_many", "queue_many/dental", "queue_long/dental"))
    visits, staff = lines(dental=3, skin=1), {one.id: one for one in people}
    found = [
        (person, notice.kind, notice.count, notice.area)
        for person, notice in notices(Watch(), after, visits, staff, T0 + 5 * MINUTE_MS, "n_1")
    ]
    assert found == [
        ("cy", "queue_many", 4, None),
        ("zoe", "queue_many", 4, None),
        ("ann", "queue_many", 3, None),
        ("ann", "queue_long", 5, "dental"),
    ]


def closing(minutes: float, visits: OpenVisits, **policy: Any) -> Watch:
    """Return the state of the whole queue `minutes` before all areas close, or after that if `minutes` is negative.

    `policy`: limits of the organisation.
    """
    at_ms = T0 + round(minutes * MINUTE_MS)
    return watched(Watch(), visits, Policy(**policy), T0, ("dental", "skin"), lambda _area: at_ms)


def test_f18_closing_time_is_near_from_fifteen_minutes_before_while_patients_wait() -> None:
    near = Closing(at_ms=T0 + 15 * MINUTE_MS, over=False, rule=AtClosing.KEEP)
    assert closing(15, line(2)) == Watch(rules=QueueRules(closing={"": near}), alerts=("queue_closing",))
    assert closing(15.1, line(2)) == Watch()
    assert closing(15, OpenVisits()) == Watch()
    assert watched(Watch(), line(2), Policy(), T0) == Watch(), "it never closes"


@pytest.mark.parametrize(
    ("policy", "rule", "alerts"),
    [
        ({}, AtClosing.KEEP, ()),
        ({"asks_closing": True}, AtClosing.ASK, ("queue_closed",)),
        ({"closes_line": True}, AtClosing.END, ()),
    ],
)
def test_f18_the_clinics_rule_says_what_becomes_of_those_who_still_wait(
    policy: dict[str, bool], rule: AtClosing, alerts: tuple[str, ...]
) -> None:
    before, after = closing(1, line(1), **policy), closing(0, line(1), **policy)
    assert (before.rules.closing[""].rule, before.alerts) == (rule, ("queue_closing",))
    assert after.rules.closing[""] == Closing(at_ms=T0, over=True, rule=rule)
    assert after.alerts == alerts


def test_f18_each_area_has_its_closing_time_and_staff_who_may_claim_there_are_notified() -> None:
    visits = lines(dental=2, none=1)
    after = closing(5, visits)
    assert after.alerts == ("queue_closing", "queue_closing/dental")
    people = [
        Staff(id="ann", name="Ann", role=Role.PROVIDER, on_call=True, areas=("dental",)),
        Staff(id="bob", name="Bob", role=Role.PROVIDER, on_call=True, areas=("skin",)),
        Staff(id="cy", name="Cy", role=Role.PROVIDER, on_call=True),
        Staff(id="dan", name="Dan", role=Role.PROVIDER, on_call=False),
        Staff(id="zoe", name="Zoe", role=Role.ADMIN, on_call=False),
    ]
    found = notices(Watch(), after, visits, {one.id: one for one in people}, T0, "n_1")
    assert [(person, notice.count, notice.area) for person, notice in found] == [
        *((name, 1, None) for name in ("ann", "bob", "cy", "zoe")),
        *((name, 2, "dental") for name in ("ann", "cy", "zoe")),
    ]
    assert notices(after, after, visits, {}, T0, "n_2") == []
