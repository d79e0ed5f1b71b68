"""Tests the patient's single page: setup guide, waiting room, session, and the page afterwards."""

import time

from playwright.async_api import Route, expect

from tests.web.pages.clinic import Clinic, RefusedError
from tests.web.pages.conftest import OpenPage
from tests.web.pages.steady import device_check, lobby


async def test_the_guide_is_walked_to_its_end_and_opens_the_waiting_room(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo/nowhere")
    # By the page's clock, each answer of the server comes at once, also on a slow machine: the network is good.
    await page.add_init_script("performance.now = () => 0")
    await page.goto(f"{clinic.url}/demo/visit")
    title = page.get_by_role("heading", level=1)
    following = page.get_by_role("button", name="Next")
    await expect(title).to_have_text("How are you right now?")
    await page.get_by_label("I can go about my day").check()
    await following.click()
    await expect(title).to_have_text("Are you pregnant, or could you be?")
    await expect(title).to_be_focused()
    await expect(page.get_by_text("Step 2 of 6")).to_be_visible()
    await page.get_by_label("No", exact=True).check()
    await following.click()
    await page.get_by_label("Allergies").fill("Penicillin")
    await following.click()
    await expect(title).to_contain_text("When did it begin?")
    await following.click()  # the question is optional, so the patient can go on without an answer
    await page.get_by_label("I have read this and I agree").check()
    await page.get_by_label("Signature").fill("Ana Ruiz")
    await following.click()
    await expect(page.get_by_role("listitem").filter(has_text="Camera")).to_contain_text("Works")
    await expect(page.get_by_role("listitem").filter(has_text="Network")).to_contain_text("Good")
    await page.get_by_role("button", name="Finish").click()
    await expect(title).to_have_text("You are second in line")
    await expect(
        page.get_by_text("Usually 4 to 9 minutes from here. 2 clinicians are on call.")
    ).to_be_visible()
    assert clinic.case["answers"] == {
        "how-bad": "I can go about my day",
        "pregnant": False,
        "allergies": "Penicillin",
        "consent": {"agreed": True, "signature": "Ana Ruiz", "language": "en"},
        "devices": {"camera": "on", "microphone": "on", "network": "good"},
    }


async def test_what_is_typed_is_seen_by_staff_while_it_is_typed_and_kept_when_the_step_is_left(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo/visit#allergies")
    began_s = time.monotonic()
    await page.get_by_label("Allergies").press_sequentially("Penicillin and latex", delay=40)
    await clinic.until(lambda: clinic.case["answers"].get("allergies") == "Penicillin and latex")
    while_typing = clinic.got("visit.save")
    # While the patient types, the page sends at most one message each 0.4 s. A slow machine types longer, so
    # it may send more messages.
    at_most = (time.monotonic() - began_s) / 0.4 + 2
    assert 2 <= len(while_typing) <= at_most, "often enough to be live, seldom enough not to flood"
    assert not any(save["left"] for save in while_typing)
    await page.get_by_role("button", name="Next").click()
    await clinic.until(lambda: clinic.got("visit.save")[-1]["left"])


async def test_back_and_the_browsers_back_lose_nothing(clinic: Clinic, open_page: OpenPage) -> None:
    page = await open_page("/demo/visit")
    await page.get_by_label("I cannot get up").check()
    await page.get_by_role("button", name="Next").click()
    await page.get_by_label("Yes").check()
    await page.get_by_role("button", name="Next").click()
    await page.get_by_label("Allergies").fill("None")
    await page.go_back()
    await expect(page.get_by_label("Yes")).to_be_checked()
    await page.get_by_role("button", name="Back").click()
    await expect(page.get_by_label("I cannot get up")).to_be_checked()
    await page.goto(f"{clinic.url}/demo/visit#allergies")
    await clinic.until(lambda: clinic.case["answers"].get("allergies") == "None")
    await page.reload()
    await expect(page.get_by_label("Allergies")).to_have_value("None")


async def test_the_same_address_opens_the_first_step_that_is_not_answered(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.case |= {"answers": {"how-bad": "I cannot get up", "pregnant": False}, "step": 3}
    page = await open_page("/demo/visit")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Allergies")


async def test_a_missing_answer_is_shown_at_its_field_and_the_step_stays_open(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo/visit#allergies")
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_role("alert")).to_have_text(
        "Please write something here. “None” is an answer too."
    )
    await expect(page.get_by_label("Allergies")).to_be_focused()
    await expect(page.get_by_label("Allergies")).to_have_attribute("aria-invalid", "true")
    assert not clinic.got("visit.save")


async def test_an_answer_that_the_server_refuses_is_shown_too(clinic: Clinic, open_page: OpenPage) -> None:
    def refuse(message: dict[str, object]) -> None:
        if message["left"]:
            raise RefusedError(
                "invalid_answer", "No.", step="allergies", problem="is longer than 4000 characters"
            )

    clinic.refuse["visit.save"] = refuse
    page = await open_page("/demo/visit#allergies")
    await page.get_by_label("Allergies").fill("Everything")
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_role("alert")).to_have_text("This answer is longer than 4000 characters.")
    await expect(page.get_by_label("Allergies")).to_have_value("Everything")


async def test_a_guide_with_a_gap_leads_back_to_the_gap(clinic: Clinic, open_page: OpenPage) -> None:
    page = await open_page("/demo/visit#devices")
    await device_check(page)
    await page.get_by_role("button", name="Finish").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("How are you right now?")
    await expect(page.get_by_role("alert")).to_have_text("This step still needs your answer.")


async def test_a_patient_in_the_guide_is_pulled_in_without_a_click_and_keeps_what_was_typed(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo/visit#allergies")
    await page.get_by_label("Allergies").fill("Penicil")
    await clinic.claimed_by()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Session with Dr Maya Osei")
    await expect(page.get_by_role("button", name="Start Session")).to_be_visible()
    await lobby(page)
    await page.get_by_role("button", name="Setup guide · 3 to answer").click()
    beside = page.get_by_role("complementary")
    await expect(beside.get_by_role("heading", name="How are you right now?")).to_be_visible()
    await beside.get_by_label("I can go about my day").check()
    await beside.get_by_role("button", name="Next").click()
    await beside.get_by_label("No", exact=True).check()
    await beside.get_by_role("button", name="Next").click()
    await expect(beside.get_by_label("Allergies")).to_have_value("Penicil")
    await clinic.until(lambda: clinic.case["answers"].get("pregnant") is False)


async def test_a_patient_whose_visit_is_returned_sees_the_waiting_room_again_with_a_message(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.case["guide_done"] = True
    page = await open_page("/demo/visit")
    await expect(page.get_by_role("heading", name="You are second in line")).to_be_visible()
    await clinic.claimed_by()
    await expect(page.get_by_role("button", name="Start Session")).to_be_visible()
    await clinic.becomes(status="queued", claimant=None)
    await expect(page.get_by_text("You are back in line, at your old place.")).to_be_visible()
    await expect(page.get_by_role("heading", name="You are second in line")).to_be_visible()


async def test_f15_a_patient_who_is_handed_over_reads_to_whom_and_no_place_in_line(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.case["guide_done"] = True
    page = await open_page("/demo/visit")
    await clinic.claimed_by()
    await expect(page.get_by_role("button", name="Start Session")).to_be_visible()
    await clinic.becomes(status="queued", claimant=None, taking_over={"id": "u_du", "name": "Dr Dubois"})
    await expect(page.get_by_text("Nobody sees or hears you now.", exact=False).first).to_be_visible()
    await expect(page.get_by_role("heading", name="Dr Dubois will take over")).to_be_visible()
    await expect(page.get_by_text("in line", exact=False).filter(has_text="second")).to_have_count(0)
    await expect(page).to_have_title("Waiting room · Riverside Clinic")
    # The provider has given the call up, because the patient has not joined it in time.
    await clinic.becomes(taking_over=None)
    await expect(page.get_by_role("heading", name="You are second in line")).to_be_visible()


async def test_f09_the_waiting_room_shows_a_code_for_another_device_or_mails_the_link(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.case["guide_done"] = True
    page = await open_page("/demo/visit", width=390, is_mobile=True, has_touch=True)
    await expect(page.get_by_role("heading", name="Continue on another device")).to_be_visible()

    async def answer(route: Route) -> None:
        if "mail" in (route.request.post_data or ""):
            await route.fulfill(status=204)
        else:
            await route.fulfill(json={"svg": '<svg viewBox="0 0 1 1"></svg>', "minutes": 15})

    await page.route("**/demo/visits/v_1/phone", answer)
    await page.get_by_role("button", name="Show a QR code").click()
    await expect(page.get_by_role("img", name="QR code of the link")).to_be_visible()
    await expect(page.get_by_text("It works once, within 15 minutes.")).to_be_visible()
    await page.get_by_role("button", name="Mail me the link").click()
    await expect(page.get_by_text("The link is on its way to your email address.")).to_be_visible()


async def test_the_place_in_line_moves_by_itself_and_may_be_hidden(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.case["guide_done"] = True
    page = await open_page("/demo/visit")
    await clinic.until(lambda: clinic.got("visit.enter"))
    await clinic.push(
        "place/v_1",
        {
            "type": "place.state",
            "epoch": "e_1",
            **clinic.place,
            "place": 1,
            "wait_high_ms": 60_000,
            "wait_low_ms": 0,
        },
    )
    await expect(page.get_by_role("heading", name="You are next")).to_be_visible()
    await expect(page.get_by_text("Usually within a minute")).to_be_visible()
    hidden = {"place": None, "waiting": 0, "wait_low_ms": None, "wait_high_ms": None, "on_call": 1}
    await clinic.push("place/v_1", {"type": "place.state", "epoch": "e_1", **hidden})
    await expect(page.get_by_role("heading", name="You are in line")).to_be_visible()
    await expect(page.get_by_text("Usually")).to_have_count(0)


async def test_leaving_the_queue_needs_a_confirmation_and_is_shown(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.case["guide_done"] = True
    page = await open_page("/demo/visit")
    await expect(page.get_by_role("heading", name="You are second in line")).to_be_visible()
    leave = page.get_by_role("button", name="Leave the line")
    await leave.click()
    dialog = page.get_by_role("dialog", name="Leave the line?")
    await expect(dialog.get_by_role("button", name="Stay in line")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(leave).to_be_focused()
    assert not clinic.got("visit.withdraw")
    await leave.click()
    await dialog.get_by_role("button", name="Leave the line").click()
    await expect(page.get_by_role("heading", name="You have left the line")).to_be_visible()


async def test_a_patient_who_is_declined_reads_why(clinic: Clinic, open_page: OpenPage) -> None:
    page = await open_page("/demo/visit")
    await clinic.until(lambda: clinic.got("visit.enter"))
    await clinic.becomes(
        status="ended", outcome="declined", reason="Please come in today.", ended_ms=1_790_000_000_000
    )
    await expect(page.get_by_role("heading", name="This visit could not take place")).to_be_visible()
    await expect(page.get_by_text("Please come in today.")).to_be_visible()


async def test_after_the_visit_the_page_says_who_and_how_long(clinic: Clinic, open_page: OpenPage) -> None:
    page = await open_page("/demo/visit")
    await clinic.claimed_by()
    await clinic.becomes(status="ended", outcome="completed", talked_ms=192_000, ended_ms=1_790_000_000_000)
    await expect(page.get_by_text("You saw Dr Maya Osei, for 3 minutes.")).to_be_visible()


async def test_after_the_visit_the_clinics_question_is_answered_once(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.visit |= {"status": "ended", "outcome": "completed", "ended_ms": 1_790_000_000_000}
    page = await open_page("/demo/visit")
    send = page.get_by_role("button", name="Send")
    await send.click()
    await expect(page.get_by_role("group", name="How was your visit?")).to_be_visible()
    assert not clinic.got("visit.survey"), "an answer is chosen first"
    await page.get_by_label("Good", exact=True).check()
    await page.get_by_label("What went well?").fill(" Kind people ")
    await send.click()
    await clinic.until(lambda: clinic.got("visit.survey"))
    await clinic.becomes(surveyed=True)
    await expect(page.get_by_text("Thank you for your answer.")).to_be_visible()
    await expect(send).to_have_count(0)
    assert [(m["choice"], m["text"]) for m in clinic.got("visit.survey")] == [(2, "Kind people")]
    await clinic.becomes(outcome="declined", surveyed=False)
    await expect(page.get_by_role("heading", name="This visit could not take place")).to_be_visible()
    await expect(send).to_have_count(0)


async def test_answers_typed_while_the_connection_is_lost_are_sent_when_it_is_back(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo/visit#allergies")
    await expect(page.get_by_text("All answers are saved")).to_be_visible()
    clinic.open_to_all = False
    await clinic.cut()
    await expect(
        page.get_by_text("Connection lost. Trying again by itself. Your place and your answers are kept.")
    ).to_be_visible()
    await page.get_by_label("Allergies").fill("Latex")
    await expect(page.get_by_text("Not connected: your answers are kept here")).to_be_visible()
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("When did it begin?")
    clinic.open_to_all = True
    await clinic.until(lambda: clinic.case["answers"].get("allergies") == "Latex")
    await expect(page.get_by_text("Connection lost")).to_have_count(0)
    await expect(page.get_by_text("All answers are saved")).to_be_visible()
    assert clinic.hellos[-1].get("resume") == "r_1"


async def test_f49_the_page_opens_one_socket_before_its_script_is_there(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo/nowhere")
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    await page.goto(f"{clinic.url}/demo/visit")
    await expect(page.get_by_text("Step 1 of")).to_be_visible()
    assert [url.rpartition(":")[2].partition("/")[2] for url in sockets] == ["demo/ws"]
    await clinic.cut()
    await clinic.until(lambda: len(clinic.hellos) == 2)
    assert clinic.hellos[1]["resume"] == "r_1"


async def test_f43_a_network_without_websockets_is_named_after_the_second_try_until_one_opens(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.drops_upgrade = True
    patient, staff = await open_page("/demo/visit"), await open_page("/demo/staff")
    await expect(
        patient.get_by_text("try another one, such as mobile data, or call the clinic")
    ).to_be_visible()
    await expect(
        staff.get_by_text("a proxy between here and the server does not pass WebSockets")
    ).to_be_visible()
    clinic.drops_upgrade = False
    for page in (patient, staff):
        await page.evaluate("window.dispatchEvent(new Event('online'))")
        await expect(page.get_by_text("WebSockets").or_(page.get_by_text("mobile data"))).to_have_count(0)


async def test_a_claim_that_was_missed_while_the_connection_was_lost_pulls_in_on_return(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo/visit")
    await clinic.until(lambda: clinic.got("visit.enter"))
    clinic.open_to_all = False
    await clinic.cut()
    await clinic.claimed_by()
    clinic.open_to_all = True
    await expect(page.get_by_role("heading", level=1)).to_have_text("Session with Dr Maya Osei")


async def test_a_browser_without_this_visit_gets_a_link_to_the_calendar(
    clinic: Clinic, open_page: OpenPage
) -> None:
    def refuse(_: dict[str, object]) -> None:
        raise RefusedError("not_found", "No such visit.")

    clinic.refuse["subscribe"] = refuse
    page = await open_page("/demo/visit")
    await expect(page.get_by_role("heading", name="No visit is open here")).to_be_visible()
    await expect(page.get_by_role("link", name="Go to Riverside Clinic")).to_have_attribute("href", "/demo")


async def test_r26_a_patient_whose_visit_the_store_has_lost_is_informed_and_led_back_to_meet_now(
    clinic: Clinic, open_page: OpenPage
) -> None:
    clinic.case["guide_done"] = True
    page = await open_page("/demo/visit")
    await expect(page.get_by_role("heading", name="You are second in line")).to_be_visible()
    for room in ("visit", "case", "place", "chat"):
        await clinic.send({"type": "gone", "topic": f"{room}/v_1"})
    await expect(page.get_by_role("heading", name="Your visit was lost")).to_be_visible()
    await expect(page.get_by_text("Please begin again with Meet Now.")).to_be_visible()
    await expect(page.get_by_role("link", name="Go to Riverside Clinic")).to_have_attribute("href", "/demo")
    await expect(page.get_by_text("second in line")).to_have_count(0)


async def test_the_device_check_says_what_to_do_about_a_denied_camera(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo")
    await page.add_init_script(
        "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError') }"
    )
    await page.goto(f"{clinic.url}/demo/visit#devices")
    await expect(
        page.get_by_text("This browser does not let the page use camera and microphone.")
    ).to_be_visible()
    await expect(page.get_by_text("Click the icon at the left of the address")).to_be_visible()
    await expect(page.get_by_text("You can go on all the same")).to_be_visible()
    await clinic.until(lambda: clinic.case["answers"].get("devices", {}).get("camera") == "denied")


async def test_the_camera_is_released_when_the_device_check_is_left(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await open_page("/demo/visit#devices")
    video = page.get_by_label("Your own picture")
    await expect(video).to_be_visible()
    track = await video.evaluate_handle("(video) => video.srcObject.getVideoTracks()[0]")
    assert await track.evaluate("(track) => track.readyState") == "live"
    await device_check(page)
    await page.get_by_role("button", name="Back").click()
    await page.wait_for_function("(track) => track.readyState === 'ended'", arg=track)
