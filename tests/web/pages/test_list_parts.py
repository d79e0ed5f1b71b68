"""Tests the parts of a long list, of which a page shows one."""

import pytest
from aiohttp.test_utils import make_mocked_request

from web.pages.list_parts import Part, part_of


@pytest.mark.parametrize(
    ("asked", "whole", "part"),
    [
        ("", 0, Part(0, 0, "", "")),
        ("", 3, Part(0, 0, "", "")),
        ("", 4, Part(0, 1, "", "/list?part=2")),
        ("?part=1", 7, Part(0, 4, "", "/list?part=2")),
        ("?part=2", 7, Part(3, 1, "/list", "/list?part=3")),
        ("?part=3", 7, Part(6, 0, "/list", "")),
        ("?part=9", 7, Part(6, 0, "/list", "")),
        ("?part=2", 2, Part(0, 0, "", "")),
        ("?part=0", 7, Part(0, 4, "", "/list?part=2")),
        ("?part=-1", 7, Part(0, 4, "", "/list?part=2")),
        ("?part=%D9%A3", 7, Part(0, 4, "", "/list?part=2")),
        ("?part=99999999999", 7, Part(0, 4, "", "/list?part=2")),
    ],
)
def test_a_part_of_a_list_links_to_the_newest_and_to_the_next_part(
    asked: str, whole: int, part: Part
) -> None:
    assert part_of(make_mocked_request("GET", f"/list{asked}"), "/list", whole, 3) == part
