"""Tests rules for every request: origins, headers, addresses, and the delay of guesses."""

import asyncio
import time

import pytest
from aiohttp import WSServerHandshakeError
from aiohttp.test_utils import make_mocked_request
from redis.asyncio import Redis
from structlog.testing import capture_logs

from signalling import repeated
from tests.web.conftest import OpenSite
from tests.web.site import FORM, OSEI, Site
from web.errors import BlockedError
from web.keys import THROTTLE
from web.requests.security import ACCOUNT, SIGN_IN, Rule, Throttle, neighbourhood, remote_of

FAST = Rule("sign_in", first_delay_ms=1, longest_delay_ms=2)


# --- tests of the origins of requests (SECURITY.md rows 1 and 2)


@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", "http://127.0.0.1:1", "http://[", ""]
)
async def test_a_socket_from_a_foreign_page_is_refused_before_the_upgrade(
    site: Site, origin: str | None
) -> None:
    osei = site.person()
    await osei.sign_in(OSEI)
    with pytest.raises(WSServerHandshakeError) as refused:
        await osei.client.ws_connect("/demo/ws", headers={} if origin is None else {"Origin": origin})
    assert refused.value.status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "nonsense"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
    ],
)
async def test_a_form_of_another_site_changes_nothing(site: Site, headers: dict[str, str]) -> None:
    someone = site.person()
    response = await someone.client.post(
        "/demo/information", data=FORM, headers=headers, allow_redirects=False
    )
    assert response.status == 403
    assert "did not come from a page of this site" in await response.text()
    assert someone.cookie == ""


@pytest.mark.parametrize("site_header", ["same-origin", "none"])
async def test_fetch_metadata_of_our_own_pages_is_enough(site: Site, site_header: str) -> None:
    someone = site.person()
    response = await someone.client.post(
        "/demo/information", data=FORM, headers={"Sec-Fetch-Site": site_header}, allow_redirects=False
    )
    assert response.status == 303


# --- tests of the headers of responses (SECURITY.md row 26)


