"""Tests webhooks: signed, repeated until accepted, and never sent to addresses in an internal network."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis

from signalling.service import Accepted
from signalling.store import jobs
from signalling.store.jobs import new_job
from signalling.visit import commands as c
from signalling.visit.record import Actor, Role
from tests.limits import WAIT_S
from tests.signalling.waits import until
from tests.web.api.client import PATIENT, Program, program
from tests.web.conftest import OpenSite
from tests.web.pages.patient.test_guest import OSEI, ROSA, invited
from tests.web.pages.setup.desk import desk
from tests.web.site import Site
from web import jobs as web_jobs
from web.keys import BREAKERS, JOB_QUEUES, MAIL_QUEUE, SERVICE, WEBHOOKS
from web.mail.outbox import OUTBOX
from web.programs import breaker
from web.programs import calls as outgoing
from web.programs.delivery import EVENTS, signature
from web.programs.public_addresses import Resolver, connector, may_call, networks, url_problem


def outbox_of(site: Site) -> Path:
    """Return the folder into which the site writes its mails."""
    return Path(site.settings.data.folder) / OUTBOX


LOOPBACK = {"allow": ["127.0.0.0/8"]}


class Receiver:
    """A server that receives webhooks. `statuses`: those of its next answers; when none is left, it answers 204."""

    def __init__(self) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.url = ""
        self._arrived = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        """Answer POST /hook, to which webhooks are sent, and record the message."""
        self.taken.append((dict(request.headers), await request.read()))
        self._arrived.set()
        status = self.statuses.pop(0) if self.statuses else 204
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})

    async def messages(self, count: int) -> list[dict[str, Any]]:
        """Return the first `count` messages as soon as they have arrived. Raises TimeoutError if they do not arrive in
        time.
        """
        async with asyncio.timeout(WAIT_S):
            while len(self.taken) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return [json.loads(body) for _, body in self.taken]


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Yield a receiver of webhooks on this machine."""
    found = Receiver()
    app = web.Application()
    app.router.add_post("/hook", found.take)
    server = TestServer(app)
    await server.start_server()
    found.url = str(server.make_url("/hook"))
    yield found
    await server.close()


async def made(office: Program, url: str, *events: str) -> Any:
    """Add a webhook for these events; return the JSON of the answer."""
    status, answer = await office.call("POST", "/webhooks", {"url": url, "events": events})
    assert status == 201, answer
    return answer


async def attempts(office: Program, webhook: str, enough: Callable[[list[Any]], bool]) -> list[Any]:
    """Wait until `enough` returns True for the log of a webhook's deliveries; return this log."""
    async with asyncio.timeout(WAIT_S):
        while True:
            found = (await office.call("GET", f"/webhooks/{webhook}/deliveries"))[1]["deliveries"]
            if enough(found):
                return list(found)
            await asyncio.sleep(0.05)


async def test_a_webhook_receives_the_events_of_a_visit_signed_and_without_patient_information(
    open_site: OpenSite,
) -> None:
    site = await open_site(webhooks=LOOPBACK)
    async with receiver() as there:
        office = await program(site)
        secret = (await made(office, there.url))["secret"]
        visit = (await office.open())["visit"]["id"]
        await office.call("POST", f"/visits/{visit}/decline", {"reason": "Please come in."})
        messages = sorted(
            await there.messages(2), key=lambda message: (message["at_ms"], message["visit"]["version"])
        )
        assert [message["event"] for message in messages] == ["opened", "declined"]
        assert [m["visit"]["status"] for m in messages] == ["queued", "ended"]
        assert messages[0]["visit"]["version"] < messages[1]["visit"]["version"]
        assert messages[1]["by"]["name"] == "Front office"
        for headers, body in there.taken:
            signed = headers["Greenroom-Timestamp"].encode() + b"." + body
            expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
            assert headers["Greenroom-Signature"] == f"v1={expected}"
            assert headers["Greenroom-Delivery"] == json.loads(body)["id"]
            text = body.decode()
            assert not [v for v in (*PATIENT.values(), "Please come in.") if len(v) > 2 and v in text]


