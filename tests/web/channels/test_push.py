"""Tests push notifications: a push service accepts one, refuses it, or answers that the subscription is gone.

Notifications are never sent to internal addresses. The push service runs on this machine, and a browser there decrypts
the notifications.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from redis.asyncio import Redis

from signalling.store import jobs as queues
from signalling.store import keys
from signalling.store.jobs import Taken, new_job
from signalling.visit.commands import Claim
from signalling.visit.record import Actor, Role
from tests.limits import WAIT_S
from tests.web.channels.push_service import LOOPBACK, PushService, claims_of, push_service
from tests.web.site import FORM, OSEI, Person, Site
from web import jobs
from web.channels.devices import MOST, device_name
from web.channels.messages import Message
from web.channels.push import Push, result_of
from web.channels.push_messages import Sender, device_of
from web.errors import DeliveryError, PermanentJobError, PutOffError
from web.keys import ACCOUNTS, BREAKERS, ORGANISATIONS, PUSH, SERVICE
from web.organisations.settings import Organisation
from web.programs.breaker import OPENS_AFTER
from web.programs.calls import NO_CONNECTION, NOT_ALLOWED

ADMIN = Actor(organisation="demo", id="u_admin", name="Robin Hale", role=Role.ADMIN)
HELLO = Message("A request waits. Open it:", "/demo/staff", person="u_osei")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes messages go out at once. A failed message is sent again after 20 ms."""
    monkeypatch.setattr(queues, "FIRST_PAUSE_MS", 20)
    monkeypatch.setattr(jobs, "PERIOD_S", 0.05)


@pytest.fixture
async def there() -> AsyncIterator[PushService]:
    """A running push service on this machine."""
    async with push_service() as found:
        yield found


@pytest.fixture
def push(site: Site) -> Push:
    """The site's sender of push messages, which may send to this machine."""
    site.app[PUSH].allowed = LOOPBACK
    return site.app[PUSH]


async def waiting(site: Site, there: PushService) -> tuple[Person, str]:
    """Open a visit whose patient wants notifications but has no page open; return (the patient, the visit's id)."""
    person = site.person()
    await person.ask_for_a_visit()
    [visit] = (await site.app[SERVICE].mirrors.get("demo")).visits
    answer = await person.post(f"/demo/visits/{visit}/contact", {"push": "yes", **there.subscription()})
    assert answer.status == 204
    return person, visit


async def came_of(site: Site, visit: str, last: str) -> list[str]:
    """Return the notes on push messages in the visit's history, as soon as the history has the note `last`."""
    async with asyncio.timeout(WAIT_S):
        while True:
            history = await site.app[SERVICE].store.history("demo", visit)
            notes = [event.note for event in history if event.kind == "contacted" and event.note]
            if last in notes:
                return [note for note in notes if note.startswith("push")]
            await asyncio.sleep(0.02)


async def test_f11_an_absent_patient_who_asked_for_it_gets_a_notification_that_holds_nothing_of_them(
    site: Site, push: Push, there: PushService
) -> None:
    there.statuses = [503]
    person, visit = await waiting(site, there)
    assert f'"push":{{"key":"{push.public_key}"' in await (await person.get("/demo/visit")).text()
    await site.app[SERVICE].command(ADMIN, visit, Claim())
    assert await came_of(site, visit, "push sent") == ["push retried", "push sent"]
    [read] = there.read
    assert read == {
        "title": "Riverside Clinic",
        # The notification is in Spanish, because the patient prefers that.
        "body": "Es su turno. Abra su visita.",
        "path": "/demo/visit",
        "lang": "es",
        "dir": "ltr",
    }
    assert not [value for value in FORM.values() if len(value) > 2 and value in str(read)]
    assert 0 < int(there.headers["TTL"]) <= 30 * 60
    assert claims_of(there.headers)["aud"] == there.url.removesuffix("/push")
    assert f"k={push.public_key}" in there.headers["Authorization"]


async def test_f11_staff_see_that_no_notification_went_out_once_the_push_service_has_lost_the_device(
    site: Site, push: Push, there: PushService
) -> None:
    there.statuses = [410]
    _, visit = await waiting(site, there)
    await site.app[SERVICE].command(ADMIN, visit, Claim())
    assert await came_of(site, visit, "push failed") == ["push failed"]
    assert await push.visits.of("demo", visit) == []


async def test_a_patient_adds_and_takes_away_a_device_beside_the_text_message(
    site: Site, push: Push, there: PushService, valkey: Redis
) -> None:
    person, visit = await waiting(site, there)
    mirror, path = await site.app[SERVICE].mirrors.get("demo"), f"/demo/visits/{visit}/contact"
    await person.post(path, {"text": "yes"})
    await person.post(path, {"push": "yes", **there.subscription("phone")})
    assert set(mirror.visits[visit].agreed) == {"push", "text"}
    assert len(await push.visits.of("demo", visit)) == 2
    sealed = await valkey.hvals(keys.VISIT_DEVICES("demo", visit))
    assert not [value for value in sealed if there.url.encode() in value]
    await person.post(path, {"push": "no", **there.subscription("phone")})
    assert set(mirror.visits[visit].agreed) == {"push", "text"}, "one device is left"
    await person.post(path, {"push": "no", **there.subscription()})
    assert mirror.visits[visit].agreed == ("text",)
    stranger = await site.person().post(path, {"push": "yes", **there.subscription()})
    assert stranger.status == 404
    assert await push.visits.of("demo", visit) == []


