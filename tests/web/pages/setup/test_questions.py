"""Tests that the set-up asks for a confirmation before an action that cannot be undone.

It also asks before a person leaves a page with unsaved values.
"""

from playwright.async_api import Dialog, Page, expect

from tests.web.browsing import OpenPage
from tests.web.pages.setup.test_browser import go, open_page, save, signed_in
from tests.web.site import OSEI, Site

__all__ = ["open_page"]  # pytest needs this imported fixture in the module


async def asked(page: Page, button: str, title: str, *words: str) -> None:
    """Press a button and cancel the question that appears; press the button again and confirm the question.

    The question is a dialog that must have this title and contain these words. Its last button confirms it.
    """
    for yes in (False, True):
        await page.get_by_role("button", name=button).click()
        dialog = page.get_by_role("dialog", name=title)
        for text in words:
            await expect(dialog).to_contain_text(text)
        answer = dialog.get_by_role("button").last if yes else dialog.get_by_role("button", name="Cancel")
        await answer.click()
        if not yes:
            await expect(dialog).to_have_count(0)


async def test_f31_f32_acts_that_others_notice_are_asked_about_and_a_closed_account_clears_its_pages(
    site: Site, open_page: OpenPage
) -> None:
    osei = await signed_in(site, open_page, OSEI)
    await expect(osei.get_by_role("switch", name="On-Call")).to_be_enabled()
    page = await signed_in(site, open_page)
    await go(site, page, "/demo/staff/setup/people")
    await page.get_by_text("Change Dr Jonas Lind").click()
    await asked(
        page,
        "New password by link Dr Jonas Lind",
        "Take the password of Dr Jonas Lind away?",
        "You get a link to set a new one",
    )
    await expect(page.get_by_role("heading", name="A link for Dr Jonas Lind")).to_be_visible()
    await page.get_by_text("Change Dr Maya Osei").click()
    await asked(
        page,
        "Close the account Dr Maya Osei",
        "Close the account of Dr Maya Osei?",
        "You can open the account",
    )
    await expect(page.get_by_text("Closed", exact=True)).to_be_visible()
    await expect(osei.get_by_role("heading", name="You are signed out")).to_be_visible()
    await expect(osei.get_by_role("heading", name="Sessions List")).to_have_count(0)
    await go(site, page, "/demo/staff/setup/facilities")
    await page.get_by_label("Name of the facility").fill("Lakeside School")
    await page.get_by_role("button", name="Make its link").click()
    await asked(
        page, "Revoke the link Lakeside School", "Revoke the link of Lakeside School?", "printed sheets"
    )
    await expect(page.get_by_text("There is no facility yet.")).to_be_visible()
    await go(site, page, "/demo/staff/setup/api")
    await page.get_by_label("Name of the program").fill("Records")
    await page.get_by_role("button", name="Make the key").click()
    await asked(page, "Revoke Records", "Revoke the key Records?", "refused from now on")
    await expect(page.get_by_text("There is no key yet.")).to_be_visible()
    await page.get_by_label("Address").fill("https://records.example.org/hook")
    await page.get_by_role("button", name="Make the webhook").click()
    await asked(
        page, "Delete https://records.example.org/hook", "Delete the webhook?", "receives nothing any more"
    )
    await expect(page.get_by_text("There is no webhook yet.")).to_be_visible()


async def test_f33_a_set_up_page_with_something_unsaved_is_left_only_after_a_question(
    site: Site, open_page: OpenPage
) -> None:
    page = await signed_in(site, open_page)
    questions: list[str] = []

    async def stay(dialog: Dialog) -> None:
        questions.append(dialog.type)
        await dialog.dismiss()

    await go(site, page, "/demo/staff/setup/policy")
    await page.get_by_label("A wait turns amber after").fill("7")
    page.on("dialog", stay)
    await page.get_by_role("link", name="Mail").click()
    await expect(page.get_by_label("A wait turns amber after")).to_have_value("7")
    await save(page)
    await page.get_by_role("link", name="Mail").click()
    await expect(page.get_by_role("heading", name="Mail", exact=True)).to_be_visible()
    assert questions == ["beforeunload"], "asked once, and not for what is saved"