async def test_a_webhook_does_not_receive_the_name_of_a_guest(open_site: OpenSite) -> None:
    site = await open_site(webhooks=LOOPBACK)
    async with receiver() as there:
        await made(await program(site), there.url, "claimed", "guest_started")
        visit, _ = await invited(site)
        rosa = Actor(organisation="demo", id=ROSA, name="Rosa Diaz", role=Role.GUEST, visit=visit)
        assert isinstance(await site.app[SERVICE].command(rosa, visit, c.Start()), Accepted)
        messages = {message["event"]: message for message in await there.messages(2)}
        assert messages["claimed"]["by"]["name"] == OSEI.name
        assert messages["guest_started"]["by"] is None


async def test_a_webhook_receives_only_the_events_that_it_selected_and_none_while_it_is_off(
    open_site: OpenSite,
) -> None:
    site = await open_site(webhooks=LOOPBACK)
    async with receiver() as there:
        office = await program(site)
        hook = (await made(office, there.url, "declined"))["webhook"]["id"]
        first, second, third = [(await office.open())["visit"]["id"] for _ in range(3)]
        await office.call("PATCH", f"/webhooks/{hook}", {"enabled": False})
        await office.call("POST", f"/visits/{first}/decline", {})
        await office.call("PATCH", f"/webhooks/{hook}", {"enabled": True})
        await office.call("POST", f"/visits/{second}/withdraw")
        await office.call("POST", f"/visits/{third}/decline", {})
        assert [message["visit"]["id"] for message in await there.messages(1)] == [third]
        assert (await office.ask("DELETE", f"/webhooks/{hook}")).status == 204
        assert await office.code("GET", f"/webhooks/{hook}") == (404, "not_found")


async def test_a_receiver_that_fails_is_tried_again_until_it_takes_it_and_admins_see_each_try(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "FIRST_PAUSE_MS", 50)
    site = await open_site(webhooks=LOOPBACK)
    async with receiver() as there:
        office = await program(site)
        hook = (await made(office, there.url, "opened"))["webhook"]["id"]
        there.statuses = [500, 302]  # a redirect is not followed, because it could lead to any address
        await office.open()
        messages = await there.messages(3)
        assert len({message["id"] for message in messages}) == 1
        log = await attempts(office, hook, lambda found: len(found) == 3)
        assert [entry["status"] for entry in log] == [204, 302, 500]
        assert [entry["attempt"] for entry in log] == [3, 2, 1]
        assert [entry["problem"] for entry in log] == [None, "redirects are not followed", "not taken"]
        page = await (await (await desk(site)).person.get("/demo/staff/setup/api")).text()
        assert "302 · redirects are not followed" in page


