"""Tests that the modules that a page preloads are those that its scripts import."""

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.web.site import OSEI, Person, Site
from web.pages.modules import imported


@pytest.fixture
async def osei(site: Site) -> Person:
    """A provider who is signed in."""
    person = site.person()
    await person.sign_in(OSEI)
    return person


async def test_a_page_names_each_module_that_its_scripts_import_and_no_other(osei: Person) -> None:
    page = await (await osei.get("/demo/staff")).text()
    scripts = re.findall(r'<script type="module" src="([^"]+)">', page)
    told = re.findall(r'<link rel="modulepreload" href="([^"]+)">', page)
    needed: set[str] = set()
    ahead = list(scripts)
    while ahead:
        one = ahead.pop()
        answer = await osei.get(one)
        assert answer.status == 200, one
        found = {
            urljoin(one, said) for said in re.findall(r'(?:from|import)\s*"(\.[^"]+)"', await answer.text())
        }
        ahead += found - needed
        needed |= found
    assert "/staff/queue.js" in " ".join(needed)
    assert needed == set(told)


def test_modules_that_import_each_other_are_named_once(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "a.js").write_text(
        'import { b } from "./below/b.js";\nimport "./c.js";\nimport "../outside.js";'
    )
    (tmp_path / "below/b.js").write_text('import {\n  a,\n} from "../a.js";\nexport { c } from "../c.js";')
    (tmp_path / "c.js").write_text(
        'import lit from "lit";\nimport "./gone.js";\nconst later = () => import("./d.js");'
    )
    assert imported(tmp_path, "a.js") == ("below/b.js", "c.js")
