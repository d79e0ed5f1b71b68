"""Tests the video session page, which is the same for patient and provider. Other tests cover the media."""

import time

import pytest
from playwright.async_api import expect

from tests.web.pages.clinic import Clinic, RefusedError
from tests.web.pages.conftest import OpenPage
from tests.web.pages.session_pages import in_the_call, patients_page, providers_page
from tests.web.pages.steady import lobby

DENIED = (
    "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError') }"
)
DENIED_BY_SYSTEM = DENIED.replace("'no'", "'Permission denied by system'")
NO_MEDIA_DEVICES = "Object.defineProperty(navigator, 'mediaDevices', { value: undefined })"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
# With this script, the page makes its random pauses of medium length, and notes the length of each pause.
PAUSES = """
    Math.random = () => 0.5;
    window.pauses = [];
    const { setTimeout: later } = window;
    window.setTimeout = (act, ms, ...more) => { pauses.push(ms); return later(act, ms, ...more); };
"""


async def test_the_session_page_shows_the_other_sides_state_in_words(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await patients_page(clinic, open_page)
    other = page.get_by_role("region", name="Dr Maya Osei")
    await expect(other).to_contain_text("Dr Maya Osei is here")
    await expect(other).to_contain_text("Has not pressed Start Session yet")
    await expect(page.get_by_text("Neither side sees or hears the other until both")).to_be_visible()
    await clinic.party("provider", started=True)
    await expect(other).to_contain_text("Has pressed Start Session")
    await expect(page.locator(".announcer")).to_have_text(
        "Dr Maya Osei is here and has pressed Start Session."
    )
    await clinic.party("provider", present=False, away_since_ms=int(time.time() * 1000) - 40 * 60_000)
    await expect(other).to_contain_text("Dr Maya Osei is away")
    await expect(other).to_contain_text("Away since 40:")


async def test_start_session_waits_for_the_other_side_and_says_so(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await patients_page(clinic, open_page)
    await expect(page.get_by_text("not sent yet")).to_be_visible()
    await page.get_by_role("button", name="Start Session").click()
    await expect(page.get_by_role("button", name="Waiting for Dr Maya Osei")).to_be_visible()
    await expect(page.get_by_text("It begins as soon as Dr Maya Osei presses too.")).to_be_visible()
    await clinic.party("provider", started=True)
    await expect(page.get_by_role("button", name="Leave the call")).to_be_visible()
    assert len(clinic.got("visit.start")) == 1


async def test_a_failed_start_session_is_shown_and_may_be_pressed_again(
    clinic: Clinic, open_page: OpenPage
) -> None:
    def refuse(_: dict[str, object]) -> None:
        raise RefusedError("unavailable", "The store does not answer.")

    clinic.refuse["visit.start"] = refuse
    page = await patients_page(clinic, open_page)
    await page.get_by_role("button", name="Start Session").click()
    await expect(page.get_by_text("The session has not started; please press again.")).to_be_visible()
    await expect(page.get_by_text("not sent yet")).to_be_visible()
    clinic.refuse.clear()
    await page.get_by_role("button", name="Start Session").click()
    await expect(page.get_by_role("button", name="Waiting for Dr Maya Osei")).to_be_visible()


async def test_f13_a_patient_who_leaves_the_call_rejoins_or_is_done(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await patients_page(clinic, open_page)
    await in_the_call(clinic)
    await page.get_by_role("button", name="Leave the call").click()
    await expect(page.get_by_text("You left the call. Dr Maya Osei is told so.")).to_be_visible()
    await expect(page.get_by_text("not sent yet")).to_be_visible()
    assert clinic.got("visit.hang_up")
    await page.get_by_role("button", name="Rejoin").click()
    await page.get_by_role("button", name="Leave the call").click()
    await page.get_by_role("button", name="I am done").click()
    await clinic.until(lambda: bool(clinic.got("visit.withdraw")))


async def test_f08_a_patient_leaves_between_claim_and_start_after_a_question(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await patients_page(clinic, open_page)
    for answer in ("Stay", "Leave the visit"):
        await page.get_by_text("More", exact=True).click()
        await page.get_by_role("button", name="Leave the visit").click()
        assert not clinic.got("visit.withdraw")
        await page.get_by_role("dialog").get_by_role("button", name=answer).click()
    await expect(page.get_by_role("heading", name="You have left the visit")).to_be_visible()
    await expect(page.get_by_text("Dr Maya Osei is told so.")).to_be_visible()


async def test_f13_the_provider_sees_that_the_patient_has_left_and_not_that_they_are_here(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await providers_page(clinic, open_page)
    await in_the_call(clinic)
    await clinic.party("patient", started=False, left=True)
    await clinic.becomes(status="claimed", live_ms=None)
    other = page.get_by_role("region", name="Ana Ruiz")
    await expect(other).to_contain_text("Ana Ruiz has left the call")
    await expect(other).not_to_contain_text("is here")
    await expect(page.get_by_text("The session goes on when Ana Ruiz rejoins.")).to_be_visible()
    await clinic.becomes(status="ended", outcome="withdrawn")
    await expect(page.get_by_text("Ana Ruiz has left the visit.")).to_be_visible()


async def test_the_other_side_sees_a_muted_microphone_and_a_camera_that_is_off(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await patients_page(clinic, open_page)
    await in_the_call(clinic)
    other = page.get_by_role("region", name="Dr Maya Osei")
    for kind in ("audio", "video"):
        await clinic.send(
            {"type": "media.muted", "visit": "v_1", "party": "provider", "kind": kind, "muted": True}
        )
    await expect(other).to_contain_text("Microphone is off")
    await expect(other).to_contain_text("Camera is off")
    await page.get_by_role("button", name="Mute").click()
    await page.get_by_role("button", name="Camera off").click()
    own = page.get_by_role("region", name="You")
    await expect(own).to_contain_text("Muted")
    await expect(own).to_contain_text("Camera is off")
    await clinic.until(lambda: len(clinic.got("media.mute")) == 2)
    assert {(message["kind"], message["muted"]) for message in clinic.got("media.mute")} == {
        ("audio", True),
        ("video", True),
    }


async def test_what_is_drawn_anew_does_not_begin_the_pictures_anew(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await patients_page(clinic, open_page)
    await in_the_call(clinic)
    await page.evaluate(
        """() => {
            window.__begun = 0;
            for (const video of document.querySelectorAll("video"))
                video.addEventListener("emptied", () => window.__begun++);
        }"""
    )
    await clinic.send(
        {"type": "media.muted", "visit": "v_1", "party": "provider", "kind": "audio", "muted": True}
    )
    await expect(page.get_by_role("region", name="Dr Maya Osei")).to_contain_text("Microphone is off")
    await page.wait_for_timeout(300)
    assert await page.evaluate("window.__begun") == 0


async def test_a_reloaded_page_shows_what_its_person_has_muted_until_they_choose_anew(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await patients_page(clinic, open_page)
    await in_the_call(clinic)
    muted = {"type": "media.muted", "visit": "v_1", "party": "patient", "kind": "audio", "muted": True}
    await clinic.send(muted)
    await expect(page.get_by_role("region", name="You")).to_contain_text("Muted")
    assert not clinic.got("media.mute")
    await page.get_by_role("button", name="Unmute").click()
    await clinic.until(lambda: len(clinic.got("media.mute")) == 1)
    # This message answers a join that the page sent before the press, so it has the old choice. The page must
    # send the new choice again.
    await clinic.send(muted)
    await clinic.send({"type": "media.gone", "visit": "v_1"})
    await clinic.until(lambda: len(clinic.got("media.mute")) == 2)
    assert [message["muted"] for message in clinic.got("media.mute")] == [False, False]
    await expect(page.get_by_role("button", name="Mute")).to_be_visible()


async def test_a_provider_is_asked_before_a_session_ends_or_returns_to_the_queue(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await providers_page(clinic, open_page)
    await in_the_call(clinic)
    await page.get_by_role("button", name="To queue").click()
    dialog = page.get_by_role("dialog", name="Return to the queue?")
    await expect(dialog.get_by_role("button", name="Stay in the session")).to_be_focused()
    await dialog.get_by_role("button", name="Stay in the session").click()
    await page.get_by_role("button", name="End", exact=True).click()
    await (
        page.get_by_role("dialog", name="End the session?").get_by_role("button", name="End session").click()
    )
    await expect(page.get_by_role("heading", name="Session with Ana Ruiz has ended")).to_be_visible()
    await expect(page.get_by_text("You talked for 3 minutes.")).to_be_visible()
    assert not clinic.got("visit.release")
    await page.get_by_role("link", name="Back to On-Demand Requests").click()
    await expect(page.get_by_role("heading", name="Sessions List")).to_be_visible()


async def test_a_session_that_was_ended_too_early_is_reopened_from_the_page_after_it(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await providers_page(clinic, open_page)
    await clinic.becomes(status="ended", outcome="completed", ended_ms=int(time.time() * 1000))
    await page.get_by_role("button", name="Reopen").click()
    await expect(page.get_by_role("button", name="Start Session")).to_be_visible()
    assert clinic.got("visit.reopen")[0]["visit"] == "v_1"
    long_ago = int(time.time() * 1000) - 1_900_000
    await clinic.becomes(status="ended", outcome="completed", ended_ms=long_ago)
    await expect(page.get_by_role("heading", name="Session with Ana Ruiz has ended")).to_be_visible()
    await expect(page.get_by_role("button", name="Reopen")).to_have_count(0)


@pytest.mark.parametrize("language", ["en", "es"])
async def test_no_word_under_the_calls_buttons_is_broken_or_cut_off_on_a_narrow_phone(
    clinic: Clinic, open_page: OpenPage, language: str
) -> None:
    clinic.staff["u_osei"]["on_call"] = True
    await clinic.claimed_by()
    page = await open_page("/demo/staff/visits/v_1", width=320)
    await lobby(page)
    if language == "es":
        await page.get_by_role("link", name="Español").click()
        await expect(page.locator("html")).to_have_attribute("lang", "es")
    await in_the_call(clinic)
    await expect(page.locator(".control.danger")).to_be_visible()
    cut = await page.locator(".control").evaluate_all(
        "(all) => all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.textContent)"
    )
    assert not cut
    lines = await page.locator(".control span").evaluate_all(
        """(all) => all.map((span) => {
            const range = document.createRange();
            range.selectNodeContents(span);
            const tops = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
            return [span.textContent, tops.size];
        })"""
    )
    assert all(count <= len(words.split()) for words, count in lines), lines
    await page.locator(".more summary").click()
    menu = await page.locator(".more > .card").bounding_box()
    assert menu is not None
    assert menu["x"] >= 0
    assert menu["x"] + menu["width"] <= 320


async def test_a_visit_that_was_returned_brings_the_provider_back_to_the_list(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await providers_page(clinic, open_page)
    await page.get_by_text("More", exact=True).click()
    await page.get_by_role("button", name="Return to queue").click()
    await page.get_by_role("dialog").get_by_role("button", name="Return to queue").click()
    await expect(page.get_by_text("Ana Ruiz is back in the queue.")).to_be_visible()
    await expect(page.get_by_role("heading", name="Sessions List")).to_be_visible()


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (None, "Click the icon at the left of the address"),
        (FIREFOX, "Click the crossed-out camera or microphone"),
        (IPHONE, "Open Settings, then Apps, then Safari"),
    ],
)
async def test_a_denied_permission_is_explained_for_this_browser_and_one_can_join_all_the_same(
    clinic: Clinic, open_page: OpenPage, agent: str | None, words: str
) -> None:
    page = await open_page("/demo", user_agent=agent)
    await page.add_init_script(DENIED)
    await clinic.claimed_by()
    await page.goto(f"{clinic.url}/demo/visit")
    await expect(page.get_by_text(words)).to_be_visible()
    await expect(page.get_by_text("You can join all the same")).to_be_visible()
    # The button moves when the list of speakers appears above it, so a press of the mouse could miss it.
    await page.get_by_role("button", name="Start Session").press("Enter")
    await clinic.party("provider", started=True)
    await expect(page.get_by_role("button", name="No microphone")).to_be_visible()
    await page.get_by_role("button", name="No camera").press("Enter")
    await expect(page.locator(".toasts")).to_contain_text(words)


@pytest.mark.parametrize(
    ("script", "agent", "what", "todo"),
    [
        (DENIED_BY_SYSTEM, MAC, "This device does not let the browser use", "System Settings, then Privacy"),
        (DENIED_BY_SYSTEM, WINDOWS, "This device does not let the browser use", "access for desktop apps"),
        (
            NO_MEDIA_DEVICES,
            MAC,
            "This browser has no way to use",
            "a current Chrome, Edge, Firefox or Safari",
        ),
    ],
)
async def test_f03_permissions_denied_by_the_system_or_the_browser_have_their_own_texts(
    clinic: Clinic, open_page: OpenPage, script: str, agent: str, what: str, todo: str
) -> None:
    page = await open_page("/demo", user_agent=agent)
    await page.add_init_script(script)
    await clinic.claimed_by()
    await page.goto(f"{clinic.url}/demo/visit")
    await expect(page.get_by_text(f"{what} camera and microphone.")).to_be_visible()
    await expect(page.get_by_text(todo)).to_be_visible()
    await expect(page.get_by_text("You can join all the same")).to_be_visible()


async def test_a_session_taken_over_elsewhere_releases_the_camera_and_can_be_taken_back(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await patients_page(clinic, open_page)
    own = page.get_by_label("Your own picture")
    await expect(own).to_be_visible()
    track = await own.evaluate_handle("(video) => video.srcObject.getVideoTracks()[0]")
    await clinic.send({"type": "media.taken_over", "visit": "v_1"})
    await expect(
        page.get_by_role("heading", name="This session is open in another tab or device")
    ).to_be_visible()
    assert await track.evaluate("(track) => track.readyState") == "ended"
    joined = len(clinic.got("media.join"))
    await page.get_by_role("button", name="Use it here").click()
    await expect(own).to_be_visible()
    await clinic.until(lambda: len(clinic.got("media.join")) == joined + 1)


async def test_media_that_are_gone_are_joined_again_and_a_lost_socket_joins_only_where_it_must(
    clinic: Clinic, open_page: OpenPage
) -> None:
    await patients_page(clinic, open_page)
    await clinic.send({"type": "media.gone", "visit": "v_1"})
    await clinic.until(lambda: len(clinic.got("media.join")) == 2)
    await clinic.send({"type": "media.gone", "visit": "v_other"})
    await clinic.cut()
    # The page had no media connection yet when the socket was lost, so it joins the media again.
    await clinic.until(lambda: len(clinic.got("media.join")) == 3)


async def test_a_join_that_is_refused_for_now_is_tried_again(clinic: Clinic, open_page: OpenPage) -> None:
    def refuse(_: dict[str, object]) -> None:
        if len(clinic.got("media.join")) < 3:
            raise RefusedError("unavailable", "Not now.")

    clinic.refuse["media.join"] = refuse
    page = await open_page("/demo")
    await page.add_init_script(PAUSES)
    await clinic.claimed_by()
    await page.goto(f"{clinic.url}/demo/visit")
    await clinic.until(lambda: len(clinic.got("media.join")) == 3)
    pauses = await page.evaluate("pauses")
    assert [ms for ms in pauses if ms in (400, 800)] == [400, 800], "each pause is longer"


async def test_the_camera_is_off_after_the_session(clinic: Clinic, open_page: OpenPage) -> None:
    page = await patients_page(clinic, open_page)
    own = page.get_by_label("Your own picture")
    await expect(own).to_be_visible()
    track = await own.evaluate_handle("(video) => video.srcObject.getVideoTracks()[0]")
    await in_the_call(clinic)
    await expect(page.locator(".announcer")).to_have_text("The session has begun.")
    await clinic.becomes(status="ended", outcome="completed", ended_ms=1_790_000_000_000)
    await expect(page.get_by_role("heading", name="Your visit is over")).to_be_visible()
    await expect(page.locator(".announcer")).not_to_contain_text("The session has begun.")
    assert await track.evaluate("(track) => track.readyState") == "ended"


async def test_f29_the_newest_message_is_in_view_and_its_link_is_safe(
    clinic: Clinic, open_page: OpenPage
) -> None:
    line = {"at_ms": int(time.time() * 1000), "party": "provider", "name": "Dr Maya Osei", "text": "Hello"}
    clinic.lines = [{**line, "id": f"m_{n}"} for n in range(80)]
    page = await patients_page(clinic, open_page)
    await page.get_by_role("button", name="Messages").click()
    newest = page.locator(".line").last
    await expect(newest).to_be_in_viewport()
    text = "See https://clinic.example/leaflet."
    await clinic.push("chat/v_1", {"type": "chat.line", "line": {**line, "id": "m_80", "text": text}})
    link = page.get_by_role("link", name="https://clinic.example/leaflet", exact=True)
    await expect(link).to_be_in_viewport()
    assert await link.get_attribute("rel") == "noopener noreferrer"
    await expect(page.locator(".line").first).not_to_be_in_viewport()