async def test_f42_a_letter_leaves_while_two_hundred_deliveries_hang(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name, seconds in (
        (outgoing, "EACH_S", 3600),
        (web_jobs, "EACH_S", 3600),
        (web_jobs, "FINISH_S", 0.05),
    ):
        monkeypatch.setattr(module, name, seconds)
    site = await open_site(webhooks=LOOPBACK)
    calls: list[asyncio.StreamWriter] = []
    never = asyncio.Event()

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(writer)
        await never.wait()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    try:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        hook = await site.app[WEBHOOKS].add("demo", url, ())
        assert hook is not None
        payload = {"webhook": hook.id, "event": "opened", "visit": "v", "body": b"{}"}
        for _ in range(200):
            await site.app[JOB_QUEUES]["webhook"].add("demo", new_job("webhook", payload, 0))
        await until(lambda: len(calls) == web_jobs.AT_ONCE)
        await site.app[MAIL_QUEUE].queue("demo", "trial", "a@example.org", "en", {"name": "A"}, now_ms=1)
        await until(lambda: bool(list(outbox_of(site).glob("*.eml"))))
        assert len(calls) == web_jobs.AT_ONCE, "the letter left while every delivery was hanging"
    finally:
        for writer in calls:
            writer.close()
        server.close()


async def test_f42_a_receiver_that_fails_is_paused_shown_so_and_called_again_after_the_pause(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "FIRST_PAUSE_MS", 10)
    monkeypatch.setattr(web_jobs, "PERIOD_S", 0.02)
    site = await open_site(webhooks=LOOPBACK)
    async with receiver() as there:
        office = await program(site)
        hook = (await made(office, there.url, "opened"))["webhook"]["id"]
        there.statuses = [500] * breaker.OPENS_AFTER
        await office.open()
        await there.messages(breaker.OPENS_AFTER)
        await until(lambda: site.app[BREAKERS].paused("demo", hook, 0))
        admin = (await desk(site)).person
        page = await (await admin.get("/demo/staff/setup/api")).text()
        assert "Paused" in page
        assert "5 deliveries in a row were not taken." in page
        await office.open()
        queue, now_ms = site.app[JOB_QUEUES]["webhook"], site.app[SERVICE].clock_ms()

        async def both_wait() -> bool:
            due = [due_ms for due_ms, _ in await queue.waiting("demo")]
            return len(due) == 2 and min(due) > now_ms + breaker.FIRST_PAUSE_MS // 2

        await until(both_wait)
        assert len(there.taken) == breaker.OPENS_AFTER
        await office.call("PATCH", f"/webhooks/{hook}", {"enabled": True})
        await office.open()
        await there.messages(breaker.OPENS_AFTER + 1)

        async def goes_on() -> bool:
            return "Paused" not in await (await admin.get("/demo/staff/setup/api")).text()

        await until(goes_on)


async def test_two_changes_of_a_webhook_at_the_same_time_are_both_kept(site: Site) -> None:
    webhooks = site.app[WEBHOOKS]
    hook = await webhooks.add("demo", "https://example.org/greenroom", ())
    assert hook is not None
    await asyncio.gather(
        webhooks.change("demo", hook.id, events=("claimed",)), webhooks.change("demo", hook.id, enabled=False)
    )
    found = await webhooks.get("demo", hook.id)
    assert found is not None
    assert (found.events, found.enabled) == (("claimed",), False)


async def test_a_delivery_is_written_in_the_commit_of_its_event_even_if_no_worker_runs_jobs(
    open_site: OpenSite, valkey: Redis
) -> None:
    site = await open_site(webhooks=LOOPBACK)
    async with receiver() as there:
        office = await program(site)
        await made(office, there.url)
        there.statuses = [503] * 20
        await office.open()
        assert await valkey.zcard("{demo}:queue:webhook") >= 1
        await there.messages(1)
        assert await valkey.zcard("{demo}:queue:webhook") >= 1  # the job still waits in the queue


# --- tests of the addresses that a webhook may have


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/hook",
        "https://127.0.0.1/hook",
        "https://[::1]/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[fe80::1%25eth0]/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://user:secret@example.org/",
        "https://example.org/#part",
        "https://example.org:0/",
        "https://exa mple.org/",
        "https:///hook",
        "https://[::1/",
    ],
)
async def test_a_webhook_cannot_lead_to_a_private_address_or_without_encryption(url: str) -> None:
    assert url_problem(url, ()) is not None


def test_a_public_address_may_be_called_and_a_private_one_where_the_settings_say_so() -> None:
    assert url_problem("https://example.org/hook?for=us", ()) is None
    assert url_problem("https://93.184.215.14:8443/", ()) is None
    inside = networks(["10.20.0.0/16"])
    assert url_problem("http://10.20.1.1/hook", inside) is None
    assert url_problem("http://10.21.1.1/hook", inside) is not None
    assert may_call("::ffff:10.20.1.1", inside)


