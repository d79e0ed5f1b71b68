"""Defines the people of a journey, each with a real browser.

The methods do what people do, check what their pages show, and measure which media they receive.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Browser, FilePayload, Page, WebSocket, expect

from tests.browsers import SHOWN_MS
from tests.limits import WAIT_S
from tests.server import RunningServer
from tests.signalling.waits import until

MEASURE = Path(__file__).with_name("measure.js").read_text("utf-8")


@dataclass
class Person:
    """A person with a browser window. `problems`: errors in the console and uncaught exceptions; there must be none at
    the end of a journey.
    """

    page: Page
    server: RunningServer
    problems: list[str] = field(default_factory=list)
    worker: str = ""

    def __post_init__(self) -> None:
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.problems.append(str(e)))
        self.page.on("websocket", self._watch)

    def _watch(self, ws: WebSocket) -> None:
        ws.on("framereceived", self._heard)

    def _heard(self, payload: str | bytes) -> None:
        if isinstance(payload, str) and '"welcome"' in payload:
            message = json.loads(payload)
            if message.get("type") == "welcome":
                self.worker = message["worker"]

    async def go(self, path: str) -> None:
        """Open the page at this path of the server."""
        await self.page.goto(self.server.url + path)

    async def sees(self, text: str | re.Pattern[str], timeout_ms: float = SHOWN_MS) -> None:
        """Fail unless the page shows a text within `timeout_ms`."""
        await expect(self.page.get_by_text(text).locator("visible=true").first).to_be_visible(
            timeout=timeout_ms
        )

    async def press(self, name: str | re.Pattern[str]) -> None:
        """Press the first visible button with this name."""
        await self.page.get_by_role("button", name=name).locator("visible=true").first.click(timeout=SHOWN_MS)

    async def confirm(self) -> None:
        """Press the last button of the open dialog, which confirms it."""
        await self.page.locator("dialog[open] button").last.click(timeout=SHOWN_MS)

    async def sees_photo(self, text: str) -> None:
        """Fail unless a photo with this description appears and is loaded."""
        photo = self.page.get_by_alt_text(text)
        await expect(photo).to_be_visible(timeout=SHOWN_MS)
        await expect(photo).to_have_js_property("complete", True, timeout=SHOWN_MS)
        assert await photo.evaluate("image => image.naturalWidth") > 16, "the picture has come"

    async def other_worker(self, than: str) -> None:
        """Reload until the page is connected to another worker than `than`. Raises AssertionError if it never is."""
        for _ in range(40):
            if self.worker and self.worker != than:
                return
            self.worker = ""
            await self.page.reload()
            await until(lambda: self.worker)
        raise AssertionError("only one worker ever answered")

    async def received(self) -> dict[str, Any]:
        """Return the counters of getStats for the picture and sound that this page receives."""
        found: dict[str, Any] = await self.page.evaluate("__received()")
        return found

    async def sees_picture(self, frames: int = 1) -> None:
        """Return when this number of further pictures of the other person have been decoded."""
        before = (await self.received())["frames"]

        async def decoded() -> bool:
            return bool((await self.received())["frames"] >= before + frames)

        await until(decoded)

    async def sees_and_hears(self) -> None:
        """Fail unless, from now on, a moving and bright picture arrives, and sound that is not silence."""
        before = await self.received()
        end_s = time.monotonic() + WAIT_S
        while time.monotonic() < end_s:
            picture = await self.page.evaluate("__picture()")
            now = await self.received()
            shown = picture["light"] > 20 and picture["moved"] > 50
            if shown and now["frames"] >= before["frames"] + 5 and now["energy"] > before["energy"] + 1e-6:
                return
            if now["frames"] < before["frames"]:
                before = now  # a new connection, whose counters begin at 0
        raise AssertionError(f"no moving picture or no sound: {before} -> {now}, {picture}")

    async def receives_nothing_more(self) -> None:
        """Return when no picture and no sound has arrived for a second. Fail if they do not stop.

        Packets that were sent before may still arrive, and wait to be decoded.
        """
        end_s, before = time.monotonic() + WAIT_S, dict[str, Any]()
        now = await self.received()
        while any(now[name] != before.get(name) for name in ("frames", "videoBytes", "audioBytes")):
            assert time.monotonic() < end_s, f"picture or sound goes on: {before} -> {now}"
            before = now
            await asyncio.sleep(1)
            now = await self.received()


async def see_and_hear(*people: Person) -> None:
    """Fail unless each of these people gets moving picture and sound of the other person.

    All are checked at the same time, because a call costs CPU as long as it goes on.
    """
    await asyncio.gather(*(one.sees_and_hears() for one in people))


def _photo() -> FilePayload:
    """Return a photo as large as a phone makes it, so that the server must store it smaller."""
    out = io.BytesIO()
    Image.radial_gradient("L").resize((2400, 1800)).save(out, "JPEG")
    return {"name": "IMG_0001.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}


async def credentials(server: RunningServer, who: str) -> tuple[str, str]:
    """Return (email, password) of a demo account, as the server has printed them. `who`: the name before the @."""
    line = re.compile(rf"({who}@\S+)\s+(\S+)\s")
    await until(lambda: line.search(server.output))
    found = line.search(server.output)
    assert found is not None
    return found[1], found[2]


class Patient(Person):
    """A patient, who knows the address of the clinic's calendar."""

    async def meet_now(self, **changes: str) -> None:
        """Go from the public-facing calendar to the first page of the setup guide. `changes`: values of
        the form to replace.
        """
        await self.go("/demo")
        await self.gets_in_line(**changes)

    async def gets_in_line(self, **changes: str) -> None:
        """Press Meet Now on the open calendar, fill in the patient information, and go to the first page of the setup
        guide. `changes`: values of the form to replace.
        """
        await self.page.get_by_role("link", name="Meet Now").first.click()
        await self.fills_in(**changes)
        await self.press("Get in line")
        await self.page.wait_for_url("**/demo/visit**")
        await self.sees(re.compile(r"Step 1 of \d"))

    async def fills_in(self, **changes: str) -> None:
        """Fill in the patient information, and do not send it. `changes`: values of the form to replace."""
        answers = {
            "name": "Ana Ruiz",
            "birth_date": "1990-04-02",
            "phone": "512 555 0142",
            "email": "ana@example.org",
            "reason": "Rash, three days",
            **changes,
        }
        for name, value in answers.items():
            await self.page.locator(f"[name={name}]").fill(value)
        await self.page.locator("[name=state]").select_option("TX")
        await self.page.locator("[name=language]").select_option("en")

    async def adds_photo(self, text: str) -> None:
        """Choose a photo, describe it with `text`, and send it; return when the patient's page shows it."""
        await self.page.get_by_label("Add a photo").set_input_files(_photo())
        await self.page.get_by_label("What does it show?").fill(text)
        await self.press("Send photo")
        await self.sees_photo(text)


