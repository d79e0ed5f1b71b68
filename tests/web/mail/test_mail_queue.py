"""Tests mail on its way from an event to a real SMTP server: refusals, outages, and a worker that dies on the way."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, cast

import pytest
import structlog

from signalling.store import jobs as queues
from signalling.visit.commands import Assign, Close, Decline
from signalling.visit.record import Actor, Role
from tests.limits import WAIT_S
from tests.signalling.waits import until
from tests.web.api.test_visits import received
from tests.web.mail.smtp import mail_server
from tests.web.site import ADMIN as ROBIN
from tests.web.site import OSEI, Site, settings_for
from web import jobs
from web.keys import ACCOUNTS, BREAKERS, JOBS, MAIL_QUEUE, SERVICE
from web.mail import carriers, mail_queue
from web.mail.outbox import OUTBOX
from web.programs import breaker, deliveries

CONTEXT = {"name": "Ana Ruiz", "reason": ""}
ADMIN = Actor(organisation="demo", id="u_admin", name="Robin Hale", role=Role.ADMIN)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes workers look for new mails often, and send a failed mail again soon."""
    monkeypatch.setattr(queues, "FIRST_PAUSE_MS", 20)
    monkeypatch.setattr(jobs, "PERIOD_S", 0.05)
    monkeypatch.setattr(jobs, "FINISH_S", 0.1)
    monkeypatch.setattr(breaker, "FIRST_PAUSE_MS", 20)


async def queue(site: Site, to: str = "ana@example.org", language: str = "en", **how: Any) -> None:
    """Put a mail to write (a letter) into the mail queue, as pages do. `how`: further arguments of the queue."""
    await site.app[MAIL_QUEUE].queue("demo", "declined", to, language, CONTEXT, now_ms=_now_ms(), **how)


async def test_a_letter_leaves_through_the_smtp_server_in_its_language(
    valkey_url: str, tmp_path: Path
) -> None:
    async with mail_server() as smtp, Site(settings_for(valkey_url, tmp_path, mail=smtp.settings)) as site:
        await queue(site, language="es")
        [mail] = await smtp.until(1)
        assert mail["Subject"] == "Su solicitud en Riverside Clinic"
        assert mail["To"] == "ana@example.org"
        await _nothing_left(site)


async def test_mails_wait_while_the_smtp_server_is_down_and_leave_when_it_is_back(
    valkey_url: str, tmp_path: Path
) -> None:
    async with mail_server() as smtp:
        await smtp.stop()
        async with Site(settings_for(valkey_url, tmp_path, mail=smtp.settings)) as site:
            with structlog.testing.capture_logs() as logs:
                await queue(site)
                await until(lambda: any(entry["event"].startswith("job.failed") for entry in logs))
            await smtp.start()
            assert len(await smtp.until(1)) == 1
            await _nothing_left(site)


