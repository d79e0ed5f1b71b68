"""Tests text messages, from the app to a service that sends them to phones: accepted, refused, or late.

Text messages are never sent to an internal address.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis

from signalling.store import jobs as queues
from signalling.store import keys
from signalling.store.encryption import Seal
from signalling.store.jobs import Taken, new_job
from signalling.visit.commands import Claim
from signalling.visit.record import Actor, Role
from tests.limits import WAIT_S
from tests.web.pages.setup.desk import desk
from tests.web.site import FORM, Site, settings_for
from web import jobs
from web.channels import text_service, texts
from web.channels.text_service import Service, TextServices
from web.errors import PermanentJobError
from web.keys import BREAKERS, HANDLERS, JOB_QUEUES, REDIS, SERVICE, TEXT_SERVICES
from web.server.data_key import key_id

ADMIN = Actor(organisation="demo", id="u_admin", name="Robin Hale", role=Role.ADMIN)
PAGE = "/demo/staff/setup/texts"
LOOPBACK = {"allow": ["127.0.0.0/8"]}


class Phones:
    """A service that takes text messages. `statuses`: the statuses of its next answers; when none is left, it answers
    200.

    `taken`: the messages that it has received, as (phone number, text).
    """

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.statuses: list[int] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        """Answer POST /sms/{number}, and add the message to `taken`."""
        self.taken.append((request.match_info["number"], json.loads(await request.read())["message"]))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@asynccontextmanager
async def phones() -> AsyncIterator[Phones]:
    """Yield a service for text messages on this machine."""
    found, app = Phones(), web.Application()
    app.router.add_post("/sms/{number}", found.take)
    server = TestServer(app)
    await server.start_server()
    found.url = f"json://127.0.0.1:{server.port}/sms/{{phone}}"
    yield found
    await server.close()


@pytest.fixture(autouse=True)
def _any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives the program that sends a text message as much time as a busy machine needs."""
    monkeypatch.setattr(texts, "TIMEOUT_S", WAIT_S)


async def test_f11_a_patient_who_agreed_gets_a_text_message_that_is_tried_again_and_holds_nothing_of_them(
    valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "FIRST_PAUSE_MS", 20)
    monkeypatch.setattr(jobs, "PERIOD_S", 0.05)
    async with phones() as there, Site(settings_for(valkey_url, tmp_path, webhooks=LOOPBACK)) as site:
        await site.app[TEXT_SERVICES].put("demo", Service(there.url, "Robin Hale", 1))
        there.statuses = [500]
        person = site.person()
        await person.ask_for_a_visit()
        assert '"contact":{"text":true,' in await (await person.get("/demo/visit")).text()
        service = site.app[SERVICE]
        [visit] = (await service.mirrors.get("demo")).visits
        assert (await person.post(f"/demo/visits/{visit}/contact", {"text": "yes"})).status == 204
        await service.command(ADMIN, visit, Claim())
        async with asyncio.timeout(WAIT_S):
            notes: list[str | None] = []
            while "text sent" not in notes:
                notes = [event.note for event in await service.store.history("demo", visit)]
                await asyncio.sleep(0.05)
        assert [note for note in notes if note in ("text retried", "text sent")] == [
            "text retried",
            "text sent",
        ]
        number, text = there.taken[-1]
        assert number == "15125550142"
        assert text == f"Riverside Clinic: Es su turno. Abra su visita: {site.settings.origin}/demo/visit"
        assert not [value for value in FORM.values() if len(value) > 2 and value in text]


async def test_a_patient_who_did_not_agree_or_has_no_visit_gets_no_text_message(site: Site) -> None:
    person = site.person()
    await person.ask_for_a_visit()
    mirror = await site.app[SERVICE].mirrors.get("demo")
    [name] = mirror.visits
    assert (await site.person().post(f"/demo/visits/{name}/contact", {"text": "yes"})).status == 404
    assert '"contact":{"text":false,' in await (await person.get("/demo/visit")).text()
    for answer, agreed in (("yes", ("text",)), ("no", ())):
        await person.post(f"/demo/visits/{name}/contact", {"text": answer})
        assert mirror.visits[name].agreed == agreed


