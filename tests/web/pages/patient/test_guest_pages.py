"""Tests the guest's pages, and the session pages of patient and provider when a guest takes part.

Tests their texts and their accessibility.
"""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.web.pages.clinic import Clinic
from tests.web.pages.conftest import OpenPage
from tests.web.pages.reception import ROSA
from tests.web.pages.test_accessibility import LOOKS, is_accessible


async def with_rosa(clinic: Clinic, **changes: Any) -> None:
    """Add the guest Rosa Diaz, and let the provider claim the visit.

    `changes`: new values for fields of Rosa's entry in the visit's `parties`.
    """
    guest = {"name": "Rosa Diaz", "relation": "interpreter", "present": True, "started": False}
    clinic.visit["parties"][ROSA] = {**guest, "away_since_ms": None, **changes}
    await clinic.claimed_by()


async def live(clinic: Clinic) -> None:
    """Press Start Session for the patient and the provider, but not for the guest."""
    for role in ("patient", "provider"):
        clinic.visit["parties"][role] |= {"started": True, "present": True}
    await clinic.becomes(status="live", live_ms=clinic.visit["claimed_ms"])


@pytest.mark.parametrize(("width", "dark"), LOOKS)
async def test_the_guests_pages_are_accessible_in_every_state(
    clinic: Clinic, open_page: OpenPage, width: int, dark: bool
) -> None:
    await with_rosa(clinic)
    page = await open_page("/demo/join/t0ken", width=width, dark=dark)
    await expect(
        page.get_by_text("Join the session with Dr M. Osei as Rosa Diaz, interpreter.")
    ).to_be_visible()
    await is_accessible(page)
    await page.goto(f"{clinic.url}/demo/guest")
    await page.get_by_label("Camera").wait_for()
    await is_accessible(page)
    await live(clinic)
    await expect(page.get_by_text("Has pressed Start Session").first).to_be_visible()
    await page.get_by_role("button", name="Start Session").click()
    await page.get_by_role("button", name="Leave the call").wait_for()
    await is_accessible(page)
    await clinic.becomes(status="queued")
    await page.get_by_role("heading", name="Please wait").wait_for()
    await is_accessible(page)
    del clinic.visit["parties"][ROSA]
    await clinic.tell_visit()
    await page.get_by_role("heading", name="You are no longer in this session").wait_for()
    await is_accessible(page)


@pytest.mark.parametrize(("width", "dark"), LOOKS)
async def test_a_call_with_a_guest_is_accessible_and_names_everybody(
    clinic: Clinic, open_page: OpenPage, width: int, dark: bool
) -> None:
    page = await open_page("/demo/visit", width=width, dark=dark)
    await with_rosa(clinic)
    await page.get_by_label("Camera").wait_for()
    await is_accessible(page)
    await live(clinic)
    await page.get_by_role("button", name="Leave the call").wait_for()
    rosa = page.locator(f"[data-party={ROSA}]")
    await expect(rosa.get_by_text("Rosa Diaz · Interpreter")).to_be_visible()
    await expect(rosa.get_by_text("Has not pressed Start Session yet")).to_be_visible()
    await expect(page.locator("[data-party=provider]").get_by_text("Dr Maya Osei")).to_be_visible()
    await is_accessible(page)
    # Only the provider is marked as speaking. Rosa has not pressed Start Session, and the page does not mark its
    # own person, the patient.
    for party in ("provider", ROSA, "patient", None):
        await clinic.send({"type": "media.speaker", "visit": "v_1", "party": party})
        speaking = page.locator("[data-speaking]")
        if party == "provider":
            await expect(speaking).to_have_accessible_name("Dr Maya Osei, speaking")
            await is_accessible(page)
        else:
            await expect(speaking).to_have_count(0)
    # The guest has left, so the page looks as before the guest came.
    del clinic.visit["parties"][ROSA]
    await clinic.tell_visit()
    await expect(rosa).to_have_count(0)
    await expect(page.locator(".tiles.many")).to_have_count(0)


async def test_a_live_visit_does_not_take_a_guests_picture_before_their_own_press(
    clinic: Clinic, open_page: OpenPage
) -> None:
    await with_rosa(clinic)
    await live(clinic)
    page = await open_page("/demo/guest")
    await page.get_by_label("Camera").wait_for()
    await expect(page.get_by_text("Nobody sees or hears you until you press Start Session.")).to_be_visible()
    await expect(page.get_by_role("button", name="Leave the call")).to_have_count(0)
    await page.get_by_role("button", name="Start Session").click()
    await page.get_by_role("button", name="Leave the call").wait_for()


async def test_a_guest_can_leave_the_call_but_neither_hang_up_nor_end_the_visit(
    clinic: Clinic, open_page: OpenPage
) -> None:
    await with_rosa(clinic, started=True)
    await live(clinic)
    page = await open_page("/demo/guest")
    await expect(page.get_by_role("button", name="Mute")).to_be_visible()
    await page.get_by_role("button", name="Leave the call").click()
    await page.get_by_role("heading", name="You have left the session").wait_for()
    assert clinic.got("visit.hang_up") == []
    assert clinic.got("visit.end") == []
    await page.get_by_role("button", name="Come back").click()
    await page.get_by_role("button", name="Leave the call").wait_for()
