"""Tests that every example of docs/LOAD-TESTER.md runs against a real server."""

from __future__ import annotations

import re
from typing import Any

from tests.docs.marked import DOCS
from tests.web.conftest import OpenSite as OpenSite
from tests.web.conftest import open_site as open_site
from tests.web.site import OSEI
from web.organisations import demo

PAGE = (DOCS / "LOAD-TESTER.md").read_text("utf-8")


def examples() -> dict[str, Any]:
    """Return the names that the examples of the page define, with their values."""
    names: dict[str, Any] = {}
    exec(
        compile("\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)), "LOAD-TESTER.md", "exec"),
        names,
    )
    return names


async def test_every_example_of_the_load_testers_page_runs_against_a_real_server(open_site: OpenSite) -> None:
    site, shown = await open_site(), examples()
    who = f"{str(site.server.make_url('')).rstrip('/')}/demo", OSEI, demo.password(site.settings, OSEI)
    steps = await shown["a_visit"](*who)
    assert 0 < steps["waited"] < 10
    assert 0 < steps["picture"] < 10
    assert await shown["a_patient_who_reloads"](*who) == 1
    assert await shown["a_run"](*who) == []


def test_the_load_testers_page_shows_nothing_that_is_not_run() -> None:
    defined = set(re.findall(r"^async def (\w+)", PAGE, re.MULTILINE))
    assert defined == {"a_visit", "a_patient_who_reloads", "a_run"}