class Staff(Person):
    """A provider or administrator of the demo organisation."""

    async def sign_in(self, who: str) -> None:
        """Sign in to the account `who` with the password that the server has printed."""
        email, password = await credentials(self.server, who)
        await self.go("/demo/staff")
        await self.page.locator("[name=email]").fill(email)
        await self.page.locator("[name=password]").fill(password)
        await self.press("Sign in")
        await self.sees("Sessions List")

    async def go_on_call(self) -> None:
        """Turn the On-Call switch on, on the open page."""
        switch = self.page.get_by_role("switch", name=re.compile("On-Call"))
        await switch.click()
        await expect(switch).to_be_checked(timeout=SHOWN_MS)

    async def claim(self, name: str = "Ana Ruiz") -> None:
        """Press Claim for the patient with this name."""
        row = (
            self.page.get_by_role("listitem")
            .filter(has_text=name)
            .or_(self.page.get_by_role("article").filter(has_text=name))
        )
        await row.first.get_by_role("button", name=re.compile("Claim")).click(timeout=SHOWN_MS)


async def one_press_before(browser: Browser, server: RunningServer, *scripts: str) -> tuple[Patient, Staff]:
    """Return (a patient who has pressed Start Session, a provider who has not). `scripts`: run in the patient's pages
    before the pages' own scripts.
    """
    provider = await on_call(browser, server)
    patient: Patient = await person(browser, server, Patient)
    for script in scripts:
        await patient.page.add_init_script(script)
    await patient.meet_now()
    await provider.claim()
    await patient.press("Start Session")
    return patient, provider


async def in_call(browser: Browser, server: RunningServer, *scripts: str) -> tuple[Patient, Staff]:
    """Return (a patient, a provider) who see and hear each other. `scripts`: run in the patient's pages before the
    pages' own scripts.
    """
    patient, provider = await one_press_before(browser, server, *scripts)
    await provider.press("Start Session")
    await see_and_hear(patient, provider)
    return patient, provider


async def person(browser: Browser, server: RunningServer, kind: type[Any], **how: Any) -> Any:
    """Return a new person of this kind, in a browser context of their own. `how`: options of the context."""
    context = await browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **how})
    await context.add_init_script(MEASURE)
    return kind(await context.new_page(), server)


async def on_call(browser: Browser, server: RunningServer, who: str = "osei", **how: Any) -> Staff:
    """Return a provider of the demo who is signed in and on call, in a browser context of their own. `how`: options of
    the context.
    """
    provider: Staff = await person(browser, server, Staff, **how)
    await provider.sign_in(who)
    await provider.go_on_call()
    return provider