async def test_the_set_up_keeps_a_service_encrypted_says_what_is_wrong_and_tries_it(
    site: Site, valkey: Redis
) -> None:
    robin = (await desk(site)).person

    async def answer(**fields: str) -> str:
        return await (await robin.post(PAGE, fields)).text()

    assert "Write {phone} in the address" in await answer(do="save", url="json://127.0.0.1/sms")
    wrong = await answer(do="save", url="nonsense://secret/{phone}")
    assert "Greenroom does not know this kind of address" in wrong
    assert 'value="nonsense://secret/{phone}"' in wrong, "what was typed is kept"
    url = "json://user:s3cret@127.0.0.1:9/sms/{phone}"
    assert (await robin.post(PAGE, {"do": "save", "url": url})).status == 303
    page = await (await robin.get(PAGE)).text()
    assert "json, set by" in page
    assert "s3cret" not in page
    sealed = await valkey.get(keys.TEXT_SERVICE("demo"))
    assert isinstance(sealed, bytes)
    assert b"s3cret" not in sealed
    assert "Write a phone number with area code" in await answer(do="try", phone="12")
    assert "it must be on the internet" in await answer(do="try", phone="(512) 555-0142")
    await answer(do="remove")
    assert await site.app[TEXT_SERVICES].get("demo") is None


async def test_a_worker_asks_every_two_seconds_at_most_whether_there_is_a_service(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, breakers = site.app[TEXT_SERVICES], site.app[BREAKERS]
    elsewhere = TextServices(site.app[REDIS], Seal({key_id(bytes(32)): bytes(32)}), breakers)
    monkeypatch.setattr(text_service, "KEEP_S", float("inf"))
    assert not await here.has("demo")
    await elsewhere.put("demo", Service("json://127.0.0.1/{phone}", "Robin Hale", 1))
    assert not await here.has("demo"), "known from a moment ago"
    monkeypatch.setattr(text_service, "KEEP_S", -1.0)
    assert await here.has("demo")
    await breakers.failed("demo", "text", 0)
    monkeypatch.setattr(text_service, "KEEP_S", float("inf"))
    await here.drop("demo")
    assert not await here.has("demo"), "asked anew after a change here"
    assert not await site.app[REDIS].exists(keys.BREAKER("demo", "text")), "its failures are forgotten"


async def _lost(_: str, __: Taken) -> bool:
    raise PermanentJobError("lost")


async def test_f20_the_page_names_whom_a_text_message_did_not_reach(site: Site) -> None:
    robin, ana = (await desk(site)).person, site.person()
    await site.app[TEXT_SERVICES].put("demo", Service("json://127.0.0.1/{phone}", "Robin Hale", 1))
    assert "Not delivered" not in await (await robin.get(PAGE)).text()
    await ana.ask_for_a_visit(name="محمد علي")
    [visit] = (await site.app[SERVICE].mirrors.get("demo")).visits
    site.app[HANDLERS]["text"] = _lost
    to_staff = {"message": "waiting", "person": "u_osei", "name": "Dr Maya Osei", "contact": "text"}
    for payload in ({"message": "turn"}, to_staff):
        await site.app[JOB_QUEUES]["text"].add("demo", new_job("text", {**payload, "visit": visit}, 1))
    link, page = f'<a href="/demo/staff/visits/{visit}"><bdi>', ""
    async with asyncio.timeout(WAIT_S):
        while (
            f"A patient’s turn, {link}محمد علي" not in page or f"A patient waits, {link}Dr Maya" not in page
        ):
            page = await (await robin.get(PAGE)).text()


async def test_a_service_that_does_not_answer_in_time_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "TIMEOUT_S", 0.01)
    assert await texts.ask("json://127.0.0.1/{phone}", "Hello", ()) == "late"
