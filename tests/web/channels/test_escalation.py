"""Tests messages to staff who have no page open, about requests that nobody claims.

The on-call rota chooses the person, whose phone gets the message.
"""

import asyncio
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from signalling.store import keys
from signalling.visit.commands import Claim, Command, Escalate
from signalling.visit.record import Actor, Role, Visit
from tests.limits import WAIT_S
from tests.signalling.waits import until
from tests.web.channels.push_service import LOOPBACK as LOCAL
from tests.web.channels.push_service import push_service
from tests.web.channels.test_texts import LOOPBACK, phones
from tests.web.conftest import OpenSite
from tests.web.pages.setup.desk import desk
from tests.web.pages.setup.test_areas import arrives
from tests.web.site import FORM, LIND, OSEI, Site, settings_for
from web import jobs
from web.channels import escalation, rota, staff, texts
from web.channels.devices import Device
from web.channels.escalation import escalate
from web.channels.messages import Message
from web.channels.text_service import Service
from web.keys import ACCOUNTS, JOB_QUEUES, ORGANISATIONS, PUSH, REDIS, SERVICE, TEXT_SERVICES
from web.organisations.settings import Area, Rota, Turn

ALWAYS = ((("00:00", "24:00"),),) * 7
PAGE, MINE = "/demo/staff/setup/rota", "/demo/staff/preferences"
ROBIN = Actor(organisation="demo", id="u_admin", name="Robin Hale", role=Role.ADMIN)
SERVICE_OF_NOBODY = Service("json://127.0.0.1:9/{phone}", "Robin Hale", 1)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops the regular check for unclaimed requests, because the tests start it themselves.

    Shortens each minute of the rota to 0.1 s.
    """
    monkeypatch.setattr(escalation, "run", lambda app: asyncio.Event().wait())
    monkeypatch.setattr(rota, "MINUTE_MS", 100)


def of(*people: str) -> Rota:
    """Return a rota in which these people are on duty at all hours, in this order.

    After a message to one person, the next person gets a message only a day later.
    """
    return Rota(first_min=1, next_min=1440, turns=tuple(Turn(person=one, hours=ALWAYS) for one in people))


async def chooses(site: Site, email: str, **fields: Any) -> None:
    """Turn text messages on for the member of staff with this email address. `fields`: other preferences."""
    chosen = {"language": "en", "phone": "+1 512 555 0150", "texts": True, **fields}
    await site.app[ACCOUNTS].prefer("demo", email, mail_assigned=False, notify=True, **chosen)


async def waiting(site: Site) -> list[Visit]:
    """Return the visits that wait in the queue."""
    return (await site.app[SERVICE].mirrors.get("demo")).visits.queue(urgent_first=False)


async def sent(count: int, *sites: Site) -> None:
    """Check for requests on all workers at the same time, until messages about exactly `count` requests were sent."""
    total = 0
    async with asyncio.timeout(WAIT_S):
        while total < count:
            total += sum(await asyncio.gather(*(escalate(site.app) for site in sites)))
            await asyncio.sleep(0.02)
    assert total == count


async def all_due(site: Site, count: int) -> bool:
    """Return whether messages about exactly `count` requests are due, as the worker `site` knows the visits."""
    clinic, now_ms = await site.app[ORGANISATIONS].get("demo"), site.app[SERVICE].clock_ms()
    return (
        clinic is not None
        and sum(rota.is_due(one, clinic.rota, now_ms) for one in await waiting(site)) == count
    )


def decide_before_one_writes(monkeypatch: pytest.MonkeyPatch, *sites: Site) -> None:
    """Make each worker decide to send a message before any worker records its decision.

    So all workers decide on the same state of the visit.
    """
    barrier = asyncio.Barrier(len(sites))

    async def command(held: Any, actor: Actor, visit: str, wanted: Command) -> Any:
        if isinstance(wanted, Escalate):
            await barrier.wait()
        return await held(actor, visit, wanted)

    for site in sites:
        service = site.app[SERVICE]
        monkeypatch.setattr(service, "command", partial(command, service.command))


async def is_here(site: Site, person: str) -> bool:
    """Return whether the store says that this member of staff has a page open."""
    return await site.app[REDIS].zscore(keys.HERE("demo"), person) is not None


async def unreached(site: Site, person: str) -> bool:
    """Return whether exactly one message about the first waiting visit has not arrived: the message to `person`."""
    return [one.id for one in (await waiting(site))[0].escalations if not one.reached] == [person]


async def test_f41_a_provider_without_a_page_gets_a_text_message_then_the_next_and_a_failure_is_shown(
    valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PERIOD_S", 0.05)
    monkeypatch.setattr(texts, "TIMEOUT_S", WAIT_S)
    async with phones() as there, Site(settings_for(valkey_url, tmp_path, webhooks=LOOPBACK)) as site:
        await site.app[TEXT_SERVICES].put("demo", Service(there.url, "Robin Hale", 1))
        osei, admin = site.person(), await desk(site)
        await osei.sign_in(OSEI)
        form = {"phone": "512 555 0150", "texts": "yes", "language": "en"}
        assert (await osei.post(MINE, form)).status == 303
        assert "The service has taken the message." in await (await osei.post(f"{MINE}/text")).text()
        assert [number for number, _ in there.taken] == ["15125550150"]
        await chooses(site, LIND)
        for person in ("u_osei", "u_lind"):
            assert (await admin.change("rota", first_min="1", next_min="1", new=person)).status == 303
        await site.person().ask_for_a_visit()
        await sent(1, site)
        await until(lambda: len(there.taken) == 2)
        number, text = there.taken[-1]
        link = f"{site.settings.origin}/demo/staff"
        assert number == "15125550150"
        assert text == f"Riverside Clinic: 1 patient waits, and nobody has claimed them yet. {link}"
        assert not [value for value in FORM.values() if len(value) > 2 and value in text]
        await site.app[TEXT_SERVICES].put("demo", Service("nonsense://{phone}", "Robin Hale", 2))
        await sent(1, site)
        await until(lambda: unreached(site, "u_lind"))
        (visit,) = await waiting(site)
        for address in (PAGE, "/demo/staff/setup/texts"):
            listed = (await (await admin.person.get(address)).text()).partition("Not delivered")[2]
            assert re.findall("<bdi>(.*?)</bdi>", listed.partition("</ul>")[0]) == ["Dr Jonas Lind"], address
        history = await site.app[SERVICE].store.history("demo", visit.id)
        assert [(event.kind, event.note) for event in history if event.note] == [
            ("escalated", "Dr Maya Osei"),
            ("escalated", "Dr Jonas Lind"),
            ("not_reached", "Dr Jonas Lind"),
        ]
        assert len(there.taken) == 2


async def test_f41_of_two_workers_one_sends_each_message_and_a_worker_that_begins_anew_sends_none_again(
    open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    # with this long period no job runs, so the messages stay in their queue
    monkeypatch.setattr(jobs, "PERIOD_S", 3600)
    one, other = await open_site(), await open_site()
    await one.app[TEXT_SERVICES].put("demo", SERVICE_OF_NOBODY)
    await chooses(one, OSEI)
    await chooses(one, LIND)
    await one.change(rota=of("u_osei", "u_lind"))
    for _ in range(4):
        await one.person().ask_for_a_visit()
    for site in (one, other):
        await until(partial(all_due, site, 4))
    decide_before_one_writes(monkeypatch, one, other)
    assert sum(await asyncio.gather(escalate(one.app), escalate(other.app))) == 4
    third = await open_site()
    assert await escalate(third.app) == 0
    assert [[told.id for told in visit.escalations] for visit in await waiting(third)] == [["u_osei"]] * 4
    queued = await one.app[JOB_QUEUES]["text"].waiting("demo")
    assert [job.payload["person"] for _, job in queued] == ["u_osei"], "one message says how many wait"


async def test_f41_somebody_with_an_open_page_is_passed_over_and_a_claim_ends_the_messages(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.app[TEXT_SERVICES].put("demo", SERVICE_OF_NOBODY)
    monkeypatch.setattr(jobs, "PERIOD_S", 3600)
    await chooses(site, OSEI)
    await chooses(site, LIND)
    await site.change(rota=of("u_osei", "u_lind"))
    osei = site.person()
    await osei.sign_in(OSEI)
    await osei.socket("staff")
    await until(lambda: is_here(site, "u_osei"))
    await site.person().ask_for_a_visit()
    await sent(1, site)
    (visit,) = await waiting(site)
    assert [one.name for one in visit.escalations] == ["Dr Jonas Lind"]
    write, payload = staff.waiting(site.app), {"visit": visit.id, "person": "u_lind"}
    clinic = await site.app[ORGANISATIONS].get("demo")
    assert clinic is not None
    assert await write(clinic, payload) is not None
    await site.app[SERVICE].command(ROBIN, visit.id, Claim())
    assert await write(clinic, payload) is None
    assert await escalate(site.app) == 0


async def test_f41_a_device_is_a_channel_and_so_are_text_messages_while_the_clinic_has_a_service(
    site: Site,
) -> None:
    async def channels() -> list[tuple[str, ...]]:
        accounts = await site.app[ACCOUNTS].list("demo")
        found = await staff.channels_of(site.app, "demo", accounts)
        return [found[person] for person in ("u_osei", "u_lind")]

    await chooses(site, OSEI)
    device = Device("https://push.example/1", "p256dh", "auth", "Firefox, Linux", 1)
    for person in ("u_osei", "u_lind"):
        await site.app[PUSH].staff.add("demo", person, device)
    assert await channels() == [("push",), ("push",)]
    await site.app[TEXT_SERVICES].put("demo", SERVICE_OF_NOBODY)
    assert await channels() == [("text", "push"), ("push",)]
    await site.app[PUSH].staff.drop("demo", "u_lind", device.id)
    assert await channels() == [("text", "push"), ()]


async def test_f41_the_rota_wakes_a_device_whose_page_is_closed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PERIOD_S", 0.05)
    site.app[PUSH].allowed = LOCAL
    osei = site.person()
    await osei.sign_in(OSEI)
    async with push_service() as there:
        added = {"do": "add", **there.subscription()}
        assert (await osei.post(f"{MINE}/devices", added)).status == 204
        await site.change(rota=of("u_osei"))
        await site.person().ask_for_a_visit()
        await sent(1, site)
        await until(lambda: there.read)
    [note] = there.read
    assert (note["path"], note["lang"]) == ("/demo/staff", "en")
    assert "1 patient waits" in note["body"]
    assert not [value for value in FORM.values() if len(value) > 2 and value in str(note)]


async def test_f41_a_message_counts_the_requests_that_its_reader_may_see_in_their_language(
    site: Site,
) -> None:
    await site.change(areas=(Area(id="mind", name="Mind"),))
    await site.person().ask_for_a_visit()
    for _ in range(2):
        await arrives(site.person())
    lind = await site.app[ACCOUNTS].find("demo", LIND)
    assert lind is not None
    await site.app[ACCOUNTS].edit("demo", LIND, name=lind.name, role=lind.role, states=(), areas=("skin",))
    clinic, (visit, *_) = await site.app[ORGANISATIONS].get("demo"), await waiting(site)
    assert clinic is not None
    said = {}
    for email, language in ((LIND, "en"), (OSEI, "es")):
        await chooses(site, email, language=language)
        person = await site.app[ACCOUNTS].find("demo", email)
        assert person is not None
        said[language] = await staff.waiting(site.app)(clinic, {"visit": visit.id, "person": person.id})
    assert said["en"] == Message(
        "1 patient waits, and nobody has claimed them yet.", "/demo/staff", "15125550150", "en", "u_lind"
    )
    assert said["es"] is not None
    assert said["es"].sentence.startswith("3 pacientes esperan")
