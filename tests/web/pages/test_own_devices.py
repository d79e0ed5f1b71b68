"""Tests a person's own devices on the pages: the person's own picture, the texts about devices, and the
chosen speaker.
"""

import pytest
from playwright.async_api import Page, expect

from tests.web.pages.clinic import Clinic
from tests.web.pages.conftest import OpenPage
from tests.web.pages.steady import device_check, lobby, stop_clock
from tests.web.pages.test_accessibility import is_accessible

REAR_CAMERA = """
    const { getSettings } = MediaStreamTrack.prototype;
    MediaStreamTrack.prototype.getSettings = function () {
        return { ...getSettings.call(this), facingMode: "environment" };
    };
"""
NO_SOUND = "AudioContext.prototype.resume = () => new Promise(() => {})"
HEAR_SOUND = """
    const { resume } = AudioContext.prototype;
    AudioContext.prototype.resume = function () {
        window.heard = this;
        return resume.call(this);
    };
"""
SILENT = """([kind, muted]) => {
    const { srcObject } = document.querySelector("video[aria-label='Your own picture']");
    const track = srcObject.getTracks().find((one) => one.kind === kind);
    Object.defineProperty(track, "muted", { value: muted, configurable: true });
    track.dispatchEvent(new Event(muted ? "mute" : "unmute"));
}"""
# With this script, sound plays only after a press, as browsers demand. The script notes the press itself: it
# cannot use navigator.userActivation, because each script that Playwright runs counts as a press there.
WANTS_A_PRESS = """
    let pressed = false;
    addEventListener("click", () => { pressed = true; }, true);
    const { play } = HTMLMediaElement.prototype;
    HTMLMediaElement.prototype.play = async function () {
        if (!this.muted && !pressed) throw new DOMException("a press first", "NotAllowedError");
        return play.call(this);
    };
"""
NO_DEVICES = """
    navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("none", "NotFoundError") };
"""
SPEAKERS = """
    window.plugged = true;
    const { enumerateDevices } = navigator.mediaDevices;
    const headset = { deviceId: "headset", kind: "audiooutput", label: "Headset", groupId: "" };
    navigator.mediaDevices.enumerateDevices = async () => {
        const found = await enumerateDevices.call(navigator.mediaDevices);
        const inputs = found.filter(({ kind }) => kind !== "audiooutput");
        return plugged ? [...inputs, headset] : inputs;
    };
    const { get } = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "sinkId");
    const sinks = new WeakMap();
    window.tested = [];
    Object.defineProperty(HTMLMediaElement.prototype, "sinkId", {
        get() { return sinks.get(this) ?? get.call(this); },
    });
    HTMLMediaElement.prototype.setSinkId = async function (id) {
        sinks.set(this, id);
        if (!this.isConnected) tested.push(id);
    };
"""
NO_SPEAKERS = SPEAKERS + "delete HTMLMediaElement.prototype.setSinkId;"
PLUG = """(plugged) => {
    window.plugged = plugged;
    navigator.mediaDevices.dispatchEvent(new Event("devicechange"));
}"""
SINK = """(id) => document.querySelector("video.remote").sinkId === id"""
NO_CALLS = "delete window.RTCPeerConnection"
NO_PATH = """
    window.RTCPeerConnection = class extends EventTarget {
        iceConnectionState = "failed";
        async setRemoteDescription() {}
        async setLocalDescription() { this.dispatchEvent(new Event("iceconnectionstatechange")); }
        async getStats() { return new Map(); }
        close() {}
    };
"""
CHECK = "/demo/visit#devices"


async def opened(clinic: Clinic, open_page: OpenPage, path: str, script: str = "") -> Page:
    """Return a page in which `script` was run before the scripts of the page."""
    page = await open_page("/demo")
    if script:
        await page.add_init_script(script)
    await page.goto(clinic.url + path)
    return page


