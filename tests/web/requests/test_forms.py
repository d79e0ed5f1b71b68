"""Tests forms on every route: they must be in UTF-8, otherwise they are refused unread, and their size is limited
(SECURITY.md row 29).
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from tests.limits import WAIT_S
from tests.web.site import ADMIN, FORM, OSEI, Site
from web.keys import API_KEYS, REDIS
from web.programs.keys import SCOPES
from web.requests import forms
from web.requests.fields import SMALL_BYTES

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
URLENCODED, MULTIPART, JSON = (
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json",
)
HOSTILE = (
    "charset=punycode",
    "charset=undefined",
    "charset=idna",
    "charset=unicode_escape",
    "charset=utf-7",
    "charset=utf-16",
    'charset="utf_16_be"',
    "CHARSET=latin-1",
    "charset*=utf-8''utf-16",
    "charset=utf-8; charset=punycode",
    "charset=zip",
    "charset=",
)


def routes(site: Site) -> Iterator[tuple[str, str]]:
    """Yield (method, path) of every route that may get a body.

    The variable parts of the path have example values that match the route.
    """
    for route in site.app.router.routes():
        if route.resource is None or route.method not in (*UNSAFE, "*"):
            continue
        path = re.sub(r"\{organisation\}", "demo", route.resource.canonical)
        path = re.sub(r"\{token:[^}]*\}|\{token\}", "a~b" if "appointments" in path else "abc", path)
        path = re.sub(r"\{rest[^}]*\}", "nowhere", re.sub(r"\{\w+\}", "x", path))
        for method in UNSAFE if route.method == "*" else (route.method,):
            yield method, path


async def answer_to_head(site: Site, method: str, path: str, *lines: str) -> int:
    """Send the head of a request with a body, but not the body; return the status of the answer.

    `lines`: further headers.
    """
    host, port = site.server.host, site.server.port
    reader, writer = await asyncio.open_connection(host, port)
    head = [f"{method} {path} HTTP/1.1", f"Host: {host}:{port}", f"Origin: http://{host}:{port}", *lines]
    writer.write(("\r\n".join(head) + "\r\n\r\n").encode())
    try:
        async with asyncio.timeout(WAIT_S):
            return int((await reader.readline()).split()[1])
    finally:
        writer.close()


@pytest.fixture
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the delays after wrong guesses at links.

    These tests use many invalid links, and each request would be delayed longer than the request before.
    """
    monkeypatch.setattr("web.requests.security.Rule.delay_ms", lambda *_: 0)


async def cookie_of(site: Site, email: str) -> str:
    person = site.person()
    await person.sign_in(email)
    return f"Cookie: greenroom={person.cookie}"


@pytest.mark.usefixtures("no_delays")
async def test_s29_on_every_route_a_form_that_is_not_utf_8_is_refused_before_its_body_comes(
    site: Site,
) -> None:
    admin = await cookie_of(site, ADMIN)
    asked = list(routes(site))
    assert len(asked) > 60
    for method, path in asked:
        programs = "/api/v1/" in path
        for at, parameter in enumerate(HOSTILE):
            kind = JSON if programs else (URLENCODED, MULTIPART)[at % 2]
            lines = [f"Content-Type: {kind}; {parameter}", "Content-Length: 1000"]
            status = await answer_to_head(site, method, path, *lines, *([admin] if at % 3 else []))
            # An API request without a valid key is refused before its body is read, so its status does not
            # depend on the encoding.
            assert status in ((401, 404, 405, 429) if programs else (415,)), (method, path, parameter)


@pytest.mark.usefixtures("no_delays")
async def test_s29_on_every_route_a_stranger_who_announces_a_large_body_is_not_waited_for(site: Site) -> None:
    for method, path in routes(site):
        for size in (24 * 1024 + 1, 1 << 20, 1 << 40):
            lines = [f"Content-Type: {URLENCODED}", f"Content-Length: {size}"]
            status = await answer_to_head(site, method, path, *lines)
            assert status < 500, (method, path, status)
        lines = [f"Content-Type: {URLENCODED}", "Content-Encoding: gzip", "Content-Length: 1000"]
        status = await answer_to_head(site, method, path, *lines)
        assert status in ((401, 404, 405, 429) if "/api/v1/" in path else (415,)), (method, path, status)


async def test_s29_a_stranger_cannot_send_more_than_the_page_needs_in_chunks_either(site: Site) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(256):
            yield b"a=" + b"b" * 4094

    for path in (
        "/demo/information",
        "/demo/staff/sign-in",
        "/demo/staff/setup/guide",
        "/demo/staff/password",
    ):
        someone = site.person()
        answer = await someone.post(path, endless(), **{"Content-Type": URLENCODED})
        assert answer.status == 413, path


async def test_s29_forms_of_the_needed_size_are_accepted(site: Site) -> None:
    longest = {**FORM, "name": "é" * 100, "reason": "😀" * 1000, "filled_in_by": "ö" * 100}
    assert (await site.person().post("/demo/information", longest)).status == 303
    for kind in (URLENCODED, f"{URLENCODED}; charset=UTF-8", f'{URLENCODED};charset="utf-8"'):
        someone = site.person()
        body = "email=x%40y.example&password=" + "%C3%A9" * 256
        assert (await someone.post("/demo/staff/sign-in", body, **{"Content-Type": kind})).status == 422
    too_long = {"email": "x@y.example", "password": "a" * SMALL_BYTES}
    assert (await site.person().post("/demo/staff/sign-in", too_long)).status == 413