async def test_a_push_service_that_fails_is_left_alone_and_the_others_are_not(
    site: Site, push: Push, there: PushService
) -> None:
    organisation = await site.app[ORGANISATIONS].get("demo")
    assert organisation is not None
    assert not await push.to_account(organisation, "u_osei", HELLO, 1, 60), "no device yet"
    ours = push.device(there.subscription(), "", 1)
    assert ours is not None
    await push.staff.add("demo", "u_osei", ours)
    there.statuses = [503] * OPENS_AFTER
    now_ms = site.app[SERVICE].clock_ms()
    for _ in range(OPENS_AFTER):
        with pytest.raises(DeliveryError):
            await push.to_account(organisation, "u_osei", HELLO, now_ms, 60)
    with pytest.raises(PutOffError):
        await push.to_account(organisation, "u_osei", HELLO, now_ms, 60)
    assert there.asked == OPENS_AFTER
    async with push_service() as other:
        second = push.device(other.subscription(), "", 2)
        assert second is not None
        await push.staff.add("demo", "u_osei", second)
        assert await push.to_account(organisation, "u_osei", HELLO, now_ms, 60)
        assert other.read[0]["body"] == "A request waits. Open it."
        other.statuses = [400]
        await push.staff.drop("demo", "u_osei", ours.id)
        with pytest.raises(PermanentJobError):
            await push.to_account(organisation, "u_osei", HELLO, now_ms, 60)


async def test_f41_a_message_whose_device_was_removed_meanwhile_has_failed(site: Site, push: Push) -> None:
    async def hello(organisation: Organisation, payload: Mapping[str, Any]) -> Message:
        return HELLO

    sends = Push(
        Sender(bytes(32), "https://greenroom.example"),
        push.visits,
        push.staff,
        site.app[ORGANISATIONS],
        {"hello": hello},
        site.app[BREAKERS],
        "",
    )
    job = new_job("push", {"message": "hello"}, 1)
    with pytest.raises(PermanentJobError, match="no device any more"):
        await sends.deliver("demo", Taken(job, b"", 1, 1, 1))


@pytest.mark.parametrize(
    ("status", "problem", "result"),
    [
        (201, None, "sent"),
        (404, None, "gone"),
        (410, None, "gone"),
        (429, None, "failed"),
        (500, None, "failed"),
        (0, NO_CONNECTION, "failed"),
        (0, NOT_ALLOWED, "refused"),
        (301, None, "refused"),
        (403, None, "refused"),
        (413, None, "refused"),
    ],
)
def test_what_an_answer_of_a_push_service_means(status: int, problem: str | None, result: str) -> None:
    assert result_of(status, problem) == result


@pytest.mark.parametrize(
    "changed",
    [
        {"endpoint": "http://push.example.org/ana"},
        {"endpoint": "https://127.0.0.1/ana"},
        {"endpoint": "https://2130706433/ana"},
        {"endpoint": "https://10.0.0.1:8443/ana"},
        {"endpoint": "https://[::1]/ana"},
        {"endpoint": "https://[2606:4700::1111]/ana"},
        {"endpoint": "https://ana:secret@push.example.org/ana"},
        {"endpoint": "https://push.example.org/" + "a" * 1000},
        {"endpoint": ""},
        {"p256dh": "BAAA"},
        {"p256dh": "no key"},
        {"auth": "c2hvcnQ"},
        {"auth": "ä"},
    ],
    ids=str,
)
def test_s51_a_device_with_an_internal_address_or_an_invalid_key_is_not_stored(
    changed: dict[str, str],
) -> None:
    right = {**PushService().subscription(), "endpoint": "https://push.example.org/ana"}
    assert device_of(right, "", 1, ()) is not None
    assert device_of({**right, **changed}, "", 1, ()) is None


async def test_s51_a_host_name_that_leads_to_an_internal_address_is_not_called(
    site: Site, there: PushService
) -> None:
    push, organisation = site.app[PUSH], await site.app[ORGANISATIONS].get("demo")
    assert organisation is not None
    inside = {**there.subscription(), "endpoint": there.url.replace("http://127.0.0.1", "https://localhost")}
    device = push.device(inside, "", 1)
    assert device is not None, "a name is looked up at each call"
    await push.staff.add("demo", "u_osei", device)
    with pytest.raises(PermanentJobError):
        await push.to_account(organisation, "u_osei", HELLO, 1, 60)
    assert there.asked == 0


async def test_an_account_has_at_most_a_few_devices_and_none_once_it_is_disabled(
    site: Site, push: Push, there: PushService
) -> None:
    for number in range(MOST + 1):
        device = push.device(there.subscription(f"d{number}"), "", number)
        assert device is not None
        assert await push.staff.add("demo", "u_osei", device) is (number < MOST)
    again = push.device(there.subscription("d0"), "", 1)
    assert again is not None
    assert await push.staff.add("demo", "u_osei", again), "the same device again is no further one"
    await site.app[ACCOUNTS].disable("demo", OSEI)
    assert await push.staff.of("demo", "u_osei") == []


def test_a_device_is_named_by_its_browser_and_system() -> None:
    android = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/143.0.0.0 Mobile Safari/537.36"
    edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/143.0 Safari/537.36 Edg/143.0"
    iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile/15E148 Safari/604.1"
    assert [device_name(one) for one in (android, edge, iphone, "curl/8")] == [
        "Chrome, Android",
        "Edge, Windows",
        "Safari, iPhone",
        "?",
    ]