@pytest.mark.parametrize("in_session", [True, False])
@pytest.mark.parametrize(("script", "shown"), [("", "matrix(-1, 0, 0, 1, 0, 0)"), (REAR_CAMERA, "none")])
async def test_f06_only_a_camera_that_looks_at_the_person_is_shown_as_in_a_mirror(
    clinic: Clinic, open_page: OpenPage, script: str, shown: str, *, in_session: bool
) -> None:
    if in_session:
        await clinic.claimed_by()
    page = await opened(clinic, open_page, "/demo/visit" if in_session else CHECK, script)
    own = page.get_by_label("Your own picture")
    await expect(own).to_be_visible()
    await expect(own).to_have_css("transform", shown)


async def test_a_speaker_test_that_never_sounds_ends_in_words_and_may_be_pressed_again(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await opened(clinic, open_page, CHECK, NO_SOUND)
    await device_check(page)
    await stop_clock(page)
    button = page.get_by_role("button", name="Play a sound")
    await button.click()
    await expect(page.get_by_text("Playing…")).to_be_visible()
    await page.clock.run_for(3_000)
    await expect(page.get_by_text("No sound started. Connect a speaker or headphones")).to_be_visible()
    await expect(button).to_have_attribute("aria-disabled", "false")
    await page.clock.resume()
    await clinic.claimed_by()
    await lobby(page)
    await page.get_by_role("button", name="Test speaker").click()
    await expect(page.locator(".toasts")).to_contain_text("No sound started.")


async def test_a_speaker_test_that_sounds_asks_whether_it_was_heard(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await opened(clinic, open_page, CHECK, HEAR_SOUND)
    await device_check(page)
    await stop_clock(page)
    await page.get_by_role("button", name="Play a sound").click()
    # The sound of a busy machine may begin later than the page would wait for it.
    await page.wait_for_function("() => window.heard?.currentTime > 0")
    await page.clock.resume()
    await page.get_by_role("button", name="Yes").click()
    await clinic.until(lambda: clinic.case["answers"].get("devices", {}).get("speaker") == "on")


async def test_f04_a_microphone_switched_off_at_the_headset_is_reported_and_used_again(
    clinic: Clinic, open_page: OpenPage
) -> None:
    await clinic.claimed_by()
    page = await open_page("/demo/visit")
    own = page.get_by_role("region", name="You")
    await expect(page.get_by_label("Your own picture")).to_be_visible()
    await page.evaluate(SILENT, ["audio", True])
    await expect(page.locator(".troubles")).to_contain_text("Your microphone gives no sound.")
    await page.evaluate(SILENT, ["audio", False])
    await expect(page.locator(".troubles")).to_have_count(0)
    for role in clinic.visit["parties"]:
        await clinic.party(role, started=True)
    await expect(page.get_by_role("button", name="Mute")).to_be_visible()
    await page.evaluate(SILENT, ["audio", True])
    await expect(own).to_contain_text("No sound")
    await expect(page.locator(".toasts")).to_contain_text("It may be switched off at the headset")
    await page.evaluate(SILENT, ["audio", False])
    await expect(own).not_to_contain_text("No sound")
    await expect(page.locator(".toasts")).to_contain_text("Your microphone works again.")
    assert not clinic.got("media.mute"), "the person has muted nothing"


async def test_f04_a_camera_taken_by_another_program_is_reported_and_used_again(
    clinic: Clinic, open_page: OpenPage
) -> None:
    await clinic.claimed_by()
    page = await open_page("/demo/visit")
    own = page.get_by_role("region", name="You")
    for role in clinic.visit["parties"]:
        await clinic.party(role, started=True)
    await expect(page.get_by_label("Your own picture")).to_be_visible()
    await expect(page.get_by_role("button", name="Leave the call")).to_be_visible()
    await page.evaluate(SILENT, ["video", True])
    await expect(own).to_contain_text("No picture from the camera")
    await expect(page.locator(".toasts")).to_contain_text("Your camera gives no picture.")
    await page.evaluate(SILENT, ["video", False])
    await expect(page.get_by_label("Your own picture")).to_be_visible()
    await expect(page.locator(".toasts")).to_contain_text("Your camera works again.")


async def test_the_device_check_follows_a_device_that_is_switched_off_and_on(
    clinic: Clinic, open_page: OpenPage
) -> None:
    def answered(word: str) -> bool:
        return bool(clinic.case["answers"].get("devices", {}).get("microphone") == word)

    page = await open_page(CHECK)
    await expect(page.get_by_label("Your own picture")).to_be_visible()
    await page.evaluate(SILENT, ["audio", True])
    await expect(page.get_by_text("Your microphone gives no sound.")).to_be_visible()
    await clinic.until(lambda: answered("silent"))
    await page.evaluate(SILENT, ["audio", False])
    await expect(page.get_by_text("Your microphone gives no sound.")).to_have_count(0)
    await clinic.until(lambda: answered("on"))


async def test_if_the_browser_blocks_sound_the_page_has_a_button_for_it(
    clinic: Clinic, open_page: OpenPage
) -> None:
    await clinic.claimed_by()
    for role in clinic.visit["parties"]:
        await clinic.party(role, started=True)
    page = await opened(clinic, open_page, "/demo/visit", WANTS_A_PRESS + NO_DEVICES)
    button = page.get_by_role("button", name="Press to hear Dr Maya Osei")
    await expect(button).to_be_visible()
    await button.click()
    await expect(button).to_have_count(0)
    await clinic.send({"type": "media.taken_over", "visit": "v_1"})
    await page.get_by_role("button", name="Use it here").click()
    await expect(page.get_by_role("button", name="Leave the call")).to_be_visible()
    await expect(button).to_have_count(0)


async def test_if_the_browser_plays_sound_the_page_has_no_button_for_it(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await opened(clinic, open_page, "/demo/visit", WANTS_A_PRESS)
    await clinic.claimed_by()
    await lobby(page)
    await page.get_by_role("button", name="Start Session").click()
    await clinic.party("provider", started=True)
    await expect(page.get_by_role("button", name="Leave the call")).to_be_visible()
    await expect(page.get_by_role("button", name="Press to hear")).to_have_count(0)


async def test_f07_a_speaker_is_chosen_before_the_call_and_kept_while_it_is_unplugged(
    clinic: Clinic, open_page: OpenPage
) -> None:
    await clinic.claimed_by()
    page = await opened(clinic, open_page, "/demo/visit", SPEAKERS)
    choice = page.get_by_role("combobox", name="Speaker")
    await expect(choice).to_have_value("")
    await choice.select_option(label="Headset")
    await page.wait_for_function(SINK, arg="headset")
    await page.get_by_role("button", name="Test speaker").click()
    await page.wait_for_function("() => tested.includes('headset')")
    for role in clinic.visit["parties"]:
        await clinic.party(role, started=True)
    await page.get_by_role("button", name="Devices").click()
    await expect(choice).to_have_value("headset")
    await page.evaluate(PLUG, False)
    await page.wait_for_function(SINK, arg="")
    await expect(choice).to_have_count(0)
    await page.evaluate(PLUG, True)
    await page.wait_for_function(SINK, arg="headset")
    await expect(choice).to_have_value("headset")


async def test_f07_no_speaker_is_offered_by_a_browser_that_cannot_choose_one(
    clinic: Clinic, open_page: OpenPage
) -> None:
    await clinic.claimed_by()
    page = await opened(clinic, open_page, "/demo/visit", NO_SPEAKERS)
    await expect(page.get_by_role("combobox", name="Microphone")).to_be_visible()
    await expect(page.get_by_role("combobox", name="Speaker")).to_have_count(0)
    await expect(page.get_by_role("button", name="Test speaker")).to_be_visible()


async def test_f02_a_browser_that_cannot_call_says_so_and_the_rest_of_the_visit_works(
    clinic: Clinic, open_page: OpenPage
) -> None:
    await clinic.claimed_by()
    page = await opened(clinic, open_page, "/demo/visit", NO_CALLS)
    await expect(page.get_by_text("This browser cannot make video calls.")).to_be_visible()
    await expect(page.get_by_text("No video in this browser")).to_be_visible()
    await clinic.until(lambda: clinic.got("media.join"))
    await clinic.send({"type": "media.offer", "visit": "v_1", "offer": 1, "sdp": "v=0", "fresh": True})
    await lobby(page)
    await page.get_by_role("button", name="Start Session").click()
    await expect(page.get_by_text("It begins as soon as Dr Maya Osei presses too.")).to_be_visible()
    await clinic.party("provider", started=True)
    await expect(page.get_by_role("button", name="Leave the call")).to_be_visible()
    await expect(page.get_by_text("This browser cannot make video calls.")).to_be_visible()
    await page.get_by_role("button", name="Messages").click()
    await page.get_by_label("Your message").fill("I cannot see you")
    await page.keyboard.press("Enter")
    await clinic.until(lambda: clinic.got("chat.send"))
    assert len(clinic.got("media.join")) == 1, "an offer that cannot be taken is not asked for again"


async def test_f02_the_device_check_finds_a_browser_that_cannot_call_before_the_visit(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await opened(clinic, open_page, CHECK, NO_CALLS)
    await expect(page.get_by_text("This browser cannot make video calls.")).to_be_visible()
    await expect(page.get_by_text("You can go on all the same")).to_be_visible()
    await expect(page.get_by_text("The clinic can call you at (512)\u00a0555-0142.")).to_be_visible()
    await clinic.until(lambda: clinic.case["answers"].get("devices", {}).get("network") == "unsupported")


async def test_the_device_check_finds_a_network_without_any_path_before_the_visit(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await opened(clinic, open_page, CHECK, NO_PATH)
    await expect(page.get_by_text("Your network blocks video calls.")).to_be_visible()
    await expect(page.get_by_text("Blocks video", exact=True)).to_be_visible()
    await clinic.until(lambda: clinic.case["answers"].get("devices", {}).get("network") == "blocked")
    assert [message["path"] for message in clinic.got("media.probed")] == ["none"]
    await device_check(page)
    await is_accessible(page)
    await page.get_by_role("button", name="Try again").click()
    await clinic.until(lambda: len(clinic.got("media.probe")) == 2)


@pytest.mark.parametrize("width", [320, 1280])
async def test_what_is_said_of_own_devices_is_accessible_in_the_lobby_and_in_the_call(
    clinic: Clinic, open_page: OpenPage, width: int
) -> None:
    page = await open_page("/demo", width=width)
    await page.add_init_script(SPEAKERS + NO_CALLS)
    await clinic.claimed_by()
    await page.goto(f"{clinic.url}/demo/visit")
    await expect(page.get_by_label("Your own picture")).to_be_visible()
    await page.evaluate(SILENT, ["audio", True])
    await expect(page.locator(".troubles")).to_contain_text("Your microphone gives no sound.")
    await is_accessible(page)
    for role in clinic.visit["parties"]:
        await clinic.party(role, started=True)
    await expect(page.get_by_role("button", name="Leave the call")).to_be_visible()
    await page.evaluate(SILENT, ["video", True])
    await expect(page.get_by_text("No picture from the camera")).to_be_visible()
    await is_accessible(page)
    await page.get_by_role("button", name="Devices").click()
    await expect(page.get_by_role("combobox", name="Speaker")).to_be_visible()
    await is_accessible(page)


async def test_f14_both_sides_read_that_there_is_no_camera_and_no_microphone(
    clinic: Clinic, open_page: OpenPage
) -> None:
    await clinic.claimed_by()
    for role in clinic.visit["parties"]:
        await clinic.party(role, started=True)
    page = await opened(clinic, open_page, "/demo/visit", NO_DEVICES)
    words = "No camera, no microphone"
    await expect(page.get_by_role("region", name="You")).to_contain_text(words)
    await clinic.until(lambda: clinic.got("media.join"))
    await clinic.send({"type": "media.offer", "visit": "v_1", "offer": 1, "sdp": "v=0", "fresh": True})
    await clinic.until(lambda: len(clinic.got("media.mute")) == 2)
    said = {(message["kind"], message["muted"], message["missing"]) for message in clinic.got("media.mute")}
    assert said == {("audio", False, True), ("video", False, True)}
    other = page.get_by_role("region", name="Dr Maya Osei")
    await expect(other).to_contain_text("No picture yet")
    switch = {"type": "media.muted", "visit": "v_1", "party": "provider", "muted": False}
    for kind in ("video", "audio"):
        await clinic.send({**switch, "kind": kind, "missing": True})
    await expect(other).to_contain_text(words)
    await clinic.send({**switch, "kind": "video", "missing": False})
    await expect(other).to_contain_text("No picture yet")