async def test_s29_a_charset_of_the_clients_choice_never_holds_a_worker(site: Site) -> None:
    someone, started = site.person(), time.thread_time()
    for name in ("punycode", "undefined", "idna"):
        for path in ("/demo/information", "/demo/staff/setup/guide"):
            kind = {"Content-Type": f"{URLENCODED}; charset={name}"}
            assert (await someone.post(path, b"a" * 40_000, **kind)).status == 415
    assert time.thread_time() - started < 2


@pytest.mark.parametrize("body", [b"name=%FF%FE", b"name=\xff", b"&".join([b"a=b"] * 1001)])
async def test_s29_bytes_that_are_no_utf_8_and_a_thousand_fields_are_a_bad_request(
    site: Site, body: bytes
) -> None:
    answer = await site.person().post("/demo/information", body, **{"Content-Type": URLENCODED})
    assert answer.status == 400


async def logo(site: Site, name: str, value: str, *headers: str) -> int:
    """Send the form of the clinic's logo as an administrator; return the status.

    The form has one part: the field `name` with this value. `headers`: further headers of the part.
    """
    person = site.person()
    await person.sign_in(ADMIN)
    head = [f'Content-Disposition: form-data; name="{name}"', *headers]
    body = "\r\n".join(["--x", *head, "", value, "--x--", ""])
    return (await person.post("/demo/staff/setup/logo", body, **{"Content-Type": MULTIPART})).status


async def test_s29_a_part_of_a_form_has_no_encoding_of_its_own(site: Site) -> None:
    for header in (
        "Content-Type: text/plain; charset=punycode",
        "Content-Type: text/plain; charset=utf-16",
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: quoted-printable",
        "Content-Encoding: gzip",
    ):
        assert await logo(site, "do", "remove", header) == 415
    assert await logo(site, "do", "remove", "Content-Type: text/plain; charset=utf-8") == 303


async def test_s29_a_field_named_charset_chooses_no_codec(site: Site) -> None:
    assert await logo(site, "_charset_", "punycode") == 415
    someone = site.person()
    for name, status in (("punycode", 415), ("UTF-8", 303)):
        answer = await someone.post("/demo/information", {**FORM, "_charset_": name})
        assert answer.status == status


async def test_s29_a_sign_in_that_took_too_long_does_not_cost_a_large_form(site: Site) -> None:
    person, redis = site.person(), site.app[REDIS]
    await person.sign_in(ADMIN)
    large = {"topic": "x" * 500_000}
    async for key in redis.scan_iter("session:*"):
        await redis.hset(key, "at", 1)
        await redis.hset(key, "seen", 1)
    answer = await person.post("/demo/staff/setup/guide", large)
    assert (answer.status, "You are signed out" in await answer.text()) == (401, True)
    assert (await site.person().post("/demo/staff/setup/guide", large)).status == 413
    provider = site.person()
    await provider.sign_in(OSEI)
    assert (await provider.post("/demo/staff/setup/guide", large)).status == 403


async def test_s29_programs_send_json_in_utf_8_or_are_refused(site: Site) -> None:
    _, key = await site.app[API_KEYS].add("demo", "Ward", SCOPES, "Robin Hale")
    for parameter in HOSTILE:
        lines = [f"Content-Type: {JSON}; {parameter}", "Content-Length: 1000", f"Authorization: Bearer {key}"]
        assert await answer_to_head(site, "POST", "/demo/api/v1/visits", *lines) == 415
    lines = [f"Content-Type: {JSON}", "Content-Length: 1000", "Content-Encoding: gzip"]
    assert (
        await answer_to_head(site, "POST", "/demo/api/v1/visits", *lines, f"Authorization: Bearer {key}")
        == 415
    )
    lines = [f"Content-Type: {JSON}", "Content-Length: 100000", f"Authorization: Bearer {key}"]
    assert await answer_to_head(site, "POST", "/demo/api/v1/visits", *lines) == 413


@pytest.mark.parametrize(
    "body",
    [
        b'--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 450 + b"--edge--\r\n",
        b"\n" * 24_000 + b'--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n--edge--\r\n',
    ],
)
async def test_f_a_multipart_form_of_too_many_parts_or_lines_is_refused_at_once(body: bytes) -> None:
    loop = asyncio.get_running_loop()
    took = []
    for _ in range(5):
        payload = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
        payload.feed_data(body)
        payload.feed_eof()
        headers = {"Content-Type": "multipart/form-data; boundary=edge"}
        request = make_mocked_request("POST", "/", headers=headers, payload=payload)
        began = time.thread_time()
        with pytest.raises(web.HTTPBadRequest):
            await forms.read_posted(request, 24 * 1024, forms.MULTIPART)
        took.append(time.thread_time() - began)
    assert min(took) < 0.1


@pytest.mark.parametrize("path", ["/demo", "/demo/ws", "/demo/api/v1/visits"])
@pytest.mark.parametrize("name", ["Cookie", "Authorization", "Accept-Language"])
async def test_f_a_request_whose_headers_are_not_utf_8_is_a_bad_request(
    site: Site, path: str, name: str
) -> None:
    reader, writer = await asyncio.open_connection(site.server.host, site.server.port)
    host = f"{site.server.host}:{site.server.port}"
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{name}: Bearer greenroom=".encode()
    writer.write(head + b"\xff\xfe\r\n\r\n")
    async with asyncio.timeout(WAIT_S):
        status = int((await reader.readline()).split()[1])
    writer.close()
    assert status == 400
