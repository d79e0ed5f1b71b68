"""Tests the figures of past visits, and the charts that are drawn from them."""

import csv
import io
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalling.visit.record import Outcome, PatientInformation, Person, Status, Visit
from signalling.visit.survey import SurveyAnswer
from web.reports.chart import HEIGHT, LEFT, WIDTH, Series, chart
from web.reports.figures import Past, past, percentile, report
from web.reports.table import header, lines

CHICAGO = ZoneInfo("America/Chicago")
OSEI, LIND = Person("u_osei", "Dr Maya Osei"), Person("u_lind", "Dr Jonas Lind")
PATIENT = PatientInformation(
    name="Canary Name", birth_date="1990-04-02", phone="+1 512 555 0142", email="canary@example.org",
    state="TX", reason="canary reason", language="en",
)  # fmt: skip


def visit(
    arrived: datetime,
    waited_min: float | None = 5,
    outcome: Outcome = Outcome.COMPLETED,
    by: Person | None = OSEI,
    **changes: Any,
) -> Visit:
    arrived_ms = round(arrived.timestamp() * 1000)
    claimed_ms = None if waited_min is None else arrived_ms + round(waited_min * 60_000)
    fields = {
        "id": "v_1", "organisation": "demo", "version": 3, "status": Status.ENDED, "outcome": outcome,
        "patient": PATIENT, "guide_version": 1, "steps": 2, "arrived_ms": arrived_ms, "claimed_ms": claimed_ms,
        "claimant": None if waited_min is None else by, "ended_ms": arrived_ms + 3_600_000,
        "talked_ms": 600_000, **changes,
    }  # fmt: skip
    return Visit(**fields)


def at(hour: int, minute: int = 0, day: int = 23) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=CHICAGO)


def answered(choice: int, text: str = "") -> SurveyAnswer:
    return SurveyAnswer(choice=choice, text=text, at_ms=0)


def test_answers_of_the_survey_are_counted_and_their_texts_come_newest_first() -> None:
    counted = report(
        found(
            visit(at(9), survey=answered(1)),
            visit(at(10), survey=answered(1, "Kind")),
            visit(at(11), survey=answered(5, "Slow")),
            visit(at(12)),
        ),
        date(2026, 11, 23),
        date(2026, 11, 23),
    )
    assert counted.answers == {1: 2, 2: 0, 3: 0, 4: 0, 5: 1}
    assert [one.comment for one in counted.comments] == ["Slow", "Kind"]


def test_a_visit_counts_for_each_of_its_tags() -> None:
    counted = report(
        found(visit(at(9), 1, tags=("Follow-up", "billing")), visit(at(10), 3, tags=("Follow-up",))),
        date(2026, 11, 23),
        date(2026, 11, 23),
    )
    assert [(tag, one.visits) for tag, one in counted.tags.items()] == [("billing", 1), ("Follow-up", 2)]


def test_a_tag_and_a_text_of_the_survey_are_no_formulas_in_a_spreadsheet() -> None:
    (one,) = found(visit(at(9), tags=("=1+1",), survey=answered(3, "=2+2\nbad")))
    (row,) = csv.DictReader(io.StringIO(header() + lines([one])))
    assert (row["tags"], row["survey"], row["survey_text"]) == ("'=1+1", "3", "'=2+2\nbad")


def found(*visits: Visit) -> list[Past]:
    return [past(one, CHICAGO) for one in visits]


def test_a_report_counts_waits_claims_and_outcomes_by_day_hour_and_provider() -> None:
    counted = report(
        found(
            visit(at(9), 1),
            visit(at(9, 30), 3),
            visit(at(23, 59), 11, by=LIND),
            visit(at(0, 0, 24), None, Outcome.WITHDRAWN),
            visit(at(9, 0, 24), None, Outcome.DECLINED),
        ),
        date(2026, 11, 22),
        date(2026, 11, 24),
    )
    assert (counted.total.visits, counted.total.claims) == (5, 3)
    assert (counted.total.wait_median_ms, counted.total.wait_p90_ms) == (180_000, 660_000)
    assert [one.visits for one in counted.days.values()] == [0, 3, 2]
    assert counted.days[date(2026, 11, 24)].outcomes[Outcome.WITHDRAWN] == 1
    assert counted.days[date(2026, 11, 22)].wait_median_ms is None
    assert {hour: one.visits for hour, one in counted.hours.items() if one.visits} == {0: 1, 9: 3, 23: 1}
    assert [(name, one.visits) for (_, name), one in counted.providers.items()] == [
        ("Dr Jonas Lind", 1),
        ("Dr Maya Osei", 2),
    ]


