"""Writes a report in words and shapes: the cards at the top, and each chart with its legend and a table.

The words are in the current language. `figures.py` calculates the figures.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from signalling.visit.record import Outcome
from web.languages.i18n import N_, date_words, gettext, number_words
from web.reports.chart import Chart, Series, chart
from web.reports.figures import Report, Summary

OUTCOMES: dict[Outcome, str] = {
    Outcome.COMPLETED: N_("Completed"),
    Outcome.BY_PHONE: N_("Held by phone"),
    Outcome.DECLINED: N_("Declined"),
    Outcome.WITHDRAWN: N_("Left by the patient"),
    Outcome.EXPIRED: N_("Expired"),
    Outcome.CLOSED: N_("Clinic closed"),
}


class Figure(NamedTuple):
    """A chart, a sentence about the chart, its legend, and the same figures as a table.

    `legend`: pairs of a CSS class for the colour, and the words for it.
    """

    id: str
    heading: str
    text: str
    chart: Chart
    legend: list[tuple[str, str]]
    columns: list[str]
    rows: list[list[str]]


def _minutes(duration_ms: int | None) -> str:
    """Return a duration such as "4.5 min"; a dash for None."""
    if duration_ms is None:
        return "–"
    return gettext("{minutes} min").format(minutes=number_words(round(duration_ms / 60_000, 1)))


def _share(part: int, whole: int) -> str:
    return f"{number_words(part)} ({round(100 * part / whole)} %)" if whole else number_words(part)


def cards(total: Summary) -> list[tuple[str, str]]:
    """Return the cards at the top of the report, each as (heading, figure in words)."""
    return [
        (gettext("Visits"), number_words(total.visits)),
        (gettext("Claimed"), _share(total.claims, total.visits)),
        (gettext("Wait, median"), _minutes(total.wait_median_ms)),
        (gettext("Wait, 90 of 100 at most"), _minutes(total.wait_p90_ms)),
        (gettext("Call, median"), _minutes(total.talked_median_ms)),
        (gettext("Booked ahead"), _share(total.booked, total.visits)),
    ]


def figures(counted: Report, choices: Sequence[str]) -> list[Figure]:
    """Return the charts of a report, in the page's order. `choices`: the texts of the survey's options, in order."""
    days = list(counted.days.items())
    hours = list(counted.hours.items())
    day_words = [date_words(day, "MMMd") for day, _ in days]
    hour_words = [f"{hour:02}" for hour, _ in hours]
    by_day, by_hour = [one for _, one in days], [one for _, one in hours]
    # Days without visits are left out of the table, because a table of a whole year is hard to read.
    in_table = [(date_words(day, "MMMd"), one) for day, one in days if one.visits]
    providers = [(name, one) for (_, name), one in counted.providers.items()]
    found = [
        _waits("waits", gettext("Waits by day"), gettext("Day"), day_words, by_day, in_table),
        _outcomes("outcomes", gettext("Outcomes by day"), gettext("Day"), day_words, by_day, in_table),
        _outcomes(
            "hours",
            gettext("Visits by hour of arrival"),
            gettext("Hour"),
            hour_words,
            by_hour,
            [(f"{hour:02}:00", one) for hour, one in hours if one.visits],
        ),
        _waits(
            "hour-waits",
            gettext("Waits by hour of arrival"),
            gettext("Hour"),
            hour_words,
            by_hour,
            [(f"{hour:02}:00", one) for hour, one in hours if one.visits],
        ),
    ]
    if providers:
        found.append(_providers(providers))
    if counted.tags:
        found.append(_tags(list(counted.tags.items())))
    if any(counted.answers.values()):
        found.append(_answers(list(counted.answers.values()), choices))
    return found


def _tags(tags: Sequence[tuple[str, Summary]]) -> Figure:
    visits = gettext("Visits")
    return Figure(
        id="tags",
        heading=gettext("Visits by tag"),
        text=gettext("A visit with several tags counts for each of them."),
        chart=chart([tag for tag, _ in tags], [Series(visits, "one", [one.visits for _, one in tags])]),
        legend=[("one", visits)],
        columns=[gettext("Tag"), visits, gettext("Wait, median"), gettext("Call, median")],
        rows=[
            [tag, number_words(one.visits), _minutes(one.wait_median_ms), _minutes(one.talked_median_ms)]
            for tag, one in tags
        ],
    )


def _answers(counts: Sequence[int], choices: Sequence[str]) -> Figure:
    answers, total = gettext("Answers"), sum(counts)
    return Figure(
        id="survey",
        heading=gettext("What patients answered after their visit"),
        text=gettext("One answer a visit, from those who gave one."),
        chart=chart(choices, [Series(answers, "one", counts)]),
        legend=[("one", answers)],
        columns=[gettext("Answer"), answers],
        rows=[[words, _share(count, total)] for words, count in zip(choices, counts, strict=True)],
    )


def _waits(
    name: str,
    heading: str,
    what: str,
    labels: Sequence[str],
    values: Sequence[Summary],
    in_table: Iterable[tuple[str, Summary]],
) -> Figure:
    median, p90 = gettext("Median, minutes"), gettext("90 of 100 waited at most, minutes")
    return Figure(
        id=name,
        heading=heading,
        text=gettext("Bars: half of the patients waited no longer. Lines: nine of ten waited no longer."),
        chart=chart(
            labels,
            [Series(median, "one", [(one.wait_median_ms or 0) / 60_000 for one in values])],
            [Series(p90, "limit", [(one.wait_p90_ms or 0) / 60_000 for one in values])],
        ),
        legend=[("one", median), ("limit", p90)],
        columns=[what, gettext("Claimed"), gettext("Median"), gettext("90 of 100 at most")],
        rows=[
            [label, number_words(one.claims), _minutes(one.wait_median_ms), _minutes(one.wait_p90_ms)]
            for label, one in in_table
        ],
    )


KINDS: dict[Outcome, str] = {
    Outcome.COMPLETED: "one",
    Outcome.BY_PHONE: "five",
    Outcome.DECLINED: "three",
    Outcome.WITHDRAWN: "two",
    Outcome.EXPIRED: "four",
    Outcome.CLOSED: "six",
}


def _outcomes(
    name: str,
    heading: str,
    what: str,
    labels: Sequence[str],
    values: Sequence[Summary],
    in_table: Iterable[tuple[str, Summary]],
) -> Figure:
    words = {outcome: gettext(text) for outcome, text in OUTCOMES.items()}
    return Figure(
        id=name,
        heading=heading,
        text=gettext(
            "Each bar is all visits, from below: completed, held by phone, declined, left by the patient, "
            "expired, closed by the clinic."
        ),
        chart=chart(
            labels,
            [
                Series(words[outcome], KINDS[outcome], [one.outcomes[outcome] for one in values])
                for outcome in OUTCOMES
            ],
        ),
        legend=[(KINDS[outcome], words[outcome]) for outcome in OUTCOMES],
        columns=[what, gettext("Visits"), *words.values()],
        rows=[
            [
                label,
                number_words(one.visits),
                *(number_words(one.outcomes[outcome]) for outcome in OUTCOMES),
            ]
            for label, one in in_table
        ],
    )


def _providers(providers: Sequence[tuple[str, Summary]]) -> Figure:
    claims = gettext("Visits")
    return Figure(
        id="providers",
        heading=gettext("Visits by provider"),
        text=gettext("Each visit counts for whoever claimed it last."),
        chart=chart(
            [name for name, _ in providers], [Series(claims, "one", [one.visits for _, one in providers])]
        ),
        legend=[("one", claims)],
        columns=[
            gettext("Provider"),
            gettext("Visits"),
            gettext("Completed"),
            gettext("Wait, median"),
            gettext("Wait, 90 of 100 at most"),
            gettext("Call, median"),
        ],
        rows=[
            [
                name,
                number_words(one.visits),
                number_words(one.outcomes[Outcome.COMPLETED]),
                _minutes(one.wait_median_ms),
                _minutes(one.wait_p90_ms),
                _minutes(one.talked_median_ms),
            ]
            for name, one in providers
        ],
    )
