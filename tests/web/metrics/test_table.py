"""Tests that the names in the table of metrics follow Prometheus's conventions.

Tests also that each value of a metric has all labels of the metric.
"""

import re

from tests.web.site import Site
from web.metrics.table import METRICS, values

UNITS = {"histogram": r"_(seconds|ratio)", "counter": r"_total", "gauge": r"(?<!_total)"}


def test_names_follow_prometheus_s_conventions_and_each_has_a_help_text() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(rf"greenroom(_[a-z]+)+?{UNITS[metric.kind]}", metric.name), metric.name
        assert metric.help.endswith("."), metric.name
        assert set(metric.all_labels).isdisjoint({"le", "visit", "organisation", "person", "address"})
        assert (metric.kind == "histogram") == bool(metric.bounds)
        assert list(metric.bounds) == sorted(set(metric.bounds))


async def test_each_series_has_a_value_for_each_label(site: Site) -> None:
    found = {**values(site.app), **values(site.app, shared=True)}
    assert list(found.keys() ^ {metric.name for metric in METRICS}) == []
    for metric in METRICS:
        for labels, value in found[metric.name]:
            assert len(labels) == len(metric.labels), metric.name
            expected = len(metric.bounds) + 2 if metric.bounds else None
            assert (len(value) if isinstance(value, list) else None) == expected, metric.name
        assert len(found[metric.name]) == len({labels for labels, _ in found[metric.name]}), metric.name
