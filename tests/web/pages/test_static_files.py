"""Static files: links that change with the content, files kept for good, compressed once, and nothing else served."""

import gzip
import json
import re

import brotli
import pytest

from tests.web.site import Site
from web.pages import static_files
from web.pages.static_files import CODINGS, JOINED, KEEP_FOR_GOOD, SOURCES, STATIC, best_coding, digest, link

SCRIPT = "patient/app.js"


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("GZIP;q=0.5", "gzip"),
        ("br;q=0, gzip;q=0.000", ""),
        ("br;q=0.0,gzip", "gzip"),
        ("", ""),
        ("identity, brotli, xgzip", ""),
        ("*", ""),
        ("x," * 300 + "br", ""),
    ],
)
def test_f49_the_best_coding_is_one_that_the_browser_reads(header: str, coding: str) -> None:
    assert best_coding(header, CODINGS) == coding


@pytest.mark.parametrize(
    ("coding", "plain"), [("br", brotli.decompress), ("gzip", gzip.decompress), ("", bytes)]
)
async def test_f49_a_script_is_one_file_that_is_kept_for_good(site: Site, coding: str, plain: object) -> None:
    person = site.person()
    async with person.client.session.get(
        site.server.make_url(link(SCRIPT)), headers={"Accept-Encoding": coding}, auto_decompress=False
    ) as response:
        body = await response.read()
    assert callable(plain)
    assert plain(body) == (JOINED / SCRIPT).read_bytes()
    assert response.headers.get("Content-Encoding", "") == coding
    assert response.headers["Cache-Control"] == KEEP_FOR_GOOD
    assert response.headers["Vary"] == "Accept-Encoding"
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"


async def test_f49_a_page_names_one_script_and_files_of_its_own(site: Site) -> None:
    ana = site.person()
    await ana.ask_for_a_visit()
    text = await (await ana.get("/demo/visit")).text()
    scripts = re.findall(r'<script type="module" src="([^"]+)"', text)
    assert scripts == [link("patient/early.js"), link(SCRIPT)]
    assert text.count('rel="stylesheet"') == 2


@pytest.mark.parametrize("name", ["css//common.css", "css/common.css/", "css/common.css%00"])
async def test_a_file_has_one_name(site: Site, name: str) -> None:
    assert (await site.person().get(f"/static/0123456789ab/{name}")).status == 404


def test_f49_the_joined_files_are_those_of_the_sources() -> None:
    """If this fails: `make joined`. `make check` compares the joined files themselves."""
    sources = json.loads((JOINED / SOURCES).read_text("utf-8"))
    assert len(sources) > 90
    assert [name for name, kept in sources.items() if not digest(STATIC / name).startswith(kept)] == []


async def test_f49_pages_load_the_sources_while_one_differs_from_what_was_joined(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static_files, "is_joined", lambda suffix: False)
    static_files._file.cache_clear()
    assert link(SCRIPT) == f"/static/{SCRIPT}"
    response = await site.person().get(link(SCRIPT))
    assert await response.read() == (STATIC / SCRIPT).read_bytes()
    assert response.headers["Cache-Control"] == "no-cache"
    static_files._file.cache_clear()
