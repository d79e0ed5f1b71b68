"""Tests the page On-Demand Requests after the server has refused a claim."""

from playwright.async_api import expect

from tests.web.pages.clinic import LIND, Clinic, RefusedError
from tests.web.pages.conftest import OpenPage
from tests.web.pages.staff.test_shell_pages import on_call
from tests.web.pages.test_accessibility import is_accessible


async def test_a_lost_claim_says_who_has_it_and_the_row_leaves(clinic: Clinic, open_page: OpenPage) -> None:
    def refuse(_: dict[str, object]) -> None:
        raise RefusedError("already_claimed", "Taken.", by=LIND)

    clinic.refuse["visit.claim"] = refuse
    clinic.row("v_1", "Ana Ruiz", 60)
    page = await on_call(clinic, open_page)
    await page.get_by_role("button", name="Claim Ana Ruiz").click()
    await expect(
        page.get_by_role("status").filter(has_text="Dr Jonas Lind has claimed Ana Ruiz.")
    ).to_be_visible()
    await clinic.leaves("v_1", by=LIND)
    await expect(page.get_by_text("Nobody is waiting")).to_be_visible()
    await expect(page).to_have_url(f"{clinic.url}/demo/staff")


async def test_a_claim_without_a_free_place_says_so_and_its_row_keeps_its_place_until_a_claim_succeeds(
    clinic: Clinic, open_page: OpenPage
) -> None:
    def refuse(_: dict[str, object]) -> None:
        raise RefusedError("at_capacity", "Full.")

    clinic.refuse["visit.claim"] = refuse
    clinic.row("v_1", "Ana Ruiz", 60)
    clinic.row("v_2", "Ben Ito", 30)
    page = await on_call(clinic, open_page)
    rows = page.locator("li.req")
    await page.get_by_role("button", name="Claim Ana Ruiz").click()
    await expect(
        page.get_by_role("status").filter(
            has_text="All places for calls are taken. The patient keeps the place in line. Try again in a moment."
        )
    ).to_be_visible()
    await expect(rows.first).to_contain_text("No free place for a call")
    await expect(rows.first).to_contain_text("Ana Ruiz")
    await expect(rows.last).not_to_contain_text("No free place for a call")
    await is_accessible(page)
    del clinic.refuse["visit.claim"]
    await page.get_by_role("button", name="Claim Ana Ruiz").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Session with Ana Ruiz")
