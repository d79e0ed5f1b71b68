"""Tests static files: a file's link changes with its content, so browsers may store the file for a year.

The server compresses each file once. It answers only at the exact name of a file.
"""

import gzip
import json
import re

import brotli
import pytest

from tests.web.site import Site
from web.languages import i18n, messages
from web.pages import static_files
from web.pages.static_files import (
    CODINGS,
    JOINED,
    KEEP_FOR_A_YEAR,
    SOURCES,
    STATIC,
    best_coding,
    digest,
    link,
    modules,
    texts_link,
)

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


@pytest.mark.usefixtures("joined")
@pytest.mark.parametrize(
    ("coding", "plain"), [("br", brotli.decompress), ("gzip", gzip.decompress), ("", bytes)]
)
async def test_f49_a_script_is_one_file_that_is_kept_for_a_year(
    site: Site, coding: str, plain: object
) -> None:
    person = site.person()
    async with person.client.session.get(
        site.server.make_url(link(SCRIPT)), headers={"Accept-Encoding": coding}, auto_decompress=False
    ) as response:
        body = await response.read()
    assert callable(plain)
    assert plain(body) == (JOINED / SCRIPT).read_bytes()
    assert response.headers.get("Content-Encoding", "") == coding
    assert response.headers["Cache-Control"] == KEEP_FOR_A_YEAR
    assert response.headers["Vary"] == "Accept-Encoding"
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"


@pytest.mark.usefixtures("joined")
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
    """Compare the scripts and style sheets with the hashes noted when they were joined into fewer files.

    `make check` compares the content of the joined files.
    """
    sources = json.loads((JOINED / SOURCES).read_text("utf-8"))
    assert len(sources) > 90
    older = [name for name, kept in sources.items() if not digest(STATIC / name).startswith(kept)]
    assert older == [], "web/joined is older than its sources; run `make joined`"


def test_a_test_that_needs_the_joined_files_says_so_if_they_are_older_than_their_sources(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(static_files, "is_joined", lambda suffix: suffix == ".css")
    with pytest.raises(pytest.fail.Exception, match="older than its sources; run `make joined`"):
        request.getfixturevalue("joined")


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


@pytest.fixture(scope="module")
def texts_of_files() -> dict[str, set[str]]:
    """Return the texts of each script: name of the script in web/static -> the English texts that it shows."""
    texts: dict[str, set[str]] = {}
    for path in STATIC.glob("**/*.js"):
        with path.open("rb") as file:
            found = messages.scripts(file, None, None, None)
            texts[path.relative_to(STATIC).as_posix()] = {
                said if isinstance(said, str) else said[0] for _, _, said, _ in found
            }
    return texts


@pytest.mark.usefixtures("joined")
@pytest.mark.parametrize("script", sorted(modules()))
def test_f49_a_script_gets_the_texts_of_its_modules_and_no_others(
    texts_of_files: dict[str, set[str]], script: str
) -> None:
    expected = set[str]().union(*(texts_of_files.get(name, set()) for name in modules()[script]))
    shown = set(re.findall(r'\(("(?:[^"\\]|\\.)*")', (JOINED / script).read_text("utf-8")))
    everything = set[str]().union(*texts_of_files.values())
    for code in i18n.languages().keys() - {i18n.SOURCE}:
        module = static_files._locale(code, script.removesuffix(".js")).decode()
        texts = json.loads(module[module.index(", {") + 2 : module.rindex("];")])
        assert texts.keys() == expected
        assert {text for text in everything if json.dumps(text, ensure_ascii=False) in shown} <= texts.keys()
        assert (texts_link(code, script) is None) is not ("shared/text.js" in modules()[script])


def test_f49_a_script_without_texts_asks_for_none_and_unjoined_scripts_share_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert texts_link("es", "pages/form.js") is None
    assert texts_link("en", SCRIPT) is None
    assert re.fullmatch(r"/static/[0-9a-f]{12}/locale/es/patient/app\.js", texts_link("es", SCRIPT) or "")
    monkeypatch.setattr(static_files, "is_joined", lambda suffix: False)
    assert re.fullmatch(r"/static/[0-9a-f]{12}/locale/es\.js", texts_link("es", SCRIPT) or "")