async def test_a_host_name_that_leads_to_an_internal_address_is_refused_when_it_is_called(
    open_site: OpenSite,
) -> None:
    for name in ("localhost", "2130706433", "0x7f.1"):
        with pytest.raises(OSError):
            await Resolver(()).resolve(name, 443)
    site = await open_site()
    office = await program(site)
    hook = (await made(office, "https://localhost:9/hook", "opened"))["webhook"]["id"]
    await office.open()
    entry, *_ = await attempts(office, hook, bool)
    assert (entry["status"], entry["problem"]) == (0, "the address is not public")


FORMS = (
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0177.0.0.1", "017700000001", "0x7f.1", "0x7f000001", "127.0.0.1.",
    "0.0.0.0", "0", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]", "[64:ff9b::7f00:1]",
)  # fmt: skip
DIGITS = (
    "0123456789", "０１２３４５６７８９", "⁰¹²³⁴⁵⁶⁷⁸⁹", "₀₁₂₃₄₅₆₇₈₉", "⓪①②③④⑤⑥⑦⑧⑨", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗", "𝟶𝟷𝟸𝟹𝟺𝟻𝟼𝟽𝟾𝟿",
)  # fmt: skip
DOTS = (".", "。", "．", "｡", "․")
SPELLINGS = sorted({
    form.translate(str.maketrans("0123456789.", digits + dot)) for form in FORMS for digits in DIGITS for dot in DOTS
})  # fmt: skip
"""Addresses of this machine in every notation, with digits and dots of every script."""


@pytest.mark.parametrize("port", ["", ":443"])
def test_s33_no_spelling_of_an_address_that_is_not_public_passes(port: str) -> None:
    assert [host for host in SPELLINGS if url_problem(f"https://{host}{port}/hook", ()) is None] == []
    assert [host for host in SPELLINGS if url_problem(f"http://{host}{port}/hook", ()) is None] == []


async def test_s33_no_spelling_of_an_internal_address_is_connected_to_even_if_the_url_was_not_checked() -> (
    None
):
    async with receiver() as there:
        port = there.url.split(":")[-1]
        names = (*SPELLINGS, "localhost", "ⅼocalhost", "LOCALHOST.", "ip6-localhost")
        for host in names:
            reaches, sockets = connector(())
            async with aiohttp.ClientSession(connector=reaches) as session:
                with pytest.raises((aiohttp.ClientError, OSError, ValueError)):
                    await session.post(f"http://{host}:{port}", data=b"x")
            assert not there.taken, host
        reaches, sockets = connector(())
        async with aiohttp.ClientSession(connector=reaches) as session:
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.post(there.url, data=b"x")
        assert sockets.refused, "by the address that is dialled"
        reaches, _ = connector(networks(LOOPBACK["allow"]))
        async with aiohttp.ClientSession(connector=reaches) as session, session.post(there.url) as answer:
            assert answer.status == 204, "the same client reaches it where the settings allow it"


async def test_a_webhook_that_is_not_valid_is_refused_with_the_reason(site: Site) -> None:
    office = await program(site)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://①②⑦.0.0.1/"}, "url"),
        ({"url": "https://127。0。0。1/"}, "url"),
        ({"url": "https://example.org/", "events": ["eaten"]}, "events"),
        ({"url": "ftp://example.org/"}, "url"),
        ({}, "$"),
    ]
    for body, field in wrong:
        status, problem = await office.call("POST", "/webhooks", body)
        assert (status, problem["errors"][0]["field"]) == (422, field), problem
    for _ in range(20):
        await made(office, "https://example.org/", *EVENTS[:2])
    assert await office.code("POST", "/webhooks", {"url": "https://example.org/"}) == (
        409,
        "too_many_webhooks",
    )


def test_the_signature_is_the_one_that_the_description_promises() -> None:
    assert signature("s", 1_790_000_000, b"{}") == (
        "v1=" + hmac.new(b"s", b"1790000000.{}", hashlib.sha256).hexdigest()
    )


@pytest.mark.parametrize("address", ["fec0::1", "64:ff9b:1::a00:1", "::10.0.0.1", "::1"])
def test_s33_internal_addresses_that_python_calls_global_are_not_public(address: str) -> None:
    assert not may_call(address, ())
