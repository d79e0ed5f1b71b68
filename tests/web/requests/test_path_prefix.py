"""Tests the path prefix of `public_url`: it is removed from requests, and added to all addresses in pages."""

import pytest
from aiohttp.http import HttpVersion11, RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from tests.web.conftest import OpenSite
from web.config import parse
from web.errors import ConfigError
from web.requests.path_prefix import in_boot, in_html, without

PREFIX = "/greenroom"
PUBLIC = {"server": {"public_url": "https://www.clinic.example/greenroom"}}


def message(target: str) -> RawRequestMessage:
    headers: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
    url = URL(target, encoded=True)
    return RawRequestMessage("GET", target, HttpVersion11, headers, (), False, None, False, False, url)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/greenroom/demo?x=/greenroom", "/demo?x=/greenroom"),
        ("/greenroom", "/"),
        ("/greenroom/", "/"),
        ("/greenroom?lang=es", "/?lang=es"),
        ("/greenrooms/demo", "/greenrooms/demo"),
        ("/healthz", "/healthz"),
    ],
)
def test_f47_the_prefix_is_taken_from_a_request(target: str, path: str) -> None:
    found = without(message(target), PREFIX)
    assert (found.path, str(found.url)) == (path, path)
    assert without(message(target), "").path == target


def test_f47_addresses_of_a_page_get_the_prefix_and_texts_do_not() -> None:
    page = '<html lang="en"><a href="/demo">x</a> <a href="//else"> <input value="/demo"> &#34;/demo <a href="?x">'
    there = '<html data-base="/greenroom" lang="en"><a href="/greenroom/demo">'
    assert in_html(page, PREFIX) == page.replace('<html lang="en"><a href="/demo">', there)
    assert in_html(page, "") == page
    boot = {"ws": "/demo/ws", "home": "/demo", "list": [{"words": "/static/x.js"}], "name": "/demos", "n": 1}
    there_boot = {
        "ws": "/greenroom/demo/ws",
        "home": "/greenroom/demo",
        "list": [{"words": "/greenroom/static/x.js"}],
    }
    assert in_boot(boot, "demo", PREFIX) == {**boot, **there_boot}


@pytest.mark.parametrize(
    ("url", "prefix"),
    [
        ("https://www.clinic.example/greenroom/", "/greenroom"),
        ("https://www.clinic.example/a/b-c", "/a/b-c"),
        ("https://www.clinic.example/", ""),
        ("", ""),
    ],
)
def test_f47_the_prefix_is_the_path_of_the_public_address(url: str, prefix: str) -> None:
    settings = parse({"server": {"public_url": url}}, "test")
    assert settings.path_prefix == prefix


@pytest.mark.parametrize("path", ['/a"b', "/a b", "/<b>", "/a?b", "//x"])
def test_f47_a_path_that_could_leave_an_attribute_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="public_url"):
        parse({"server": {"public_url": f"https://www.clinic.example{path}"}}, "test")


async def test_f47_redirects_cookies_and_links_lead_below_the_prefix(open_site: OpenSite) -> None:
    site = await open_site(**PUBLIC)
    ana = site.person(**{"X-Forwarded-Proto": "https"})
    assert (await ana.get("/")).headers["Location"] == "/greenroom/demo"
    assert (await ana.get("/demo/")).headers["Location"] == "/greenroom/demo"
    answer = await ana.get("/demo/information")
    cookies = answer.headers.getall("Set-Cookie")
    assert cookies
    assert all("Path=/greenroom" in cookie and cookie.startswith("__Secure-greenroom") for cookie in cookies)
    text = await answer.text()
    assert 'href="/demo' not in text
    assert 'action="/greenroom/demo/information"' in text
    assert 'src="/greenroom/static/' in text


async def test_f47_programs_get_addresses_below_the_prefix(open_site: OpenSite) -> None:
    person = (await open_site(**PUBLIC)).person()
    opened = await (await person.get("/demo/api/v1/openapi.json")).json()
    assert opened["servers"] == [{"url": "/greenroom/demo/api/v1"}]
    sockets = await (await person.get("/demo/api/v1/asyncapi.json")).json()
    server = sockets["servers"]["greenroom"]
    assert (server["host"], server["pathname"]) == ("www.clinic.example", "/greenroom")
    assert (server["protocol"], sockets["channels"]["socket"]["address"]) == ("wss", "/demo/ws")
    problem = await (await person.get("/demo/api/v1/queue")).json(content_type=None)
    assert problem["type"] == "/greenroom/demo/api#not_signed_in"
    page = await (await person.get("/demo/api")).text()
    assert "https://www.clinic.example/greenroom/demo/api/v1/visits" in page
    assert "<code>/greenroom/demo/api/v1</code>" in page
    assert 'href="/greenroom/demo/api/v1/openapi.json"' in page
