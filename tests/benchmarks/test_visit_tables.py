"""Tests the table and the plot of whole visits."""

import xml.etree.ElementTree as ElementTree

from tests.benchmarks.figures import Load
from tests.benchmarks.visit_tables import LINES, picture, table

LOADS = [
    Load(1, 1.0, 1.0, 12.0, 3.0, 4.0, 9.0, 11.0, 5.0, 8.0),
    Load(1, 20.0, 19.5, 9.0, 2.0, 6.0, 25.0, 31.0, 7.0, 40.0),
    Load(2, 20.0, 20.0, 10.0, 2.5, 5.0, 12.0, 15.0, 6.0, 20.0),
]


def test_the_table_has_a_row_for_each_rate_and_number_of_workers() -> None:
    lines = table(LOADS)
    assert lines[3] == ("| 1 | 20 | 19.5 | 9 ms | 2 ms | 6 ms | 25 ms | 31 ms | 7 ms | 40 ms |")
    assert len(lines) == 2 + len(LOADS)


def test_the_plot_has_a_point_for_each_figure_and_dashes_for_two_workers() -> None:
    drawn = ElementTree.fromstring(picture(LOADS))
    name = "{http://www.w3.org/2000/svg}"
    assert len(drawn.findall(f"{name}circle")) == len(LOADS) * len(LINES)
    dashed = [line for line in drawn.findall(f"{name}polyline") if "stroke-dasharray" in line.attrib]
    assert len(dashed) == len(LINES)