async def test_mails_wait_without_attempts_while_the_mail_server_is_paused_and_are_sent_again(
    valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE_MS", 600_000)
    monkeypatch.setattr(breaker, "TRIAL_MS", 20)
    monkeypatch.setattr(mail_queue, "LONGEST_PAUSE_MS", 600_000)
    monkeypatch.setattr(deliveries, "LATE_MS", -60_000)
    async with mail_server() as smtp:
        await smtp.stop()
        async with Site(settings_for(valkey_url, tmp_path, mail=smtp.settings)) as site:
            await queue(site)
            await until(lambda: site.app[BREAKERS].paused("demo", "mail", 0))
            await queue(site, to="late@example.org")

            async def all_wait() -> bool:
                due = [due_ms for due_ms, _ in await site.app[JOBS].waiting("demo")]
                attempts = sorted(one.attempts for one in await site.app[JOBS].listed("demo", 9))
                return attempts == [0, breaker.OPENS_AFTER] and min(due) > _now_ms() + 60_000

            await until(all_wait)
            await smtp.start()
            _taken_at_once(monkeypatch, site)
            assert await deliveries.send_again(site.app, "demo", "text") == 0, "another receiver"
            assert await deliveries.send_again(site.app, "demo", "mail") == 2
            await smtp.until(2)
            await _nothing_left(site)
            assert await site.app[BREAKERS].paused("demo", "mail", 0) is None


async def test_a_mail_server_that_asks_to_come_later_is_asked_again(valkey_url: str, tmp_path: Path) -> None:
    async with mail_server() as smtp, Site(settings_for(valkey_url, tmp_path, mail=smtp.settings)) as site:
        smtp.answers = ["450 greylisted", "451 come later"]
        await queue(site)
        await smtp.until(1)
        assert smtp.asked == 3


async def test_a_refused_recipient_is_given_up_and_named_in_no_log(valkey_url: str, tmp_path: Path) -> None:
    async with mail_server() as smtp, Site(settings_for(valkey_url, tmp_path, mail=smtp.settings)) as site:
        smtp.answers = ["550 ana@example.org: no such user"]
        with structlog.testing.capture_logs() as logs:
            await queue(site)
            await until(lambda: site.app[JOBS].dead("demo"))
        assert smtp.asked == 1
        assert "the mail server refuses the recipient" in str(logs)
        assert "ana" not in str(logs).lower()


async def test_a_worker_that_dies_after_sending_sends_the_same_mail_again_under_the_same_id(
    valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "LEASE_MS", 300)
    monkeypatch.setattr(carriers, "TIMEOUT_S", 3600.0)
    async with mail_server() as smtp, AsyncExitStack() as stack:
        settings = settings_for(valkey_url, tmp_path, mail=smtp.settings)
        smtp.hold = asyncio.Event()  # from now on mails arrive, but the worker gets no answer
        await queue(await stack.enter_async_context(Site(settings)))
        await smtp.until(1)
        async with asyncio.timeout(WAIT_S):  # a worker that stops does not wait for the mail server
            await stack.aclose()
        sent = len(smtp.mails)  # on a slow machine more than one, because the lease is short
        smtp.hold.set()
        async with Site(settings) as other:
            mails = await smtp.until(sent + 1)
            assert len({mail["Message-ID"] for mail in mails}) == 1
            await _nothing_left(other)


async def test_without_an_smtp_server_each_mail_is_a_file_that_only_the_server_can_read(
    valkey_url: str, tmp_path: Path
) -> None:
    async with Site(settings_for(valkey_url, tmp_path)) as site:
        await queue(site)
        await _nothing_left(site)
    [path] = (tmp_path / OUTBOX).glob("*.eml")
    mail = message_from_bytes(path.read_bytes(), policy=default)
    assert mail["To"] == "ana@example.org"
    assert path.stat().st_mode & 0o077 == 0
    assert "ana" not in path.name


async def test_f18_a_patient_gets_a_mail_with_the_reason_or_that_the_clinic_closed(
    valkey_url: str, tmp_path: Path
) -> None:
    async with mail_server() as smtp, Site(settings_for(valkey_url, tmp_path, mail=smtp.settings)) as site:
        visit = await _a_visit(site)
        await site.app[SERVICE].command(ADMIN, visit, Decline("Please come in."))
        [mail] = await smtp.until(1)
        # The mail is in Spanish, because the patient prefers that.
        assert mail["Subject"] == "Su solicitud en Riverside Clinic"
        assert "Please come in." in _text(mail)
        visit = await _a_visit(site)
        await site.app[SERVICE].command(ADMIN, visit, Close())
        closed = (await smtp.until(2))[-1]
        assert "ha cerrado" in _text(closed)


async def test_f00_a_decline_sends_the_mail_and_is_under_the_admins_bell(
    valkey_url: str, tmp_path: Path
) -> None:
    async with mail_server() as smtp, Site(settings_for(valkey_url, tmp_path, mail=smtp.settings)) as site:
        visit = await _a_visit(site)
        robin = site.person()
        await robin.sign_in(ROBIN)
        ws = await robin.socket("staff")
        await ws.send_json({"type": "subscribe", "id": 2, "topic": "bell"})
        await received(ws, "bell.snapshot")
        await ws.send_json({"type": "visit.decline", "id": 3, "visit": visit, "reason": "Please come in."})
        rung = await received(ws, "bell.item")
        assert (rung["unread"], rung["item"]["kind"], rung["item"]["visit"]) == (1, "declined", visit)
        [mail] = await smtp.until(1)
        assert (mail["To"], "Please come in." in _text(mail)) == ("ana@example.org", True)


async def test_an_assigned_provider_gets_a_mail_only_if_they_wish(valkey_url: str, tmp_path: Path) -> None:
    async with mail_server() as smtp, Site(settings_for(valkey_url, tmp_path, mail=smtp.settings)) as site:
        visit = await _a_visit(site)
        for person in ("u_osei", "u_lind"):
            account = await site.app[ACCOUNTS].get("demo", person)
            assert account is not None
            await site.app[ACCOUNTS].prefer(
                "demo",
                account.email,
                mail_assigned=account.email == OSEI,
                notify=True,
                language="en",
                phone="",
                texts=False,
            )
            await site.person().sign_in(account.email)
            actor = Actor(organisation="demo", id=person, name=account.name, role=Role.PROVIDER)
            await site.app[SERVICE].set_on_call(actor, on=True)
        await site.app[SERVICE].command(ADMIN, visit, Assign("u_lind"))
        await _nothing_left(site)
        await site.app[SERVICE].command(ADMIN, visit, Assign("u_osei"))
        [mail] = await smtp.until(1)
        assert mail["To"] == OSEI
        assert "Robin Hale has assigned a patient to you" in _text(mail)
        assert "Ana" not in _text(mail)


def _taken_at_once(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    """Make a worker take mails that become due before the caller who has made them due continues."""
    breakers, looks = site.app[BREAKERS], list[str]()
    may_call, make_due = breakers.wait_until_ms, site.app[JOBS].soon

    async def wait_until_ms(organisation: str, receiver: str) -> int:
        found = await may_call(organisation, receiver)
        looks.append(receiver)
        return found

    async def soon(organisation: str, members: Sequence[bytes]) -> int:
        moved = await make_due(organisation, members)
        await until(lambda: looks)
        return moved

    monkeypatch.setattr(breakers, "wait_until_ms", wait_until_ms)
    monkeypatch.setattr(site.app[JOBS], "soon", soon)


def _text(mail: EmailMessage) -> str:
    return cast(str, cast(EmailMessage, mail.get_body(("plain",))).get_content())


async def _a_visit(site: Site) -> str:
    person = site.person()
    assert (await person.ask_for_a_visit()).status == 303
    [visit] = (await site.app[SERVICE].mirrors.get("demo")).visits
    return visit


async def _nothing_left(site: Site) -> None:
    async def nothing() -> bool:
        return not await site.app[JOBS].waiting("demo")

    await until(nothing)


def _now_ms() -> int:
    return int(time.time() * 1000)