@pytest.mark.parametrize(
    "path", ["/demo", "/demo/information", "/nowhere", "/static/icon.svg", "/static/none.js", "/healthz"]
)
async def test_every_answer_has_the_security_headers(site: Site, path: str) -> None:
    headers = (await site.person().get(path)).headers
    policy = headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert all(
        part in policy for part in ("default-src 'none'", "frame-ancestors 'none'", "script-src 'self'")
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Server" not in headers


@pytest.mark.parametrize("path", ["/static/css/base.css", "/static/accent.js", "/static/locale/es.js"])
async def test_f49_a_part_of_a_page_has_the_headers_about_itself_and_no_policy_for_pages(
    site: Site, path: str
) -> None:
    headers = (await site.person().get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert {"Content-Security-Policy", "Permissions-Policy", "Server"}.isdisjoint(headers)


async def test_f49_a_websocket_handshake_has_no_headers_for_pages(site: Site) -> None:
    osei = site.person()
    await osei.sign_in(OSEI)
    async with osei.client.ws_connect(
        "/demo/ws", headers={"Origin": f"{osei.client.make_url('/')}"[:-1]}
    ) as socket:
        headers = socket._response.headers
    assert {"Content-Security-Policy", "Permissions-Policy", "Cache-Control", "Server"}.isdisjoint(headers)


async def test_pages_about_people_are_not_stored_by_browsers(site: Site) -> None:
    ana = site.person()
    await ana.ask_for_a_visit()
    for path in ("/demo", "/demo/visit", "/demo/staff/sign-in"):
        assert (await ana.get(path)).headers["Cache-Control"] == "no-store"


async def test_a_host_header_cannot_add_to_the_policy(site: Site) -> None:
    response = await site.person(Host="x; script-src *").get("/healthz")
    assert "*" not in response.headers.get("Content-Security-Policy", "")


@pytest.mark.parametrize(("host", "named"), [("[::1]:8000", False), ("example.org:8000", True)])
async def test_a_policy_names_no_ipv6_address_which_browsers_would_report_as_an_error(
    site: Site, host: str, named: bool
) -> None:
    policy = (await site.person(Host=host).get("/healthz")).headers["Content-Security-Policy"]
    assert (host in policy) is named
    assert "connect-src 'self'" in policy


# --- tests of IP addresses behind proxies


def test_forwarded_addresses_are_believed_from_trusted_proxies_only() -> None:
    def remote(forwarded: str, proxies: list[str]) -> str:
        request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": forwarded})
        return remote_of(request.clone(remote="10.0.0.1"), proxies)

    assert remote("203.0.113.9", []) == "10.0.0.1"
    assert remote("203.0.113.9", ["10.0.0.0/8"]) == "203.0.113.9"
    assert remote("1.1.1.1, 203.0.113.9", ["10.0.0.0/8"]) == "203.0.113.9"
    assert remote("203.0.113.9, 10.0.0.7", ["10.0.0.0/8"]) == "203.0.113.9"


def test_a_household_of_ipv6_counts_as_one() -> None:
    assert (
        neighbourhood("2001:db8:1:2:3::4")
        == neighbourhood("2001:db8:1:2:ffff::1%eth0")
        == "2001:db8:1:2::/64"
    )
    assert neighbourhood("2001:db8:1:3::1") != neighbourhood("2001:db8:1:2::1")
    assert neighbourhood("::ffff:203.0.113.9") == "203.0.113.9"


PROXIED = ["10.0.0.0/8", "2001:db8:ffff::/48"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("203.0.113.5:51123", "203.0.113.5"),
        ("203.0.113.5", "203.0.113.5"),
        (' "203.0.113.5:80" ', "203.0.113.5"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ('"[2001:DB8:0::1]:443"', "2001:db8::1"),
        ("[2001:db8::1]:_hidden", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%eth0]:443", "fe80::1"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("[::ffff:203.0.113.5]:8080", "203.0.113.5"),
    ],
)
def test_s43_an_address_with_a_port_or_brackets_is_that_address(written: str, meant: str) -> None:
    for proxy in ("10.0.0.1", "::ffff:10.0.0.1", "2001:db8:ffff::1"):
        request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": written})
        assert remote_of(request.clone(remote=proxy), PROXIED) == meant
    # Here the request passes two proxies: the first proxy has the address 10.0.0.7, and the second proxy has added
    # that address to the header, with a port.
    request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": f"{written}, 10.0.0.7:1234"})
    assert remote_of(request.clone(remote="10.0.0.1"), PROXIED) == meant


@pytest.mark.parametrize(
    "text", ["unknown", "_abc", "203.0.113.5:51123:9", "[2001:db8::1", "1.2.3", "é", "::1::"]
)
def test_s43_addresses_that_cannot_be_read_are_not_counted_as_one_person(text: str) -> None:
    request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": text})
    found = neighbourhood(remote_of(request.clone(remote="10.0.0.1"), PROXIED))
    assert found == neighbourhood(text)
    assert found not in {neighbourhood(other) for other in ("203.0.113.9", "10.0.0.1", "_other", "")}
    assert text not in found


async def test_s43_behind_a_proxy_that_adds_ports_one_guesser_blocks_nobody_else(open_site: OpenSite) -> None:
    site = await open_site(server={"trusted_proxies": ["127.0.0.1"]})
    for _ in range(10):
        await fail(site.app[THROTTLE], FAST, "203.0.113.5")
    guesser, other = (site.person(**{"X-Forwarded-For": f"203.0.113.{n}:5112{n}"}) for n in (5, 6))
    assert ((await guesser.sign_in(OSEI)).status, (await other.sign_in(OSEI)).status) == (429, 303)


# --- tests of guesses at secrets (SECURITY.md row 14)


def test_the_delay_doubles_up_to_its_longest() -> None:
    assert [SIGN_IN.delay_ms(failed) for failed in range(5)] == [0, 100, 200, 400, 800]
    assert SIGN_IN.delay_ms(9) == SIGN_IN.delay_ms(10**9) == 25_000
    assert ACCOUNT.delay_ms(100) == 5_000


async def fail(throttle: Throttle, rule: Rule, who: str) -> None:
    async with throttle.attempt(rule, "demo", who):
        pass


async def test_ten_wrong_guesses_block_an_address_on_every_worker(valkey: Redis) -> None:
    one, other = Throttle(valkey), Throttle(valkey)
    for _ in range(5):
        await fail(one, FAST, "203.0.113.9")
        await fail(other, FAST, "203.0.113.9")
    for throttle in (one, other):
        with pytest.raises(BlockedError) as blocked:
            await fail(throttle, FAST, "203.0.113.9")
        assert 1700 <= blocked.value.retry_s <= 1800
    await fail(one, FAST, "203.0.113.10")


async def test_guesses_made_at_once_do_not_exceed_the_limit(valkey: Redis) -> None:
    throttle, checked = Throttle(valkey), 0

    async def guess() -> None:
        nonlocal checked
        async with throttle.attempt(FAST, "demo", "203.0.113.9"):
            checked += 1
            await asyncio.sleep(0.02)

    answers = await asyncio.gather(*(guess() for _ in range(40)), return_exceptions=True)
    assert checked == 10
    assert sum(isinstance(answer, BlockedError) for answer in answers) == 30


async def test_fifty_people_of_one_address_sign_in_at_once(valkey: Redis) -> None:
    throttle = Throttle(valkey)

    async def right() -> None:
        async with throttle.attempt(FAST, "demo", "203.0.113.9") as attempt:
            await asyncio.sleep(0.01)
            attempt.succeeded()

    await asyncio.gather(*(right() for _ in range(50)))


async def test_an_error_of_the_server_counts_as_no_guess(valkey: Redis) -> None:
    throttle = Throttle(valkey)
    for _ in range(12):
        with pytest.raises(ConnectionError):
            async with throttle.attempt(FAST, "demo", "203.0.113.9"):
                raise ConnectionError
    await fail(throttle, FAST, "203.0.113.9")


async def test_sign_in_says_for_how_long_it_is_blocked(site: Site, valkey: Redis) -> None:
    throttle = Throttle(valkey)
    for _ in range(10):
        await fail(throttle, FAST, "127.0.0.1")
    started = time.monotonic()
    response = await site.person().sign_in(OSEI)
    assert time.monotonic() - started < SIGN_IN.delay_ms(10) / 1000
    assert response.status == 429
    assert 1700 < int(response.headers["Retry-After"]) <= 1800
    assert "Try again in 30 min" in await response.text()


def test_s48_a_proxy_whose_addresses_cannot_be_read_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeated, "_repeated", repeated.Repeated())
    with capture_logs() as told:
        assert len({neighbourhood(f"_hidden{number}") for number in range(1000)}) == 1000
    assert [event["event"] for event in told] == ["remote.unreadable"]
