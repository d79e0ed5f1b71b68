"""Takes the README's pictures: a real server, and a real visit in real browsers whose cameras show drawn people.

`make pictures` writes the PNG files beside this file.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Playwright, async_playwright

from tests.browsers import ARGUMENTS, find_chromium
from tests.journeys.people import Patient, Person, Staff, person
from tests.pictures.desk import clinic_side
from tests.server import RunningServer

HERE = Path(__file__).parent
WIDTH, HEIGHT, FRAMES = 640, 480, 10
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
DESK = {"viewport": {"width": 1280, "height": 800}}
Colour = tuple[int, int, int]  # a colour of a film: brightness, blue and red difference (Y, Cb, Cr)

# Chromium gives a camera that plays a film the name of the file, which no real device has. This script changes the
# names.
LABELS = """Object.defineProperty(MediaDeviceInfo.prototype, "label", { get() {
  return this.kind === "videoinput" ? "Front camera" : "Built-in microphone";
} });"""


def camera(path: Path, wall: Colour, shirt: Colour, skin: Colour, hair: Colour) -> None:
    """Write a short film of a drawn person who sits in front of a wall and moves a little (YUV4MPEG2, 4:2:0).

    `wall`, `shirt`, `skin` and `hair`: the colours of the drawing.
    """
    with path.open("wb") as film:
        film.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode())
        for frame in range(FRAMES):
            sway = (frame if frame < FRAMES // 2 else FRAMES - frame) * 2
            planes = [bytearray(), bytearray(), bytearray()]
            for y in range(0, HEIGHT, 2):
                rows = [
                    [_colour(x + sway, y + dy, wall, shirt, skin, hair) for x in range(WIDTH)]
                    for dy in (0, 1)
                ]
                for row in rows:
                    planes[0] += bytes(colour[0] for colour in row)
                for plane in (1, 2):
                    planes[plane] += bytes(colour[plane] for colour in rows[0][::2])
            film.write(b"FRAME\n" + b"".join(planes))


def _colour(x: int, y: int, wall: Colour, shirt: Colour, skin: Colour, hair: Colour) -> Colour:
    head = ((x - 320) / 78) ** 2 + ((y - 210) / 100) ** 2
    if head < 1:
        eye = any((x - ex) ** 2 + (y - 200) ** 2 < 64 for ex in (292, 348))
        mouth = ((x - 320) / 30) ** 2 + ((y - 262) / 7) ** 2 < 1
        return (40, 128, 128) if eye else (95, 115, 165) if mouth else skin if y > 150 else hair
    if ((x - 320) / 96) ** 2 + ((y - 190) / 112) ** 2 < 1 and y < 260:
        return hair
    if ((x - 320) / 36) ** 2 < 1 and 280 < y < 350:
        return skin
    if ((x - 320) / 220) ** 2 + ((y - 500) / 170) ** 2 < 1:
        return shirt
    return (max(16, wall[0] - y // 16), wall[1], wall[2])


async def window(browser: Browser, server: RunningServer, kind: type[Person], **how: Any) -> Any:
    """Return a person of this kind, in a new browser context.

    Its camera and microphone have the names of real devices.
    """
    made = await person(browser, server, kind, **how)
    await made.page.context.add_init_script(LABELS)
    return made


async def browser_with(playwright: Playwright, film: Path) -> Browser:
    """Return a Chromium whose camera plays a film."""
    arguments = [*ARGUMENTS, f"--use-file-for-fake-video-capture={film}"]
    return await playwright.chromium.launch(executable_path=find_chromium(), args=arguments)


async def shoot(who: Person, name: str) -> None:
    """Save a picture of a person's page, with this name."""
    await who.page.wait_for_timeout(600)
    await who.page.screenshot(path=HERE / f"{name}.png")
    sys.stdout.write(f"  {name}.png\n")


async def report(browser: Browser, folder: Path) -> None:
    """Run a load test, and save a picture of the beginning of its report. `folder`: where the report is written."""
    # There are enough providers for all patients, because the picture must show the speed of the server, not a lack of
    # providers.
    told = "--local --patients 120 --arrivals poisson:3/s --providers 20 --talk 3s..6s --media light --report"
    program = Path(sys.executable).with_name("greenroom")
    process = await asyncio.create_subprocess_exec(program, "peers", *told.split(), str(folder), cwd=folder)
    await process.wait()
    page = await browser.new_page(viewport={"width": 1280, "height": 920})
    await page.goto((folder / "report.html").as_uri())
    await page.screenshot(path=HERE / "report.png")
    await page.close()
    sys.stdout.write("  report.png\n")


async def main() -> None:
    """Play a visit between two people, and save the pictures of their pages."""
    folder = Path(tempfile.mkdtemp())
    camera(folder / "patient.y4m", (150, 118, 140), (110, 150, 110), (170, 112, 150), (60, 122, 138))
    camera(folder / "provider.y4m", (185, 132, 122), (225, 128, 126), (118, 116, 150), (38, 126, 130))
    server = RunningServer(folder, {"server": {"port": 0, "workers": 2}}).wait()
    try:
        async with async_playwright() as playwright:
            phone = await browser_with(playwright, folder / "patient.y4m")
            desk = await browser_with(playwright, folder / "provider.y4m")
            provider: Staff = await window(desk, server, Staff, **DESK)
            await provider.sign_in("osei")
            await provider.go_on_call()
            patient: Patient = await window(phone, server, Patient, **PHONE)
            await patient.go("/demo")
            await shoot(patient, "calendar")
            await patient.meet_now()
            for name, reason in (("Jon Bell", "Refill"), ("Mei Lin", "Headache since Monday")):
                other: Patient = await window(phone, server, Patient, **PHONE)
                await other.meet_now(name=name, reason=reason, phone="614 555 0177")
            await patient.page.locator("main input[type=date]").fill("2026-11-20")
            await patient.press("Next")
            await patient.sees(re.compile(r"Step 2 of \d"))
            await shoot(patient, "setup-guide")
            await provider.sees("Mei Lin")
            await provider.press("Case Information")
            await shoot(provider, "on-demand-requests")
            await provider.claim()
            await patient.sees("Start Session")
            await provider.press("Start Session")
            await patient.sees(re.compile("Has pressed Start Session", re.IGNORECASE))
            await shoot(patient, "video-session-page")
            await patient.press("Start Session")
            await provider.sees_and_hears()
            await provider.page.wait_for_timeout(2500)
            await shoot(provider, "call")
            await shoot(patient, "call-on-a-phone")
            await clinic_side(desk, phone, provider, shoot)
            await phone.close()
            server.stop()
            await report(desk, folder)
            await desk.close()
    finally:
        server.stop()


if __name__ == "__main__":
    asyncio.run(main())
