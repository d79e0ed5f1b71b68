"""Tests the messages to an absent patient whose visit is claimed, and what staff can see of these messages."""

import asyncio
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import pytest

from signalling.store import jobs as queues
from signalling.store.records import Extra
from signalling.visit.commands import Claim
from signalling.visit.record import Actor, Role, Visit
from signalling.visit.relations import Event
from tests.limits import WAIT_S
from tests.signalling.visits import T0, claimed
from tests.web.mail.smtp import MailServer, mail_server
from tests.web.site import FORM, Person, Site, settings_for
from web import jobs
from web.channels import patient, rules
from web.keys import JOBS, SERVICE
from web.mail.mail_queue import MailQueue
from web.organisations import demo

OSEI = Actor(organisation="demo", id="u_osei", name="Dr M. Osei", role=Role.ADMIN)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes messages go out at once: they do not wait until a patient has been absent for some time.

    A failed message is sent again after 20 ms.
    """
    monkeypatch.setattr(queues, "FIRST_PAUSE_MS", 20)
    monkeypatch.setattr(jobs, "PERIOD_S", 0.05)
    monkeypatch.setattr(rules, "GRACE_MS", 0)


@pytest.fixture
async def smtp() -> AsyncIterator[MailServer]:
    """A running mail server for this test."""
    async with mail_server() as server:
        yield server


@pytest.fixture
async def site(smtp: MailServer, valkey_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """A site that sends its mails through `smtp`."""
    async with Site(settings_for(valkey_url, tmp_path, mail=smtp.settings)) as found:
        yield found


async def waiting(site: Site) -> tuple[Person, str]:
    """Open a visit whose patient has no page open; return (the patient, the id of the visit)."""
    person = site.person()
    assert (await person.ask_for_a_visit()).status == 303
    [visit] = (await site.app[SERVICE].mirrors.get("demo")).visits
    return person, visit


async def claim(site: Site, visit: str) -> None:
    """Let a provider claim the visit."""
    await site.app[SERVICE].command(OSEI, visit, Claim())


async def contacts(site: Site, visit: str, state: str) -> Visit:
    """Return the visit as soon as it has exactly one message to the patient (contact), in this state."""
    async with asyncio.timeout(WAIT_S):
        while True:
            found = await site.app[SERVICE].visit("demo", visit)
            if found is not None and [one.state for one in found.contacts] == [state]:
                return found
            await asyncio.sleep(0.02)


async def test_f11_an_absent_patient_gets_a_letter_at_the_claim_and_the_visit_says_that_it_went_out(
    site: Site, smtp: MailServer
) -> None:
    _, visit = await waiting(site)
    await claim(site, visit)
    [mail] = await smtp.until(1)
    assert mail["To"] == FORM["email"]
    # The mail is in Spanish, because the patient prefers that.
    assert mail["Subject"] == "Es su turno en Riverside Clinic"
    text = str(cast(EmailMessage, mail.get_body(("plain",))).get_content())
    assert "/demo/visit" in text
    assert not [value for value in FORM.values() if len(value) > 2 and value in text]
    found = await contacts(site, visit, "sent")
    assert found.contacts[0].channel == "mail"
    history = await site.app[SERVICE].store.history("demo", visit)
    assert [event.note for event in history if event.kind == "contacted"] == ["mail sent"]


async def test_f11_a_letter_that_does_not_leave_is_tried_again_and_shown_as_such(
    site: Site, smtp: MailServer
) -> None:
    smtp.answers = ["451 later", "550 no such user"]
    _, visit = await waiting(site)
    await claim(site, visit)
    await contacts(site, visit, "failed")
    history = await site.app[SERVICE].store.history("demo", visit)
    notes = [event.note for event in history if event.kind == "contacted"]
    assert notes == ["mail retried", "mail failed"]
    assert smtp.mails == []


@pytest.mark.parametrize(("sent", "recorded"), [(True, "mail"), (False, None)])
def test_only_a_letter_that_leaves_the_server_is_a_contact_that_staff_see(
    sent: bool, recorded: str | None
) -> None:
    promised: list[dict[str, Any]] = []

    class Queue:
        def promise(self, _: str, __: str, payload: dict[str, Any], **___: object) -> Extra:
            promised.append(payload)
            return "", 0, b""

    follows = patient.letters(cast(MailQueue, Queue()), sent=sent)
    list(follows(demo.ORGANISATION, None, claimed(), Event("claimed", T0)))
    assert [payload.get("contact") for payload in promised] == [recorded]


async def test_f11_a_patient_who_is_there_gets_no_letter(site: Site, smtp: MailServer) -> None:
    person, visit = await waiting(site)
    socket = await person.socket("patient")
    await socket.send_json({"type": "visit.enter", "id": 2, "visit": visit})
    async with asyncio.timeout(WAIT_S):
        while (await socket.receive_json()).get("reply_to") != 2:
            pass
    await claim(site, visit)
    async with asyncio.timeout(WAIT_S):
        while await site.app[JOBS].waiting("demo"):  # noqa: ASYNC110 - the store sends no event
            await asyncio.sleep(0.02)
    assert smtp.mails == []
    found = await site.app[SERVICE].visit("demo", visit)
    assert found is not None
    assert found.contacts == ()


async def test_f11_a_letter_to_the_outbox_is_written_once_and_is_no_message_that_staff_see(
    valkey_url: str, tmp_path: Path
) -> None:
    async with Site(settings_for(valkey_url, tmp_path)) as site:
        _, visit = await waiting(site)
        await claim(site, visit)
        async with asyncio.timeout(WAIT_S):
            while await site.app[JOBS].waiting("demo"):  # noqa: ASYNC110 - the store reports nothing
                await asyncio.sleep(0.02)
        found = await site.app[SERVICE].visit("demo", visit)
        assert found is not None
        assert found.contacts == ()
