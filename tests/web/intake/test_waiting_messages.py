"""Tests messages that a clinic sends automatically to patients who have waited for some minutes."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from signalling.visit.record import Visit
from tests.web.site import Site
from web.intake.waiting_messages import MINUTE_MS, Sender, due
from web.keys import JOBS, ORGANISATIONS, SERVICE
from web.organisations import demo
from web.organisations.settings import WaitingMessage

SOON, LATER = (WaitingMessage(after_min=after, text=f"After {after}") for after in (1, 20))
CLINIC = replace(demo.ORGANISATION, messages=(SOON, LATER))


@pytest.fixture(autouse=True)
def _only_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops the regular check for due messages, because the tests carry it out themselves."""
    monkeypatch.setattr(Sender, "run", lambda _: asyncio.Event().wait())


async def the_visit(site: Site) -> Visit:
    """Return the only open visit of the site."""
    (found,) = (await site.app[SERVICE].mirrors.get("demo")).visits.values()
    return found


def later(site: Site, minutes: float, monkeypatch: Any) -> None:
    """Move the store's clock ahead by this number of minutes, as the site sees it."""
    store = site.app[SERVICE].store
    clock_ms = store.clock_ms
    monkeypatch.setattr(store, "clock_ms", lambda: clock_ms() + round(minutes * MINUTE_MS))


async def test_f19_the_last_message_whose_time_has_come_is_due(site: Site) -> None:
    await site.person().ask_for_a_visit()
    visit = await the_visit(site)
    waits = [
        due(CLINIC, visit, visit.arrived_ms + round(minutes * MINUTE_MS))
        for minutes in (0.9, 1, 19.9, 20, 90)
    ]
    assert waits == [None, SOON, SOON, LATER, LATER]
    assert due(CLINIC, replace(visit, returned=1), visit.arrived_ms + 90 * MINUTE_MS) is None


async def test_f19_an_error_at_one_clinic_does_not_stop_the_messages_of_the_others(
    site: Site, monkeypatch: Any
) -> None:
    service, organisations = site.app[SERVICE], site.app[ORGANISATIONS]
    await organisations.add(replace(CLINIC, id="broken"))
    await site.person().ask_for_a_visit()
    await site.change(messages=(SOON,))
    later(site, 1, monkeypatch)
    mirror_of = service.mirrors.get

    async def broken(name: str) -> Any:
        if name == "broken":
            raise ValueError(name)
        return await mirror_of(name)

    monkeypatch.setattr(service.mirrors, "get", broken)
    assert sorted(await organisations.list())[0] == "broken", "its turn is first"
    assert await Sender(service, organisations).send_due() == 1


async def test_f19_each_message_is_sent_once_by_all_workers_together_and_reaches_an_absent_patient_on_the_page_alone(
    site: Site, monkeypatch: Any
) -> None:
    service, organisations = site.app[SERVICE], site.app[ORGANISATIONS]
    await site.person().ask_for_a_visit()
    visit = await the_visit(site)
    await site.change(messages=(SOON, LATER))
    workers = [Sender(service, organisations) for _ in range(3)]
    assert await asyncio.gather(*(worker.send_due() for worker in workers)) == [0, 0, 0]
    later(site, 1, monkeypatch)
    assert sum(await asyncio.gather(*(worker.send_due() for worker in workers))) == 1
    assert [await worker.send_due() for worker in (*workers, Sender(service, organisations))] == [0] * 4
    (line,) = await service.store.lines("demo", visit.id)
    assert (line.party, line.name, line.text) == ("clinic", "Riverside Clinic", "After 1")
    later(site, 19, monkeypatch)
    assert await workers[0].send_due() == 1
    assert [one.text for one in await service.store.lines("demo", visit.id)] == ["After 1", "After 20"]
    assert not await site.app[JOBS].take("demo", 10), "no mail, no text message"
