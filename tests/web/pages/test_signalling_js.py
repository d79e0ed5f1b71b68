"""Tests signalling.js as the page of another site would use it: resume, topics, requests, close codes."""

import time
from typing import Any

import pytest
from playwright.async_api import Page

from tests.web.pages.clinic import Clinic, RefusedError
from tests.web.pages.conftest import OpenPage
from tests.web.pages.steady import stop_clock

CONNECT = """async (topics) => {
    const { SignallingClient } = await import('/static/signalling.js');
    const client = new SignallingClient('/demo/ws', { role: 'staff', timeout_ms: 60_000 });
    Object.assign(window, { client, heard: [], statuses: [] });
    client.addEventListener('status', ({ detail }) => statuses.push(detail));
    for (const topic of topics) client.subscribe(topic, (message) => heard.push(message));
    const open = new Promise((done) => client.addEventListener('welcome', done, { once: true }));
    client.connect();
    await open;
}"""
# The page's clock stands still, so that the waits are exact also on a slow machine. Its timers run on.
HEAR_WAITS = """(count) => {
    const waits = [], now = Date.now();
    Date.now = () => now;
    window.waits = new Promise((done) => client.addEventListener('status', ({ detail }) => {
        if (detail.status === 'retrying' && waits.push(detail.retry_at_ms - now) === count) done(waits);
    }));
}"""
REQUEST = """([message, how]) => client.request(message, how).then((answer) => answer.type, (error) => error.code)"""


async def connected(open_page: OpenPage, *topics: str) -> Page:
    """Return a page with a connected client that has subscribed to these topics."""
    page = await open_page("/demo/nowhere")
    await page.evaluate(CONNECT, list(topics))
    return page


async def heard(page: Page, count: int) -> list[dict[str, Any]]:
    """Return the messages that the handlers of the topics have received, as soon as there are `count`."""
    await page.wait_for_function("(count) => heard.length >= count", arg=count)
    found: list[dict[str, Any]] = await page.evaluate("heard")
    assert len(found) == count, found
    return found


async def request(page: Page, message: dict[str, Any], **how: Any) -> str:
    """Send a request; return the type of its answer, or the code of its error. `how`: options of `request`."""
    answer: str = await page.evaluate(REQUEST, [message, how])
    return answer