def test_the_wait_of_a_booked_patient_begins_at_the_booked_time() -> None:
    arrived = at(9, 50)
    booked_ms = round(at(10).timestamp() * 1000)
    early, late = found(visit(arrived, 12, booked_ms=booked_ms), visit(at(10, 5), 2, booked_ms=booked_ms))
    assert early.wait_ms == 2 * 60_000
    assert late.wait_ms == 2 * 60_000
    (before,) = found(visit(arrived, 4, booked_ms=booked_ms))
    assert before.wait_ms == 0


def test_the_hour_that_comes_twice_when_clocks_go_back_counts_as_one() -> None:
    first = datetime(2026, 11, 1, 1, 30, tzinfo=CHICAGO)
    again = first.replace(fold=1)
    counted = report(found(visit(first), visit(again)), date(2026, 11, 1), date(2026, 11, 1))
    assert again.timestamp() - first.timestamp() == 3600
    assert counted.hours[1].visits == 2
    assert len(counted.hours) == 24


@given(st.lists(st.integers(0, 10**7), min_size=1), st.integers(1, 100))
def test_a_percentile_is_a_wait_that_happened_and_as_many_as_said_did_not_exceed_it(
    waits: list[int], share: int
) -> None:
    value = percentile(waits, share)
    assert value in waits
    assert sum(wait <= value for wait in waits) * 100 >= share * len(waits)
    assert sum(wait < value for wait in waits) * 100 < share * len(waits)


def test_csv_has_a_line_for_each_visit_and_no_patient() -> None:
    text = header() + lines(
        found(
            visit(at(9), 1.5), visit(at(10), None, Outcome.DECLINED), visit(at(11), by=Person("u_x", "=1+1"))
        )
    )
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["wait_s"] for row in rows] == ["90", "", "300"]
    assert rows[0]["arrived"] == "2026-11-23T09:00:00-06:00"
    assert (rows[1]["outcome"], rows[1]["provider"]) == ("declined", "")
    assert rows[2]["provider"] == "'=1+1"
    assert "anary" not in text


@given(
    st.integers(1, 366).flatmap(
        lambda count: st.lists(
            st.lists(st.floats(0, 1e6), min_size=count, max_size=count), min_size=1, max_size=4
        )
    )
)
def test_every_bar_of_a_chart_stands_on_the_base_or_another_and_inside_the_picture(
    values: list[list[float]],
) -> None:
    labels = [str(at) for at in range(len(values[0]))]
    drawn = chart(
        labels, [Series(f"s{at}", "one", one) for at, one in enumerate(values)], [Series("m", "m", values[0])]
    )
    for bar in drawn.bars:
        assert LEFT <= bar.x <= bar.x + bar.width <= WIDTH
        assert 0 <= bar.y <= bar.y + bar.height <= drawn.base + 0.1 < HEIGHT
    assert 2 <= len(drawn.ticks) <= 6
    assert len(drawn.labels) <= 10
    assert all(0 <= mark.y <= drawn.base for mark in drawn.marks)


@pytest.mark.parametrize(
    ("highest", "top"), [(0, "1"), (3, "3"), (7, "8"), (23, "25"), (100, "100"), (101, "150")]
)
def test_the_scale_of_a_chart_has_round_numbers(highest: float, top: str) -> None:
    assert chart(["a"], [Series("s", "one", [highest])]).ticks[-1].text == top


def test_a_report_of_no_visits_has_its_days_all_the_same() -> None:
    first = date(2026, 11, 1)
    counted = report([], first, first + timedelta(days=29))
    assert len(counted.days) == 30
    assert counted.total.wait_p90_ms is None
    assert counted.providers == {}
