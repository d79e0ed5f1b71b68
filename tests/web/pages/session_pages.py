"""Opens the video session page of each side, and lets both sides press Start Session."""

from playwright.async_api import Page, expect

from tests.web.pages.clinic import Clinic
from tests.web.pages.conftest import OpenPage
from tests.web.pages.steady import lobby


async def in_the_call(clinic: Clinic) -> None:
    """Press Start Session for both sides."""
    for role in clinic.visit["parties"]:
        await clinic.party(role, started=True)


async def patients_page(clinic: Clinic, open_page: OpenPage, **how: object) -> Page:
    """Return the page of a patient whose visit is claimed. The page is complete, and has asked for the media."""
    await clinic.claimed_by()
    return await _complete(clinic, await open_page("/demo/visit", **how))


async def providers_page(clinic: Clinic, open_page: OpenPage, **how: object) -> Page:
    """Return the page of the provider who has claimed the visit. The page is complete, and has asked for the media."""
    clinic.staff["u_osei"]["on_call"] = True
    await clinic.claimed_by()
    return await _complete(clinic, await open_page("/demo/staff/visits/v_1", **how))


async def _complete(clinic: Clinic, page: Page) -> Page:
    await expect(page.get_by_role("button", name="Start Session")).to_be_visible()
    await lobby(page)
    await clinic.until(lambda: clinic.got("media.join"))
    return page