async def test_a_lost_socket_is_resumed_and_nothing_is_received_twice(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await connected(open_page, "queue")
    await heard(page, 1)
    await clinic.arrives(clinic.row("v_1", "Ana", 1))
    await heard(page, 2)
    await clinic.cut()
    await clinic.until(lambda: len(clinic.hellos) == 2 and len(clinic.got("subscribe")) == 2)
    assert clinic.hellos[1]["resume"] == "r_1"
    again = clinic.got("subscribe")[1]
    assert (again["epoch"], again["version"]) == ("e_1", clinic.version)
    await clinic.arrives(clinic.row("v_2", "Ben", 0))
    messages = await heard(page, 3)
    assert [message["type"] for message in messages] == ["queue.snapshot", "queue.row", "queue.row"]


async def test_stale_messages_are_dropped_and_a_new_epoch_is_taken(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await connected(open_page, "queue", "visit/v_1")
    await heard(page, 2)
    clinic.version = 40
    await clinic.push("queue", {"type": "queue.gone", "visit": "v_9", "why": "claimed", "by": None})
    await heard(page, 3)
    clinic.version = 20
    await clinic.push("queue", {"type": "queue.gone", "visit": "v_8", "why": "claimed", "by": None})
    clinic.version, clinic.epoch = 3, "e_2"
    await clinic.tell_visit()
    messages = await heard(page, 4)
    assert messages[-1]["epoch"] == "e_2"
    assert messages[-1]["visit"]["id"] == "v_1"


async def test_a_change_that_overtakes_the_snapshot_is_kept_for_it(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.silent.add("subscribe")
    page = await connected(open_page, "queue")
    await clinic.until(lambda: clinic.got("subscribe"))
    for topics in clinic.sockets.values():
        topics.add("queue")
    clinic.version = 10
    await clinic.push("queue", {"type": "queue.gone", "visit": "v_1", "why": "claimed", "by": None})
    await clinic.push("queue", {"type": "queue.gone", "visit": "v_2", "why": "claimed", "by": None})
    clinic.version = 11
    await clinic.send(clinic.whole("queue"))
    messages = await heard(page, 2)
    assert [message["version"] for message in messages] == [11, 12]


@pytest.mark.parametrize("code", ["resume_expired", "resume_ended", "resume_invalid"])
async def test_after_a_refused_resume_a_new_connection_begins_on_the_same_socket(
    clinic: Clinic, open_page: OpenPage, code: str
) -> None:
    await connected(open_page)
    clinic.refuse_resume = code
    await clinic.cut()
    await clinic.until(lambda: len(clinic.hellos) == 3)
    assert "resume" in clinic.hellos[1]
    assert "resume" not in clinic.hellos[2]
    assert len(clinic.sockets) == 1


async def test_requests_in_flight_are_sent_again_if_repeating_does_no_harm(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await connected(open_page)
    clinic.silent |= {"visit.save", "visit.claim"}
    save = {"type": "visit.save", "visit": "v_1", "step": "allergies", "answer": "Latex", "left": True}
    await page.evaluate(
        """(messages) => {
            const send = (message) => client.request(message).then((answer) => answer.type, (error) => error.code);
            window.answers = Promise.all(messages.map(send));
        }""",
        [save, {"type": "visit.claim", "visit": "v_1"}],
    )
    await clinic.until(lambda: clinic.got("visit.claim"))
    clinic.silent.clear()
    await clinic.cut()
    assert await page.evaluate("answers") == ["done", "timeout"]
    assert len(clinic.got("visit.save")) == 2
    assert len(clinic.got("visit.claim")) == 1
    assert clinic.case["answers"] == {"allergies": "Latex"}


async def test_a_refusal_has_the_servers_code_and_a_silent_server_a_timeout(
    clinic: Clinic, open_page: OpenPage
) -> None:
    def refuse(_: dict[str, Any]) -> None:
        raise RefusedError("not_on_call", "Go On-Call first.")

    clinic.refuse["visit.claim"] = refuse
    clinic.silent.add("on_call")
    page = await connected(open_page)
    assert await request(page, {"type": "visit.claim", "visit": "v_1"}) == "not_on_call"
    assert await request(page, {"type": "on_call", "on": True}, timeout_ms=1_500) == "timeout"


async def test_requests_that_could_do_harm_later_are_not_kept_while_disconnected(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await connected(open_page)
    clinic.open_to_all = False
    await clinic.cut()
    await page.wait_for_function("() => statuses.at(-1).status === 'retrying'")
    assert await request(page, {"type": "visit.claim", "visit": "v_1"}) == "offline"
    assert not clinic.got("visit.claim")


@pytest.mark.parametrize("code", [4201, 4202, 4203, 1000])
async def test_some_close_codes_mean_stay_away_until_the_person_acts(
    clinic: Clinic, open_page: OpenPage, code: int
) -> None:
    page = await connected(open_page)
    await clinic.cut(code)
    await page.wait_for_function("() => statuses.at(-1).status !== 'open'")
    # The client would have reconnected before the end of this wait, if the close code allowed a reconnection.
    await page.evaluate("new Promise((later) => setTimeout(later, 900))")
    assert len(clinic.hellos) == 1
    assert await page.evaluate("statuses.at(-1)") == {"status": "closed", "code": code}
    assert await request(page, {"type": "visit.save", "visit": "v_1"}) == "closed"
    await page.evaluate("client.connect()")
    await clinic.until(lambda: len(clinic.hellos) == 2)
    assert "resume" not in clinic.hellos[1]


async def test_a_draining_worker_is_left_for_another_within_two_seconds(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await connected(open_page)
    await page.evaluate("Math.random = () => 0.99")
    await page.evaluate(HEAR_WAITS, 1)
    await clinic.cut(1001)
    (wait,) = await page.evaluate("waits")
    assert wait == pytest.approx(0.99 * 2_000), "a random part of two seconds"
    await clinic.until(lambda: len(clinic.hellos) == 2)


async def test_waits_between_attempts_grow_and_vary(clinic: Clinic, open_page: OpenPage) -> None:
    page = await connected(open_page)
    await page.evaluate(HEAR_WAITS, 4)
    clinic.open_to_all = False
    await clinic.cut()
    for number, wait in enumerate(await page.evaluate("waits")):
        assert 0.5 * 500 * 2**number - 1 <= wait <= 500 * 2**number + 1
    clinic.open_to_all = True


async def test_a_socket_that_no_longer_answers_is_given_up_when_the_device_wakes(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo/nowhere")
    await stop_clock(page)
    await page.evaluate(CONNECT, [])
    clinic.silent.add("ping")
    await page.evaluate("client.wake()")
    await clinic.until(lambda: clinic.got("ping"))
    await page.clock.run_for(2_500)
    assert await page.evaluate("statuses.at(-1).status") == "retrying"
    await page.clock.resume()
    await clinic.until(lambda: len(clinic.hellos) == 2)
    assert clinic.hellos[1]["resume"] == "r_1"


async def test_waits_are_counted_against_the_servers_clock(clinic: Clinic, open_page: OpenPage) -> None:
    page = await open_page("/demo/nowhere")
    # the clock of this device is one hour behind
    await page.clock.install(time=time.time() - 3_600)
    before_ms = time.time() * 1000
    await page.evaluate(CONNECT, [])
    now_ms = await page.evaluate("client.now()")
    assert before_ms - 100 <= now_ms <= time.time() * 1000 + 100


async def test_a_clock_that_is_set_while_the_page_is_open_is_compared_again_at_the_next_ping(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo/nowhere")
    await stop_clock(page)
    await page.evaluate(CONNECT, [])
    before_ms = await page.evaluate("client.now()")
    await page.clock.set_system_time(0)
    assert await page.evaluate("client.now()") < before_ms - 3_000_000
    await page.evaluate("client.wake()")
    await page.wait_for_function("(before_ms) => client.now() >= before_ms", arg=before_ms)


async def test_changes_of_a_lost_socket_do_not_hide_those_of_a_new_epoch(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.silent.add("subscribe")
    page = await connected(open_page, "queue")
    await clinic.until(lambda: clinic.got("subscribe"))
    clinic.version = 800
    gone = {"type": "queue.gone", "visit": "v_1", "why": "claimed", "by": None}
    await clinic.send({**gone, "topic": "queue", "version": 801})
    clinic.silent.clear()
    clinic.version, clinic.epoch = 3, "e_2"
    await clinic.cut()
    await heard(page, 1)
    await clinic.push("queue", gone)
    assert [message["version"] for message in await heard(page, 2)] == [3, 4]


async def test_a_refusal_that_comes_too_late_is_not_taken_for_a_refused_hello(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.silent.add("visit.claim")
    page = await connected(open_page, "queue")
    await heard(page, 1)
    await page.evaluate(
        """() => {
            window.refused = 0;
            client.addEventListener('refused', () => { refused += 1; });
        }"""
    )
    assert await request(page, {"type": "visit.claim", "visit": "v_1"}, timeout_ms=1) == "timeout"
    await clinic.until(lambda: clinic.got("visit.claim"))
    late = {"type": "error", "code": "already_claimed", "text": "", "details": {}}
    await clinic.send({**late, "reply_to": clinic.got("visit.claim")[0]["id"]})
    await clinic.push("queue", {"type": "queue.gone", "visit": "v_1", "why": "claimed", "by": None})
    await heard(page, 2)
    assert await page.evaluate("refused") == 0


async def test_bye_closes_the_connection_without_another_hello(clinic: Clinic, open_page: OpenPage) -> None:
    page = await connected(open_page)
    await page.evaluate("client.bye()")
    await clinic.until(lambda: clinic.got("bye") and not clinic.sockets)
    assert len(clinic.hellos) == 1
