"""Tests the video session page on a network that blocks or loses the call: the texts and buttons on each side."""

import re

import pytest
from playwright.async_api import expect

from tests.media.protocols.test_sdp import OFFER
from tests.web.pages.clinic import Clinic
from tests.web.pages.conftest import OpenPage
from tests.web.pages.session_pages import in_the_call, patients_page, providers_page
from tests.web.pages.test_accessibility import is_accessible


async def path(clinic: Clinic, party: str, state: str) -> None:
    """Report the state of a party's connection for media to the pages.

    `state`: "open" (media can flow), "lost", or "none" (never found).
    """
    await clinic.send({"type": "media.path", "visit": "v_1", "party": party, "path": state})


@pytest.mark.parametrize("width", [390, 1280])
async def test_a_patient_whose_network_blocks_the_call_reads_what_to_do(
    clinic: Clinic, open_page: OpenPage, width: int
) -> None:
    page = await patients_page(clinic, open_page, width=width, height=844 if width == 390 else 800)
    await path(clinic, "patient", "none")
    status = page.get_by_role("status").filter(has_text="Your network blocks video calls.")
    await expect(status).to_contain_text("Try mobile data or another Wi-Fi.")
    await expect(status).to_contain_text("The clinic can call you at (512) 555-0142.")
    await expect(page.get_by_text("No connection yet")).to_be_visible()
    assert await page.get_by_role("link", name="Call by phone").count() == 0
    await is_accessible(page)
    await in_the_call(clinic)
    await expect(page.get_by_role("button", name="Leave the call")).to_be_visible()
    await expect(status).to_be_in_viewport()
    await expect(page.get_by_role("region", name="You")).to_be_in_viewport()
    await is_accessible(page)
    await path(clinic, "patient", "open")
    await expect(status).to_have_count(0)


@pytest.mark.parametrize("width", [390, 1280])
async def test_a_provider_reads_whose_network_it_is_calls_by_phone_and_ends_the_visit_so(
    clinic: Clinic, open_page: OpenPage, width: int
) -> None:
    page = await providers_page(clinic, open_page, width=width, height=844 if width == 390 else 800)
    await path(clinic, "patient", "none")
    status = page.get_by_role("status").filter(has_text="The network of Ana Ruiz blocks video calls.")
    await expect(status).to_contain_text("end the visit as held by phone")
    await expect(page.get_by_role("link", name="Call by phone: (512) 555-0142")).to_have_attribute(
        "href", "tel:+15125550142"
    )
    assert "512" not in page.url
    await is_accessible(page)
    await in_the_call(clinic)
    await page.get_by_role("button", name="End", exact=True).click()
    await is_accessible(page)
    await page.get_by_role("dialog").get_by_role("button", name="End it as held by phone").click()
    await expect(page.get_by_role("heading", name="Session with Ana Ruiz has ended")).to_be_visible()
    assert [message["by_phone"] for message in clinic.got("visit.end")] == [True]


async def test_a_party_that_is_away_or_has_a_new_offer_is_not_shown_as_blocked(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await providers_page(clinic, open_page)
    await path(clinic, "patient", "none")
    blocked = page.get_by_text(re.compile("blocks video calls"))
    await expect(blocked).to_be_visible()
    await clinic.party("patient", present=False, away_since_ms=1)
    await expect(blocked).to_have_count(0)
    await clinic.party("patient", present=True, away_since_ms=None)
    await expect(blocked).to_be_visible()
    offer = {"offer": 1, "fresh": True, "sdp": "v=0\r\n", "ice_servers": []}
    await clinic.send({"type": "media.offer", "visit": "v_1", **offer})
    await expect(blocked).to_have_count(0)


async def test_a_page_without_a_first_connection_after_five_seconds_asks_for_a_restart_of_ice_once(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await patients_page(clinic, open_page)
    await page.clock.install()
    offer = {"offer": 1, "fresh": True, "sdp": OFFER, "ice_servers": []}
    await clinic.send({"type": "media.offer", "visit": "v_1", **offer})
    await clinic.until(lambda: clinic.got("media.answer"))
    await page.clock.fast_forward(5_100)
    await clinic.until(lambda: clinic.got("media.restart"))
    await page.clock.fast_forward(6_000)
    assert len(clinic.got("media.restart")) == 1


async def test_a_visit_held_by_phone_ends_so_on_the_patients_page(
    clinic: Clinic, open_page: OpenPage
) -> None:
    page = await patients_page(clinic, open_page)
    await clinic.becomes(status="ended", outcome="by_phone", ended_ms=1_790_000_000_000)
    await expect(page.get_by_role("heading", name="Your visit is over")).to_be_visible()
    await expect(page.get_by_text("Dr Maya Osei saw you by phone.")).to_be_visible()
